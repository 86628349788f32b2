"""Nobody is told at night, whatever her clock does."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.calc.quiet_hours import earliest_sending, next_digest

NIGHT = (time(22), time(7))


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "at"),
    [
        ("2026-03-10T12:00", "UTC", "2026-03-10T12:00"),
        ("2026-03-10T23:30", "UTC", "2026-03-11T07:00"),
        ("2026-03-10T03:00", "UTC", "2026-03-10T07:00"),
        ("2026-03-10T21:30", "Europe/Berlin", "2026-03-11T06:00"),
        ("2026-03-10T03:00", "America/New_York", "2026-03-10T11:00"),
        # The night in which Berlin's clocks go forward: seven o'clock is an hour earlier in UTC.
        ("2026-03-28T22:30", "Europe/Berlin", "2026-03-29T05:00"),
        # And the one in which they go back.
        ("2026-10-24T21:30", "Europe/Berlin", "2026-10-25T06:00"),
    ],
)
def test_what_is_crossed_at_night_is_told_in_the_morning(now, zone, at):
    assert earliest_sending(utc(now), *NIGHT, zone) == utc(at)


def test_without_quiet_hours_everything_is_told_at_once():
    now = utc("2026-03-10T03:00")
    assert earliest_sending(now, None, None, "UTC") == earliest_sending(now, time(5), time(5), "UTC") == now


def test_a_siesta_lies_within_one_day():
    assert earliest_sending(utc("2026-03-10T14:30"), time(14), time(16), "UTC") == utc("2026-03-10T16:00")
    assert earliest_sending(utc("2026-03-10T16:00"), time(14), time(16), "UTC") == utc("2026-03-10T16:00")


def test_quiet_hours_that_end_in_the_hour_that_does_not_exist_end_all_the_same():
    # Two o'clock of 29 March 2026 does not exist in Berlin: half past two is half past three there.
    assert earliest_sending(utc("2026-03-29T00:30"), time(22), time(2, 30), "Europe/Berlin") == utc("2026-03-29T01:30")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
    st.times(),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_told_never_before_it_happened_and_never_later_than_a_day(now, start, end, zone):
    now = now.replace(tzinfo=UTC)
    at = earliest_sending(now, start, end, zone)
    assert now <= at + timedelta(hours=1), "but for the hour that comes twice"
    assert at - now <= timedelta(hours=26)


def test_the_digest_comes_at_eight_of_the_readers_clock():
    assert next_digest(utc("2026-03-10T06:30"), "Europe/Berlin") == utc("2026-03-10T07:00")
    assert next_digest(utc("2026-03-10T07:00"), "Europe/Berlin") == utc("2026-03-11T07:00")
    assert next_digest(utc("2026-03-28T12:00"), "Europe/Berlin").astimezone(ZoneInfo("Europe/Berlin")).hour == 8
