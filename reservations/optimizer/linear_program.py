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
from dataclasses import dataclass, field, replace
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
MOST_VARIABLES = 40_000
PASSES = 6


@dataclass(frozen=True, slots=True)
class Group:
    """A capacity: which pools (by index) it covers, and how many units a machine uses in an hour."""

    name: str
    pools: tuple[int, ...]
    weights: tuple[float, ...]
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to buy. Per unit: `hourly` is the effective cost of an hour, `upfront` cash, `monthly` cash a month."""

    name: str
    group: int
    hourly: float
    upfront: float = 0.0
    monthly: float = 0.0
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What finance allows; None is no limit. Shares are between 0 and 1; coverage counts at on-demand prices."""

    upfront: float | None = None
    monthly: float | None = None
    maximum_coverage: float | None = None
    minimum_coverage: float | None = None
    minimum_utilisation: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """`demand[pool, hour]` machines, `on_demand[pool]` price of an hour, and what can be bought."""

    demand: Floats
    on_demand: Floats
    groups: tuple[Group, ...]
    options: tuple[Option, ...]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.demand.ndim != 2 or len(self.on_demand) != len(self.demand):
            raise ValueError("demand needs a row for each pool, and each pool a price")
        if self.demand.size and (not np.isfinite(self.demand).all() or self.demand.min() < 0):
            raise ValueError("demand must be numbers that are not negative")
        if (self.on_demand <= 0).any():
            raise ValueError("an on-demand price must be above zero")


@dataclass(frozen=True, slots=True)
class Application:
    """What commitments did on the observed hours: cost, on-demand value covered, units used of each group."""

    cost: float
    covered: float
    used: Floats
    uncovered: Floats
    covered_by_group: Floats


@dataclass(frozen=True, slots=True)
class Solution:
    """`quantities[option]` to buy. Costs are of all hours of the problem; gap = (cost - lower_bound) / cost."""

    quantities: Floats
    cost_before: float
    cost: float
    lower_bound: float
    application: Application
    timed_out: bool
    is_feasible: bool
    seconds: float

    @property
    def gap(self) -> float:
        return 0.0 if self.cost <= 0 else max(0.0, (self.cost - self.lower_bound) / self.cost)


@dataclass(frozen=True, slots=True)
class _Prices:
    """Multipliers of the limits, all of at least zero: what a unit of each limit is worth."""

    upfront: float = 0.0
    monthly: float = 0.0
    maximum_coverage: float = 0.0
    minimum_coverage: float = 0.0
    utilisation: Floats | None = None


def solve(problem: Problem, *, time_limit: float = 30.0, most_variables: int = MOST_VARIABLES) -> Solution:
    """The cheapest plan found within the limits, with a bound that no plan can be below.

    `time_limit` is seconds for the solver: when it runs out, the best plan so far comes back with `timed_out`. A plan
    that misses a minimum coverage (the only limit that buying less does not meet) has `is_feasible` False.
    """
    began = time.monotonic()
    before = float((problem.on_demand[:, None] * problem.demand).sum())
    if not problem.demand.size or before == 0 or not problem.options:
        return _nothing(problem, before, time.monotonic() - began)
    hours = _distinct_hours(problem.demand)
    few = _averaged(problem, hours, most_variables)
    program = _linear_program(problem, few, time_limit)
    bound, levels = _raise_bound(problem, hours, program, began + time_limit)
    exact = few.weights.size == hours.weights.size and not program.timed_out
    bounds = [program.bound] if program.bound is not None else []
    if not exact:
        bounds.append(bound)
    candidates = [program.quantities, _spread(problem, levels, program.quantities)]
    if program.timed_out:
        candidates.append(_searched(problem, few))
    plans = [_mended(problem, few, hours, each) for each in candidates if each is not None]
    plans.append(np.zeros(len(problem.options)))
    costed = [(_apply(problem, hours, each), each) for each in plans]
    allowed = [each for each in costed if _is_allowed(problem, each[1], each[0], before)] or costed
    best, quantities = min(allowed, key=lambda each: each[0].cost)
    return Solution(
        quantities=quantities,
        cost_before=before,
        cost=best.cost,
        lower_bound=min(max(bounds, default=0.0), best.cost),
        application=best,
        timed_out=program.timed_out,
        is_feasible=_is_allowed(problem, quantities, best, before),
        seconds=time.monotonic() - began,
    )


