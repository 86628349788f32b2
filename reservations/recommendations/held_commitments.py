"""What is owned, approved or on its way, as capacity that demand is counted without.

Capacity is what the commitment states (machines of a type, or money an hour); where nobody states it, what its days in
the bills show. Rates of a plan are those of the price list, else what the bill charged for an hour that it covered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Final

from django.db.models import Q
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text, months_later
from finops_site.lib.words import labelled, some_of
from finops_site.models import Team
from reservations.calc.machine_pools import system_named
from reservations.calc.purchase_rules import ACCEPTED
from reservations.calc.stated_terms import service_name
from reservations.calc.terms import (
    ON_DEMAND,
    PLANS,
    RESERVED,
    SP_EC2,
    MachinePool,
    end_of_id,
    engine_of,
    family_of,
    is_plan_eligible,
    is_same_id,
    is_size_flexible,
    lot_of,
    provider_of,
    service_of_type,
    size_of,
)
from reservations.inventory.period_charges import midnight
from reservations.models import Commitment, PurchaseRequest, Utilisation
from reservations.optimizer.held_capacity import FAMILY_PLAN, REGIONAL, WIDE_PLAN, ZONAL, HeldCapacity
from reservations.optimizer.offers import Prices
from reservations.pricing import price_book

# A commitment without an end that no bill shows for so long is over.
SHOWN_WITHIN: Final = timedelta(days=7)
MEASURED: Final = timedelta(days=14)
# What a plan's hour costs of on demand where neither list nor bill states it: a Compute SP of a year, no upfront.
USUAL_SHARE: Final = 0.73
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Machine hours of a pool lately; `commitment` is empty where none is named. Costs are effective and on demand."""

    pool: MachinePool
    commitment: str
    is_covered: bool
    hours: Decimal
    cost: Decimal
    on_demand: Decimal
    first: datetime
    last: datetime

    @property
    def rate(self) -> float:
        """What the bill charged for an hour; 0 where it states no cost."""
        return float(self.cost / self.hours) if self.hours > 0 and self.cost > 0 else 0.0

    @property
    def hours_shown(self) -> float:
        """From the first hour to the last."""
        return max((self.last - self.first) / timedelta(hours=1), 1.0)


