"""What purchases cost and cover on the observed hours, in AWS's order of application. Pure: no Django."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reservations.optimizer.model import RESERVATION, CommitmentApplication, Floats, PurchaseProblem


def apply_purchases(problem: PurchaseProblem, quantities: Floats) -> CommitmentApplication:
    """What these purchases cost and cover on the problem's hours, in AWS's order of application."""
    return apply_to_hours(problem, WeightedHours(problem.demand, np.ones(problem.demand.shape[1])), quantities)


def left_at_turn(problem: PurchaseProblem, quantities: Floats, group: int) -> Floats:
    """What the groups before it in AWS's order leave to a group: machines of every pool and hour."""
    hours = WeightedHours(problem.demand, np.ones(problem.demand.shape[1]))
    sizes, left = group_sizes(problem, quantities), problem.demand.copy()
    for index in sorted(range(len(sizes)), key=lambda group_index: _turn(problem, group_index)):
        if index == group:
            break
        if sizes[index] > 0:
            _use(problem, hours, left, index, float(sizes[index]))
    return left


def demand_at_turn(problem: PurchaseProblem, quantities: Floats, group: int) -> Floats:
    """For each hour what a group could cover when its turn comes, in its own units."""
    own = problem.groups[group]
    covered: Floats = np.array(own.weights) @ left_at_turn(problem, quantities, group)[list(own.pools)]
    return covered


def use_by_size(
    problem: PurchaseProblem, quantities: Floats, group: int, sizes: Sequence[float]
) -> list[tuple[float, float]]:
    """For each size of a group: (units used, their value on demand), as the groups before it leave the hours."""
    hours = WeightedHours(problem.demand, np.ones(problem.demand.shape[1]))
    left, own = left_at_turn(problem, quantities, group), list(problem.groups[group].pools)
    figures = []
    for size in sizes:
        rest = {pool: left[pool].copy() for pool in own}
        figures.append(_use(problem, hours, rest, group, size))
    return figures


@dataclass(frozen=True, slots=True)
class WeightedHours:
    """Hours that stand for others: `demand[pool, hour]`, and how many real hours each stands for."""

    demand: Floats
    weights: Floats

    def on_demand_cost(self, prices: Floats) -> float:
        """What these hours cost without any commitment."""
        return float((prices[:, None] * self.demand * self.weights).sum())


def group_sizes(problem: PurchaseProblem, quantities: Floats) -> Floats:
    sizes = np.zeros(len(problem.groups))
    for option, quantity in zip(problem.options, quantities, strict=True):
        sizes[option.group] += quantity
    return sizes


def apply_to_hours(problem: PurchaseProblem, hours: WeightedHours, quantities: Floats) -> CommitmentApplication:
    """Groups in order of rank, each to the usage it discounts most: as AWS applies them."""
    sizes = group_sizes(problem, quantities)
    left = hours.demand.copy()
    used, value = np.zeros(len(sizes)), np.zeros(len(sizes))
    for index in sorted(range(len(sizes)), key=lambda group_index: _turn(problem, group_index)):
        if sizes[index] > 0:
            used[index], value[index] = _use(problem, hours, left, index, float(sizes[index]))
    uncovered = left @ hours.weights
    bought = sum(option.hourly * float(q) for option, q in zip(problem.options, quantities, strict=True))
    cost = bought * float(hours.weights.sum()) + float(problem.on_demand @ uncovered)
    return CommitmentApplication(cost, float(value.sum()), used, uncovered, value)


def _turn(problem: PurchaseProblem, index: int) -> tuple[int, float]:
    group = problem.groups[index]
    worth = [problem.on_demand[pool] / weight for pool, weight in zip(group.pools, group.weights, strict=True)]
    return group.rank, -max(worth, default=0.0)


def _use(
    problem: PurchaseProblem, hours: WeightedHours, left: Floats | dict[int, Floats], index: int, size: float
) -> tuple[float, float]:
    """Covers what is `left` and takes it away: a plan where it discounts most first, a reservation small sizes first.

    (EC2 user guide, "How Reserved Instances are applied": from the smallest to the largest size of the family.)
    """
    group = problem.groups[index]
    room = np.full(hours.weights.size, size)
    used = value = 0.0
    turns = [
        (weight if group.rank <= RESERVATION else -problem.on_demand[pool] / weight, pool, weight)
        for pool, weight in zip(group.pools, group.weights, strict=True)
    ]
    for _, pool, weight in sorted(turns):
        taken = np.minimum(left[pool], room / weight)
        left[pool] -= taken
        room -= taken * weight
        machines = float(taken @ hours.weights)
        used += machines * weight
        value += machines * float(problem.on_demand[pool])
    return used, value


def is_within_limits(
    problem: PurchaseProblem, quantities: Floats, applied: CommitmentApplication, total: float
) -> bool:
    limits, near = problem.limits, 1 + 1e-6
    cash = {
        name: sum(getattr(option, name) * float(q) for option, q in zip(problem.options, quantities, strict=True))
        for name in ("upfront", "monthly")
    }
    if limits.upfront is not None and cash["upfront"] > limits.upfront * near + 1e-9:
        return False
    if limits.monthly is not None and cash["monthly"] > limits.monthly * near + 1e-9:
        return False
    if limits.maximum_coverage is not None and applied.covered > limits.maximum_coverage * total * near + 1e-9:
        return False
    if limits.minimum_coverage is not None and applied.covered < limits.minimum_coverage * total / near - 1e-9:
        return False
    if limits.minimum_utilisation is None:
        return True
    hours = problem.demand.shape[1]
    bought = group_sizes(problem, quantities) * hours
    return bool((applied.used >= limits.minimum_utilisation * bought / near - 1e-9).all())
