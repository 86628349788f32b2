"""What is owned, or as good as bought, taken off the hours: in AWS's order, for all hours at once. Pure: no Django.

The same order as `calc.discount_application` has for one hour: reservations of a zone, of a region, EC2 Instance SPs,
Compute SPs; a plan goes to the usage that it discounts most first, a reservation to the smallest size first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from reservations.calc.terms import MachinePool
from reservations.optimizer.demand import HOUR, Demand
from reservations.optimizer.optimum import Hours

ZONAL, REGIONAL, FAMILY_PLAN, WIDE_PLAN = range(4)


@dataclass(frozen=True, slots=True)
class HeldCapacity:
    """`amount` units in every hour, of which a machine of each pool uses its `weights` units, until a moment.

    `turn` is when it is applied (ZONAL to WIDE_PLAN); `until` None means that nobody knows an end. `discounts` are the
    shares off on demand, for the order in which a plan is used. `words` name it for a reader.
    """

    words: str
    turn: int
    amount: float
    weights: Mapping[MachinePool, float]
    until: datetime | None = None
    discounts: Mapping[MachinePool, float] | None = None

    @property
    def best_discount(self) -> float:
        return max((self.discounts or {}).values(), default=0.0)


def left_to_cover(
    pools: Sequence[MachinePool],
    machines: Hours,
    held: Sequence[HeldCapacity],
    moments: NDArray[np.float64] | None = None,
    start: datetime | None = None,
) -> Hours:
    """The machines of every hour that these commitments leave on demand.

    As if all of them were in force all the time; or, with `moments` (hours after `start`), each in the hours before its
    end alone.
    """
    left = machines.astype(np.float64)
    row = {pool: index for index, pool in enumerate(pools)}
    # Nobody owns less than nothing: such an amount would add machines.
    real = (one for one in held if one.amount > 0)
    for capacity in sorted(real, key=lambda one: (one.turn, -one.best_discount)):
        room = np.full(left.shape[1], float(capacity.amount))
        if moments is not None and start is not None and capacity.until is not None:
            room[moments >= (capacity.until - start) / HOUR] = 0.0
        discounts = capacity.discounts or {}
        for pool, weight in sorted(
            capacity.weights.items(), key=lambda pair: (-discounts.get(pair[0], 0.0), pair[1], pair[0])
        ):
            if pool not in row or weight <= 0:
                continue
            taken = np.minimum(left[row[pool]], room / weight)
            left[row[pool]] -= taken
            room -= taken * weight
    # What is left of a machine by rounding is nothing.
    left[left < 1e-9] = 0.0
    return left


def without_held(demand: Demand, held: Sequence[HeldCapacity]) -> Demand:
    """Demand less what is held, as if that had been in force in all its hours."""
    if not held:
        return demand
    machines = left_to_cover(demand.pools, demand.machines, held)
    even = None if demand.even is None else left_to_cover(demand.pools, demand.even, held)
    return demand.with_machines(machines, even)
