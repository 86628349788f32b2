"""What is held already, as coverage: a share of use that may be covered is a share of all use, not of what is left."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reservations.calc.terms import ON_DEMAND
from reservations.optimizer.demand import Demand
from reservations.optimizer.held_capacity import HeldCapacity
from reservations.optimizer.model import PurchaseLimits
from reservations.optimizer.offers import Prices


@dataclass(frozen=True, slots=True)
class HeldCoverage:
    """What hours cost on demand, of all use and of what is left to cover, in each part of the time ahead."""

    gross: tuple[float, ...] = ()
    left: tuple[float, ...] = ()

    @property
    def share(self) -> float:
        """How much of all use is covered by what is held."""
        return 1 - sum(self.left) / sum(self.gross) if sum(self.gross) else 0.0

    def limits_of_left(self, limits: PurchaseLimits) -> PurchaseLimits:
        """The same limits where those of coverage are shares of what is left to cover."""
        if not sum(self.left) or self.share <= 1e-9:
            return limits
        parts = list(zip(self.gross, self.left, strict=True))

        def room(share: float) -> list[float]:
            return [share * gross - (gross - left) for gross, left in parts]

        most, least = limits.maximum_coverage, limits.minimum_coverage
        # Where more is held than may be covered, until it ends, that takes nothing from the months after.
        most = None if most is None else sum(max(part, 0.0) for part in room(most)) / sum(self.left)
        least = None if least is None else max(sum(room(least)), 0.0) / sum(self.left)
        return replace(limits, maximum_coverage=most, minimum_coverage=least)


def held_coverage(
    gross: Demand, left: Demand, held: Sequence[HeldCapacity], prices: Prices, months: int
) -> HeldCoverage:
    """`gross` and `left` have the same columns, those of so many `months` one after another (1: all of one time)."""
    cuts = {month * left.hours // months for month in range(1, months)}
    if months > 1 and left.until is not None:
        # Where a commitment ends a part ends too: in each part the same is held.
        ends = [(one.until - left.start) / (left.until - left.start) for one in held if one.until]
        middle = (np.arange(left.hours) + 0.5) / left.hours
        cuts |= {int(at) for at in np.searchsorted(middle, ends)}
    return HeldCoverage(_costs(gross, prices, sorted(cuts)), _costs(left, prices, sorted(cuts)))


def _costs(demand: Demand, prices: Prices, cuts: Sequence[int]) -> tuple[float, ...]:
    listed = [prices.get((replace(pool, account="", zone=""), ON_DEMAND, 0, "")) for pool in demand.pools]
    hourly = np.array([float(price.hourly) if price else 0.0 for price in listed])
    return tuple(float(part.sum()) for part in np.split(hourly @ demand.machines, cuts))
