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


def fleet(demand, on_demand, reserved, planned, **limits):
    """A reservation for each pool at a share of its price, and where `planned` says so a plan over all of them."""
    prices = np.array(on_demand, float)
    groups = tuple(CapacityGroup("RI", (pool,), (1.0,), 1) for pool in range(len(prices)))
    options = tuple(
        Option(f"RI {pool}", pool, float(price * share), is_whole=True)
        for pool, (price, share) in enumerate(zip(prices, reserved, strict=True))
    )
    if planned:
        rates = tuple((prices * planned).tolist())
        groups = (*groups, CapacityGroup("Plan", tuple(range(len(prices))), rates, 3))
        options = (*options, Option("Plan", len(prices), 1.0))
    return PurchaseProblem(np.array(demand, float), prices, groups, options, PurchaseLimits(**limits))


def test_the_machines_that_fill_a_limit_best_are_bought_and_not_the_first_that_fit():
    """0.10, 0.20 and 0.30 an hour: 70% of 0.60 is 0.42, so 0.10 + 0.30 fit, which saves 0.4 x 0.40 = 0.16 an hour.

    The program's fractions bring it to 0.10 + 0.20, which saves 0.12.
    """
    problem = fleet([[1] * 24] * 3, [0.1, 0.2, 0.3], [0.6] * 3, None, maximum_coverage=0.7, minimum_utilisation=0.9)
    solution = solve(problem)
    assert solution.quantities.tolist() == [1, 0, 1]
    assert solution.cost_before - solution.cost == pytest.approx(24 * 0.16)


def test_a_coverage_that_can_be_reached_is_reached_between_its_two_limits():
    """Four machines all day and seven from 8 to 20: 132 machine hours, of which 69 to 70% are 91.08 to 92.4.

    Three reservations cover 72; of the 60 left a plan for 0.82 of a machine covers 19.7.
    """
    day = [4] * 12 + [7] * 12
    problem = fleet([day], [0.1], [0.6], 0.7, maximum_coverage=0.7, minimum_coverage=0.69, minimum_utilisation=0.9)
    solution = solve(problem)
    assert solution.is_feasible
    assert 0.69 <= solution.application.covered / solution.cost_before <= 0.7000001
    assert solution.quantities[0] == 3


WIDER = {
    "a choice that once saved less than reservations alone": ([[4] * 12 + [7] * 12, [5] * 18 + [2] * 6, [3] * 24]),
    "a choice that once bought nothing": ([[3] * 12 + [6] * 12, [1, 3, 3, 4, 3, 2, 4, 1, 4, 4, 2, 4] * 2, [2] * 24]),
}


@pytest.mark.parametrize("name", WIDER)
def test_a_wider_choice_is_never_worse(name):
    limits = {"maximum_coverage": 0.7, "minimum_utilisation": 0.9}
    prices, reserved = [0.096, 0.17, 0.218], [0.62, 0.62, 0.74]
    everything = solve(fleet(WIDER[name], prices, reserved, 0.71, **limits))
    reservations = solve(fleet(WIDER[name], prices, reserved, None, **limits))
    plan = solve(fleet(WIDER[name], prices, [0.9999] * 3, 0.71, **limits))
    assert everything.cost_before - everything.cost > 0
    assert everything.cost <= min(reservations.cost, plan.cost) + 1e-9
