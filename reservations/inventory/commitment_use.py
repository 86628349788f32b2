"""How a period used one commitment, and what the bill does when it ends."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count

from costs.models import CostLine
from finops_site.lib.periods import Period
from reservations.calc.discount_application import utilisation_rate
from reservations.models import Commitment

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CommitmentUse:
    """Sums of a commitment's days in a period, in its own unit and its currency; `days` had any.

    Where the unit changed within the period, used and unused are in money: units of two kinds do not add up.
    """

    used: Decimal
    unused: Decimal
    paid: Decimal
    unused_cost: Decimal
    on_demand: Decimal | None
    days: int
    unit: str = ""

    @property
    def share(self) -> Decimal | None:
        return utilisation_rate(self.used, self.unused)

    def a_day(self, amount: Decimal) -> Decimal:
        return amount / self.days if self.days else ZERO


def use_of(commitment: Commitment, period: Period) -> CommitmentUse:
    """How the period used it; of a day without a row the bill shows nothing."""
    rows = list(commitment.days.within(period).filter(currency=commitment.currency))
    listed = [row.on_demand for row in rows]
    units = {row.unit for row in rows}
    paid, unused_cost = (sum((getattr(row, name) for row in rows), ZERO) for name in ("paid", "unused_cost"))
    used, unused = (sum((getattr(row, name) for row in rows), ZERO) for name in ("used", "unused"))
    is_one_unit = len(units) < 2
    return CommitmentUse(
        used if is_one_unit else paid - unused_cost,
        unused if is_one_unit else unused_cost,
        paid,
        unused_cost,
        None if not listed or None in listed else sum((amount for amount in listed if amount), ZERO),
        len({row.day for row in rows}),
        unit=next(iter(units), "") if is_one_unit else commitment.currency,
    )


def sources_of_same_days(commitment: Commitment, period: Period) -> list[str]:
    """Names of the sources that bring the same charges of a commitment for a day: they count twice, as their cost does.

    Accounts that are billed apart may each bring their own charges of one commitment: those are no doubles.
    """
    lines = CostLine.objects.current().filter(provider=commitment.provider, commitment=commitment.commitment_id)
    same = ("charge_date", "sub_account", "resource", "charge_category", "commitment_status")
    source = "delivery_month__delivery__source__name"
    # The halves of a bill in two views are no doubles: each has its own cost.
    doubled = (
        lines.charged_in(period)
        .filter(effective_cost__isnull=False)
        .order_by()
        .values(*same)
        .annotate(sources=ArrayAgg(source, distinct=True), n=Count(source, distinct=True))
        .filter(n__gt=1)
    )
    return sorted({name for row in doubled for name in row["sources"]})


def days_before(days: int, day: date) -> Period:
    """The `days` days before `day`."""
    return Period(day - timedelta(days=days), day)


def cost_after_end(commitment: Commitment, day: date) -> dict[str, Any]:
    """What the bill does on the day it ends, from the last 30 days: per day, with and without it, and the rise."""
    use = use_of(commitment, days_before(30, day))
    with_it = use.a_day(use.paid)
    if use.on_demand is None or not use.days:
        return {"days": use.days, "with": with_it, "without": None, "rise": None}
    without = use.a_day(use.on_demand)
    return {"days": use.days, "with": with_it, "without": without, "rise": without - with_it}
