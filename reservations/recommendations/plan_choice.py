"""How much of what there is to buy: up to the slice that still returns what cash costs, at the prices that are paid.

The choice counts what cash costs (`PurchaseScope.cash_rate` makes upfront dearer) and asks the same return of every
slice on what it commits. What is shown never does: a plan's cost is what will be on the bill.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from reservations.optimizer.application import apply_purchases
from reservations.optimizer.demand import Demand
from reservations.optimizer.frontier import asking_return
from reservations.optimizer.model import Floats, PurchaseProblem, Solution
from reservations.optimizer.offers import Market, Prices, PurchaseScope, build_market
from reservations.optimizer.solve import solve

# CreateSavingsPlan takes a commitment of five decimals at most.
STEP: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Choice:
    """`solution` says how much of `market` to buy, at the prices that are paid.

    `problem` has what cash costs in its prices, `least_return` is what the last slice returns; `gap` is how far the
    solver may be from the best plan under that rule.
    """

    market: Market
    problem: PurchaseProblem
    least_return: float
    solution: Solution
    gap: float


def choose_purchases(demand: Demand, prices: Prices, scope: PurchaseScope, time_limit: float) -> Choice:
    """The plan whose slices all return what cash costs. Its `lower_bound` holds only where cash costs nothing."""
    market = build_market(demand, prices, scope)
    chosen = solve(asking_return(market.problem, scope.cash_rate), time_limit=time_limit)
    paid = replace(market, problem=_problem_as_paid(market))
    solution = _solution_as_paid(paid, chosen)
    return Choice(paid, market.problem, scope.cash_rate, solution, chosen.gap)


def with_bound(choice: Choice, demand: Demand, prices: Prices, scope: PurchaseScope, time_limit: float) -> Choice:
    """The choice with a cost that no plan within the limits can be below, whatever it asks of its slices."""
    if not scope.cash_rate:
        return choice
    cheapest = choose_purchases(demand, prices, replace(scope, cash_rate=0.0), time_limit).solution
    bound = min(cheapest.lower_bound, choice.solution.cost)
    return replace(choice, solution=replace(choice.solution, lower_bound=bound))


def _problem_as_paid(market: Market) -> PurchaseProblem:
    """The same problem with what an hour of each option costs on the bill, without what cash costs."""
    options = zip(market.problem.options, market.offers, strict=True)
    return replace(market.problem, options=tuple(replace(option, hourly=offer.hourly) for option, offer in options))


def _solution_as_paid(market: Market, chosen: Solution) -> Solution:
    """What was chosen in quantities that can be bought, at the prices that are paid."""
    quantities = _buyable(market, chosen.quantities)
    applied = apply_purchases(market.problem, quantities)
    bound = min(chosen.lower_bound, applied.cost)
    return replace(chosen, quantities=quantities, cost=applied.cost, application=applied, lower_bound=bound)


def _buyable(market: Market, quantities: Floats) -> Floats:
    """Commitments of plans to five decimals of their currency, rounded down: what is idle costs, what is short not."""
    scales = np.array([offer.scale if offer.is_plan else 1.0 for offer in market.offers])
    rounded = np.floor(quantities * scales / STEP + 1e-3) * STEP / scales
    return np.where([offer.is_plan for offer in market.offers], rounded, quantities) if len(quantities) else quantities