@dataclass(frozen=True, slots=True)
class HeldCommitments:
    """`capacities`, and sentences that say what they are and until when."""

    capacities: list[HeldCapacity] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What capacity is worked out from: the pools of demand, their use lately, prices, and the day."""

    use: Mapping[str, list[PoolUse]]
    pools: Sequence[MachinePool]
    prices: Prices
    as_of: date
    shown_until: date
    currency: str

    def own_money(self, amount: Decimal, currency: str) -> float | None:
        """An amount in the currency of demand and prices, at the newest exchange rate; None where there is none."""
        if currency in ("", self.currency):
            return float(amount)
        rate = price_book.rates_into(self.currency, [currency], self.as_of)[currency]
        return float(amount * rate.value) if rate else None


def held_commitments(
    use: Sequence[PoolUse],
    pools: Sequence[MachinePool],
    prices: Prices,
    *,
    as_of: date,
    team: Team | None = None,
    team_hours: Mapping[MachinePool, float] | None = None,
    currency: str = "USD",
) -> HeldCommitments:
    """Of the whole company; or for a team: its own, and its share of the others by what it uses of what they cover.

    `use` is the company's of the last days, `team_hours` the team's of the same; `pools` are those of the demand, and
    `currency` is that of its bills and of `prices`.
    """
    if team:
        # Cost lines know no zone.
        use = [replace(one, pool=replace(one.pool, zone="")) for one in use]
    by_commitment: dict[str, list[PoolUse]] = {}
    for one in use:
        by_commitment.setdefault(one.commitment, []).append(one)
    shown_until = max((one.last.date() for one in use), default=as_of)
    known = _Evidence(by_commitment, pools, prices, as_of, shown_until, currency)
    own_teams = set(Team.objects.below(team).values_list("pk", flat=True)) if team else None
    owned = list(_in_force(known))
    held: list[tuple[HeldCapacity, bool]] = []
    unknown: list[str] = []
    foreign: list[str] = []
    stored = set(Commitment.objects.values_list("commitment_id", flat=True))
    for row in owned:
        capacity = _capacity_of_commitment(row, known)
        if capacity is None:
            names = foreign if row.kind in PLANS and row.hourly_commitment else unknown
            names.append(str(row))
        else:
            held.append((capacity, own_teams is None or row.owner_id in own_teams))
    for name, rows in by_commitment.items():
        # Its bill is loaded, and its commitment not stored yet.
        if name and name not in stored and max(one.last.date() for one in rows) >= (shown_until - SHOWN_WITHIN):
            held.append((_by_what_it_covered(end_of_id(name), rows, None, known), own_teams is None))
    requested = []
    for request in _requested(stored | set(by_commitment)):
        capacity = _capacity_of_request(request, known)
        if capacity is None:
            foreign.append(_("request {request} ({request_2})").format(request=request.pk, request_2=request))
            continue
        requested.append((capacity, own_teams is None or request.team_id in own_teams))
    capacities = [capacity for capacity, _ignored in [*held, *requested]]
    if team:
        capacities = _share_of_team([*held, *requested], use, team_hours or {})
    return HeldCommitments(
        capacities,
        [
            *_in_words(_("Taken off, because it is owned"), [one for one, _ignored in held if one.weights]),
            *_in_words(
                _("Taken off, because it is approved, handed out or bought and in no bill yet"),
                [one for one, _ignored in requested if one.weights],
            ),
            *_in_words(
                _("Covers nothing that runs, so nothing is taken off for it"),
                [one for one, _ignored in [*held, *requested] if not one.weights],
            ),
            *_unknown_in_words(unknown),
            *_foreign_in_words(foreign, currency),
        ],
    )


def holds_anything() -> bool:
    """Whether anything is owned, approved or on its way."""
    return Commitment.objects.exists() or PurchaseRequest.objects.filter(state__in=ACCEPTED).exists()


def _in_force(known: _Evidence) -> Iterator[Commitment]:
    """What holds on the day, and what begins after it: that is bought too."""
    rows = Commitment.objects.filter(Q(end__isnull=True) | Q(end__gt=known.as_of)).order_by("pk")
    for row in rows:
        if row.end is None and row.last_seen and row.last_seen < known.shown_until - SHOWN_WITHIN:
            continue
        yield row


def _requested(known_ids: Set[str]) -> Iterator[PurchaseRequest]:
    """Requests that are approved or further, and whose commitment is not counted already under its id."""
    for row in PurchaseRequest.objects.filter(state__in=ACCEPTED, commitment=None).order_by("pk"):
        ids = known_ids if row.reference else ()
        if not any(is_same_id(name, row.reference) for name in ids):
            yield row


def _capacity_of_commitment(row: Commitment, known: _Evidence) -> HeldCapacity | None:
    seen = known.use.get(row.commitment_id, [])
    until = midnight(row.end) if row.end else None
    words = str(row)
    if row.kind in RESERVED and row.instance_type and row.count:
        region = row.region or next((one.pool.region for one in seen), "")
        like = next((one.pool for one in seen if one.pool.type == row.instance_type), None)
        service = service_name(row.provider, row.service) or (
            like.service if like else service_of_type(row.instance_type)
        )
        shown = next((one.pool.system for one in seen), system_named(service, ""))
        machine = MachinePool(
            provider_of(row.provider),
            region,
            row.instance_type,
            system_named(service, row.system) if row.system else shown,
            like.tenancy if like else "default",
            # Where accounts share nothing, pools have accounts, and it covers the buyer's alone.
            row.account,
            service=service,
        )
        is_zonal = row.scope.lower().startswith("zon")
        return _reservation(words, machine, float(row.count), until, known, is_zonal=is_zonal)
    if row.kind in PLANS and row.hourly_commitment:
        amount = known.own_money(row.hourly_commitment, row.currency)
        if amount is not None:
            return _plan(words, row, amount, until, known, seen)
    if not seen and not Utilisation.objects.filter(commitment=row).exists():
        return None
    return _by_what_it_covered(words, seen, row, known, until)


def _capacity_of_request(row: PurchaseRequest, known: _Evidence) -> HeldCapacity | None:
    begin = (row.executed_at or row.approved_at or row.requested_at).date()
    end = midnight(months_later(begin, row.term_months))
    words = _("request {row} ({row_2})").format(row=row.pk, row_2=row)
    if row.kind in RESERVED:
        machine = MachinePool(
            row.provider,
            row.region,
            row.instance_type,
            row.system,
            row.tenancy or "default",
            row.account,
            row.service or "EC2",
            row.zone,
        )
        return _reservation(words, machine, float(row.quantity), end, known, is_zonal=bool(row.zone))
    amount = known.own_money(row.quantity, row.currency)
    return None if amount is None else _plan(words, row, amount, end, known, [])


def _reservation(
    words: str, machine: MachinePool, count: float, until: datetime | None, known: _Evidence, *, is_zonal: bool
) -> HeldCapacity:
    by_size = {pool: float(size_of(pool) or 1) for pool in known.pools if _is_like(pool, machine)}
    # A family names no size: its count is in normalised units.
    family = {pool: size for pool, size in by_size.items() if pool.family == machine.type and is_size_flexible(pool)}
    if family:
        return HeldCapacity(words, REGIONAL, count, family, until)
    flexible = is_size_flexible(machine) and not is_zonal
    size = float(size_of(machine) or 1) if flexible else 1.0
    weights: dict[MachinePool, float] = {}
    for pool, own in by_size.items():
        if flexible and pool.family == machine.family and size_of(pool):
            weights[pool] = own
        elif pool.type == machine.type and machine.system in ("", pool.system):
            weights[pool] = size
    amount = count * size * lot_of(machine)
    return HeldCapacity(words, ZONAL if is_zonal else REGIONAL, amount, weights, until)


def _is_like(pool: MachinePool, machine: MachinePool) -> bool:
    """Whether a reservation of one covers the other, sizes left out; what it leaves empty is any."""
    same = all(getattr(pool, name) == getattr(machine, name) for name in ("provider", "service", "tenancy"))
    # Azure's reservations are of the machine alone, whatever runs on it.
    return (same and (not machine.system or engine_of(pool) == engine_of(machine))) and all(
        not getattr(machine, name) or not getattr(pool, name) or getattr(pool, name) == getattr(machine, name)
        for name in ("region", "account", "zone")
    )


def _plan(
    words: str,
    row: Commitment | PurchaseRequest,
    amount: float,
    until: datetime | None,
    known: _Evidence,
    seen: Sequence[PoolUse],
) -> HeldCapacity:
    """A savings plan. A rate is on the list, or what the bill charged, or as far below on demand as those are."""
    family = family_of(row.instance_type) if row.kind == SP_EC2 else ""
    rates: dict[MachinePool, float] = {}
    discounts: dict[MachinePool, float] = {}
    billed = {one.pool: one.rate for one in seen if one.rate}
    usual = _usual_share(seen)
    for pool in known.pools:
        if not is_plan_eligible(pool, row.kind) or (family and pool.family != family):
            continue
        if (family and row.region and pool.region != row.region) or (
            row.account and pool.account not in ("", row.account)
        ):
            continue
        price = known.prices.get((replace(pool, account=""), row.kind, row.term_months or 0, row.payment))
        on_demand = _on_demand(pool, known)
        listed = float(price.hourly) if price else 0.0
        billed_rate = billed.get(pool, 0.0)
        # What a bill says is better than a common discount.
        rate = (billed_rate or listed) if price and price.is_indicative else (listed or billed_rate)
        rate = rate or on_demand * usual
        if rate > 0:
            rates[pool] = rate
            discounts[pool] = 1 - rate / on_demand if on_demand else 0.0
    turn = FAMILY_PLAN if row.kind == SP_EC2 else WIDE_PLAN
    return HeldCapacity(words, turn, amount, rates, until, discounts)


def _usual_share(seen: Sequence[PoolUse]) -> float:
    """What the plan's hours cost of on demand, on average."""
    priced = [one for one in seen if one.on_demand and one.cost]
    on_demand = float(sum(one.on_demand for one in priced))
    return float(sum(one.cost for one in priced)) / on_demand if on_demand else USUAL_SHARE


