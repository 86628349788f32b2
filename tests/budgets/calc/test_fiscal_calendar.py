"""Years that begin in any month or are counted in weeks: every day lies in one month, quarter and year of them."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.calc.amounts import BudgetCut
from budgets.calc.fiscal_calendar import MONTHS, RULES, WEEKS, FiscalCalendar
from finops_site.lib.periods import Month, Period

calendars = st.builds(
    FiscalCalendar, st.integers(1, 12), st.sampled_from(["", *WEEKS]), st.integers(0, 6), st.sampled_from(RULES)
)
days = st.dates(date(1990, 1, 1), date(2100, 12, 31))
APRIL = FiscalCalendar(4)
RETAIL = FiscalCalendar(2, "4-5-4", 6)


def test_a_year_from_april_has_quarters_from_april():
    quarters = APRIL.periods("quarter", 2026)
    assert [period.start for period in quarters] == [
        date(2026, 4, 1),
        date(2026, 7, 1),
        date(2026, 10, 1),
        date(2027, 1, 1),
    ]
    assert APRIL.year(2026) == Period(date(2026, 4, 1), date(2027, 4, 1))
    assert (APRIL.year_of(date(2026, 3, 31)), APRIL.year_of(date(2026, 4, 1))) == (2025, 2026)


@pytest.mark.parametrize(
    ("year", "start", "weeks"),
    # The years that the National Retail Federation publishes: 2023 has 53 weeks.
    [
        (2022, date(2022, 1, 30), 52),
        (2023, date(2023, 1, 29), 53),
        (2024, date(2024, 2, 4), 52),
        (2025, date(2025, 2, 2), 52),
    ],
)
def test_the_retail_year_begins_on_the_published_sunday(year, start, weeks):
    assert RETAIL.year_start(year) == start
    assert RETAIL.year(year).days == 7 * weeks
    assert RETAIL.months(year)[1].days == 35, "4-5-4: the second month has five weeks"
    assert RETAIL.months(year)[11].days == (28 if weeks == 52 else 35)


def test_a_year_that_ends_on_the_last_saturday_of_a_month():
    calendar = FiscalCalendar(2, "4-4-5", 6, "last")
    for year in range(2000, 2040):
        last = calendar.year(year).last_day
        assert (last.weekday(), last.month) == (5, 1)
        assert (last + timedelta(days=7)).month == 2


@given(calendars, days)
def test_every_day_lies_in_one_period_of_each_kind(calendar, day):
    for kind in MONTHS:
        period = calendar.holding(kind, day)
        assert day in period
        assert calendar.holding(kind, period.end).start == period.end, "the next one follows at once"
        assert calendar.holding(kind, period.start) == period
    assert calendar.holding("month", day).start >= calendar.holding("quarter", day).start


@given(calendars, days)
def test_a_month_goes_by_one_name_and_a_name_is_one_month(calendar, day):
    month = calendar.holding("month", day)
    name = calendar.name(month)
    assert calendar.named(name) == month
    assert abs((name.start - month.start).days) <= 14


@given(calendars)
def test_a_calendar_is_stored_as_text(calendar):
    read = FiscalCalendar.parse(calendar.code)
    assert read == calendar or not calendar.weeks
    assert read.code == calendar.code
    assert len(calendar.code) <= 30


@pytest.mark.parametrize(
    "code", ["0", "13", "04 4-4-4 0 nearest", "04 4-4-5 7 nearest", "04 4-4-5 0 first", "x", "1 2"]
)
def test_what_is_no_calendar_is_refused(code):
    with pytest.raises(ValueError, match="is no calendar"):
        FiscalCalendar.parse(code)


@given(calendars, st.sampled_from(list(MONTHS)), days, st.integers(1, 900))
def test_the_periods_of_a_budget_are_its_days_each_once(calendar, kind, start, length):
    end = start + timedelta(days=length)
    cut = BudgetCut(kind, start, end, calendar)
    periods = cut.periods()
    assert periods[0].start == start
    assert periods[-1].end == end
    assert all(before.end == after.start for before, after in pairwise(periods))
    assert all(cut.has(period) for period in periods)
    assert cut.period(end) is None
    assert cut.period(start - timedelta(days=1)) is None


def test_a_column_of_a_month_is_the_part_that_the_budget_counts():
    cut = BudgetCut("month", date(2026, 3, 15), date(2026, 5, 16))
    assert cut.named(Month(2026, 3)) == Period(date(2026, 3, 15), date(2026, 4, 1))
    assert cut.named(Month(2026, 5)) == Period(date(2026, 5, 1), date(2026, 5, 16))
    assert cut.named(Month(2026, 2)) is cut.named(Month(2026, 6)) is None
