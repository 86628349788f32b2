"""What a purchase can cover and what it costs, as snapshots; and what has moved since one was taken."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.utils.translation import gettext as _

from finops_site.lib.money import exact_text
from finops_site.lib.periods import Period
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.calc.terms import ON_DEMAND, MachinePool
from reservations.inventory import metrics
from reservations.models import Coverage, PurchaseRequest, Utilisation
from reservations.pricing import price_book

ZERO = Decimal(0)


def take_snapshot(row: PurchaseRequest, as_of: date, pools: Iterable[str]) -> dict[str, Any]:
    """Prices by name, uncovered and total demand a day, and what is unused a day: as exact text, to be stored."""
    # Price lists know no accounts.
    machines = {replace(pool_of(name), account="") for name in pools}
    prices = price_book.prices_of(machines, as_of, row.currency)
    labels = {(ON_DEMAND, 0, ""): "on demand", (row.kind, row.term_months, row.payment): "committed"}
    named = {
        f"{price.pool}, {labels[key[1:]]}": price.effective
        for key, price in prices.items()
        if price.pool in machines and key[1:] in labels
    }
    uncovered, total = demand_a_day(row)
    return {
        "pools": sorted(pools),
        "prices": {name: exact_text(price) for name, price in sorted(named.items())},
        "uncovered": exact_text(uncovered),
        "demand": exact_text(total),
        "idle": exact_text(_unused_cost_a_day(row.currency)),
        "day": as_of.isoformat(),
    }


def pool_of(name: str) -> MachinePool:
    """The machine that a pool's text names; raises CannotBuy."""
    pool = MachinePool.from_text(name)
    if pool is None:
        raise CannotBuy(_("{name!r} names no machine.").format(name=name))
    return pool


def demand_a_day(row: PurchaseRequest, period: Period | None = None) -> tuple[Decimal | None, Decimal | None]:
    """(not covered, all) of what it can cover, a day at on-demand prices; of the newest 30 days by default.

    None where no day has a row of it: that is not known, and not zero.
    """
    use = [one for one in use_a_day(row.currency, period) if row.reach.covers(one)]
    if not use:
        return None, None
    return sum((one["uncovered"] for one in use), ZERO), sum((one["eligible"] for one in use), ZERO)


def use_a_day(currency: str, period: Period | None = None) -> list[dict[str, Any]]:
    """Use of a day at on-demand prices (`eligible`, `uncovered`), by provider, service, region, family and `owner`."""
    period = period or newest_period_of(Coverage)
    days = Coverage.objects.within(period).aggregate(n=Count("day", distinct=True))["n"] if period else 0
    if period is None or not days:
        return []
    rows = Coverage.objects.within(period).filter(currency=currency).order_by()
    groups = rows.values("provider", "service", "region", "family", "owner").annotate(
        all_cost=Sum("eligible_cost"), covered=Sum("covered_cost")
    )
    return [
        {**group, "eligible": group["all_cost"] / days, "uncovered": (group["all_cost"] - group["covered"]) / days}
        for group in groups
    ]


def _unused_cost_a_day(currency: str) -> Decimal:
    """Unused cost a day of everything that is owned, over the newest 30 days."""
    period = newest_period_of(Utilisation)
    if period is None:
        return ZERO
    sums = Utilisation.objects.within(period).aggregate(
        unused=Sum("unused_cost", filter=Q(currency=currency)), days=Count("day", distinct=True)
    )
    return (sums["unused"] or ZERO) / sums["days"]


def newest_period_of(model: type[Coverage] | type[Utilisation]) -> Period | None:
    """The 30 days that end with the newest day of a model; None while there is none."""
    newest = model.objects.aggregate(day=Max("day"))["day"]
    return None if newest is None else metrics.period_ending_on(newest)


def changes_since_decision(row: PurchaseRequest, now: datetime) -> list[str]:
    """What has moved since it was approved (or requested), or that its time is over; in sentences."""
    before = row.baseline or row.request_snapshot
    after = take_snapshot(row, now.date(), before["pools"])
    prices_before, prices_after = (
        {name: Decimal(text) for name, text in snapshot["prices"].items()} for snapshot in (before, after)
    )
    demand_before = Decimal(before["uncovered"] or 0)
    demand_after = None if after["uncovered"] is None else Decimal(after["uncovered"])
    if demand_after is None and demand_before and Coverage.objects.exists():
        # Newer days are known, and none has a row of it any more.
        demand_after = ZERO
    moves = purchase_rules.describe_moves(prices_before, prices_after, demand_before, demand_after)
    return [*purchase_rules.describe_expiry(row.expires_at, now), *moves]
