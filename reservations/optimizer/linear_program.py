"""The linear program of a purchase problem, as HiGHS solves it. Pure: no Django."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np

from reservations.optimizer.application import WeightedHours
from reservations.optimizer.bound import LimitPrices
from reservations.optimizer.model import Floats, PurchaseProblem, Whole


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The answer of HiGHS: quantities (None when there were none in time), and prices of limits and capacities.

    `bound.bound_of_prices` makes a bound of the prices: the solver's own objective is only as exact as its tolerance.
    """

    quantities: Floats | None
    prices: LimitPrices
    capacity_prices: Floats | None
    timed_out: bool


def solve_program(problem: PurchaseProblem, hours: WeightedHours, time_limit: float) -> ProgramResult:
    """The optimum of these hours, with what a unit of each limit is worth."""
    if time_limit <= 0:
        return ProgramResult(None, LimitPrices(), None, True)
    rows = _Rows(problem, hours)
    # The engine itself: the class around it prints a banner before it can be told not to, and commands print JSON.
    solver: Any = highspy._core._Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("time_limit", time_limit)
    solver.passModel(rows.model())
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        # Only a minimum coverage cannot be met by buying nothing: without it there is a plan, which then misses it.
        eased = replace(problem, limits=replace(problem.limits, minimum_coverage=None))
        return solve_program(eased, hours, time_limit)
    solution = solver.getSolution()
    quantities = np.array(solution.col_value[: len(problem.options)]) if solution.value_valid else None
    if status != highspy.HighsModelStatus.kOptimal:
        return ProgramResult(quantities, LimitPrices(), None, True)
    prices, capacity = rows.prices(np.array(solution.row_dual))
    return ProgramResult(None if quantities is None else np.maximum(quantities, 0.0), prices, capacity, False)


# (name, [(columns, values)], lowest, highest) of one limit.
LimitRow = tuple[str, list[tuple[Whole, Floats]], float, float]


class _Rows:
    """The program as HiGHS takes it: arrays, because building it from expressions takes longer than solving it."""

    def __init__(self, problem: PurchaseProblem, hours: WeightedHours) -> None:
        self.problem, self.hours = problem, hours
        self.count = hours.weights.size
        self.groups, self.pools = len(problem.groups), len(problem.on_demand)
        self.owner = np.array([g for g, group in enumerate(problem.groups) for _ in group.pools], dtype=np.int64)
        self.pool = np.array([p for group in problem.groups for p in group.pools], dtype=np.int64)
        self.weight = np.array([w for group in problem.groups for w in group.weights])
        self.named: list[tuple[str, int]] = []

    def model(self) -> Any:
        options, pairs = len(self.problem.options), len(self.owner)
        value = np.repeat(self.problem.on_demand[self.pool], self.count) * np.tile(self.hours.weights, pairs)
        commits = np.array([option.hourly for option in self.problem.options]) * self.hours.weights.sum()
        columns = options + pairs * self.count
        parts, upper, lower = self._entries(options)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = columns, len(upper)
        lp.col_cost_ = np.concatenate([commits, -value])
        lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.full(columns, highspy.kHighsInf)
        lp.row_lower_, lp.row_upper_ = lower, upper
        row, column, entry = (np.concatenate([part[i] for part in parts]) for i in range(3))
        order = np.argsort(row, kind="stable")
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(upper)))]).astype(np.int32)
        lp.a_matrix_.index_ = column[order].astype(np.int32)
        lp.a_matrix_.value_ = entry[order]
        return lp

    def _entries(self, options: int) -> tuple[list[tuple[Whole, Whole, Floats]], Floats, Floats]:
        count, pairs = self.count, len(self.owner)
        hour = np.tile(np.arange(count), pairs)
        column = options + np.arange(pairs * count)
        weight = np.repeat(self.weight, count)
        capacity = np.repeat(self.owner, count) * count + hour
        demand = self.groups * count + np.repeat(self.pool, count) * count + hour
        parts = [(capacity, column, weight), (demand, column, np.ones(len(column)))]
        for index, option in enumerate(self.problem.options):
            own_rows = option.group * count + np.arange(count)
            parts.append((own_rows, np.full(count, index), np.full(count, -1.0)))
        upper = [np.zeros(self.groups * count), self.hours.demand.ravel()]
        lower = [np.full((self.groups + self.pools) * count, -highspy.kHighsInf)]
        first = (self.groups + self.pools) * count
        for row, (name, entries, low, high) in enumerate(self._limits(options, column, weight)):
            parts += [(np.full(len(at), first + row), at, values) for at, values in entries]
            lower.append(np.array([low]))
            upper.append(np.array([high]))
            self.named.append((name, first + row))
        return parts, np.concatenate(upper), np.concatenate(lower)

    def _limits(self, options: int, column: Whole, weight: Floats) -> Iterator[LimitRow]:
        limits, everything = self.problem.limits, np.arange(options)
        infinite = highspy.kHighsInf
        hours = np.tile(self.hours.weights, len(self.owner))
        if limits.upfront is not None:
            cash = np.array([option.upfront for option in self.problem.options])
            yield "upfront", [(everything, cash)], -infinite, limits.upfront
        if limits.monthly is not None:
            cash = np.array([option.monthly for option in self.problem.options])
            yield "monthly", [(everything, cash)], -infinite, limits.monthly
        covered = np.repeat(self.problem.on_demand[self.pool], self.count) * hours
        total = self.hours.on_demand_cost(self.problem.on_demand)
        if limits.maximum_coverage is not None:
            yield "maximum_coverage", [(column, covered)], -infinite, limits.maximum_coverage * total
        if limits.minimum_coverage is not None:
            yield "minimum_coverage", [(column, covered)], limits.minimum_coverage * total, infinite
        if limits.minimum_utilisation is not None:
            share = limits.minimum_utilisation * self.hours.weights.sum()
            for group in range(self.groups):
                own = np.repeat(self.owner, self.count) == group
                members = np.array(self.problem.options_of(group), dtype=np.int64)
                entries = [(column[own], (weight * hours)[own]), (members, np.full(len(members), -share))]
                yield f"utilisation {group}", entries, 0.0, infinite

    def prices(self, duals: Floats) -> tuple[LimitPrices, Floats]:
        """Prices of the limits, and of each group's capacity for one real hour of each cluster."""
        duals_by_name = {name: abs(float(duals[row])) for name, row in self.named}
        used = np.array([duals_by_name.get(f"utilisation {group}", 0.0) for group in range(self.groups)])
        names = ("upfront", "monthly", "maximum_coverage", "minimum_coverage")
        plain = {name: duals_by_name.get(name, 0.0) for name in names}
        capacity = np.maximum(-duals[: self.groups * self.count], 0.0).reshape(self.groups, self.count)
        return LimitPrices(**plain, utilisation=used), capacity / self.hours.weights
