"""Which days are compared with which: the same days of a month that is not over, whole months where both are."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs.calc.period_changes import billed_part, days_just_before, same_days_before, same_part
from finops_site.lib.periods import Month, Period, parse_range


def days(first, last=""):
    return parse_range(first, last or first)


@pytest.mark.parametrize(
    ("period", "last_day", "known"),
    [
        (days("2026-03"), date(2026, 3, 19), days("2026-03-01", "2026-03-19")),
        (days("2026-03"), date(2026, 3, 31), days("2026-03")),
        (days("2026-02"), date(2026, 3, 19), days("2026-02")),
        (days("2026-04"), date(2026, 3, 19), days("2026-04")),
        (days("2026-03"), None, days("2026-03")),
    ],
)
def test_a_month_that_is_not_over_counts_to_its_last_day_with_cost(period, last_day, known):
    assert billed_part(period, last_day) == known


@pytest.mark.parametrize(
    ("period", "now", "months", "before"),
    [
        (days("2026-03"), days("2026-03-01", "2026-03-19"), 1, days("2026-02-01", "2026-02-19")),
        (days("2026-03"), days("2026-03-01", "2026-03-30"), 1, days("2026-02")),
        (days("2026-03"), days("2026-03"), 1, days("2026-02")),
        (days("2026-03"), days("2026-03-01", "2026-03-19"), 12, days("2025-03-01", "2025-03-19")),
        (days("2026-01", "2026-03"), days("2026-01-01", "2026-03-19"), 3, days("2025-10-01", "2025-12-19")),
        (days("2026-03-10", "2026-03-12"), days("2026-03-10", "2026-03-12"), 12, days("2025-03-10", "2025-03-12")),
    ],
)
def test_the_same_days_so_many_months_before(period, now, months, before):
    assert same_days_before(period, now, months) == before


def test_days_are_compared_with_as_many_right_before_them():
    week = days("2026-03-09", "2026-03-15")
    assert days_just_before(week, week) == days("2026-03-02", "2026-03-08")
    assert days_just_before(week, days("2026-03-09", "2026-03-11")) == days("2026-03-02", "2026-03-04")
    quarter = days("2026-01", "2026-03")
    assert days_just_before(quarter, quarter) == days("2025-10", "2025-12")


def test_chosen_months_are_cut_as_the_running_one_is_and_chosen_days_are_not():
    march, known = days("2026-03"), days("2026-03-01", "2026-03-19")
    assert same_part(march, known, days("2025-11")) == days("2025-11-01", "2025-11-19")
    assert same_part(march, known, days("2025-11", "2025-12")) == days("2025-11", "2025-12")
    assert same_part(march, known, days("2025-11-05", "2025-11-20")) == days("2025-11-05", "2025-11-20")
    assert same_part(march, march, days("2025-11")) == days("2025-11")


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 400), st.integers(1, 24))
def test_what_is_compared_never_overlaps_and_never_has_more_days(start, length, months):
    period = Period(start, start + timedelta(days=length))
    before = days_just_before(period, period)
    assert before.end <= period.start
    month = Month.of(start)
    now = billed_part(month.period, start)
    earlier = same_days_before(month.period, now, months)
    assert earlier.days <= max(now.days, month.plus(-months).days)
    assert Month.of(earlier.start) == Month.of(earlier.last_day) == month.plus(-months)
