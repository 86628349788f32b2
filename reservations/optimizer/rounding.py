"""From the program's quantities to a plan that can be bought: whole machines, within the limits. Pure: no Django."""

from collections.abc import Sequence

import numpy as np

from reservations.optimizer.application import WeightedHours, apply_to_hours, is_within_limits
from reservations.optimizer.bound import Dual, LimitPrices
from reservations.optimizer.local_search import EFFORT, LocalSearch
from reservations.optimizer.model import Floats, PurchaseProblem


def search_without_solver(problem: PurchaseProblem, hours: WeightedHours) -> Floats:
    """A plan without a solver: every group in turn is halved, raised and lowered while that helps, twice around."""

    def cost_of(quantities: Floats) -> float:
        return apply_to_hours(problem, hours, quantities).cost

    alone = np.array([Dual(problem, hours, LimitPrices()).block(group)[0] for group in range(len(problem.groups))])
    starts = [np.where([len(g.pools) > 1 for g in problem.groups], weight, 1 - weight) * alone for weight in (0.0, 1.0)]
    best = min((spread_over_options(problem, levels, None) for levels in starts), key=cost_of)
    cost = cost_of(best)
    for _ in range(2):
        for index in np.flatnonzero(spread_over_options(problem, alone, None)):
            level = alone[problem.options[index].group]
            for size in {0.0, 0.5 * level, level, 0.8 * best[index], 1.25 * best[index]}:
                tried = best.copy()
                tried[index] = size
                if (tried_cost := cost_of(tried)) < cost:
                    best, cost = tried, tried_cost
    return best


def spread_over_options(problem: PurchaseProblem, levels: Floats, quantities: Floats | None) -> Floats:
    """Levels of groups as quantities of options: in the program's proportions, else all of the cheapest."""
    spread = np.zeros(len(problem.options))
    for group, level in enumerate(levels):
        members = problem.options_of(group)
        if not members:
            continue
        chosen = None if quantities is None else quantities[members]
        if chosen is not None and chosen.sum() > 0:
            spread[members] = level * chosen / chosen.sum()
        else:
            spread[min(members, key=lambda i: problem.options[i].hourly)] = level
    return spread


def whole_machines(problem: PurchaseProblem, hours: WeightedHours, quantities: Floats) -> Floats:
    """Whole numbers where needed: rounded, then machines are added and taken away one by one while that helps."""
    at = [i for i, option in enumerate(problem.options) if option.is_whole]
    if not at:
        return quantities
    best = quantities.copy()
    best[at] = np.floor(best[at] + 1e-6)
    cost = apply_to_hours(problem, hours, best).cost
    total = hours.on_demand_cost(problem.on_demand)
    candidates = [i for i in at if quantities[i] > 1e-6]
    for index in sorted(candidates, key=lambda i: -(quantities[i] % 1)):
        for step in (1.0, -1.0):
            while best[index] + step >= 0:
                tried = best.copy()
                tried[index] += step
                applied = apply_to_hours(problem, hours, tried)
                if applied.cost >= cost - 1e-9 or not is_within_limits(problem, tried, applied, total):
                    break
                best, cost = tried, applied.cost
    return best


def buyable_plans(
    problem: PurchaseProblem, hours: WeightedHours, few: WeightedHours, candidates: Sequence[Floats]
) -> list[Floats]:
    """Plans in whole machines and within the limits, the cheapest that steps from each candidate come to.

    The search looks at `few` hours. Their averages may hide that all `hours` break a limit: there less is bought.
    """
    search = LocalSearch(problem, few)
    plans = []
    for candidate in candidates:
        search.effort = EFFORT / len(candidates)
        plan = search.best_near(whole_machines(problem, few, candidate))
        if few.weights.size < hours.weights.size:
            plan = LocalSearch(problem, hours, 0.0).best_near(plan)
        plans.append(plan)
    return plans
