"""What could go wrong with a solved plan: demand that falls, less cash, and the rule replayed on the past."""

from dataclasses import replace
from typing import Any

import numpy as np

from reservations.calc.terms import HOURS_A_YEAR
from reservations.optimizer import risk
from reservations.optimizer.backtest import backtest
from reservations.optimizer.offers import build_market
from reservations.recommendations.solved_plan import SolvedPlan, cash, decimal_text


def demand_scenarios(solved: SolvedPlan) -> list[dict[str, Any]]:
    """The plan kept while demand falls, or while the dearest family of machines moves elsewhere."""
    problem, quantities = solved.market.problem, solved.solution.quantities
    scenarios = risk.demand_falls(problem, quantities)
    families: dict[str, list[int]] = {}
    for index, pool in enumerate(solved.market.pools):
        families.setdefault(pool.family, []).append(index)
    costs = {
        name: float((problem.on_demand[rows, None] * problem.demand[rows]).sum()) for name, rows in families.items()
    }
    if costs:
        largest = max(costs, key=lambda name: costs[name])
        scenarios.append(
            risk.migration(problem, quantities, families[largest], f"everything on {largest} moves elsewhere")
        )
    return [
        {
            "name": scenario.name,
            "on_demand": decimal_text(scenario.on_demand * solved.to_year),
            "cost": decimal_text(scenario.cost * solved.to_year),
            "saving": decimal_text(scenario.saving * solved.to_year),
        }
        for scenario in scenarios
    ]


def cash_frontier(solved: SolvedPlan) -> list[dict[str, Any]]:
    """What a year saves for less cash on the first day."""
    options = solved.market.problem.options
    most = cash(options, solved.solution.quantities, "upfront")
    # Where every dominated offer was left out there may be none without upfront: ask with cash as a limit.
    scope = solved.parameters.scope()
    limited = replace(scope, limits=replace(scope.limits, upfront=most))
    problem = build_market(solved.demand, solved.prices, limited).problem
    return [
        {
            "upfront": decimal_text(point.upfront),
            "saving": decimal_text(point.saving * solved.to_year),
            "worst": decimal_text(point.worst * solved.to_year),
        }
        for point in risk.frontier(problem, most, time_limit=solved.time_limit / 6)
    ]


def replay_history(solved: SolvedPlan) -> dict[str, Any]:
    """The rule on this history: money per hour over all priced pools, at the plan's average discount."""
    history, solution, problem = solved.history.gross, solved.solution, solved.market.problem
    priced = dict(zip(solved.market.pools, problem.on_demand, strict=True))
    rows = [i for i, pool in enumerate(history.pools) if pool in priced]
    covered = solution.application.covered
    if not rows or covered <= 0:
        return {}
    money = np.array([priced[history.pools[i]] for i in rows]) @ history.machines[rows]
    bought = np.array(
        [float(q) * offer.hourly for q, offer in zip(solution.quantities, solved.market.offers, strict=True)]
    )
    ratio = min(max(float(bought.sum()) * problem.demand.shape[1] / covered, 0.01), 0.99)
    lookback = solved.plan.lookback_days * 24
    term = min(HOURS_A_YEAR, (len(money) - lookback) // 2 // 24 * 24)
    if term < 30 * 24:
        return {}
    results = backtest(money, ratio=ratio, lookback=lookback, term=term, step=30 * 24)
    return {
        "ratio": decimal_text(ratio),
        "term_days": term // 24,
        "origins": results[0].origins,
        "rows": [{"strategy": result.strategy, "saving": decimal_text(result.saving)} for result in results],
    }
