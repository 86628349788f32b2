"""Plans that ask more and more of their last slice: what is committed, what it saves, what the next part returns.

Buying until nothing more is saved takes slices that save next to nothing and bind as long as the first. A plan that
asks of its last slice a return on what it commits stops earlier: its saving against its commitment is concave, and the
return asked is the slope at which it stops. Pure: no Django.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reservations.optimizer.application import apply_purchases
from reservations.optimizer.model import Floats, PurchaseProblem
from reservations.optimizer.risk import demand_falls
from reservations.optimizer.solve import solve

# Of the highest return there is: a few plans from little to the one that was chosen.
SHARES_OF_HIGHEST = (0.8, 0.6, 0.4, 0.2)


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """A plan: `committed` an hour, cash on the first day, and what it saves over the observed hours.

    `worst` is its saving when demand falls by 30 per cent.
    """

    committed: float
    upfront: float
    saving: float
    worst: float


def asking_return(problem: PurchaseProblem, share: float) -> PurchaseProblem:
    """The problem whose optimum stops where the next slice saves no more than `share` of what it commits."""
    dearer = tuple(replace(option, hourly=option.hourly * (1 + share)) for option in problem.options)
    return replace(problem, options=dearer)


def highest_return(problem: PurchaseProblem) -> float:
    """What a commitment saves of its own cost when all of it runs all the time where it discounts most; at least 0."""
    returns = [0.0]
    for option in problem.options:
        group = problem.groups[option.group]
        worth = max(problem.on_demand[pool] / weight for pool, weight in zip(group.pools, group.weights, strict=True))
        returns.append(float(worth) / option.hourly - 1 if option.hourly else 0.0)
    return max(returns)


def frontier_point(plain: PurchaseProblem, quantities: Floats) -> FrontierPoint:
    """What these quantities commit, cost in cash and save, at the prices that are paid."""
    bought = sum(option.hourly * float(q) for option, q in zip(plain.options, quantities, strict=True))
    cash = sum(option.upfront * float(q) for option, q in zip(plain.options, quantities, strict=True))
    before = float((plain.on_demand[:, None] * plain.demand).sum())
    worst = demand_falls(plain, quantities, [0.3])[0].saving
    return FrontierPoint(bought, cash, before - apply_purchases(plain, quantities).cost, worst)


def frontier(
    problem: PurchaseProblem, plain: PurchaseProblem, chosen: Floats, least_return: float, time_limit: float = 5.0
) -> list[FrontierPoint]:
    """Plans within the same limits that ask more of their last slice, the smallest first, and last the chosen one.

    `problem` has what cash costs in its prices, `plain` the prices that are paid; `least_return` is what the chosen
    plan asks of its last slice.
    """
    last = frontier_point(plain, chosen)
    highest = highest_return(problem)
    points: list[FrontierPoint] = []
    for share in SHARES_OF_HIGHEST:
        if share * highest > least_return and last.committed > 0:
            point = frontier_point(
                plain, solve(asking_return(problem, share * highest), time_limit=time_limit).quantities
            )
            is_more = point.committed > (points[-1].committed if points else 0.0) * 1.001
            if is_more and point.committed < last.committed * 0.999 and point.saving < last.saving:
                points.append(point)
    return [*points, last]


def returns_of(points: Sequence[FrontierPoint], hours: int) -> list[float | None]:
    """What each part of a frontier saves more for what it commits more; None where it commits nothing more."""
    returns: list[float | None] = []
    committed = saving = 0.0
    for point in points:
        more = (point.committed - committed) * hours
        returns.append((point.saving - saving) / more if more > 0 else None)
        committed, saving = point.committed, point.saving
    return returns
