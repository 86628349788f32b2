"""What is usual of a day, and which changes stand out of it: every shape of cost, no bill and no database."""

from datetime import date, timedelta

import numpy as np
import pytest

from budgets.calc.anomaly_detection import find_changes
from budgets.calc.cost_history import CostHistory
from budgets.calc.usual_days import usual_days

FIRST = date(2025, 9, 1)
DAYS = 212
LOOKED_AT = (date(2026, 2, 25) - FIRST).days


def series(cost, *, noise=0.02, seed=1):
    """What `cost(day)` says of each day until 31 March 2026, with a little noise."""
    random = np.random.default_rng(seed)
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    return np.array([cost(day) for day in days]) * (1 + noise * random.standard_normal(DAYS))


def changes_in(*many, since=LOOKED_AT, sensitivity="normal", floor=10.0):
    history = CostHistory(FIRST, np.stack(many))
    rows = len(many)
    return find_changes(
        history, np.full(rows, floor), [since] * rows, [DAYS - 1] * rows, sensitivities=[sensitivity] * rows
    )


def column(day):
    return (day - FIRST).days


def is_first_business_day(day):
    return day.weekday() < 5 and all((day - timedelta(days=back)).weekday() >= 5 for back in range(1, day.day))


def is_last_business_day(day):
    left = [day + timedelta(days=ahead) for ahead in range(1, 6)]
    return day.weekday() < 5 and all(one.weekday() >= 5 for one in left if one.month == day.month)


MONTHLY = {
    "the 1st": lambda day: day.day == 1,
    "the 15th": lambda day: day.day == 15,
    "the last day": lambda day: (day + timedelta(days=1)).day == 1,
    "the first business day": is_first_business_day,
    "the last business day": is_last_business_day,
    "a batch of three days": lambda day: day.day in (7, 8, 9),
}


@pytest.mark.parametrize("due", MONTHLY)
def test_what_comes_every_month_is_learnt_without_anybody(due):
    is_due = MONTHLY[due]
    assert changes_in(*(series(lambda day: 100 + 500 * is_due(day), seed=seed) for seed in range(5))) == []


@pytest.mark.parametrize("due", MONTHLY)
def test_what_comes_every_month_is_expected_on_its_day(due):
    usual = usual_days(CostHistory(FIRST, series(lambda day: 100 + 500 * MONTHLY[due](day), noise=0)[None, :]))
    march = [column(date(2026, 3, number)) for number in range(1, 32)]
    expected = [round(float(usual.expected[0, at])) for at in march]
    assert expected == [600 if MONTHLY[due](FIRST + timedelta(days=at)) else 100 for at in march]


def test_a_monthly_fee_that_doubles_stands_out_by_what_it_is_more():
    fee = series(lambda day: 100 + (day.day == 15) * (1200 if day.month == 3 else 500))
    (change,) = changes_in(fee)
    assert (change.first, change.pattern) == (column(date(2026, 3, 15)), "jump")
    assert change.excess == pytest.approx(700, abs=50)


def test_a_job_of_weekdays_that_costs_nothing_on_weekends_is_no_anomaly():
    assert changes_in(*(series(lambda day: 100 * (day.weekday() < 5), seed=seed) for seed in range(5))) == []


REFUNDS = {
    "one day": {date(2026, 3, 15): -900},
    "two days in a row": {date(2026, 3, 15): -900, date(2026, 3, 16): -200},
    "the same day of three months": {date(2026, month, 15): -900 for month in (1, 2, 3)},
    "three in a month": {date(2026, 3, 2): -300, date(2026, 3, 9): -500, date(2026, 3, 15): -100},
    "five days": {date(2026, 3, day): -40 for day in range(10, 15)},
}


@pytest.mark.parametrize("when", REFUNDS)
def test_after_refunds_normal_days_are_no_anomaly_and_nothing_below_zero_is_expected(when):
    cost = series(lambda day: REFUNDS[when].get(day, 100))
    assert [change for change in changes_in(cost) if not change.is_drop] == []
    usual = usual_days(CostHistory(FIRST, cost[None, :]))
    assert float(np.nanmin(usual.expected)) >= 0
    after = usual.expected[0, column(date(2026, 3, 16)) :]
    assert after == pytest.approx(np.full(len(after), 100), rel=0.1)


