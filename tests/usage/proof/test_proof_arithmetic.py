"""What was saved is the cost before less the cost now, in the days of the month; why it differs has a name."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.calc.proof import Gap, is_back, is_proof, month_saving, shares_of
from usage.calc.rules.base import Lever

MONEY = st.decimals(min_value=0, max_value=10**9, places=6)


@pytest.mark.parametrize(
    ("before", "after", "promised", "lever", "saved", "gap"),
    [
        (310, 0, 300, Lever.DELETE, 300, Gap.AS_PROMISED),
        (310, 150, 300, Lever.RIGHTSIZE, 150, Gap.LESS),
        (310, 0, 100, Lever.STOP, 300, Gap.MORE),
        (310, 295, 300, Lever.STOP, 5, Gap.STILL_THERE),
        (310, 400, 300, Lever.RIGHTSIZE, -100, Gap.GREW),
        (310, 100, None, Lever.TIER, 200, Gap.NO_PROMISE),
    ],
)
def test_a_month_says_what_it_saved_and_why(before, after, promised, lever, saved, gap):
    # January's 310 are 300 in the thirty days of April.
    promise = None if promised is None else Decimal(promised)
    month = month_saving(Decimal(before), Decimal(after), promise, lever, 31, 30)
    assert (month.amount, month.gap) == (Decimal(saved), gap)


def test_what_took_the_place_of_a_resource_is_not_known_and_no_saving():
    month = month_saving(Decimal(310), Decimal(0), Decimal(60), Lever.MODERNISE, 31, 31)
    assert (month.amount, month.gap) == (None, Gap.REPLACED)
    assert not is_proof(month.gap)
    assert not is_back(month.gap)


def test_without_a_whole_bill_before_nothing_is_known():
    assert month_saving(None, Decimal(0), Decimal(60), Lever.DELETE, 31, 31).amount is None


@given(MONEY, st.lists(st.none() | MONEY, min_size=1, max_size=6))
def test_what_findings_on_one_resource_saved_together_counts_once(saved, promises):
    assert sum(shares_of(saved, promises)) == saved
