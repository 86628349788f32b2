"""When a scheduled report is due, and which days it is about."""

from datetime import UTC, date, datetime, timedelta

import pytest

from finops_site.lib.periods import Period
from programme.calc.due_moments import Every, Rhythm, days_of, parse_quarter


def rhythm(every, *, weekday=0, day=1, hour=8, zone="UTC", since=date(2025, 1, 1)):
    return Rhythm(every, weekday, day, hour, zone, since)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_schedule_on_the_31st_is_due_on_the_last_day_of_a_shorter_month():
    monthly = rhythm(Every.MONTH, day=31)
    moments = [monthly.last_due(at(f"{day} 23:00")) for day in ("2026-02-28", "2026-03-30", "2026-03-31")]
    assert moments == [at("2026-02-28 08:00"), at("2026-02-28 08:00"), at("2026-03-31 08:00")]
    assert monthly.next_due(at("2026-04-01 00:00")) == at("2026-04-30 08:00")


def test_a_quarter_is_due_on_a_day_of_its_first_month_alone():
    quarterly = rhythm(Every.QUARTER, day=5)
    assert quarterly.next_due(at("2026-01-05 08:00")) == at("2026-04-05 08:00")
    assert quarterly.last_due(at("2026-03-31 12:00")) == at("2026-01-05 08:00")


def test_two_weeks_are_counted_from_the_first_weekday_and_not_from_the_calendar():
    weeks = rhythm(Every.TWO_WEEKS, weekday=0, since=date(2026, 1, 7))
    first = weeks.next_due(at("2026-01-07 00:00"))
    assert first == at("2026-01-12 08:00")
    assert weeks.next_due(first) - first == timedelta(days=14)
    assert weeks.last_due(at("2026-01-11 12:00")) is None


@pytest.mark.parametrize(("now", "due"), [("2026-03-27 12:00", "07:00"), ("2026-03-30 12:00", "06:00")])
def test_the_hour_is_that_of_the_zone_whatever_its_clocks_do(now, due):
    weekly = rhythm(Every.WEEK, weekday=at(now).weekday(), zone="Europe/Berlin")
    assert weekly.last_due(at(now)) == at(f"{now[:10]} {due}")


def test_each_kind_is_about_days_that_are_over():
    assert days_of("quarterly", date(2026, 1, 5)) == Period(date(2025, 10, 1), date(2026, 1, 1))
    assert days_of("monthly", date(2026, 3, 31)) == Period(date(2026, 2, 1), date(2026, 3, 1))
    assert days_of("update", date(2026, 3, 16)) == Period(date(2026, 3, 2), date(2026, 3, 16))


@pytest.mark.parametrize("text", ["2026-Q5", "2026-q1", "Q1", "0000-Q1", "2026-Q1-1"])
def test_what_is_no_quarter_is_refused(text):
    with pytest.raises(ValueError, match="not a quarter"):
        parse_quarter(text)
    assert parse_quarter("2025-Q4") == Period(date(2025, 10, 1), date(2026, 1, 1))
