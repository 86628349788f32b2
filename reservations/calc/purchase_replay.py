"""What purchases save on hours that are known: hour by hour, by AWS's rules, in decimals. Pure: no Django."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from reservations.calc.discount_application import OwnedCommitment, Usage, apply_to_hour
from reservations.calc.terms import MachinePool


@dataclass(frozen=True, slots=True)
class ReplayedPurchase:
    """A commitment as if it had been in force, and what an hour of all of it costs, upfront spread over its term."""

    commitment: OwnedCommitment
    hourly: Decimal


@dataclass(frozen=True, slots=True)
class Replay:
    """Costs of all hours, on demand and with the purchases; `used` of each purchase in its own unit."""

    hours: int
    on_demand: Decimal
    cost: Decimal
    used: Mapping[str, Decimal]

    @property
    def saving(self) -> Decimal:
        return self.on_demand - self.cost


def replay_purchases(
    hours: Iterable[tuple[int, Sequence[Usage]]],
    purchases: Sequence[ReplayedPurchase],
    on_demand: Mapping[MachinePool, Decimal],
    *,
    is_shared: bool = True,
) -> Replay:
    """Applies the purchases to each hour that ran so many times: `hours` are (times, what ran in it).

    Accounts that do not share (`is_shared`) are covered by their own purchases alone.

    Raises KeyError for a machine without a price on demand.
    """
    owned = [purchase.commitment for purchase in purchases]
    committed = sum((purchase.hourly for purchase in purchases), Decimal(0))
    used = {commitment.name: Decimal(0) for commitment in owned}
    count, before, after = 0, Decimal(0), Decimal(0)
    for times, usage in hours:
        result = apply_to_hour(usage, owned, is_shared=is_shared)
        prices = [on_demand[use.pool] for use in usage]
        before += times * sum((use.machines * price for use, price in zip(usage, prices, strict=True)), Decimal(0))
        left = sum((machines * price for machines, price in zip(result.left, prices, strict=True)), Decimal(0))
        after += times * (left + committed)
        for name, amount in result.used.items():
            used[name] += times * amount
        count += times
    return Replay(count, before, after, used)
