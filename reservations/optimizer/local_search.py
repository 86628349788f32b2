"""A plan that can be bought, made cheaper step by step and never across a limit. Pure: no Django.

A program's quantities are fractions: cut to whole machines they leave room under the limits that another machine may
fill, and a machine in the place of another may fill it better. So machines are added, taken away and exchanged one by
one while that helps, and plans, which are no whole numbers, are fitted again to what the machines leave.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from reservations.optimizer.application import WeightedHours, apply_to_hours, is_within_limits
from reservations.optimizer.model import Floats, PurchaseLimits, PurchaseProblem

# How much a search works out at most, counted in hours of pools: half a second, and the same plan on every machine.
EFFORT: Final = 40_000_000
# What a commitment's application to a pool takes however few the hours are: as much as this many of them.
OVERHEAD: Final = 1_000
HALVINGS: Final = 20
GOLDEN: Final = 0.618
NEAR: Final = 1e-9

# What a plan falls short of the minimum coverage, then its cost: the lower the better. Beyond a limit it is `BEYOND`.
Worth = tuple[float, float]
BEYOND: Final = (np.inf, np.inf)


class LocalSearch:
    """A search on these hours; `effort` is what is left of the work that it may take."""

    def __init__(self, problem: PurchaseProblem, hours: WeightedHours, effort: float = EFFORT) -> None:
        self.problem, self.hours, self.effort = problem, hours, effort
        self.total = hours.on_demand_cost(problem.on_demand)
        self.wanted = (problem.limits.minimum_coverage or 0.0) * self.total
        self.ceilings = replace(problem, limits=replace(problem.limits, minimum_coverage=None))
        self.step_price = max(1, sum(len(group.pools) for group in problem.groups)) * (hours.weights.size + OVERHEAD)
        self.machines = [i for i, option in enumerate(problem.options) if option.is_whole]
        self.plans = [i for i, option in enumerate(problem.options) if not option.is_whole]

    def best_near(self, start: Floats) -> Floats:
        """The cheapest plan that steps from `start` come to; one that buys less where `start` breaks a limit."""
        best = self._lowered(start)
        worth = self._worth(best)
        is_limited = self.problem.limits != PurchaseLimits()
        while self.effort > 0:
            stepped = self._with_plans_fitted(*self._with_machines_added(best, worth))
            if is_limited and not self._is_better(stepped[1], worth):
                stepped = self._exchanged(*stepped)
            if not self._is_better(stepped[1], worth):
                break
            best, worth = stepped
        return best

    def _worth(self, quantities: Floats) -> Worth:
        self.effort -= self.step_price
        applied = apply_to_hours(self.problem, self.hours, quantities)
        if not is_within_limits(self.ceilings, quantities, applied, self.total):
            return BEYOND
        short = self.wanted - applied.covered
        return (short if short > 1e-6 * self.wanted else 0.0), applied.cost

    def _is_better(self, worth: Worth, than: Worth) -> bool:
        near = NEAR * self.total
        return worth[0] < than[0] - near or (worth[0] <= than[0] and worth[1] < than[1] - near)

    def _lowered(self, quantities: Floats) -> Floats:
        """Whole machines, and no more of anything than the limits allow: plans give way first, then all alike."""
        cut = quantities.copy()
        cut[self.machines] = np.floor(cut[self.machines] + 1e-6)
        if self._worth(cut) != BEYOND:
            return cut
        for index in self.plans:
            if cut[index] and (most := self._most(cut, index, float(cut[index]))) is not None:
                cut[index] = most
                return cut
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._worth(self._share(cut, middle)) != BEYOND else (low, middle)
        return self._share(cut, low)

    def _share(self, quantities: Floats, share: float) -> Floats:
        part = quantities * share
        part[self.machines] = np.floor(part[self.machines] + 1e-6)
        return part

    def _most(self, quantities: Floats, index: int, high: float) -> float | None:
        """The most of an option, up to `high`, that the limits allow; None where they do not allow the others."""
        tried = quantities.copy()

        def is_allowed(amount: float) -> bool:
            tried[index] = amount
            return self._worth(tried) != BEYOND

        if is_allowed(high):
            return high
        if not is_allowed(0.0):
            return None
        low = 0.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if is_allowed(middle) else (low, middle)
        return low

    def _with_machines_added(self, best: Floats, worth: Worth) -> tuple[Floats, Worth]:
        """One option after another, the one that saves most first, for as long as one more saves."""
        while self.effort > 0:
            steps = [(self._worth(tried), index) for index, tried in self._one_more(best)]
            better = min(((new, index) for new, index in steps if self._is_better(new, worth)), default=None)
            if better is None:
                break
            worth, index = better
            best, step = _changed(best, index, 1.0), 1.0
            while step >= 1.0 and self.effort > 0:
                tried = _changed(best, index, step)
                if self._is_better(new := self._worth(tried), worth):
                    best, worth, step = tried, new, step * 2
                else:
                    step /= 2
        return best, worth

    def _one_more(self, quantities: Floats) -> Iterator[tuple[int, Floats]]:
        for index in self.machines:
            yield index, _changed(quantities, index, 1.0)

    def _with_plans_fitted(self, best: Floats, worth: Worth) -> tuple[Floats, Worth]:
        """Each plan at the level that is cheapest beside everything else: cost is convex in it."""
        for index in self.plans:
            if self.effort <= 0:
                break
            group = self.problem.groups[self.problem.options[index].group]
            highest = float((np.array(group.weights) @ self.hours.demand[list(group.pools)]).max(initial=0.0))
            most = self._most(best, index, max(highest, float(best[index])))
            if most is None:
                continue
            low, high = 0.0, most
            seen = {amount: self._worth(_set(best, index, amount)) for amount in (0.0, most)}
            left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            for _ in range(HALVINGS if most else 0):
                for amount in (left, right):
                    if amount not in seen:
                        seen[amount] = self._worth(_set(best, index, amount))
                if seen[left] <= seen[right]:
                    high, left, right = right, right - GOLDEN * (right - low), left
                else:
                    low, left, right = left, right, left + GOLDEN * (high - left)
            amount = min(seen, key=lambda level: seen[level])
            if worth == BEYOND or self._is_better(seen[amount], worth):
                best, worth = _set(best, index, amount), seen[amount]
        return best, worth

    def _exchanged(self, best: Floats, worth: Worth) -> tuple[Floats, Worth]:
        """The first exchange that helps: a machine less, or all of a plan, for a machine more, and plans fitted."""
        taken = [None, *np.flatnonzero(best).tolist()]
        for less in taken:
            without = best.copy()
            if less is not None:
                without[less] = without[less] - 1.0 if self.problem.options[less].is_whole else 0.0
            for more in (None, *self.machines):
                if self.effort <= 0:
                    return best, worth
                if less == more:
                    continue
                tried = without if more is None else _changed(without, more, 1.0)
                new = self._with_plans_fitted(tried, self._worth(tried))
                new = self._with_machines_added(*new) if less is not None and new[1] != BEYOND else new
                if self._is_better(new[1], worth):
                    return new
        return best, worth


def _changed(quantities: Floats, index: int, by: float) -> Floats:
    return _set(quantities, index, float(quantities[index]) + by)


def _set(quantities: Floats, index: int, amount: float) -> Floats:
    changed = quantities.copy()
    changed[index] = amount
    return changed