def apply(problem: Problem, quantities: Floats) -> Application:
    """What these purchases cost and cover on the problem's hours, in AWS's order of application."""
    return _apply(problem, _Hours(problem.demand, np.ones(problem.demand.shape[1])), quantities)


def demand_at_turn(problem: Problem, quantities: Floats, group: int) -> Floats:
    """For each hour what a group could cover when its turn comes, in its own units."""
    hours = _Hours(problem.demand, np.ones(problem.demand.shape[1]))
    sizes, left = _sizes(problem, quantities), problem.demand.copy()
    for index in sorted(range(len(sizes)), key=lambda each: _turn(problem, each)):
        if index == group:
            break
        if sizes[index] > 0:
            _use(problem, hours, left, index, float(sizes[index]))
    own = problem.groups[group]
    covered: Floats = np.array(own.weights) @ left[list(own.pools)]
    return covered


def _nothing(problem: Problem, before: float, seconds: float) -> Solution:
    none = np.zeros(len(problem.options))
    empty = np.zeros(len(problem.groups))
    nothing = Application(before, 0.0, empty, problem.demand.sum(axis=1), empty)
    return Solution(none, before, before, before, nothing, False, not problem.limits.minimum_coverage, seconds)


@dataclass(frozen=True, slots=True)
class _Hours:
    """Hours that stand for others: `demand[pool, hour]`, and how many real hours each stands for."""

    demand: Floats
    weights: Floats


def _distinct_hours(demand: Floats) -> _Hours:
    """Hours with the very same demand are one: exact."""
    columns = np.ascontiguousarray(demand.T)
    _, first, counts = np.unique(columns, axis=0, return_index=True, return_counts=True)
    return _Hours(np.ascontiguousarray(columns[first].T), counts.astype(np.float64))


