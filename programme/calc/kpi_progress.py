"""How a KPI stands: against its target, on its way there, and month by month."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month
from finops_site.registry import Better


class Progress(StrEnum):
    """Where a KPI stands. On its way: at least where a straight line from its baseline to its target is today."""

    MET = "met"
    ON_TRACK = "on track"
    BEHIND = "behind"
    NOT_MET = "not met"
    UNKNOWN = "not known"
    NO_TARGET = "no target"


@dataclass(frozen=True, slots=True)
class Goal:
    """A target, the day on which it is due, and where the KPI began; None for what nobody has said."""

    target: Decimal | None
    target_day: date | None = None
    baseline: Decimal | None = None
    baseline_day: date | None = None

    def due_by(self, day: date) -> Decimal | None:
        """What a straight line from baseline to target is on a day; the target after its day, None without a line."""
        if self.target is None or self.target_day is None or self.baseline is None or self.baseline_day is None:
            return None
        span = (self.target_day - self.baseline_day).days
        gone = max((day - self.baseline_day).days, 0)
        if gone >= span:
            return self.target
        way = EXACT.multiply(EXACT.subtract(self.target, self.baseline), Decimal(gone))
        return EXACT.add(self.baseline, EXACT.divide(way, Decimal(span)))


def progress(value: Decimal | None, goal: Goal, better: Better, day: date) -> Progress:
    """Where a value stands on a day. A value that equals what is asked of it is there."""
    if value is None:
        return Progress.UNKNOWN
    if goal.target is None:
        return Progress.NO_TARGET
    if _reaches(value, goal.target, better):
        return Progress.MET
    due = goal.due_by(day)
    if due is None or (goal.target_day is not None and day >= goal.target_day):
        return Progress.NOT_MET
    return Progress.ON_TRACK if _reaches(value, due, better) else Progress.BEHIND


def _reaches(value: Decimal, wanted: Decimal, better: Better) -> bool:
    return value <= wanted if better == Better.LOWER else value >= wanted


def last_of_months(days: Iterable[date]) -> dict[Month, date | None]:
    """The last stored day of each month, from the first that has one to the last; None for a month without any."""
    newest: dict[Month, date] = {}
    for day in sorted(days):
        newest[Month.of(day)] = day
    if not newest:
        return {}
    month, last = min(newest), max(newest)
    months: dict[Month, date | None] = {}
    while month <= last:
        months[month] = newest.get(month)
        month = month.next
    return months
