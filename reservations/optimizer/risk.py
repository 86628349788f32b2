"""What could go wrong with a plan: the past replayed, and demand that falls. Pure: no Django.

Rolling origin: at each point commit on what was known then, and pay until the term ends, whatever came.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from reservations.optimizer.application import apply_purchases
from reservations.optimizer.model import Floats, PurchaseProblem
from reservations.optimizer.optimum import DemandLike, Hours, cost, demand_array, optimum

FALLS: Final = (0.0, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One way to decide, over all origins: costs are sums, `saving` is the share of on demand that it saved."""

    strategy: str
    origins: int
    cost: float
    on_demand: float

    @property
    def saving(self) -> float:
        return 0.0 if self.on_demand == 0 else 1 - self.cost / self.on_demand


STRATEGIES: Final[dict[str, Callable[[Hours, float], float]]] = {
    "optimum of the lookback": lambda past, ratio: optimum(past, on_demand=1.0, committed=ratio).level,
    "cover the minimum": lambda past, ratio: float(past.min()),
    "cover the average": lambda past, ratio: float(past.mean()),
    "none": lambda past, ratio: 0.0,
}
HINDSIGHT: Final = "hindsight"


def backtest(demand: DemandLike, *, ratio: float, lookback: int, term: int, step: int) -> list[BacktestResult]:
    """Every strategy over the origins that history allows, and hindsight, which nothing can beat.

    `ratio` is committed rate / on-demand rate; the other numbers are hours. Costs are in on-demand hours. Raises
    ValueError where the history is shorter than lookback + term.
    """
    hours = demand_array(demand)
    origins = range(lookback, len(hours) - term + 1, step)
    if not len(origins):
        raise ValueError(f"history of {len(hours):,} hours is too short for {lookback:,} to learn and {term:,} to pay")
    sums = dict.fromkeys([*STRATEGIES, HINDSIGHT], 0.0)
    total = 0.0
    for origin in origins:
        past, future = hours[origin - lookback : origin], hours[origin : origin + term]
        for name, decide in STRATEGIES.items():
            sums[name] += cost(future, decide(past, ratio), on_demand=1.0, committed=ratio)
        sums[HINDSIGHT] += optimum(future, on_demand=1.0, committed=ratio).cost
        total += float(future.sum())
    return [BacktestResult(name, len(origins), value, total) for name, value in sums.items()]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a plan costs when demand is not what it was; `on_demand` is what that demand costs without any plan."""

    name: str
    cost: float
    on_demand: float

    @property
    def saving(self) -> float:
        return self.on_demand - self.cost


def demand_falls(problem: PurchaseProblem, quantities: Floats, shares: Sequence[float] = FALLS) -> list[Scenario]:
    """The plan kept while every pool's demand falls by each share."""
    return [
        _scenario("as observed" if not share else f"demand falls by {share:.0%}", problem, quantities, 1 - share)
        for share in shares
    ]


def migration(problem: PurchaseProblem, quantities: Floats, pools: Sequence[int], name: str) -> Scenario:
    """The plan kept while these pools move away, to machines that nothing of the plan covers."""
    factor = np.ones((len(problem.on_demand), 1))
    factor[list(pools)] = 0.0
    moved = _scenario(name, problem, quantities, factor)
    elsewhere = float((problem.on_demand[:, None] * problem.demand * (1 - factor)).sum())
    return Scenario(name, moved.cost + elsewhere, moved.on_demand + elsewhere)


def _scenario(name: str, problem: PurchaseProblem, quantities: Floats, factor: float | Floats) -> Scenario:
    changed = replace(problem, demand=problem.demand * factor)
    applied = apply_purchases(changed, quantities)
    return Scenario(name, applied.cost, float((changed.on_demand[:, None] * changed.demand).sum()))
