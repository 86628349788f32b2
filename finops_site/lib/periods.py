"""Months and half-open periods of days. Pure: no Django here, and no clock: today is always passed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import available_timezones

from finops_site.lib.language import get_zone, gettext_noop
from finops_site.lib.language import gettext as _
from finops_site.lib.locale_format import date_figure

# By the number that date.weekday() gives; translated where they are used.
WEEKDAYS = (
    gettext_noop("Monday"),
    gettext_noop("Tuesday"),
    gettext_noop("Wednesday"),
    gettext_noop("Thursday"),
    gettext_noop("Friday"),
    gettext_noop("Saturday"),
    gettext_noop("Sunday"),
)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The days from `start` up to, not including, `end`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a period cannot end ({self.end}) before it starts ({self.start})")

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        return self.end - timedelta(days=1)

    def each_day(self) -> Iterator[date]:
        return (self.start + timedelta(days=n) for n in range(self.days))

    def months(self) -> list["Month"]:
        """Every month that has a day in the period."""
        month, months = Month.of(self.start), []
        while month.start < self.end:
            months.append(month)
            month = month.next
        return months


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month written ``2025-11``; raises ValueError, saying so, for anything else."""
        try:
            year, number = text.split("-")
            day = date(int(year), int(number), 1)
        except (ValueError, OverflowError):
            raise ValueError(f"{text!r} is not a month: write it like 2025-11") from None
        _check_reach(text, day)
        return cls(int(year), int(number))

    @property
    def start(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def next(self) -> "Month":
        return self.plus(1)

    @property
    def previous(self) -> "Month":
        return self.plus(-1)

    @property
    def period(self) -> Period:
        return Period(self.start, self.next.start)

    @property
    def days(self) -> int:
        return self.period.days

    @property
    def hours(self) -> int:
        """Hours of the month in UTC: 720 for a month of 30 days."""
        return 24 * self.days

    def plus(self, months: int) -> "Month":
        years, number = divmod(self.number - 1 + months, 12)
        return Month(self.year + years, number + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


def is_in_reach(day: date) -> bool:
    """Whether one can count on from a day: of year 1 and of year 9999 there is none before, or after."""
    return 1900 <= day.year <= 2200


def _check_reach(text: str, day: date) -> None:
    """Raises ValueError for a day whose next year or last year there may be none of: year 0, year 10000."""
    if not is_in_reach(day):
        raise ValueError(f"{text!r} is out of range, or is not a month or day at all: the years are 1900 to 2200")


def parse_range(first: str, last: str) -> Period:
    """The period from `first` to `last`, both inclusive, each a month (2025-09) or a day (2025-09-30)."""
    start, end = _bounds(first).start, _bounds(last).end
    if end <= start:
        raise ValueError(f"the range ends ({last}) before it starts ({first})")
    return Period(start, end)


def _bounds(text: str) -> Period:
    if text.count("-") == 1:
        return Month.parse(text).period
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a month like 2025-11 nor a day like 2025-11-30") from None
    _check_reach(text, day)
    return Period(day, day + timedelta(days=1))


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last day of that month where it is shorter."""
    month = Month.of(day).plus(months)
    return min(month.start + timedelta(days=day.day - 1), month.period.last_day)


def last_months(count: int, today: date) -> Period:
    """The `count` months that end with the month of `today`."""
    month = Month.of(today)
    return Period(month.plus(1 - count).start, month.next.start)


def day_text(day: date | str | None) -> str:
    """``3 Nov 2025``, also of ``2025-11-03``: the one way in which pages and mails show a day; a dash for none.

    A day of a charge stays the UTC day that it is; a moment has the day that its reader has then.
    """
    if isinstance(day, str):
        day = date.fromisoformat(day) if day else None
    return date_figure(_for_reader(day) if isinstance(day, datetime) else day, "day") if day else "—"


def _for_reader(moment: datetime) -> datetime:
    """`moment` in the time zone of the reader; one without a zone is of a bill, and stays in UTC."""
    return moment.astimezone(get_zone()) if moment.tzinfo else moment


def days_text(first: date, last: date) -> str:
    """``3 Nov 2025``, or ``3 Nov 2025 to 5 Dec 2025`` for several days."""
    if first == last:
        return day_text(first)
    return _("{first} to {last}").format(first=day_text(first), last=day_text(last))


def short_day_text(day: date) -> str:
    """``3 Nov``, where the year is plain: along a chart."""
    return date_figure(day, "short day")


def month_text(value: Month | date | str | None, style: str = "") -> str:
    """``Nov 2025`` for a Month, a date or the text ``2025-11``; style "long": November 2025, "name": Nov alone.

    "long name": November. A dash for none.
    """
    if value is None or value == "":
        return "—"
    if isinstance(value, str):
        value = Month.parse(value[:7])
    styles = {"long": "long month", "name": "month name", "long name": "long month name"}
    return date_figure(value.start if isinstance(value, Month) else value, styles.get(style, "month"))


def moment_text(moment: datetime | None) -> str:
    """``3 Nov 2025, 14:05 UTC``, in the time zone of the reader and with its name; a dash for none."""
    if not moment:
        return "—"
    here = _for_reader(moment)
    return f"{date_figure(here, 'day')}, {here:%H:%M} {here.tzname() or 'UTC'}"


def time_zones() -> set[str]:
    """The names of time zones; not those by which each machine means another."""
    return available_timezones() - {"Factory", "localtime", "posixrules"}
