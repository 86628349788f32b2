"""From demand and price lists to what can be bought: groups and options of the program. Pure: no Django."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

import numpy as np

from reservations.calc.prices import Price, break_even_months
from reservations.calc.terms import (
    ON_DEMAND,
    OPTIONS,
    PAYMENTS,
    PLANS,
    RESERVED,
    SP_EC2,
    TERMS,
    WIDE_PLANS,
    MachinePool,
    is_plan_eligible,
    is_size_flexible,
    lot_of,
    reservation_reach,
    size_of,
)
from reservations.optimizer.demand import Demand
from reservations.optimizer.model import CapacityGroup, Floats, Option, PurchaseLimits, PurchaseProblem

# The order in which AWS applies them.
ZONAL, REGIONAL, FAMILY_PLAN, WIDE_PLAN = range(4)
Prices = Mapping[tuple[MachinePool, str, int, str], Price]
NEAR: Final = 1e-6


@dataclass(frozen=True, slots=True)
class PurchaseScope:
    """What may be bought. `negotiated` is the share off list prices that the contract gives, on demand and, where it
    says so, on commitments. `cash_rate` is what cash costs a year; it makes upfront dearer in the choice."""

    kinds: tuple[str, ...] = OPTIONS
    terms: tuple[int, ...] = TERMS
    payments: tuple[str, ...] = tuple(PAYMENTS)
    break_even_months: float | None = None
    cash_rate: float = 0.0
    negotiated: Decimal = Decimal(0)
    negotiated_on_commitments: bool = False
    limits: PurchaseLimits = field(default_factory=PurchaseLimits)


@dataclass(frozen=True, slots=True)
class Offer:
    """What an option of the program stands for. `scale` turns the program's units into those bought."""

    kind: str
    term_months: int
    payment: str
    pools: tuple[MachinePool, ...]
    price: Price
    on_demand: Decimal
    scale: float
    hourly: float

    @property
    def is_plan(self) -> bool:
        return self.kind not in RESERVED


@dataclass(frozen=True, slots=True)
class Market:
    """A problem with the meaning of its pools and options; `unpriced` pools stay on demand and out of it."""

    problem: PurchaseProblem
    pools: list[MachinePool]
    offers: list[Offer]
    unpriced: list[MachinePool]


def build_market(demand: Demand, prices: Prices, scope: PurchaseScope) -> Market:
    """Everything that the scope allows, for the pools that have an on-demand price; offers without any price and
    dominated ones are left out."""
    index = [i for i, pool in enumerate(demand.pools) if _on_demand(prices, pool, scope)]
    pools = [demand.pools[i] for i in index]
    priced = np.array([float(_on_demand(prices, pool, scope) or 0) for pool in pools])
    builder = _Builder(pools, priced, prices, scope)
    builder.add_reservations()
    builder.add_plans()
    groups, options, offers = _without_dominated(builder.groups, builder.options, builder.offers, scope)
    problem = PurchaseProblem(demand.machines[index], priced, tuple(groups), tuple(options), scope.limits)
    unpriced = [pool for pool in demand.pools if pool not in set(pools)]
    return Market(problem, pools, offers, unpriced)


def _on_demand(prices: Prices, pool: MachinePool, scope: PurchaseScope) -> Decimal | None:
    price = prices.get((_listed(pool), ON_DEMAND, 0, ""))
    return price.hourly * (1 - scope.negotiated) if price and price.hourly > 0 else None


def _listed(pool: MachinePool) -> MachinePool:
    """The pool as lists know it: of no account and no zone."""
    return replace(pool, account="", zone="")


