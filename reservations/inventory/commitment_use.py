"""How a period used one commitment, and what the bill does when it ends."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_site.lib.periods import Period
from reservations.calc.discount_application import utilisation_rate
from reservations.models import Commitment

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CommitmentUse:
    """Sums of a commitment's days in a period, in its own unit and its currency; `days` had any."""

    used: Decimal
    unused: Decimal
    paid: Decimal
    unused_cost: Decimal
    on_demand: Decimal | None
    days: int

    @property
    def share(self) -> Decimal | None:
        return utilisation_rate(self.used, self.unused)

    def a_day(self, amount: Decimal) -> Decimal:
        return amount / self.days if self.days else ZERO


def use_of(commitment: Commitment, period: Period) -> CommitmentUse:
    """How the period used it; of a day without a row the bill shows nothing."""
    rows = list(commitment.days.within(period).filter(currency=commitment.currency))
    listed = [row.on_demand for row in rows]
    return CommitmentUse(
        sum((row.used for row in rows), ZERO),
        sum((row.unused for row in rows), ZERO),
        sum((row.paid for row in rows), ZERO),
        sum((row.unused_cost for row in rows), ZERO),
        None if not listed or None in listed else sum((amount for amount in listed if amount), ZERO),
        len({row.day for row in rows}),
    )


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
