"""Batches of a purchase: when, how much, and what each of them saves of the hours that the ones before leave."""

from datetime import date

import numpy as np
import pytest

from reservations.optimizer.application import apply_purchases
from reservations.optimizer.batches import batch_uses, monthly_batches
from reservations.optimizer.model import CapacityGroup, Option, PurchaseProblem

JANUARY = date(2026, 1, 31)


def test_a_ladder_buys_in_batches_up_to_the_plan_and_spreads_the_ends():
    steps = monthly_batches(20, first=JANUARY, term_months=12, is_whole=True)
    assert [(step.quantity, step.total) for step in steps] == [(3, 3), (5, 8), (6, 14), (6, 20)]
    assert [str(step.ends_on) for step in steps] == ["2027-01-28", "2027-02-28", "2027-03-28", "2027-04-28"]


def test_batches_of_a_plan_add_up_to_the_commitment_to_its_last_digit():
    steps = monthly_batches(0.03648, first=JANUARY, term_months=12, is_whole=False)
    assert sum(step.quantity for step in steps) == pytest.approx(0.03648, abs=1e-15)


def test_what_was_bought_before_leaves_fewer_and_larger_batches():
    steps = monthly_batches(17, first=JANUARY, term_months=12, is_whole=True, bought_before=1)
    # 25, 30 and 30 of the 85 per cent that are left of twenty machines.
    assert [step.quantity for step in steps] == [5, 6, 6]
    last = monthly_batches(6, first=JANUARY, term_months=12, is_whole=True, bought_before=3)
    assert [step.quantity for step in last] == [6]


def test_the_first_batch_saves_most_for_its_money_and_all_save_what_the_plan_saves():
    """Ten hours; four machines at 1.00 of which the n-th runs in 10, 10, 6 and 5 hours; committed at 0.40.

    A commitment of 1.60 covers them all: 31 machine hours at 1.00 = 31.00, for 16.00. In four batches of 0.40 they
    cover 10, 10, 6 and 5: they save 6, 6, 2 and 1.
    """
    demand = np.array([[4.0] * 5 + [3.0] + [2.0] * 4])
    group = CapacityGroup("SP", (0,), (0.4,), 3)
    problem = PurchaseProblem(demand, np.array([1.0]), (group,), (Option("SP", 0, 1.0),))
    bought = np.array([1.6])
    uses = batch_uses(problem, bought, 0, {0: [0.4, 0.4, 0.4, 0.4]})[0]
    assert [use.covered for use in uses] == pytest.approx([10, 10, 6, 5])
    assert [use.used for use in uses] == pytest.approx([4, 4, 2.4, 2])
    applied = apply_purchases(problem, bought)
    assert sum(use.covered for use in uses) == pytest.approx(applied.covered) == 31
    assert [use.covered - 0.4 * 10 for use in uses] == pytest.approx([6, 6, 2, 1])


def test_a_plan_is_first_used_where_it_discounts_most():
    """A plan at 0.5 and 0.9 of two machines' prices: its first half covers the cheap one's hours only."""
    problem = PurchaseProblem(
        np.ones((2, 10)),
        np.array([1.0, 1.0]),
        (CapacityGroup("SP", (0, 1), (0.9, 0.5), 3),),
        (Option("SP", 0, 1.0),),
    )
    first, last = batch_uses(problem, np.array([1.4]), 0, {0: [0.5, 0.9]})[0]
    assert (first.covered, last.covered) == pytest.approx((10, 10))
    # 0.5 buys what 0.9 buys later: it saves 5.00, the last batch 1.00.
    assert (first.covered - 5, last.covered - 9) == pytest.approx((5, 1))


def test_options_of_one_capacity_share_its_hours_the_cheaper_first():
    """Two machines that always run and one of half the hours; two of the cheap option, one of the dear one."""
    problem = PurchaseProblem(
        np.array([[3.0] * 5 + [2.0] * 5]),
        np.array([1.0]),
        (CapacityGroup("RI", (0,), (1.0,), 1),),
        (Option("none", 0, 0.45, is_whole=True), Option("all", 0, 0.4, is_whole=True)),
    )
    uses = batch_uses(problem, np.array([1.0, 2.0]), 0, {0: [1.0], 1: [1.0, 1.0]})
    assert [use.covered for use in uses[1]] == [10, 5]
    assert [use.covered for use in uses[0]] == [10]