def _on_demand(pool: MachinePool, known: _Evidence) -> float:
    """The price of an hour on demand: of the list, else what the bill charged or says; 0 where nobody does."""
    price = known.prices.get((replace(pool, account=""), ON_DEMAND, 0, ""))
    if price:
        return float(price.hourly)
    rows = [one for name, uses in known.use.items() for one in uses if one.pool == pool and one.hours]
    open_rows = [one for one in rows if not one.commitment and not one.is_covered]
    hours = float(sum(one.hours for one in open_rows))
    if hours:
        return float(sum(one.cost for one in open_rows)) / hours
    priced = [one for one in rows if one.on_demand]
    hours = float(sum(one.hours for one in priced))
    return float(sum(one.on_demand for one in priced)) / hours if hours else 0.0


def _by_what_it_covered(
    words: str, seen: Sequence[PoolUse], row: Commitment | None, known: _Evidence, until: datetime | None = None
) -> HeldCapacity:
    """The pools that it covered, by what an hour of each cost; as much an hour as its days in the bills show."""
    priced = [one for one in seen if one.rate]
    is_plan = row is not None and row.kind in PLANS
    turn = WIDE_PLAN if is_plan else REGIONAL
    paid = _paid_an_hour(row) if row is not None else 0.0
    if priced:
        weights = {one.pool: one.rate for one in priced}
        discounts = {
            pool: 1 - rate / on_demand for pool, rate in weights.items() if (on_demand := _on_demand(pool, known))
        }
        amount = paid or sum(float(one.cost) / one.hours_shown for one in priced)
        return HeldCapacity(words, turn, amount, weights, until, discounts if is_plan else None)
    # All of it was paid upfront and the bill spreads nothing: by hours.
    weights = {one.pool: 1.0 for one in seen}
    return HeldCapacity(words, turn, sum(float(one.hours) / one.hours_shown for one in seen), weights, until)


