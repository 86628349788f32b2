"""Amounts: written, spread, carried over and followed, to the last cent."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.calc import amounts
from budgets.calc.amounts import BadAmount
from budgets.calc.variance import CostItem, ItemUse, explain_variance, sum_by_reason

money = st.decimals(0, 10**9, places=2)
cost = st.decimals(-(10**6), 10**6, places=6)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("12400", 12400), ("12,400.50", "12400.50"), ("12.400,50", "12400.50"), ("12 400,5", "12400.5"), ("1,234", 1234)],
)
def test_amounts_are_read_as_people_write_them(text, amount):
    assert amounts.parse_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "abc", "-5", "1e5", "NaN", "12..5", "=1+1"])
def test_what_is_no_amount_is_refused_in_words(text):
    with pytest.raises(BadAmount, match=r"is not an amount|cannot be less than zero"):
        amounts.parse_amount(text)


@given(money, st.lists(cost, min_size=1, max_size=24))
def test_a_shape_sums_to_its_total(total, last_year):
    assert sum(amounts.shaped_amounts(total, last_year, "USD")) == total


def test_growth_is_rounded_to_cents():
    assert amounts.growing_amounts(Decimal(100), Decimal(10), 3, "USD") == [100, 110, 121]


def test_as_many_amounts_as_periods_must_be_pasted():
    assert amounts.pasted_amounts("1,000\t2,000\n3,000", 3) == [1000, 2000, 3000]
    with pytest.raises(BadAmount, match="2 amounts are pasted and there are 12 periods"):
        amounts.pasted_amounts("1\t2", 12)


def test_periods_of_each_kind():
    quarters = amounts.budget_periods("quarter", date(2026, 1, 1), date(2027, 1, 1))
    assert [period.start.month for period in quarters] == [1, 4, 7, 10]
    (project,) = amounts.budget_periods("project", date(2026, 2, 10), date(2026, 5, 1))
    assert project.days == 80


def test_children_may_not_have_more_than_there_is_and_it_shows():
    year = {date(2026, 1, 1): Decimal(100)}
    months = {date(2026, number, 1): Decimal(10) for number in range(1, 13)}
    (share,) = amounts.split_among_children(year, [months]).values()
    assert (share.is_over, share.unallocated) == (True, -20)


def test_nothing_is_carried_over_where_too_much_was_spent():
    assert amounts.carried_over(Decimal(100), Decimal(120)) == 0
    assert amounts.carried_over(Decimal(100), Decimal(70)) == 30


def test_a_suggestion_leaves_an_odd_month_out():
    months = [Decimal(amount) for amount in (12000, 12300, 90000, 12100, 12200, 12400)]
    assert amounts.suggested_amount(months, "USD") == 12200


def test_a_suggestion_is_rounded_up_to_three_digits():
    assert amounts.suggested_amount([Decimal("8891.20")], "USD") == 8900
    assert amounts.suggested_amount([Decimal("12345")], "USD") == 12400


things = st.builds(
    CostItem,
    st.sampled_from(["EC2", "S3"]),
    st.sampled_from(["", "m5"]),
    st.just("Hrs"),
    st.sampled_from(["Usage", "Tax", "Credit", "Purchase"]),
    st.booleans(),
)
uses = st.dictionaries(things, st.builds(ItemUse, cost, st.none() | st.decimals(0, 1000, places=3)), max_size=6)


@given(money, uses, uses)
def test_the_reasons_of_a_variance_sum_to_it_exactly(amount, before, after):
    actual = sum((use.cost for use in after.values()), Decimal(0))
    parts = explain_variance(amount, before, after)
    assert sum((part.amount for part in parts), Decimal(0)) == actual - amount
    assert sum(sum_by_reason(parts).values(), Decimal(0)) == actual - amount


def test_dearer_hours_are_price_and_more_hours_volume():
    before, after = (
        {CostItem("EC2"): ItemUse(Decimal(100), Decimal(10))},
        {CostItem("EC2"): ItemUse(Decimal(180), Decimal(15))},
    )
    assert sum_by_reason(explain_variance(Decimal(100), before, after)) == {"price": 30, "volume": 50}