def _averaged(problem: Problem, hours: _Hours, most_variables: int) -> _Hours:
    """As many means of similar hours as the solver can take: the widest cluster is halved where it is widest."""
    each = max(1, sum(len(group.pools) for group in problem.groups))
    most = max(2, most_variables // each)
    if hours.weights.size <= most:
        return hours
    money = hours.demand * problem.on_demand[:, None]
    clusters = [_cluster(money, hours.weights, np.arange(hours.weights.size))]
    while len(clusters) < most:
        spread, members, row = clusters.pop(int(np.argmax([each[0] for each in clusters])))
        if spread <= 0:
            clusters.append((0.0, members, row))
            break
        ordered = members[np.argsort(money[row, members])]
        middle = len(ordered) // 2
        clusters += [_cluster(money, hours.weights, part) for part in (ordered[:middle], ordered[middle:])]
    weights = np.array([hours.weights[members].sum() for _, members, _ in clusters])
    sums = [hours.demand[:, members] @ hours.weights[members] for _, members, _ in clusters]
    return _Hours(np.array(sums).T / weights, weights)


def _cluster(money: Floats, weights: Floats, members: Whole) -> tuple[float, Whole, int]:
    if len(members) < 2:
        return 0.0, members, 0
    spread = money[:, members].std(axis=1)
    row = int(spread.argmax())
    return float(spread[row] * weights[members].sum()), members, row


@dataclass(frozen=True, slots=True)
class _Program:
    """What HiGHS said: quantities (None when it found none in time), the bound, and prices of the limits."""

    quantities: Floats | None
    bound: float | None
    prices: _Prices
    capacity_prices: Floats | None
    timed_out: bool


def _linear_program(problem: Problem, hours: _Hours, time_limit: float) -> _Program:
    if time_limit <= 0:
        return _Program(None, None, _Prices(), None, True)
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
        return _linear_program(eased, hours, time_limit)
    solution = solver.getSolution()
    found = np.array(solution.col_value[: len(problem.options)]) if solution.value_valid else None
    if status != highspy.HighsModelStatus.kOptimal:
        return _Program(found, None, _Prices(), None, True)
    total = float((problem.on_demand[:, None] * hours.demand * hours.weights).sum())
    bound = total + float(solver.getInfo().objective_function_value)
    prices, capacity = rows.prices(np.array(solution.row_dual))
    return _Program(None if found is None else np.maximum(found, 0.0), bound, prices, capacity, False)


class _Rows:
    """The program as HiGHS takes it: arrays, because building it from expressions takes longer than solving it."""

    def __init__(self, problem: Problem, hours: _Hours) -> None:
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
        commits = np.array([each.hourly for each in self.problem.options]) * self.hours.weights.sum()
        columns = options + pairs * self.count
        parts, upper, lower = self._entries(options)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = columns, len(upper)
        lp.col_cost_ = np.concatenate([commits, -value])
        lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.full(columns, highspy.kHighsInf)
        lp.row_lower_, lp.row_upper_ = lower, upper
        self._matrix(lp, parts, len(upper))
        return lp

    @staticmethod
    def _matrix(lp: Any, parts: list[tuple[Whole, Whole, Floats]], rows: int) -> None:
        row, column, value = (np.concatenate([part[i] for part in parts]) for i in range(3))
        order = np.argsort(row, kind="stable")
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int32)
        lp.a_matrix_.index_ = column[order].astype(np.int32)
        lp.a_matrix_.value_ = value[order]

    def _entries(self, options: int) -> tuple[list[tuple[Whole, Whole, Floats]], Floats, Floats]:
        count, pairs = self.count, len(self.owner)
        hour = np.tile(np.arange(count), pairs)
        column = options + np.arange(pairs * count)
        weight = np.repeat(self.weight, count)
        capacity = np.repeat(self.owner, count) * count + hour
        demand = self.groups * count + np.repeat(self.pool, count) * count + hour
        parts = [(capacity, column, weight), (demand, column, np.ones(len(column)))]
        for index, each in enumerate(self.problem.options):
            mine = each.group * count + np.arange(count)
            parts.append((mine, np.full(count, index), np.full(count, -1.0)))
        upper = [np.zeros(self.groups * count), self.hours.demand.ravel()]
        lower = [np.full((self.groups + self.pools) * count, -highspy.kHighsInf)]
        first = (self.groups + self.pools) * count
        for row, (name, entries, low, high) in enumerate(self._limits(options, column, weight)):
            parts += [(np.full(len(at), first + row), at, values) for at, values in entries]
            lower.append(np.array([low]))
            upper.append(np.array([high]))
            self.named.append((name, first + row))
        return parts, np.concatenate(upper), np.concatenate(lower)

    def _limits(self, options: int, column: Whole, weight: Floats) -> Any:
        limits, everything = self.problem.limits, np.arange(options)
        infinite = highspy.kHighsInf
        hours = np.tile(self.hours.weights, len(self.owner))
        if limits.upfront is not None:
            cash = np.array([each.upfront for each in self.problem.options])
            yield "upfront", [(everything, cash)], -infinite, limits.upfront
        if limits.monthly is not None:
            cash = np.array([each.monthly for each in self.problem.options])
            yield "monthly", [(everything, cash)], -infinite, limits.monthly
        covered = np.repeat(self.problem.on_demand[self.pool], self.count) * hours
        total = float((self.problem.on_demand[:, None] * self.hours.demand * self.hours.weights).sum())
        if limits.maximum_coverage is not None:
            yield "maximum_coverage", [(column, covered)], -infinite, limits.maximum_coverage * total
        if limits.minimum_coverage is not None:
            yield "minimum_coverage", [(column, covered)], limits.minimum_coverage * total, infinite
        if limits.minimum_utilisation is not None:
            share = limits.minimum_utilisation * self.hours.weights.sum()
            for group in range(self.groups):
                own = np.repeat(self.owner, self.count) == group
                mine = np.array(
                    [i for i, each in enumerate(self.problem.options) if each.group == group], dtype=np.int64
                )
                entries = [(column[own], (weight * hours)[own]), (mine, np.full(len(mine), -share))]
                yield f"utilisation {group}", entries, 0.0, infinite

    def prices(self, duals: Floats) -> tuple[_Prices, Floats]:
        """Prices of the limits, and of each group's capacity for one real hour of each cluster."""
        found = {name: abs(float(duals[row])) for name, row in self.named}
        used = np.array([found.get(f"utilisation {group}", 0.0) for group in range(self.groups)])
        plain = {name: found.get(name, 0.0) for name in ("upfront", "monthly", "maximum_coverage", "minimum_coverage")}
        capacity = np.maximum(-duals[: self.groups * self.count], 0.0).reshape(self.groups, self.count)
        return _Prices(**plain, utilisation=used), capacity / self.hours.weights


