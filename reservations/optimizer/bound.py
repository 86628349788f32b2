"""A cost that no plan can be below: the dual of the program, raised group by group. Pure: no Django."""

import time
from dataclasses import dataclass

import numpy as np

from reservations.optimizer.application import WeightedHours
from reservations.optimizer.model import Floats, PurchaseProblem

PASSES = 6


@dataclass(frozen=True, slots=True)
class LimitPrices:
    """Multipliers of the limits, all of at least zero: what a unit of each limit is worth."""

    upfront: float = 0.0
    monthly: float = 0.0
    maximum_coverage: float = 0.0
    minimum_coverage: float = 0.0
    utilisation: Floats | None = None


def raise_bound(
    problem: PurchaseProblem, hours: WeightedHours, prices: LimitPrices, until: float
) -> tuple[float, Floats]:
    """Block-wise ascent of the dual on all hours: (the best bound, the level of each group that goes with it)."""
    dual = Dual(problem, hours, prices)
    best, levels = -np.inf, np.zeros(len(problem.groups))
    for turn in range(PASSES):
        improved = dual.improve()
        value = dual.value()
        if turn and value <= best * (1 + 1e-6):
            break
        best, levels = max(best, value), improved
        if time.monotonic() > until and turn:
            break
    return best, levels


def bound_of_prices(problem: PurchaseProblem, hours: WeightedHours, prices: LimitPrices, capacity: Floats) -> float:
    """The bound that prices of each group's capacity an hour prove, whatever the tolerance of who found them.

    A solver's objective may be above the optimum by what it takes for zero; prices that are cut to their budgets prove
    theirs by arithmetic alone.
    """
    dual = Dual(problem, hours, prices)
    for group, price in enumerate(capacity):
        spent, budget = float(price @ hours.weights), float(dual.budgets[group])
        dual.price[group] = price * min(1.0, budget / spent) if spent > 0 else price
    proven = dual.value()
    dual.improve()
    return max(proven, dual.value())


class Dual:
    """Prices of each group's capacity in each hour; for any prices within the budgets, `value` is a lower bound."""

    def __init__(self, problem: PurchaseProblem, hours: WeightedHours, prices: LimitPrices) -> None:
        self.problem, self.hours, self.prices = problem, hours, prices
        self.total = hours.on_demand_cost(problem.on_demand)
        self.covering = (prices.maximum_coverage - prices.minimum_coverage) * problem.on_demand
        nothing = np.zeros(len(problem.groups))
        self.used = nothing if prices.utilisation is None else prices.utilisation
        self.budgets = self._budgets()
        # A group nobody has priced yet is too dear to use.
        self.price: list[Floats | None] = [None] * len(problem.groups)
        self.by_pool: list[list[tuple[int, float]]] = [[] for _ in problem.on_demand]
        for index, group in enumerate(problem.groups):
            for pool, weight in zip(group.pools, group.weights, strict=True):
                self.by_pool[pool].append((index, weight))

    def _budgets(self) -> Floats:
        """What a unit of each group costs over all hours, the prices of the limits included."""
        hours = float(self.hours.weights.sum())
        share = self.problem.limits.minimum_utilisation or 0.0
        cheapest = np.full(len(self.problem.groups), np.inf)
        for option in self.problem.options:
            cost = option.hourly * hours + self.prices.upfront * option.upfront + self.prices.monthly * option.monthly
            cheapest[option.group] = min(cheapest[option.group], cost)
        return cheapest + self.used * share * hours

    def improve(self) -> Floats:
        """Prices every group once, narrow ones first, given the others; returns the levels that go with the prices."""
        levels = np.zeros(len(self.problem.groups))
        for group in sorted(range(len(levels)), key=lambda index: len(self.problem.groups[index].pools)):
            if np.isfinite(self.budgets[group]):
                levels[group], self.price[group] = self.block(group)
        return levels

    def _cheapest(self, pool: int, but: int = -1) -> Floats:
        """What an hour of a machine costs by the cheapest way, per hour; `but` leaves a group out."""
        cost = np.full(self.hours.weights.size, self.problem.on_demand[pool])
        for group, weight in self.by_pool[pool]:
            price = self.price[group]
            if group != but and price is not None:
                np.minimum(cost, weight * (price - self.used[group]) + self.covering[pool], out=cost)
        return cost

    def block(self, index: int) -> tuple[float, Floats]:
        """The best prices of one group: each hour has the price of the marginal pool when `level` units are there."""
        group = self.problem.groups[index]
        weights, pools = np.array(group.weights)[:, None], list(group.pools)
        other = np.array([self._cheapest(pool, index) for pool in pools])
        ratio = np.maximum((other - self.covering[pools][:, None]) / weights + self.used[index], 0.0)
        order = np.argsort(-ratio, axis=0)
        ratio = np.take_along_axis(ratio, order, axis=0)
        filled = np.cumsum(np.take_along_axis(weights * self.hours.demand[pools], order, axis=0), axis=0)
        return _marginal(ratio, filled, self.hours.weights, float(self.budgets[index]))

    def value(self) -> float:
        """The bound for the prices as they stand."""
        limits, prices = self.problem.limits, self.prices
        value = sum(
            float((self._cheapest(pool) * self.hours.demand[pool]) @ self.hours.weights)
            for pool in range(len(self.problem.on_demand))
        )
        value -= prices.upfront * (limits.upfront or 0.0) + prices.monthly * (limits.monthly or 0.0)
        value -= prices.maximum_coverage * (limits.maximum_coverage or 0.0) * self.total
        return value + prices.minimum_coverage * (limits.minimum_coverage or 0.0) * self.total


def _marginal(ratio: Floats, filled: Floats, weights: Floats, budget: float) -> tuple[float, Floats]:
    """The level at which the marginal prices of all hours sum to the budget, and these prices."""
    top = float(ratio[0] @ weights)
    if top <= budget:
        return 0.0, ratio[0].copy()
    below = np.vstack([ratio[1:], np.zeros(ratio.shape[1])])
    drop, level = ((ratio - below) * weights).ravel(), filled.ravel()
    order = np.argsort(level, kind="stable")
    sums = top - np.cumsum(drop[order])
    at = min(int(np.searchsorted(-sums, -budget)), len(order) - 1)
    chosen = float(level[order[at]])
    passed = (filled <= chosen).sum(axis=0)
    hours = np.arange(ratio.shape[1])
    price = np.vstack([ratio, np.zeros(ratio.shape[1])])[passed, hours]
    # At the level itself the price of the hour that decided it may be anything between the two steps.
    hour = int(order[at]) % ratio.shape[1]
    price[hour] += max(0.0, budget - float(price @ weights)) / weights[hour]
    return chosen, price
