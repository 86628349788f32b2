"""The company's year, cut into months, quarters and years: from any month on, or in weeks (4-4-5). Pure: no Django.

A year of weeks has 52 or 53 of them, and its four quarters each have months of 4, 4 and 5 weeks (or 4-5-4, 5-4-4); the
53rd week belongs to the last month, as retailers count it (National Retail Federation, "4-5-4 calendar").
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from finops_site.lib.language import gettext as _
from finops_site.lib.periods import WEEKDAYS, Month, Period, month_text, months_later

# Months of a period, for the kinds that repeat.
MONTHS = {"month": 1, "quarter": 3, "year": 12}
WEEKS = ("4-4-5", "4-5-4", "5-4-4")
NEAREST, LAST = RULES = ("nearest", "last")


@dataclass(frozen=True, slots=True)
class FiscalCalendar:
    """When the year begins, and how it is cut. A year has the number of the calendar year that it begins in.

    `weeks` is empty for calendar months. A year of weeks begins on the `first_weekday` (0 is Monday) that is nearest to
    the first of `first_month`, or (`rule` "last") on the last one until then, so that it ends on the last such weekday
    of the month before.
    """

    first_month: int = 1
    weeks: str = ""
    first_weekday: int = 0
    rule: str = NEAREST

    def __post_init__(self) -> None:
        if not (
            1 <= self.first_month <= 12
            and self.weeks in ("", *WEEKS)
            and 0 <= self.first_weekday <= 6
            and self.rule in RULES
        ):
            raise ValueError(f"there is no such calendar: {self!r}")

    @classmethod
    def parse(cls, code: str) -> "FiscalCalendar":
        """The calendar that `code` writes; raises ValueError. Empty: months, quarters and years from January."""
        try:
            match code.split():
                case []:
                    return cls()
                case [month]:
                    return cls(int(month))
                case [month, weeks, weekday, rule]:
                    return cls(int(month), weeks, int(weekday), rule)
        except ValueError:
            pass
        raise ValueError(f"{code!r} is no calendar")

    @property
    def code(self) -> str:
        """It as text, for storing: empty, ``04``, ``02 4-4-5 6 nearest``."""
        if self.weeks:
            return f"{self.first_month:02} {self.weeks} {self.first_weekday} {self.rule}"
        return "" if self.first_month == 1 else f"{self.first_month:02}"

    def __str__(self) -> str:
        month = month_text(Month(2000, self.first_month), "long name")
        if not self.weeks:
            return (
                _("calendar months, a year from January")
                if self.first_month == 1
                else _("a year from {month}").format(month=month)
            )
        weekday = _(WEEKDAYS[self.first_weekday])
        place = (
            _("nearest to 1 {month}").format(month=month)
            if self.rule == NEAREST
            else _("on or before 1 {month}").format(month=month)
        )
        return _("{weeks} weeks, a year from the {weekday} {place}").format(
            weeks=self.weeks, weekday=weekday, place=place
        )

    def year_start(self, year: int) -> date:
        """The first day of the year that begins in (or within days of) `first_month` of `year`."""
        first = date(year, self.first_month, 1)
        if not self.weeks:
            return first
        back = (first.weekday() - self.first_weekday) % 7
        start = first - timedelta(days=back)
        return start + timedelta(days=7) if self.rule == NEAREST and back > 3 else start

    def year_of(self, day: date) -> int:
        """The year that `day` lies in."""
        return next(year for year in (day.year + 1, day.year, day.year - 1) if self.year_start(year) <= day)

    def year(self, year: int) -> Period:
        return Period(self.year_start(year), self.year_start(year + 1))

    def months(self, year: int) -> tuple[Period, ...]:
        """The twelve months of a year."""
        return _months(self, year)

    def periods(self, kind: str, year: int) -> tuple[Period, ...]:
        """The months, quarters or the one year of a year."""
        return _periods(self, kind, year)

    def holding(self, kind: str, day: date) -> Period:
        """The month, quarter or year that `day` lies in."""
        return next(period for period in self.periods(kind, self.year_of(day)) if day in period)

    def named(self, month: Month) -> Period:
        """The month of this calendar that goes by the name of a calendar month: with 4-4-5 weeks, about its days."""
        year = month.year if month.number >= self.first_month else month.year - 1
        return self.months(year)[(month.number - self.first_month) % 12]

    def name(self, period: Period) -> Month:
        """The calendar month that a month of this calendar goes by."""
        year = self.year_of(period.start)
        place = next(place for place, month in enumerate(self.months(year)) if period.start in month)
        return Month(year, self.first_month).plus(place)

    def a_year_later(self, kind: str, day: date) -> Period:
        """The period of the next year that stands where the one that holds `day` stands in its own."""
        year = self.year_of(day)
        place = next(place for place, period in enumerate(self.periods(kind, year)) if day in period)
        return self.periods(kind, year + 1)[place]

    def a_year_before(self, period: Period) -> Period:
        """The same days of the year before; in a year of weeks the same days of the same weeks."""
        if not self.weeks:
            return Period(months_later(period.start, -12), months_later(period.end, -12))
        year = self.year_of(period.start)
        back = self.year_start(year) - self.year_start(year - 1)
        return Period(period.start - back, period.end - back)


CALENDAR_YEAR = FiscalCalendar()


# Pages and nights ask for the same years budget by budget, and a calendar never changes.
@lru_cache(maxsize=1024)
def _months(calendar: FiscalCalendar, year: int) -> tuple[Period, ...]:
    if not calendar.weeks:
        first = Month(year, calendar.first_month)
        return tuple(first.plus(number).period for number in range(12))
    span, starts = calendar.year(year), [calendar.year_start(year)]
    for weeks in [int(weeks) for weeks in calendar.weeks.split("-")] * 4:
        starts.append(starts[-1] + timedelta(weeks=weeks))
    return tuple(Period(start, end) for start, end in zip(starts[:12], [*starts[1:12], span.end], strict=True))


@lru_cache(maxsize=1024)
def _periods(calendar: FiscalCalendar, kind: str, year: int) -> tuple[Period, ...]:
    months, step = calendar.months(year), MONTHS[kind]
    return tuple(Period(months[at].start, months[at + step - 1].end) for at in range(0, 12, step))
