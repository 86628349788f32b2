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

from django.db.models import Q, Sum, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext as _

from costs.models import CostLine
from costs.query.scope import NOBODY, team_or_shared
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange
from reservations.calc.terms import ON_DEMAND as ON_DEMAND_PRICE
from reservations.calc.terms import MachinePool, service_of_type
from reservations.models import Commitment
from reservations.pricing import price_book

# The days of use that say what a commitment covers.
MEASURED_DAYS = 28
ZERO, DAY = Decimal(0), Decimal(24)
MACHINES = ("ri_standard", "ri_convertible", "azure_reservation")
# A price of 0 is one that nobody stated.
ON_DEMAND = Coalesce(NullIf("list_cost", Value(ZERO)), NullIf("contracted_cost", Value(ZERO)), "effective_cost")
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
    known = {(commitment.provider, commitment.commitment_id): commitment for commitment in ending}
    days, sums = _measure_use(_daily_use(ending)) if ending else ({}, {})
    for key, (effective, billed, on_demand) in sums.items():
        commitment, filters = known[key[0], key[1]], dict(zip(GROUPS, key, strict=True))
        currency, count = filters.pop("currency"), days[key[:2]]
        del filters["commitment"]
        for basis, paid in (("effective_cost", effective), ("billed_cost", billed)):
            amount = EXACT.divide(EXACT.subtract(on_demand, paid), count)
            if amount and commitment.end:
                yield KnownChange(
                    commitment.end,
                    filters,
                    basis,
                    amount,
                    currency,
                    _("{commitment} ends").format(commitment=commitment),
                )


def _daily_use(ending: Sequence[Commitment]) -> Iterable[tuple[Any, ...]]:
    """By day what they cover and what is paid for them, in the last weeks before they end; in one query for all."""
    wanted = Q(pk__in=[])
    for commitment in ending:
        after_last_seen = commitment.last_seen and commitment.last_seen + timedelta(days=1)
        newest = min(filter(None, (commitment.end, after_last_seen)))
        span = Q(charge_date__gte=newest - timedelta(days=MEASURED_DAYS), charge_date__lt=newest)
        wanted |= span & Q(commitment=commitment.commitment_id, provider=commitment.provider)
    covered = Q(charge_category="Usage") & ~Q(commitment_status="Unused")
    lines = CostLine.objects.current().filter(wanted).order_by().annotate(team=team_or_shared())
    grouped = lines.values_list("charge_date", *GROUPS.values())
    return grouped.annotate(Sum("effective_cost"), Sum("billed_cost"), on_demand=Sum(ON_DEMAND, filter=covered))


def _measure_use(rows: Iterable[tuple[Any, ...]]) -> tuple[dict[Key, int], dict[Key, list[Decimal]]]:
    """({commitment: days it was used}, {group: its effective and billed cost, and its cost on demand})."""
    days, sums = defaultdict[Key, set[date]](set), defaultdict[Key, list[Decimal]](lambda: [ZERO] * 3)
    for day, *rest in rows:
        key = tuple(str(NOBODY if value is None else value) for value in rest[:-3])
        days[key[:2]].add(day)
        sums[key] = [EXACT.add(known, more or ZERO) for known, more in zip(sums[key], rest[-3:], strict=True)]
    return {key: len(used) for key, used in days.items()}, sums


def _beginnings(beginning: Sequence[Commitment], period: Period) -> Iterator[KnownChange]:
    """Their payments, and what they cover if both are known: a fee alone would only make the forecast dearer."""
    pools = {
        row.pk: MachinePool(
            row.provider,
            row.region,
            row.instance_type,
            row.system or "Linux",
            service=service_of_type(row.instance_type),
        )
        for row in beginning
    }
    prices = price_book.prices_of(pools.values(), period.end) if beginning else {}
    for commitment in beginning:
        assert commitment.start
        change = partial(
            KnownChange,
            commitment.start,
            currency=commitment.currency,
            description=_("{commitment} begins").format(commitment=commitment),
        )
        known = _filters(commitment)
        fees, usage = {**known, "charge_category": "Purchase"}, {**known, "charge_category": "Usage"}
        if commitment.upfront:
            next_day = commitment.start + timedelta(days=1)
            yield change(fees, "billed_cost", commitment.upfront, end=next_day)
        price = prices.get((pools[commitment.pk], ON_DEMAND_PRICE, 0, ""))
        hourly = price.hourly if price and price.currency == commitment.currency else None
        paid_hourly, count = commitment.recurring_hourly, commitment.count
        if hourly is None or paid_hourly is None or not count or commitment.kind not in MACHINES:
            continue
        covered, paid = -DAY * hourly * count, DAY * paid_hourly
        days = (commitment.end - commitment.start).days if commitment.end else 0
        spread = EXACT.divide(commitment.upfront or ZERO, days) if days else ZERO
        yield change(usage, "billed_cost", covered, end=commitment.end)
        yield change(fees, "billed_cost", paid, end=commitment.end)
        yield change(usage, "effective_cost", covered + paid + spread, end=commitment.end)


def _filters(commitment: Commitment) -> dict[str, str]:
    """What is known of the cost it changes before a bill shows it."""
    known = {"provider": commitment.provider, "region": commitment.region}
    team = str(commitment.owner_id) if commitment.owner_id else ""
    known |= {"team": team, "own_team": team, "account": commitment.account if commitment.scope == "account" else ""}
    return {name: value for name, value in known.items() if value}
