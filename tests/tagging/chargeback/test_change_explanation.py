"""The change of a statement in parts that sum to it, and a journal whose debits are its credits."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_site.lib.money import EXACT, rounded
from tagging.calc import change_explanation, journal
from tagging.calc.change_explanation import ChangePart, MonthlyCost, explain_change
from tagging.calc.journal import CannotBook, CostCenterCharge


def dec(text):
    return Decimal(text)


def kinds(before, after):
    return change_explanation.sum_by_kind(explain_change(before, after))


def test_more_usage_another_price_and_a_commitment_are_told_apart():
    before = [MonthlyCost("web", "Hours", dec("100"), dec("100"))]
    after = [MonthlyCost("web", "Hours", dec("90"), dec("120"), saved=dec("42"))]
    # 20 hours more at 1.00, 0.10 dearer for each of 120 hours, 42 saved by a plan.
    assert kinds(before, after) == {"more": 20, "price": 12, "commitment": -42}


def test_what_is_new_or_gone_is_said_as_that():
    before = [MonthlyCost("old", "Hours", dec("5"), dec("1")), MonthlyCost("both", "GB", dec("1"), dec("1"))]
    after = [MonthlyCost("young", "Hours", dec("7"), dec("1")), MonthlyCost("both", "GB", dec("1"), dec("1"))]
    assert kinds(before, after) == {"new": 7, "gone": -5}


def test_what_only_changed_hands_is_neither_new_nor_gone():
    before = [MonthlyCost("given", "Hours", dec("5"), dec("1")), MonthlyCost("old", "Hours", dec("2"), dec("1"))]
    after = [MonthlyCost("taken", "Hours", dec("7"), dec("1")), MonthlyCost("young", "Hours", dec("1"), dec("1"))]
    parts = explain_change(before, after, ({"taken", "old"}, {"given"}))
    assert change_explanation.sum_by_kind(parts) == {"new": 1, "gone": -2, "taken": 7, "given": -5}


def test_a_new_kind_of_usage_of_an_old_thing_is_more_usage():
    before = [MonthlyCost("db", "Hours", dec("5"), dec("1"))]
    after = [*before, MonthlyCost("db", "GB", dec("2"), dec("10"))]
    assert kinds(before, after) == {"more": 2}


def test_without_a_quantity_nothing_is_guessed():
    assert kinds([MonthlyCost("tax", "", dec("5"))], [MonthlyCost("tax", "", dec("8"))]) == {"unmeasured": 3}


def test_a_restated_bill_and_bookings_are_parts_of_their_own():
    parts = change_explanation.explain_statement_change(
        [ChangePart("more", dec("10"), "web")],
        {"direct": dec("100"), "shared": dec("5"), "booked": dec("0")},
        {"direct": dec("115"), "shared": dec("4"), "booked": dec("-2")},
        (dec("105"), dec("115")),
    )
    assert change_explanation.sum_by_kind(parts) == {"more": 10, "shared": -1, "booked": -2, "restated": 5}
    assert change_explanation.total_change(parts) == 117 - 105


COST = st.decimals(min_value=-(10**6), max_value=10**6, places=18, allow_nan=False, allow_infinity=False)
QUANTITY = st.none() | st.decimals(min_value=0, max_value=10**4, places=6, allow_nan=False, allow_infinity=False)
ITEMS = st.lists(
    st.builds(MonthlyCost, st.sampled_from("abcd"), st.sampled_from(["Hours", "GB"]), COST, QUANTITY, COST), max_size=8
)


@settings(max_examples=100, deadline=None)
@given(ITEMS, ITEMS, st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")))
def test_the_parts_sum_to_the_change_to_the_last_digit(before, after, had, have):
    was, now = (
        change_explanation.total_change(ChangePart("", item.cost) for item in items) for items in (before, after)
    )
    assert change_explanation.total_change(explain_change(before, after, (had, have))) == EXACT.subtract(now, was)


def charge(amount, team="Payments", center="CC-1", currency="USD"):
    return CostCenterCharge("2026-03-0001", team, center, dec(amount), currency)


def test_cost_centres_are_debited_and_the_clearing_account_is_credited():
    entries = journal.journal_entries(
        [charge("10.004"), charge("5.5", "Data", "CC-2"), charge("-1", "Web", "CC-3")], expense="6100", clearing="2990"
    )
    assert [(entry.account, entry.cost_center, entry.debit, entry.credit) for entry in entries] == [
        ("6100", "CC-1", dec("10.00"), 0),
        ("6100", "CC-2", dec("5.50"), 0),
        ("6100", "CC-3", 0, dec("1.00")),
        ("2990", "", 0, dec("14.50")),
    ]


def test_a_missing_cost_centre_is_refused_by_the_name_of_the_team():
    with pytest.raises(CannotBook, match="No cost centre: Data, Web"):
        journal.journal_entries(
            [charge("1"), charge("1", "Web", ""), charge("1", "Data", " ")], expense="6100", clearing="2990"
        )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(COST, st.sampled_from(["USD", "EUR", "JPY", "KWD"])), max_size=12))
def test_debits_are_credits_and_the_rounded_sum_of_the_statements(charges):
    listed = [charge(f"{amount:f}", currency=code) for amount, code in charges]
    entries = journal.journal_entries(listed, expense="6100", clearing="2990")
    for code in {code for _, code in charges}:
        in_currency = [entry for entry in entries if entry.currency == code]
        assert sum(entry.debit for entry in in_currency) == sum(entry.credit for entry in in_currency)
        centers = sum(entry.debit - entry.credit for entry in in_currency if entry.account == "6100")
        exact = change_explanation.total_change(ChangePart("", amount) for amount, at in charges if at == code)
        assert centers == rounded(exact, code)
