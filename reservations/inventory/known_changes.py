"""What commitments will change in the bills of the days ahead: those that end, and those that begin.

One that ends: what it covered costs its on-demand price (list cost, else contracted cost) from then on, and its fees
fall away. Measured for each service, account, region and team by the days it was used lately. One that begins: what is
paid for it, against the on-demand price of the machines it covers where that is known.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from costs.models import CostLine
from costs.query.spend import NOBODY, team_or_shared
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange
from reservations.calc.terms import ON_DEMAND as ON_DEMAND_PRICE
from reservations.calc.terms import MachinePool
from reservations.models import Commitment
from reservations.pricing import price_book

# The days of use that say what a commitment covers.
MEASURED_DAYS = 28
ZERO, DAY = Decimal(0), Decimal(24)
MACHINES = ("ri_standard", "ri_convertible", "azure_reservation")
ON_DEMAND = Coalesce("list_cost", "contracted_cost", "effective_cost")
# The dimension of costs.spend -> what cost lines are grouped by; a commitment is known by the first two.
GROUPS = {
    "provider": "provider",
    "commitment": "commitment",
    "account": "sub_account",
    "service": "service",
    "region": "region",
    "charge_category": "charge_category",
    "own_team": "owner",
    "pool": "pool",
    "team": "team",
    "currency": "currency",
}
Key = tuple[str, ...]


def commitment_changes(period: Period) -> list[KnownChange]:
    """What commitments that end or begin in `period` change; one that a bill has shown already has begun."""
    beginning = Commitment.objects.filter(start__gte=period.start, start__lt=period.end, first_seen__isnull=True)
    return [*_endings(list(Commitment.objects.ending_in(period))), *_beginnings(list(beginning), period)]


def _endings(ending: Sequence[Commitment]) -> Iterator[KnownChange]:
    known = {(each.provider, each.commitment_id): each for each in ending}
    days, sums = _measured(_used(ending)) if ending else ({}, {})
    for key, (effective, billed, on_demand) in sums.items():
        commitment, filters = known[key[:2]], dict(zip(GROUPS, key, strict=True))
        currency, count = filters.pop("currency"), days[key[:2]]
        del filters["commitment"]
        for basis, paid in (("effective_cost", effective), ("billed_cost", billed)):
            amount = EXACT.divide(EXACT.subtract(on_demand, paid), count)
            if amount and commitment.end:
                yield KnownChange(commitment.end, filters, basis, amount, currency, f"{commitment} ends")


def _used(ending: Sequence[Commitment]) -> Iterable[tuple[Any, ...]]:
    """By day what they cover and what is paid for them, in the last weeks before they end; one question for all."""
    wanted = Q(pk__in=[])
    for each in ending:
        newest = min(filter(None, (each.end, each.last_seen and each.last_seen + timedelta(days=1))))
        span = Q(charge_date__gte=newest - timedelta(days=MEASURED_DAYS), charge_date__lt=newest)
        wanted |= span & Q(commitment=each.commitment_id, provider=each.provider)
    covered = Q(charge_category="Usage") & ~Q(commitment_status="Unused")
    lines = CostLine.objects.current().filter(wanted).order_by().annotate(team=team_or_shared())
    found = lines.values_list("charge_date", *GROUPS.values())
    return found.annotate(Sum("effective_cost"), Sum("billed_cost"), on_demand=Sum(ON_DEMAND, filter=covered))


def _measured(rows: Iterable[tuple[Any, ...]]) -> tuple[dict[Key, int], dict[Key, list[Decimal]]]:
    """({commitment: days it was used}, {group: its effective and billed cost, and its cost on demand})."""
    days, sums = defaultdict[Key, set[date]](set), defaultdict[Key, list[Decimal]](lambda: [ZERO] * 3)
    for day, *rest in rows:
        key = tuple(str(NOBODY if value is None else value) for value in rest[:-3])
        days[key[:2]].add(day)
        sums[key] = [EXACT.add(known, more or ZERO) for known, more in zip(sums[key], rest[-3:], strict=True)]
    return {key: len(each) for key, each in days.items()}, sums


def _beginnings(beginning: Sequence[Commitment], period: Period) -> Iterator[KnownChange]:
    pools = {
        each.pk: MachinePool(each.provider, each.region, each.instance_type, each.system or "Linux")
        for each in beginning
    }
    prices = price_book.prices_of(pools.values(), period.end) if beginning else {}
    for each in beginning:
        price = prices.get((pools[each.pk], ON_DEMAND_PRICE, 0, ""))
        yield from _beginning(each, price.hourly if price and price.currency == each.currency else None)


def _beginning(each: Commitment, hourly: Decimal | None) -> Iterator[KnownChange]:
    """Its payments, and what it covers if both are known: a fee alone would only make the forecast dearer."""
    assert each.start
    tell = partial(KnownChange, each.start, currency=each.currency, words=f"{each} begins")
    fees = {**_filters(each), "charge_category": "Purchase"}
    if each.upfront:
        yield tell(fees, "billed_cost", each.upfront, end=each.start + timedelta(days=1))
    if hourly is None or each.recurring_hourly is None or not each.count or each.kind not in MACHINES:
        return
    covered, paid = -DAY * hourly * each.count, DAY * each.recurring_hourly
    spread = EXACT.divide(each.upfront or ZERO, (each.end - each.start).days) if each.end else ZERO
    usage = {**_filters(each), "charge_category": "Usage"}
    yield tell(usage, "billed_cost", covered, end=each.end)
    yield tell(fees, "billed_cost", paid, end=each.end)
    yield tell(usage, "effective_cost", covered + paid + spread, end=each.end)


def _filters(each: Commitment) -> dict[str, str]:
    """What is known of the cost it changes before a bill shows it."""
    known = {"provider": each.provider, "region": each.region}
    team = str(each.owner_id) if each.owner_id else ""
    known |= {"team": team, "own_team": team, "account": each.account if each.scope == "account" else ""}
    return {name: value for name, value in known.items() if value}
