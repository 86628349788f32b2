"""Whole cents that sum: random splits, signs and currencies, as sets and as whole months of chargeback."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_site.lib.money import EXACT, exact_sum, places, rounded
from tagging.calc.rounded_sets import KINDS, round_month, rounded_set

CODES = st.sampled_from(["USD", "EUR", "JPY", "KWD", "XYZ"])
AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=18, allow_nan=False, allow_infinity=False)
KEYS = st.tuples(st.integers(1, 5), st.sampled_from(KINDS), st.sampled_from("abc"))


def unit(code):
    return Decimal(1).scaleb(-places(code))


@settings(max_examples=100, deadline=None)
@given(st.lists(AMOUNTS, min_size=1, max_size=12), CODES)
def test_parts_sum_to_the_rounded_total_and_none_is_a_unit_off(parts, code):
    shares = rounded_set(parts, code)
    assert exact_sum(shares) == rounded(exact_sum(parts), code)
    for share, part in zip(shares, parts, strict=True):
        assert share == rounded(share, code)
        assert abs(EXACT.subtract(share, part)) < unit(code)
        assert str(share) != "-0.00"


@settings(max_examples=50, deadline=None)
@given(st.lists(AMOUNTS, min_size=1, max_size=6), AMOUNTS, CODES)
def test_parts_follow_a_total_that_was_rounded_before_however_far_off(parts, total, code):
    assert exact_sum(rounded_set(parts, code, total=total)) == rounded(total, code)


@pytest.mark.parametrize(
    ("parts", "code", "shares"),
    [
        (["33.333333", "33.333333", "33.333334"], "USD", ["33.33", "33.33", "33.34"]),
        (["0.004", "0.004", "0.004"], "USD", ["0.01", "0", "0"]),
        (["-0.004", "-0.004", "-0.004"], "USD", ["0", "0", "-0.01"]),
        (["10.5", "0.5"], "JPY", ["11", "0"]),
        (["1.2345", "1.2345"], "KWD", ["1.235", "1.234"]),
        (["10", "20"], "USD", ["10", "20"]),
        (["99.999", "-99.999"], "USD", ["100.00", "-100.00"]),
    ],
)
def test_the_largest_remainders_get_the_cents(parts, code, shares):
    assert rounded_set([Decimal(part) for part in parts], code) == [Decimal(share) for share in shares]


def test_a_total_without_parts_is_refused():
    assert rounded_set([], "USD") == []
    with pytest.raises(ValueError, match=r"0\.01 USD has no parts"):
        rounded_set([], "USD", total=Decimal("0.01"))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, AMOUNTS, max_size=20), AMOUNTS, AMOUNTS, CODES)
def test_a_month_sums_from_its_lines_to_its_bill(lines, unallocated, unowned, code):
    own = [amount for (_, kind, _), amount in lines.items() if kind in ("direct", "shared")]
    bill = exact_sum([*own, unallocated, unowned])
    documents = round_month(lines, code, bill=bill, unallocated=unallocated, unowned=unowned)
    month = documents.month
    assert month["bill"] == rounded(bill, code)
    assert month["rounding"] == 0
    assert exact_sum(month[name] for name in ("direct", "shared", "unallocated", "unowned")) == month["bill"]
    for team, by_kind in documents.statements.items():
        for kind, amount in by_kind.items():
            assert amount == exact_sum(part for key, part in documents.lines.items() if key[:2] == (team, kind))
    for key, amount in documents.lines.items():
        assert abs(EXACT.subtract(amount, lines[key])) < unit(code)
    for name, kind in (("direct", "direct"), ("shared", "shared"), ("corrections", "correction")):
        assert month[name] == exact_sum(by_kind[kind] for by_kind in documents.statements.values())
    charged = exact_sum(amount for by_kind in documents.statements.values() for amount in by_kind.values())
    spread = exact_sum(by_kind["spread"] for by_kind in documents.statements.values())
    nobody = exact_sum([month["unallocated"], month["unowned"]])
    booked = exact_sum([month["corrections"], -month["given_back"], spread])
    assert exact_sum([charged, nobody]) == exact_sum([month["bill"], booked])


def test_both_sides_of_an_adjustment_are_the_amount_that_was_entered():
    lines = {(1, "adjustment", "a"): Decimal("-12.345"), (2, "adjustment", "a"): Decimal("12.345")}
    documents = round_month(lines, "USD", bill=Decimal(0), unallocated=Decimal(0), unowned=Decimal(0))
    assert sorted(documents.lines.values()) == [Decimal("-12.34"), Decimal("12.34")]
    assert documents.month["given_back"] == 0
