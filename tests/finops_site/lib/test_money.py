"""Money: exact, with its currency, and split so that nothing is lost."""

from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_site.lib.money import (
    STORED_UNIT,
    CurrencyMismatch,
    Money,
    compact,
    exact_text,
    formatted,
    ratio,
    rounded,
    split,
    total_by_currency,
)

amounts = st.decimals(-(10**19), 10**19, places=18)
weights = st.lists(st.decimals(0, 10**9, places=6), min_size=1, max_size=30).filter(any)
units = st.sampled_from([STORED_UNIT, D("0.01"), D("1")])


def plain_sum(parts):
    """A second way to add, which never rounds."""
    return sum((Fraction(part) for part in parts), Fraction(0))


@given(amounts, weights, units)
def test_the_parts_of_a_split_sum_to_the_whole(amount, parts, unit):
    assert plain_sum(split(amount, parts, unit=unit)) == plain_sum([amount])


@given(amounts, weights)
def test_no_part_is_further_than_a_unit_from_its_share_and_no_weight_gets_nothing(amount, parts):
    total_weight = sum(parts)
    for share, weight in zip(split(amount, parts, unit=STORED_UNIT), parts, strict=True):
        assert abs(share - amount * weight / total_weight) <= 2 * STORED_UNIT + abs(amount) * D("1E-25")
        assert weight or share == 0


@given(amounts, st.integers(1, 20))
def test_equal_weights_differ_by_one_unit_at_most(amount, count):
    parts = split(amount, [D(1)] * count)
    assert max(parts) - min(parts) <= STORED_UNIT


def test_a_cent_that_is_left_goes_to_the_first_of_equals():
    assert split(D("100.00"), [D(1)] * 3, unit=D("0.01")) == [D("33.34"), D("33.33"), D("33.33")]
    assert split(D("-0.01"), [D(1), D(1)], unit=D("0.01")) == [D("-0.01"), D("0.00")]


@pytest.mark.parametrize("bad", [[D(0)], [D(0), D(0)], [D(2), D(-1)], []])
def test_weights_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="weights must not be negative"):
        split(D(1), bad)


@given(st.lists(st.tuples(amounts, st.sampled_from(["USD", "EUR", "JPY"]))))
def test_sums_are_per_currency_and_exact(pairs):
    sums = total_by_currency(Money(amount, currency) for amount, currency in pairs)
    for code in {currency for _, currency in pairs}:
        assert plain_sum([sums[code]]) == plain_sum(amount for amount, currency in pairs if currency == code)


def test_two_currencies_are_never_one_sum():
    with pytest.raises(CurrencyMismatch, match="USD and EUR"):
        Money(D(1), "USD") + Money(D(1), "EUR")
    with pytest.raises(CurrencyMismatch):
        Money(D(1), "USD") - Money(D(1), "EUR")


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1234.505", "USD", "1,234.50"),
        ("1234.515", "USD", "1,234.52"),
        ("-0.004", "USD", "0.00"),
        ("1234.5", "JPY", "1,234"),
        ("1.2345", "KWD", "1.234"),
        ("-1234.5", "USD", "-1,234.50"),
    ],
)
def test_a_reader_sees_the_smallest_unit_of_the_currency(amount, currency, shown):
    assert formatted(D(amount), currency) == shown


@given(amounts)
def test_rounding_moves_by_half_a_cent_at_most(amount):
    assert abs(rounded(amount, "USD") - amount) <= D("0.005")


@given(amounts)
def test_the_exact_text_is_the_amount(amount):
    assert D(exact_text(amount)) == amount
    assert "E" not in exact_text(amount)


def test_nothing_is_not_zero():
    assert exact_text(None) is None
    assert exact_text(D("-0.00")) == "0"
    assert ratio(D(1), D(0)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("0.25", "0.25"),
        ("-0.001", "-0.001"),
        ("12.5", "12.5"),
        ("12500", "12.5k"),
        ("1250000", "1.25M"),
        ("-3000000", "-3M"),
        ("999999", "1M"),
        ("2500000000000", "2.5T"),
    ],
)
def test_a_figure_of_an_axis_has_no_more_places_than_it_needs(value, text):
    assert compact(D(value), on_axis=True) == text
