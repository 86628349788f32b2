"""How AWS applies commitments to one hour, and its three ratios. Pure: no Django, decimals throughout.

Order: zonal RIs, regional RIs, EC2 Instance SPs, Compute SPs, on demand; the buyer's account first, then shared;
within plans the usage with the highest discount first. A regional RI of a size-flexible family covers other sizes by
normalised units, the smallest first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from finops_site.lib.money import ratio
from reservations.calc.terms import RESERVED, SP_EC2, MachinePool, is_size_flexible, reservation_reach, size_of


@dataclass(frozen=True, slots=True)
class Usage:
    """Machines of one pool (with its account) that ran in the hour, in one zone."""

    pool: MachinePool
    machines: Decimal
    zone: str = ""


@dataclass(frozen=True, slots=True)
class OwnedCommitment:
    """A commitment in force: `amount` machines of the pool, or of a plan currency an hour.

    A `zone` makes a reservation zonal. Plans have their rate and the on-demand price for every pool, accounts left out.
    """

    name: str
    kind: str
    pool: MachinePool
    amount: Decimal
    zone: str = ""
    rates: Mapping[MachinePool, tuple[Decimal, Decimal]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HourResult:
    """`used` of each commitment in its own unit, and the machines of each usage that stayed on demand."""

    used: dict[str, Decimal]
    left: list[Decimal]


def apply_to_hour(usage: Sequence[Usage], owned: Sequence[OwnedCommitment], *, is_shared: bool = True) -> HourResult:
    """One hour; accounts that do not share are covered by their own commitments alone.

    Raises ValueError for two commitments of one name or an amount below zero.
    """
    if len({commitment.name for commitment in owned}) < len(owned):
        raise ValueError("two commitments have the same id")
    if any(commitment.amount < 0 for commitment in owned) or any(use.machines < 0 for use in usage):
        raise ValueError("hours must not be negative")
    left = [use.machines for use in usage]
    used = {commitment.name: Decimal(0) for commitment in owned}
    for commitment in sorted(owned, key=_turn):
        take = _apply_reservation if commitment.kind in RESERVED else _apply_plan
        reached = [i for i, use in enumerate(usage) if is_shared or use.pool.account == commitment.pool.account]
        used[commitment.name] = take(commitment, usage, left, reached)
    return HourResult(used, left)


def _turn(owned: OwnedCommitment) -> tuple[int, Decimal]:
    if owned.kind in RESERVED:
        return (0 if owned.zone else 1), Decimal(0)
    best = max((1 - rate / price for rate, price in owned.rates.values()), default=Decimal(0))
    return (2 if owned.kind == SP_EC2 else 3), -best


def _apply_reservation(
    owned: OwnedCommitment, usage: Sequence[Usage], left: list[Decimal], reached: Sequence[int]
) -> Decimal:
    flexible = not owned.zone and is_size_flexible(owned.pool)
    own = (size_of(owned.pool) if flexible else None) or Decimal(1)
    room = owned.amount * own

    def closeness(index: int) -> tuple[bool, Decimal]:
        pool = usage[index].pool
        return pool.account != owned.pool.account, size_of(pool) or Decimal(0)

    for index in sorted(reached, key=closeness):
        if _is_covered(owned, usage[index]):
            weight = (size_of(usage[index].pool) if flexible else None) or Decimal(1)
            taken = min(left[index], room / weight)
            left[index] -= taken
            room -= taken * weight
    return owned.amount - room / own


def _is_covered(owned: OwnedCommitment, usage: Usage) -> bool:
    """Whether it is of the same reach; in a zone, of the same type in that zone."""
    own, other = replace(owned.pool, account="", zone=""), replace(usage.pool, account="", zone="")
    if owned.zone:
        return own == other and owned.zone == usage.zone
    return reservation_reach(own) == reservation_reach(other)


def _apply_plan(owned: OwnedCommitment, usage: Sequence[Usage], left: list[Decimal], reached: Sequence[int]) -> Decimal:
    room = owned.amount
    priced = []
    for index in reached:
        use = usage[index]
        listed = replace(use.pool, account="", zone="")
        if listed in owned.rates:
            rate, on_demand = owned.rates[listed]
            priced.append((use.pool.account != owned.pool.account, rate / on_demand, index, rate))
    for _, _, index, rate in sorted(priced):
        taken = min(left[index], room / rate) if rate else left[index]
        left[index] -= taken
        room -= taken * rate
    return owned.amount - room


def utilisation_rate(used: Decimal, unused: Decimal) -> Decimal | None:
    """used / bought, in hours, normalised units or currency; None where nothing was bought."""
    return ratio(used, used + unused)


def coverage_rate(covered: Decimal, eligible: Decimal) -> Decimal | None:
    """covered / eligible, in hours for reservations, at on-demand prices for plans; None without eligible usage."""
    return ratio(covered, eligible)


def effective_savings_rate(paid: Decimal, on_demand: Decimal) -> Decimal | None:
    """1 - paid / on-demand equivalent of eligible usage, unused commitments included in what was paid."""
    share = ratio(paid, on_demand)
    return None if share is None else 1 - share