def _paid_an_hour(row: Commitment) -> float:
    """The usual effective cost of an hour, unused included, of the newest two weeks that the bills show."""
    newest = Utilisation.objects.filter(commitment=row).order_by("-day").values_list("day", flat=True).first()
    if newest is None:
        return 0.0
    days: dict[date, Decimal] = {}
    for day, paid in Utilisation.objects.filter(commitment=row, day__gt=newest - MEASURED).values_list("day", "paid"):
        days[day] = days.get(day, ZERO) + paid
    return float(median(days.values())) / 24


def _share_of_team(
    held: Sequence[tuple[HeldCapacity, bool]], use: Iterable[PoolUse], team_hours: Mapping[MachinePool, float]
) -> list[HeldCapacity]:
    """A team's own first; of the others the share that it has in the use of what they cover."""
    company: dict[MachinePool, float] = {}
    for one in use:
        company[one.pool] = company.get(one.pool, 0.0) + float(one.hours)
    shares = []
    for capacity, is_own in sorted(held, key=lambda pair: not pair[1]):
        share = 1.0
        if not is_own:
            everybody, theirs = (
                sum(hours * capacity.weights.get(pool, 0.0) for pool, hours in hours_of.items())
                for hours_of in (company, team_hours)
            )
            share = min(theirs / everybody, 1.0) if everybody else 0.0
        shares.append(replace(capacity, amount=capacity.amount * share))
    return shares


def _in_words(title: str, capacities: Sequence[HeldCapacity]) -> Iterator[str]:
    names = [
        _("{words} until {until}").format(words=one.words, until=day_text(one.until))
        if one.until
        else _("{words}, whose end is not known").format(words=one.words)
        for one in capacities
    ]
    if names:
        yield labelled(title, f"{some_of(names, between='; ', last='; and ')}.")


def _unknown_in_words(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield (
            _(
                "Nothing says what {names} can cover, and no bill shows it: it is not taken off. Complete it "
                "by CSV before you buy."
            ).format(names=some_of(names))
        )


def _foreign_in_words(names: Sequence[str], currency: str) -> Iterator[str]:
    if names:
        yield (
            _(
                "Not in {currency}, in which the bill is, and no exchange rate is known: {names}. It is not "
                "taken off. Load a rate before you buy."
            ).format(currency=currency, names=some_of(names))
        )