def _raise_bound(problem: Problem, hours: _Hours, program: _Program, until: float) -> tuple[float, Floats]:
    """Block-wise ascent of the dual on all hours: (the best bound, the level of each group that goes with it)."""
    dual = _Dual(problem, hours, program.prices)
    best, levels = -np.inf, np.zeros(len(problem.groups))
    for turn in range(PASSES):
        found = dual.improve()
        value = dual.value()
        if turn and value <= best * (1 + 1e-6):
            break
        best, levels = max(best, value), found
        if time.monotonic() > until and turn:
            break
    return best, levels


class _Dual:
    """Prices of each group's capacity in each hour; for any prices within the budgets, `value` is a lower bound."""

    def __init__(self, problem: Problem, hours: _Hours, prices: _Prices) -> None:
        self.problem, self.hours, self.prices = problem, hours, prices
        self.total = float((problem.on_demand[:, None] * hours.demand * hours.weights).sum())
        self.covering = (prices.maximum_coverage - prices.minimum_coverage) * problem.on_demand
        nothing = np.zeros(len(problem.groups))
        self.used = nothing if prices.utilisation is None else prices.utilisation
        self.budgets = np.array([self._budget(group) for group in range(len(problem.groups))])
        # A group nobody has priced yet is too dear to use.
        self.price: list[Floats | None] = [None] * len(problem.groups)
        self.by_pool: list[list[tuple[int, float]]] = [[] for _ in problem.on_demand]
        for index, group in enumerate(problem.groups):
            for pool, weight in zip(group.pools, group.weights, strict=True):
                self.by_pool[pool].append((index, weight))

    def _budget(self, group: int) -> float:
        """What a unit of the group costs over all hours, the prices of the limits included."""
        hours = float(self.hours.weights.sum())
        costs = [
            each.hourly * hours + self.prices.upfront * each.upfront + self.prices.monthly * each.monthly
            for each in self.problem.options
            if each.group == group
        ]
        share = self.problem.limits.minimum_utilisation or 0.0
        return min(costs, default=np.inf) + float(self.used[group]) * share * hours

    def improve(self) -> Floats:
        """Prices every group once, narrow ones first, given the others; returns the levels that go with the prices."""
        levels = np.zeros(len(self.problem.groups))
        for group in sorted(range(len(levels)), key=lambda each: len(self.problem.groups[each].pools)):
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


def _searched(problem: Problem, hours: _Hours) -> Floats:
    """A plan without a solver: every group in turn is halved, raised and lowered while that helps, twice around."""
    alone = np.array([_Dual(problem, hours, _Prices()).block(group)[0] for group in range(len(problem.groups))])
    starts = [np.where([len(g.pools) > 1 for g in problem.groups], kept, 1 - kept) * alone for kept in (0.0, 1.0)]
    found = min((_spread(problem, each, None) for each in starts), key=lambda each: _apply(problem, hours, each).cost)
    cost = _apply(problem, hours, found).cost
    for _ in range(2):
        for index in np.flatnonzero(_spread(problem, alone, None)):
            level = alone[problem.options[index].group]
            for size in {0.0, 0.5 * level, level, 0.8 * found[index], 1.25 * found[index]}:
                tried = found.copy()
                tried[index] = size
                if (now := _apply(problem, hours, tried).cost) < cost:
                    found, cost = tried, now
    return found


def _spread(problem: Problem, levels: Floats, quantities: Floats | None) -> Floats:
    """Levels of groups as quantities of options: in the program's proportions, else all of the cheapest."""
    found = np.zeros(len(problem.options))
    for group, level in enumerate(levels):
        mine = [i for i, each in enumerate(problem.options) if each.group == group]
        if not mine:
            continue
        held = None if quantities is None else quantities[mine]
        if held is not None and held.sum() > 0:
            found[mine] = level * held / held.sum()
        else:
            found[min(mine, key=lambda i: problem.options[i].hourly)] = level
    return found


def _mended(problem: Problem, few: _Hours, hours: _Hours, quantities: Floats) -> Floats:
    """The plan in whole machines and within the limits on the real hours."""
    whole = _whole(problem, few, quantities)
    return _within(problem, hours, whole)


