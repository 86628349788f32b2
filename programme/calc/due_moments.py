"""When a scheduled report is due, and which days it is about. Pure: no Django, and no clock: now is passed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from finops_site.lib.periods import Month, Period

QUARTER = 3
# What is sent so much later than it was due is called late.
ON_TIME = timedelta(hours=2)


class Every(StrEnum):
    WEEK = "week"
    TWO_WEEKS = "two weeks"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often and when: `weekday` (0 is Monday) of weeks, `day` of the month, or of a quarter's first month.

    A day that a month does not have is its last: the 31st of February is the 28th. The hour is one of `zone`; one that
    a change of clocks leaves out comes an hour later. Two weeks are counted from the first weekday on or after `since`.
    """

    every: Every
    weekday: int
    day: int
    hour: int
    zone: str
    since: date

    def last_due(self, now: datetime) -> datetime | None:
        """The newest moment up to `now` at which it was due; None before the first."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        return next((at for at in self._moments_back(today + timedelta(days=1)) if at <= now), None)

    def next_due(self, now: datetime) -> datetime:
        """The first moment after `now`."""
        day = max(now.astimezone(ZoneInfo(self.zone)).date(), self.since) - timedelta(days=1)
        while True:
            if self._is_day(day) and day >= self.since and (at := self.moment(day)) > now:
                return at
            day += timedelta(days=1)

    def due_before(self, at: datetime) -> datetime | None:
        """The moment before a moment at which it is due; None where that is the first."""
        return self.last_due(at - timedelta(seconds=1))

    def moment(self, day: date) -> datetime:
        """The hour of that day, as UTC."""
        return datetime.combine(day, time(self.hour), ZoneInfo(self.zone)).astimezone(UTC)

    def _moments_back(self, day: date) -> Iterator[datetime]:
        # A quarter and its days: further back there is always one.
        for back in range(100):
            there = day - timedelta(days=back)
            if there < self.since:
                return
            if self._is_day(there):
                yield self.moment(there)

    def _is_day(self, day: date) -> bool:
        if self.every in (Every.WEEK, Every.TWO_WEEKS):
            if day.weekday() != self.weekday:
                return False
            first = self.since + timedelta(days=(self.weekday - self.since.weekday()) % 7)
            return self.every == Every.WEEK or (day - first).days % 14 == 0
        month = Month.of(day)
        if self.every == Every.QUARTER and month.number % QUARTER != 1:
            return False
        return day.day == min(self.day, month.days)


def days_of(every_kind: str, day: date) -> Period:
    """The days that a report of a kind is about which is due on `day`: those that are over by then."""
    if every_kind == "quarterly":
        return last_quarter(day)
    if every_kind == "update":
        return Period(day - timedelta(days=14), day)
    return Month.of(day).previous.period


def last_quarter(day: date) -> Period:
    """The quarter that was over on `day`."""
    this = quarter_of(day)
    return Period(Month.of(this.start).plus(-QUARTER).start, this.start)


def quarter_of(day: date) -> Period:
    month = Month.of(day)
    first = Month(month.year, month.number - (month.number - 1) % QUARTER)
    return Period(first.start, first.plus(QUARTER).start)


def quarter_name(period: Period) -> str:
    """``2025-Q3``."""
    return f"{period.start.year}-Q{(period.start.month + 2) // QUARTER}"


def parse_quarter(text: str) -> Period:
    """The quarter written ``2025-Q3``; raises ValueError, saying so, for anything else."""
    year, _, number = text.partition("-Q")
    if not (year.isdecimal() and len(year) == 4 and number in ("1", "2", "3", "4")) or not 1900 <= int(year) <= 2200:
        raise ValueError(f"{text!r} is not a quarter: write it like 2025-Q3")
    first = Month(int(year), 3 * int(number) - 2)
    return Period(first.start, first.plus(QUARTER).start)
