"""What could go wrong with a solved plan, what less of it saves, what its limits cost, and its rule on the past."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as _noop

from finops_site.lib.money import exact_text
from reservations.calc.terms import HOURS_A_YEAR, TERMS
from reservations.optimizer import risk
from reservations.optimizer.application import apply_purchases
from reservations.optimizer.backtest import backtest
from reservations.optimizer.frontier import frontier, frontier_point, returns_of
from reservations.recommendations.plan_choice import choose_purchases
from reservations.recommendations.solved_plan import SolvedPlan, decimal_text, share_text


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
            risk.migration(
                problem,
                quantities,
                families[largest],
                _("everything on {largest} moves elsewhere").format(largest=largest),
            )
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


def return_frontier(solved: SolvedPlan) -> list[dict[str, Any]]:
    """Plans within the limits that ask more of their last slice, the smallest first; the last is the plan itself.

    A year of each: what it commits, saves, and saves when demand falls by 30 per cent; and what the slice from the
    plan before to this one returns of what it commits.
    """
    choice = solved.choice
    points = frontier(
        choice.problem,
        solved.market.problem,
        solved.solution.quantities,
        choice.least_return,
        time_limit=solved.time_limit / 6,
    )
    returns = returns_of(points, solved.market.problem.demand.shape[1])
    return [
        {
            "committed": decimal_text(point.committed * HOURS_A_YEAR),
            "upfront": decimal_text(point.upfront),
            "saving": decimal_text(point.saving * solved.to_year),
            "worst": decimal_text(point.worst * solved.to_year),
            "return": None if earned is None else decimal_text(earned),
        }
        for point, earned in zip(points, returns, strict=True)
    ]


def cost_of_limits(solved: SolvedPlan) -> list[dict[str, Any]]:
    """What a year would save more without each limit of this plan, and what that takes: what the limits cost."""
    parameters, plain = solved.parameters, solved.market.problem
    eased: dict[str, dict[str, Any]] = {
        _noop("every slice that saves anything"): {"cash_rate": 0.0} if parameters.cash_rate else {},
        _noop("no limit on cash"): {"max_upfront": None} if parameters.max_upfront is not None else {},
        _noop("no limit a month"): {"max_monthly": None} if parameters.max_monthly is not None else {},
        _noop("three years too"): {"terms": TERMS} if max(parameters.terms) < max(TERMS) else {},
        _noop("no limit on coverage"): {"target_coverage": None} if parameters.target_coverage is not None else {},
        _noop("any expected use"): {"minimum_utilisation": None} if parameters.minimum_utilisation is not None else {},
    }
    now = frontier_point(plain, solved.solution.quantities)
    rows = []
    for name, changes in eased.items():
        if not changes:
            continue
        choice = choose_purchases(solved.demand, solved.prices, solved.scope(**changes), solved.time_limit / 6)
        then = frontier_point(choice.market.problem, choice.solution.quantities)
        saving, committed = then.saving - now.saving, (then.committed - now.committed) * plain.demand.shape[1]
        more = committed if committed > 0 else then.upfront - now.upfront
        rows.append(
            {
                "name": name,
                "saving": decimal_text(max(saving, 0.0) * solved.to_year),
                "committed": decimal_text(committed * solved.to_year),
                "upfront": decimal_text(then.upfront - now.upfront),
                # What commits no more, and asks for cash instead, returns on the cash.
                "return": share_text(max(saving, 0.0) * (solved.to_year if committed <= 0 else 1.0), more),
            }
        )
    return [row for row in rows if row["saving"] and Decimal(row["saving"]) >= 1]


def saving_range(solved: SolvedPlan, saving: Decimal) -> dict[str, str]:
    """What a year saves at least and at most: of a daily bill nobody knows which hours of its day machines ran in.

    At least is the plan's own saving: where they all ran at once. At most is where they ran one after another.
    """
    best = saving
    if solved.demand.even is not None:
        row = {pool: index for index, pool in enumerate(solved.demand.pools)}
        even = solved.demand.even[[row[pool] for pool in solved.market.pools]]
        problem = replace(solved.market.problem, demand=even)
        before = float((problem.on_demand[:, None] * even).sum())
        cost = apply_purchases(problem, solved.solution.quantities).cost
        best = max(saving, Decimal(decimal_text((before - cost) * solved.to_year)))
    return {"least": str(exact_text(saving)), "most": str(exact_text(best))}


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