class _Builder:
    def __init__(self, pools: Sequence[MachinePool], on_demand: Floats, prices: Prices, scope: PurchaseScope) -> None:
        self.pools, self.on_demand, self.prices, self.scope = list(pools), on_demand, prices, scope
        self.groups: list[CapacityGroup] = []
        self.options: list[Option] = []
        self.offers: list[Offer] = []

    def _allowed(self, kind: str) -> list[tuple[int, str]]:
        if kind not in self.scope.kinds:
            return []
        return [(term, payment) for term in self.scope.terms for payment in self.scope.payments]

    def _price(self, pool: MachinePool, kind: str, term: int, payment: str, zone: str = "") -> Price | None:
        price = self.prices.get((replace(_listed(pool), zone=zone), kind, term, payment))
        if price is not None and price.effective <= 0:
            return None
        if price is None or not self.scope.negotiated_on_commitments:
            return price
        share = 1 - self.scope.negotiated
        return replace(price, hourly=price.hourly * share, upfront=price.upfront * share)

    def _reserved(self, pool: MachinePool, zone: str = "") -> list[Price]:
        """The prices of reservations of a pool's machine, or of a lot of its units."""
        lot = lot_of(pool)
        return [
            replace(price, hourly=price.hourly * lot, upfront=price.upfront * lot)
            for kind in RESERVED
            for term, payment in self._allowed(kind)
            if (price := self._price(pool, kind, term, payment, zone))
        ]

    def add_reservations(self) -> None:
        """A group for every size-flexible family of a region, and for every other pool.

        A zonal reservation covers one size in its zone; where a list has a price for the zone, that is a group too.
        """
        families: dict[tuple[str, ...], list[int]] = {}
        for i, pool in enumerate(self.pools):
            families.setdefault(reservation_reach(pool), []).append(i)
            if pool.zone and (prices := self._reserved(pool, pool.zone)):
                self._add_reserved([i], i, prices, ZONAL)
        for members in families.values():
            # The smallest size that has a price: what does not fit into a larger one is not bought in vain.
            for base in sorted(members, key=lambda i: (size_of(self.pools[i]) or 1, self.pools[i].type)):
                if prices := self._reserved(self.pools[base]):
                    self._add_reserved(members, base, prices, REGIONAL)
                    break

    def _add_reserved(self, members: Sequence[int], base: int, prices: Sequence[Price], rank: int) -> None:
        one = self.pools[base]
        flexible = is_size_flexible(one)
        own = (size_of(one) if flexible else None) or Decimal(1)
        sizes = [float((size_of(self.pools[i]) or 1) / own) if flexible else 1 / lot_of(one) for i in members]
        self.groups.append(CapacityGroup("RI", tuple(members), tuple(sizes), rank))
        for price in prices:
            self._add(price, base, tuple(members), len(self.groups) - 1, 1.0, is_whole=True)

    def add_plans(self) -> None:
        """EC2 Instance SPs for each family of a region; the others over all that they reach, account by account where
        accounts do not share."""
        for kind in PLANS:
            reached: dict[tuple[str, ...], list[int]] = {}
            for i, pool in enumerate(self.pools):
                if is_plan_eligible(pool, kind):
                    own = (pool.account,) if kind in WIDE_PLANS else (pool.account, pool.region, pool.family)
                    reached.setdefault(own, []).append(i)
            for members in reached.values():
                self._add_plan(kind, members)

    def _add_plan(self, kind: str, members: list[int]) -> None:
        """Plans whose rates differ by one factor only are bought from one group, in the first one's currency."""
        known: list[tuple[int, tuple[int, ...], Floats]] = []
        for term, payment in self._allowed(kind):
            prices = {i: price for i in members if (price := self._price(self.pools[i], kind, term, payment))}
            held = tuple(i for i, price in prices.items() if price.hourly > 0)
            if not held:
                continue
            rates = np.array([float(prices[i].hourly) for i in held])
            base = max(held, key=lambda i: self.on_demand[i])
            for group, pools, weights in known:
                if pools == held and np.ptp(rates / weights) <= NEAR * float((rates / weights).max()):
                    self._add(prices[base], base, held, group, float((rates / weights).mean()))
                    break
            else:
                self.groups.append(
                    CapacityGroup(kind, held, tuple(rates.tolist()), FAMILY_PLAN if kind == SP_EC2 else WIDE_PLAN)
                )
                known.append((len(self.groups) - 1, held, rates))
                self._add(prices[base], base, held, len(self.groups) - 1, 1.0)

    def _add(
        self, price: Price, base: int, members: tuple[int, ...], group: int, scale: float, is_whole: bool = False
    ) -> None:
        lot = 1 if price.is_plan else lot_of(self.pools[base])
        on_demand = Decimal(str(self.on_demand[base])) * lot
        months = break_even_months(on_demand, price)
        limit = self.scope.break_even_months
        if limit is not None and (months is None or months > limit):
            return
        # Of a plan a unit is `scale` of its currency an hour; of a reservation it is a machine of the base type.
        one = scale / float(price.hourly) if price.is_plan else 1.0
        cash, monthly = float(price.cash) * one, float(price.monthly) * one
        hourly = scale if price.is_plan else float(price.effective)
        dearer = hourly + _cost_of_cash(cash, price.term_months, self.scope.cash_rate)
        name = f"{price.kind} {price.term_months} {price.payment}"
        self.options.append(Option(name, group, dearer, cash, monthly, is_whole))
        pools = tuple(self.pools[i] for i in members)
        self.offers.append(Offer(price.kind, price.term_months, price.payment, pools, price, on_demand, scale, hourly))


