"""How much of every option to buy at once: a linear program, its lower bound, and whole numbers. Pure: no Django.

Demand is machines per pool and hour. Options of one *group* cover the same pools by the same weights (the units of the
commitment that an hour of a machine uses: normalised units of an RI, the plan's rate of a savings plan), so that they
share one capacity. The program: minimise commitments + on-demand, each hour allocations <= commitments and <= demand.

Small problems are given to HiGHS whole. Large ones are given to it with similar hours averaged, which can only lower
the optimum (the cost of an hour is convex in its demand), then the dual is raised block by block on all hours: for
fixed prices of the other groups the best prices of one group are a weighted quantile. The bound that is reported is
the better of both; any feasible dual is a bound. The cost that is reported is never the program's: it is that of
AWS's own order of application on every hour. Floats: a plan is an estimate, rounded where it is shown.
"""

import time
from dataclasses import replace

import numpy as np

from reservations.optimizer.application import WeightedHours, apply_to_hours, is_within_limits
from reservations.optimizer.bound import bound_of_prices, raise_bound
from reservations.optimizer.linear_program import solve_program
from reservations.optimizer.model import CommitmentApplication, Floats, PurchaseLimits, PurchaseProblem, Solution
from reservations.optimizer.rounding import buyable_plans, search_without_solver, spread_over_options
from reservations.optimizer.similar_hours import averaged_hours, distinct_hours

MOST_VARIABLES = 40_000


def solve(problem: PurchaseProblem, *, time_limit: float = 30.0, most_variables: int = MOST_VARIABLES) -> Solution:
    """The cheapest plan found within the limits, with a bound that no plan can be below.

    `time_limit` is seconds for the solver: when it runs out, the best plan so far comes back with `timed_out`. A plan
    that misses a minimum coverage (the only limit that buying less does not meet) has `is_feasible` False.
    """
    began = time.monotonic()
    before = float((problem.on_demand[:, None] * problem.demand).sum())
    if not problem.demand.size or before == 0 or not problem.options:
        nothing, unused = np.zeros(len(problem.options)), np.zeros(len(problem.groups))
        empty = CommitmentApplication(before, 0.0, unused, problem.demand.sum(axis=1), unused)
        is_feasible = not problem.limits.minimum_coverage
        return Solution(nothing, before, before, before, empty, False, is_feasible, time.monotonic() - began)
    hours = distinct_hours(problem.demand)
    few = averaged_hours(problem, hours, most_variables)
    program = solve_program(problem, few, time_limit)
    bound, levels = raise_bound(problem, hours, program.prices, began + time_limit)
    bounds = [bound]
    if program.capacity_prices is not None:
        bounds.append(bound_of_prices(problem, few, program.prices, program.capacity_prices))
    candidates = [program.quantities, spread_over_options(problem, levels, program.quantities)]
    if program.timed_out:
        candidates.append(search_without_solver(problem, few))
    candidates += _plans_of_one_kind(problem, few, began + time_limit)
    plans = buyable_plans(problem, hours, few, [plan for plan in candidates if plan is not None])
    plans.append(np.zeros(len(problem.options)))
    costed = [(apply_to_hours(problem, hours, plan), plan) for plan in plans]
    allowed = [(applied, plan) for applied, plan in costed if is_within_limits(problem, plan, applied, before)]
    best, quantities = min(allowed or costed, key=lambda pair: pair[0].cost)
    return Solution(
        quantities=quantities,
        cost_before=before,
        cost=best.cost,
        lower_bound=min(max(bounds, default=0.0), best.cost),
        application=best,
        timed_out=program.timed_out,
        is_feasible=is_within_limits(problem, quantities, best, before),
        seconds=time.monotonic() - began,
    )


def _plans_of_one_kind(problem: PurchaseProblem, hours: WeightedHours, until: float) -> list[Floats | None]:
    """The program's answer where only one kind may be bought: under a limit that may be the best start."""
    names = {group.name for group in problem.groups}
    if len(names) < 2 or problem.limits == PurchaseLimits():
        return []
    plans: list[Floats | None] = []
    for name in sorted(names):
        options = [i for i, option in enumerate(problem.options) if problem.groups[option.group].name == name]
        own = sorted({problem.options[i].group for i in options})
        number = {group: index for index, group in enumerate(own)}
        narrow = replace(
            problem,
            groups=tuple(problem.groups[group] for group in own),
            options=tuple(replace(problem.options[i], group=number[problem.options[i].group]) for i in options),
        )
        quantities = solve_program(narrow, hours, until - time.monotonic()).quantities
        if quantities is not None:
            plan = np.zeros(len(problem.options))
            plan[options] = quantities
            plans.append(plan)
    return plans
