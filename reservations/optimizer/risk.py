"""What could go wrong with a plan: demand that falls, machines that move, and buying in steps. Pure: no Django."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from reservations.optimizer.application import apply_purchases
from reservations.optimizer.model import Floats, PurchaseProblem, Solution
from reservations.optimizer.solve import solve

FALLS: Final = (0.0, 0.1, 0.2, 0.3)
# The batches a cautious buyer takes: 10 to 20 per cent, then 20 to 30, until the plan is reached.
BATCHES: Final = (0.15, 0.25, 0.30, 0.30)


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


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """A plan a person may pick: cash on the first day, saving as observed, and when demand falls by 30 per cent."""

    upfront: float
    saving: float
    worst: float
    solution: Solution


def frontier(problem: PurchaseProblem, most: float, points: int = 5, time_limit: float = 5.0) -> list[FrontierPoint]:
    """Plans for upfront budgets from nothing to `most`, cheapest first."""
    frontier_points = []
    for budget in np.linspace(0.0, most, points) if most > 0 else [0.0]:
        limit = problem.limits.upfront
        upfront = float(budget) if limit is None else min(float(budget), limit)
        plan = solve(replace(problem, limits=replace(problem.limits, upfront=upfront)), time_limit=time_limit)
        paid = sum(option.upfront * float(q) for option, q in zip(problem.options, plan.quantities, strict=True))
        worst = demand_falls(problem, plan.quantities, [0.3])[0].saving
        frontier_points.append(FrontierPoint(paid, plan.cost_before - plan.cost, worst, plan))
    return frontier_points


@dataclass(frozen=True, slots=True)
class Batch:
    """One of the monthly batches of a purchase: how much to buy when, and until when it holds."""

    buy_on: date
    quantity: float
    total: float
    ends_on: date


def monthly_batches(quantity: float, *, first: date, term_months: int, is_whole: bool) -> list[Batch]:
    """The plan's quantity in monthly batches, so that purchases can be decided anew and do not all end on one day."""
    batches: list[Batch] = []
    reached, target = 0.0, 0.0
    for number, share in enumerate(BATCHES):
        target += share
        wanted = quantity if number == len(BATCHES) - 1 else target * quantity
        wanted = float(round(wanted)) if is_whole else round(wanted, 3)
        if wanted > reached:
            batches.append(Batch(_later(first, number), wanted - reached, wanted, _later(first, number + term_months)))
            reached = wanted
    return batches


def _later(day: date, months: int) -> date:
    """The same day of a later month; the 28th at most, so that every month has it."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, min(day.day, 28))