def _cost_of_cash(cash: float, months: int, rate: float) -> float:
    """What having paid upfront costs an hour: the annuity that `rate` a year makes of it, less its plain spread."""
    if not cash or not rate:
        return 0.0
    monthly = float((1 + rate) ** (1 / 12)) - 1
    annuity = cash * monthly / (1 - (1 + monthly) ** -months)
    return float(annuity - cash / months) / 730


def _without_dominated(
    groups: list[CapacityGroup], options: list[Option], offers: list[Offer], scope: PurchaseScope
) -> tuple[list[CapacityGroup], list[Option], list[Offer]]:
    """Leaves out what another offer covers as widely for no more cost (and cash, where that is limited)."""
    limited = scope.limits.upfront is not None or scope.limits.monthly is not None
    remaining = [i for i in range(len(options)) if not _is_dominated(i, groups, options, limited)]
    alive = sorted({options[i].group for i in remaining})
    number = {old: new for new, old in enumerate(alive)}
    return (
        [groups[old] for old in alive],
        [replace(options[i], group=number[options[i].group]) for i in remaining],
        [offers[i] for i in remaining],
    )


def _is_dominated(index: int, groups: list[CapacityGroup], options: list[Option], limited: bool) -> bool:
    candidate = options[index]
    own = groups[candidate.group]
    for other, option in enumerate(options):
        if other == index:
            continue
        wide = groups[option.group]
        if len(wide.pools) < len(own.pools) or not set(own.pools) <= set(wide.pools):
            continue
        same = len(wide.pools) == len(own.pools)
        weights = dict(zip(wide.pools, wide.weights, strict=True))
        pairs = [(weights[pool], weight) for pool, weight in zip(own.pools, own.weights, strict=True)]
        # Of two that cost the same a plan stays, for it follows machines that change; else the earlier one.
        is_preferred = (wide.rank, other < index) > (own.rank, False)
        if _costs_no_more(option, candidate, pairs, limited) and (
            not same or is_preferred or not _costs_no_more(candidate, option, [(b, a) for a, b in pairs], limited)
        ):
            return True
    return False


def _costs_no_more(option: Option, than: Option, pairs: Iterable[tuple[float, float]], limited: bool) -> bool:
    names = ("hourly", "upfront", "monthly") if limited else ("hourly",)
    listed = list(pairs)
    return all(
        getattr(option, name) * wide <= getattr(than, name) * own * (1 + NEAR) + 1e-12
        for name in names
        for wide, own in listed
    )