@pytest.mark.parametrize("a_day", [1.01, 1.02])
def test_a_slow_rise_is_found_with_since_when_and_how_much(a_day):
    since = date(2026, 2, 20)
    for seed in range(5):
        cost = series(lambda day: 100 * a_day ** max((day - since).days, 0), seed=seed)
        (change,) = changes_in(cost)
        assert change.pattern == "creep"
        assert abs(change.first - column(since)) <= 7
        assert change.noticed - column(since) <= 25
        more = float(cost[change.first : change.last + 1].sum()) - 100 * change.days
        assert change.excess == pytest.approx(more, rel=0.15)


@pytest.mark.parametrize("share", [1.15, 1.18])
def test_a_small_step_that_stays_is_found_as_a_shift(share):
    since = date(2026, 3, 3)
    for seed in range(5):
        (change,) = changes_in(series(lambda day: 100 * (share if day >= since else 1), seed=seed))
        assert change.pattern == "shift"
        assert abs(change.first - column(since)) <= 2
        assert change.latest == pytest.approx(100 * (share - 1), abs=4)


@pytest.mark.parametrize("left", [0.0, 0.5])
def test_what_stops_or_halves_is_a_drop_on_its_third_day(left):
    since = date(2026, 3, 10)
    (change,) = changes_in(series(lambda day: 100 * (left if day >= since else 1)))
    assert (change.pattern, change.first) == ("drop", column(since))
    assert change.noticed == change.first + 2
    assert change.excess == pytest.approx(-100 * (1 - left) * change.days, rel=0.05)


def test_one_quiet_day_or_a_holiday_is_no_drop():
    assert changes_in(series(lambda day: 0 if day in (date(2026, 3, 10), date(2026, 3, 11)) else 100)) == []


def test_what_comes_back_after_a_drop_is_no_jump():
    closed = (date(2026, 3, 2), date(2026, 3, 16))
    (change,) = changes_in(series(lambda day: 10 if closed[0] <= day < closed[1] else 100))
    assert (change.pattern, change.first) == ("drop", column(closed[0]))


def test_days_that_no_bill_covers_are_neither_drop_nor_zero():
    cost = series(lambda day: 100)
    cost[column(date(2026, 3, 5)) : column(date(2026, 3, 12))] = np.nan
    assert changes_in(cost) == []
    young = series(lambda day: 100)
    young[: column(date(2026, 3, 5))] = np.nan
    assert changes_in(young) == []


def test_bursts_of_a_size_that_comes_again_and_again_are_no_anomaly_and_larger_ones_are():
    random = np.random.default_rng(3)
    bursts = np.where(random.random(DAYS) < 0.2, 300.0, 20.0)
    assert changes_in(bursts) == []
    bursts[190] = 3000
    assert [change.first for change in changes_in(bursts)] == [190]


def test_sensitivity_decides_what_is_worth_telling():
    cost = series(lambda day: 118 if day >= date(2026, 3, 3) else 100, noise=0.01)
    assert changes_in(cost, sensitivity="low") == []
    assert [change.pattern for change in changes_in(cost, sensitivity="normal")] == ["shift"]
    small = series(lambda day: 108 if day >= date(2026, 3, 3) else 100, noise=0.01)
    assert changes_in(small) == []
    assert [change.pattern for change in changes_in(small, sensitivity="high")] == ["shift"]


def test_each_day_knows_only_what_was_before_it():
    cost = series(lambda day: 100 + 500 * (day.day == 15))
    changed = cost.copy()
    changed[180:] *= 7
    before, after = (usual_days(CostHistory(FIRST, one[None, :])) for one in (cost, changed))
    assert np.array_equal(before.expected[0, :181], after.expected[0, :181], equal_nan=True)
    assert np.array_equal(before.high[0, :181], after.high[0, :181], equal_nan=True)
