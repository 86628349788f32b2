"""The terms of the purchase problem: what can be bought, within which limits, and a solution. Pure: no Django."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
# The highest rank of a group of reservations: zonal ones are 0, regional ones 1; plans come after.
RESERVATION: Final = 1
# A gap that is no more than this share of the cost is one of arithmetic.
NO_GAP: Final = 1e-12


@dataclass(frozen=True, slots=True)
class CapacityGroup:
    """A capacity: which pools (by index) it covers, and how many units a machine uses in an hour."""

    name: str
    pools: tuple[int, ...]
    weights: tuple[float, ...]
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to buy. Per unit: `hourly` is the effective cost of an hour, `upfront` cash, `monthly` cash a month."""

    name: str
    group: int
    hourly: float
    upfront: float = 0.0
    monthly: float = 0.0
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class PurchaseLimits:
    """What finance allows; None is no limit. Shares are between 0 and 1; coverage counts at on-demand prices."""

    upfront: float | None = None
    monthly: float | None = None
    maximum_coverage: float | None = None
    minimum_coverage: float | None = None
    minimum_utilisation: float | None = None


@dataclass(frozen=True, slots=True)
class PurchaseProblem:
    """`demand[pool, hour]` machines, `on_demand[pool]` price of an hour, and what can be bought."""

    demand: Floats
    on_demand: Floats
    groups: tuple[CapacityGroup, ...]
    options: tuple[Option, ...]
    limits: PurchaseLimits = field(default_factory=PurchaseLimits)

    def __post_init__(self) -> None:
        if self.demand.ndim != 2 or len(self.on_demand) != len(self.demand):
            raise ValueError("demand needs a row for each pool, and each pool a price")
        if self.demand.size and (not np.isfinite(self.demand).all() or self.demand.min() < 0):
            raise ValueError("demand must be numbers that are not negative")
        if (self.on_demand <= 0).any():
            raise ValueError("an on-demand price must be above zero")

    def options_of(self, group: int) -> list[int]:
        """The indexes of the options that share a group's capacity."""
        return [index for index, option in enumerate(self.options) if option.group == group]


@dataclass(frozen=True, slots=True)
class CommitmentApplication:
    """What commitments did on the observed hours: cost, on-demand value covered, units used of each group."""

    cost: float
    covered: float
    used: Floats
    uncovered: Floats
    covered_by_group: Floats


@dataclass(frozen=True, slots=True)
class Solution:
    """`quantities[option]` to buy. Costs are of all hours of the problem; gap = (cost - lower_bound) / cost."""

    quantities: Floats
    cost_before: float
    cost: float
    lower_bound: float
    application: CommitmentApplication
    timed_out: bool
    is_feasible: bool
    seconds: float

    @property
    def gap(self) -> float:
        share = 0.0 if self.cost <= 0 else (self.cost - self.lower_bound) / self.cost
        return share if share > NO_GAP else 0.0
