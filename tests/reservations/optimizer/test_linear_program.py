"""Plans against brute force, within every limit, and said plainly when time runs out."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reservations.optimizer.application import apply_purchases
from reservations.optimizer.model import CapacityGroup, Option, PurchaseLimits, PurchaseProblem
from reservations.optimizer.solve import solve

prices = st.floats(0.5, 4)
machines = st.integers(0, 4)


@st.composite
def small_problems(draw, limits=None):
    """Two pools, a reservation for each and a plan over both, a handful of hours."""
    hours = draw(st.integers(1, 5))
    demand = np.array(draw(st.lists(st.lists(machines, min_size=hours, max_size=hours), min_size=2, max_size=2)), float)
    on_demand = np.array([draw(prices), draw(prices)])
    discount = [draw(st.floats(0.3, 0.95)) for _ in range(4)]
    groups = (
        CapacityGroup("RI 0", (0,), (1.0,), 1),
        CapacityGroup("RI 1", (1,), (1.0,), 1),
        CapacityGroup("Plan", (0, 1), tuple((on_demand * discount[2:]).tolist()), 3),
    )
    options = (
        Option("RI 0", 0, float(on_demand[0] * discount[0]), upfront=10, monthly=3, is_whole=True),
        Option("RI 1", 1, float(on_demand[1] * discount[1]), upfront=20, monthly=5, is_whole=True),
        Option("Plan", 2, 1.0, upfront=15, monthly=2),
    )
    return PurchaseProblem(demand, on_demand, groups, options, limits or PurchaseLimits())


def brute_force(problem):
    """The cheapest of all whole numbers of machines, with the plan at every level where its cost can bend."""
    weights = np.array(problem.groups[2].weights)
    steps = {0.0}
    for used in itertools.product(range(5), repeat=2):
        steps.add(float(np.dot(weights, used)))
    best = None
    for first, second, plan in itertools.product(range(5), range(5), sorted(steps)):
        quantities = np.array([first, second, plan], float)
        cost = apply_purchases(problem, quantities).cost
        best = cost if best is None else min(best, cost)
    return best


@settings(max_examples=50, deadline=None)
@given(small_problems())
def test_nothing_brute_force_finds_is_below_the_bound_and_the_plan_is_within_its_gap(problem):
    solution, best = solve(problem), brute_force(problem)
    # To the digit: a bound is proved by arithmetic, and not as exact as a solver's tolerance.
    assert solution.lower_bound <= min(best, solution.cost) * (1 + 1e-12)
    assert solution.cost <= solution.cost_before + 1e-9
    assert solution.cost == pytest.approx(apply_purchases(problem, solution.quantities).cost)
    assert solution.cost - best <= solution.gap * solution.cost + 1e-6


@settings(max_examples=50, deadline=None)
@given(small_problems(), st.floats(0, 60), st.floats(0, 1), st.floats(0, 1))
def test_every_plan_stays_within_its_limits(problem, upfront, coverage, utilisation):
    limits = PurchaseLimits(upfront=upfront, maximum_coverage=coverage, minimum_utilisation=utilisation)
    limited = PurchaseProblem(problem.demand, problem.on_demand, problem.groups, problem.options, limits)
    solution = solve(limited)
    assert solution.is_feasible
    cash = sum(option.upfront * q for option, q in zip(limited.options, solution.quantities, strict=True))
    assert cash <= upfront * 1.00001 + 1e-6
    assert solution.application.covered <= coverage * solution.cost_before * 1.00001 + 1e-6
    assert solution.lower_bound <= solution.cost + 1e-9


@settings(max_examples=50, deadline=None)
@given(small_problems())
def test_averaged_hours_and_the_raised_bound_never_promise_too_much(problem):
    few, complete = solve(problem, most_variables=8), solve(problem)
    assert few.lower_bound <= complete.cost * (1 + 1e-12)
    assert few.cost >= complete.lower_bound - 1e-6


def steady(machines_running=10, hours=24, **limits):
    demand = np.full((1, hours), float(machines_running))
    groups = (CapacityGroup("RI", (0,), (1.0,), 1),)
    options = (
        Option("none", 0, 0.6, 0, 0.6 * 730, is_whole=True),
        Option("all", 0, 0.5, 0.5 * 8760, 0, is_whole=True),
    )
    return PurchaseProblem(demand, np.array([1.0]), groups, options, PurchaseLimits(**limits))


def test_steady_machines_are_committed_whole_under_the_cheapest_option():
    solution = solve(steady())
    assert solution.quantities.tolist() == [0, 10]
    assert (solution.cost_before, solution.cost, solution.gap) == (240, 120, 0)


def test_an_upfront_budget_of_zero_buys_without_upfront():
    assert solve(steady(upfront=0)).quantities.tolist() == [10, 0]


def test_cash_buys_what_it_can_of_the_dearer_option_and_the_rest_without():
    assert solve(steady(upfront=3 * 0.5 * 8760)).quantities.tolist() == [7, 3]


def test_coverage_stops_at_the_ceiling():
    assert solve(steady(maximum_coverage=0.7)).quantities.tolist() == [0, 7]


def test_a_monthly_limit_holds_what_is_paid_each_month():
    assert solve(steady(upfront=0, monthly=4.5 * 0.6 * 730)).quantities.tolist() == [4, 0]


def test_a_coverage_that_nothing_can_reach_is_said_not_to_be_met():
    solution = solve(steady(upfront=0, monthly=0, minimum_coverage=0.5))
    assert not solution.is_feasible
    assert solution.cost == solution.cost_before


def test_demand_of_zero_buys_nothing():
    solution = solve(steady(machines_running=0))
    assert solution.quantities.tolist() == [0, 0]
    assert (solution.cost, solution.lower_bound, solution.gap) == (0, 0, 0)


def test_when_time_runs_out_the_best_plan_so_far_comes_with_its_gap():
    random = np.random.default_rng(1)
    demand = random.integers(0, 9, (12, 200)).astype(float)
    groups = (
        *(CapacityGroup(f"RI {p}", (p,), (1.0,), 1) for p in range(12)),
        CapacityGroup("SP", tuple(range(12)), (0.7,) * 12, 3),
    )
    options = tuple(Option(g.name, i, 0.6 if i < 12 else 1.0) for i, g in enumerate(groups))
    solution = solve(PurchaseProblem(demand, np.ones(12), groups, options), time_limit=0)
    assert solution.timed_out
    assert solution.lower_bound < solution.cost < solution.cost_before
    assert 0 <= solution.gap < 0.1


@pytest.mark.parametrize("bad", [[[-1.0]], [[float("nan")]], [[float("inf")]]])
def test_hours_that_are_no_demand_are_refused(bad):
    with pytest.raises(ValueError, match="not negative"):
        PurchaseProblem(np.array(bad), np.array([1.0]), (), ())


def test_a_plan_is_applied_to_what_reservations_left_and_first_where_it_discounts_most():
    demand = np.array([[2.0], [1.0]])
    groups = (CapacityGroup("RI", (0,), (1.0,), 1), CapacityGroup("SP", (0, 1), (0.8, 0.5), 3))
    options = (Option("RI", 0, 0.6, is_whole=True), Option("SP", 1, 1.0))
    solution = apply_purchases(PurchaseProblem(demand, np.ones(2), groups, options), np.array([1.0, 0.9]))
    # The RI takes one machine of the first pool; the plan the second pool (0.5), then half of what is left (0.4 / 0.8).
    assert solution.used.tolist() == pytest.approx([1.0, 0.9])
    assert solution.uncovered.tolist() == pytest.approx([0.5, 0.0])
    assert solution.cost == pytest.approx(0.6 + 0.9 + 0.5)
