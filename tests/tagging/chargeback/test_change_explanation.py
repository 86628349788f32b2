"""The change of a statement in parts that sum to it."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from costs.calc import change_parts
from costs.calc.change_parts import ChangePart, PeriodCost, explain_change
from finops_site.lib.money import EXACT
from tagging.calc.statement_change import explain_statement_change


def dec(text):
    return Decimal(text)


def kinds(before, after):
    return change_parts.sum_by_kind(explain_change(before, after))


def test_more_usage_another_price_and_a_commitment_are_told_apart():
    before = [PeriodCost("web", "Hours", dec("100"), dec("100"))]
    after = [PeriodCost("web", "Hours", dec("90"), dec("120"), saved=dec("42"))]
    # 20 hours more at 1.00, 0.10 dearer for each of 120 hours, 42 saved by a plan.
    assert kinds(before, after) == {"more": 20, "price": 12, "commitment": -42}


def test_what_is_new_or_gone_is_said_as_that():
    before = [PeriodCost("old", "Hours", dec("5"), dec("1")), PeriodCost("both", "GB", dec("1"), dec("1"))]
    after = [PeriodCost("young", "Hours", dec("7"), dec("1")), PeriodCost("both", "GB", dec("1"), dec("1"))]
    assert kinds(before, after) == {"new": 7, "gone": -5}


def test_what_only_changed_hands_is_neither_new_nor_gone():
    before = [PeriodCost("given", "Hours", dec("5"), dec("1")), PeriodCost("old", "Hours", dec("2"), dec("1"))]
    after = [PeriodCost("taken", "Hours", dec("7"), dec("1")), PeriodCost("young", "Hours", dec("1"), dec("1"))]
    parts = explain_change(before, after, ({"taken", "old"}, {"given"}))
    assert change_parts.sum_by_kind(parts) == {"new": 1, "gone": -2, "taken": 7, "given": -5}


def test_a_new_kind_of_usage_of_an_old_thing_is_more_usage():
    before = [PeriodCost("db", "Hours", dec("5"), dec("1"))]
    after = [*before, PeriodCost("db", "GB", dec("2"), dec("10"))]
    assert kinds(before, after) == {"more": 2}


def test_without_a_quantity_nothing_is_guessed():
    assert kinds([PeriodCost("tax", "", dec("5"))], [PeriodCost("tax", "", dec("8"))]) == {"unmeasured": 3}


def test_a_credit_is_neither_new_nor_less_usage():
    before = [PeriodCost("web", "Hours", dec("100"), dec("100"))]
    after = [*before, PeriodCost("web", "", dec("-40"), is_credit=True), PeriodCost("promotion", "", dec("-5"), None)]
    assert kinds(before, after) == {"credits": -40, "new": -5}
    assert kinds(after, before) == {"credits": 40, "gone": 5}


def test_a_restated_bill_and_bookings_are_parts_of_their_own():
    parts = explain_statement_change(
        [ChangePart("more", dec("10"), "web")],
        {"direct": dec("100"), "shared": dec("5"), "booked": dec("0")},
        {"direct": dec("115"), "shared": dec("4"), "booked": dec("-2")},
        (dec("105"), dec("115")),
    )
    assert change_parts.sum_by_kind(parts) == {"more": 10, "shared": -1, "booked": -2, "restated": 5}
    assert change_parts.total_change(parts) == 117 - 105


COST = st.decimals(min_value=-(10**6), max_value=10**6, places=18, allow_nan=False, allow_infinity=False)
QUANTITY = st.none() | st.decimals(min_value=0, max_value=10**4, places=6, allow_nan=False, allow_infinity=False)
ITEMS = st.lists(
    st.builds(
        PeriodCost, st.sampled_from("abcd"), st.sampled_from(["Hours", "GB"]), COST, QUANTITY, COST, st.booleans()
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(ITEMS, ITEMS, st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")))
def test_the_parts_sum_to_the_change_to_the_last_digit(before, after, had, have):
    was, now = (change_parts.total_change(ChangePart("", item.cost) for item in items) for items in (before, after))
    assert change_parts.total_change(explain_change(before, after, (had, have))) == EXACT.subtract(now, was)