def _whole(problem: Problem, hours: _Hours, quantities: Floats) -> Floats:
    """Whole numbers where needed: rounded, then machines are added and taken away one by one while that helps."""
    at = [i for i, each in enumerate(problem.options) if each.is_whole]
    if not at:
        return quantities
    found = quantities.copy()
    found[at] = np.floor(found[at] + 1e-6)
    cost = _apply(problem, hours, found).cost
    total = float((problem.on_demand[:, None] * hours.demand * hours.weights).sum())
    candidates = [i for i in at if quantities[i] > 1e-6]
    for index in sorted(candidates, key=lambda i: -(quantities[i] % 1)):
        for step in (1.0, -1.0):
            while found[index] + step >= 0:
                tried = found.copy()
                tried[index] += step
                applied = _apply(problem, hours, tried)
                if applied.cost >= cost - 1e-9 or not _is_allowed(problem, tried, applied, total):
                    break
                found, cost = tried, applied.cost
    return found


def _within(problem: Problem, hours: _Hours, quantities: Floats) -> Floats:
    """Less of it while a limit is broken: averages of hours, or whole numbers, may have taken it over the edge."""
    total = float((problem.on_demand[:, None] * hours.demand * hours.weights).sum())
    floor = replace(problem, limits=replace(problem.limits, minimum_coverage=None))
    found = quantities.copy()
    for _ in range(60):
        applied = _apply(problem, hours, found)
        if _is_allowed(floor, found, applied, total):
            return found
        found = _less(floor, found, applied, hours)
    return np.zeros(len(found))


def _less(problem: Problem, quantities: Floats, applied: Application, hours: _Hours) -> Floats:
    """Idle groups shrink first; otherwise everything shrinks by two per cent, and by a machine at least."""
    share = problem.limits.minimum_utilisation
    sizes = _sizes(problem, quantities) * float(hours.weights.sum())
    if share is not None and (idle := applied.used < share * sizes - 1e-9).any():
        touched = np.array([bool(idle[each.group]) for each in problem.options])
    else:
        touched = np.ones(len(quantities), dtype=bool)
    whole = np.array([each.is_whole for each in problem.options])
    smaller = np.where(whole, np.floor(np.maximum(np.minimum(quantities * 0.98, quantities - 1), 0)), quantities * 0.98)
    smaller[smaller < 1e-9] = 0.0
    return np.where(touched, smaller, quantities)


def _sizes(problem: Problem, quantities: Floats) -> Floats:
    sizes = np.zeros(len(problem.groups))
    for each, quantity in zip(problem.options, quantities, strict=True):
        sizes[each.group] += quantity
    return sizes


def _apply(problem: Problem, hours: _Hours, quantities: Floats) -> Application:
    """Groups in order of rank, each to the usage it discounts most: as AWS applies them."""
    sizes = _sizes(problem, quantities)
    left = hours.demand.copy()
    used, value = np.zeros(len(sizes)), np.zeros(len(sizes))
    for index in sorted(range(len(sizes)), key=lambda each: _turn(problem, each)):
        if sizes[index] > 0:
            used[index], value[index] = _use(problem, hours, left, index, float(sizes[index]))
    uncovered = left @ hours.weights
    bought = sum(each.hourly * float(q) for each, q in zip(problem.options, quantities, strict=True))
    cost = bought * float(hours.weights.sum()) + float(problem.on_demand @ uncovered)
    return Application(cost, float(value.sum()), used, uncovered, value)


def _turn(problem: Problem, index: int) -> tuple[int, float]:
    group = problem.groups[index]
    worth = [problem.on_demand[pool] / weight for pool, weight in zip(group.pools, group.weights, strict=True)]
    return group.rank, -max(worth, default=0.0)


def _use(problem: Problem, hours: _Hours, left: Floats, index: int, size: float) -> tuple[float, float]:
    group = problem.groups[index]
    room = np.full(hours.weights.size, size)
    used = value = 0.0
    worth = [
        (problem.on_demand[pool] / weight, pool, weight)
        for pool, weight in zip(group.pools, group.weights, strict=True)
    ]
    for _, pool, weight in sorted(worth, reverse=True):
        taken = np.minimum(left[pool], room / weight)
        left[pool] -= taken
        room -= taken * weight
        machines = float(taken @ hours.weights)
        used += machines * weight
        value += machines * float(problem.on_demand[pool])
    return used, value


def _is_allowed(problem: Problem, quantities: Floats, applied: Application, total: float) -> bool:
    limits, near = problem.limits, 1 + 1e-6
    cash = {
        name: sum(getattr(each, name) * float(q) for each, q in zip(problem.options, quantities, strict=True))
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
    bought = _sizes(problem, quantities) * hours
    return bool((applied.used >= limits.minimum_utilisation * bought / near - 1e-9).all())
