"""Months and half-open periods."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_site.lib.periods import (
    Month,
    Period,
    day_text,
    last_months,
    moment_text,
    months_later,
    parse_range,
    short_day_text,
)

days = st.dates(date(1990, 1, 1), date(2100, 1, 1))


@given(days)
def test_a_day_lies_in_its_month_and_in_no_neighbour(day):
    month = Month.of(day)
    assert day in month.period
    assert day not in month.next.period
    assert day not in month.previous.period


@given(days, st.integers(-500, 500))
def test_going_forth_and_back_is_staying(day, months):
    assert Month.of(day).plus(months).plus(-months) == Month.of(day)


@given(days, days)
def test_the_months_of_a_period_hold_each_of_its_days_once(one, other):
    period = Period(min(one, other), max(one, other))
    if period.days > 1000:
        period = Period(period.start, date.fromordinal(period.start.toordinal() + 1000))
    months = period.months()
    assert months == sorted(set(months))
    assert all(sum(day in month.period for month in months) == 1 for day in period.each_day())


def test_a_february_knows_its_hours():
    assert (Month(2024, 2).hours, Month(2026, 2).hours) == (29 * 24, 28 * 24)


@pytest.mark.parametrize(
    ("first", "last", "start", "end"),
    [
        ("2025-09", "2025-10", date(2025, 9, 1), date(2025, 11, 1)),
        ("2025-09-30", "2025-09-30", date(2025, 9, 30), date(2025, 10, 1)),
        ("2025-12", "2025-12-31", date(2025, 12, 1), date(2026, 1, 1)),
    ],
)
def test_both_ends_of_a_range_are_inclusive(first, last, start, end):
    assert parse_range(first, last) == Period(start, end)


@pytest.mark.parametrize("text", ["", "2025", "2025-13", "2025-00", "November", "2025-11-31", "2025-11-01-01", "-1-1"])
def test_what_is_no_month_and_no_day_is_said(text):
    with pytest.raises(ValueError, match=r"is n(either|ot) a month"):
        parse_range(text, "2025-11")


def test_a_range_that_ends_before_it_starts_is_said():
    with pytest.raises(ValueError, match=r"ends .* before it starts"):
        parse_range("2025-11", "2025-10")
    with pytest.raises(ValueError, match="before it starts"):
        Period(date(2025, 2, 1), date(2025, 1, 1))


def test_the_last_months_end_with_this_one():
    assert last_months(13, date(2026, 11, 23)) == Period(date(2025, 11, 1), date(2026, 12, 1))


def test_months_later_it_is_the_same_day_or_the_last_of_a_shorter_month():
    assert months_later(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert months_later(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert months_later(date(2026, 11, 5), 36) == date(2029, 11, 5)
    assert months_later(date(2026, 3, 31), -1) == date(2026, 2, 28)


def test_days_and_moments_read_the_same_everywhere():
    assert day_text(date(2025, 11, 3)) == day_text("2025-11-03") == "3 Nov 2025"
    assert short_day_text(date(2025, 11, 3)) == "3 Nov"
    assert moment_text(datetime(2025, 11, 3, 4, 5, tzinfo=UTC)) == "3 Nov 2025, 04:05 UTC"
