"""Which days two periods are compared by, and what changed between them. Pure: no Django.

What changed is new, gone, more or less; the parts sum to the change in total.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period, months_later

KINDS = (_noop("new"), _noop("gone"), _noop("more"), _noop("less"))


@dataclass(frozen=True, slots=True)
class CostChange:
    """How the cost of one thing differs: `kind` is new, gone, more or less; amounts are in one currency."""

    kind: str
    key: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


def cost_changes(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> list[CostChange]:
    """Every key whose cost differs, largest difference first. A key that only one side knows is new or gone."""
    changes = []
    for key in sorted({*before, *after}):
        old, new = before.get(key) or Decimal(0), after.get(key) or Decimal(0)
        kind = "new" if not old else "gone" if not new else "more" if new > old else "less"
        changes.append(CostChange(kind, key, old, new))
    return sorted((change for change in changes if change.difference), key=lambda change: -abs(change.difference))


def billed_part(period: Period, last_day: date | None) -> Period:
    """The days of a period up to the last that is billed; all of them where it is over, or not begun."""
    if last_day is None or not period.start <= last_day < period.last_day:
        return period
    return Period(period.start, last_day + timedelta(days=1))


def has_whole_months(period: Period) -> bool:
    return period.start.day == 1 and period.end.day == 1


def same_days_before(period: Period, now: Period, months: int) -> Period:
    """The days that `now`, the billed part of `period`, is compared with: so many months earlier.

    A month that is billed in part is compared with as many of the first days of the other: with 1 to 19 February where
    1 to 19 March is known; with all of February for 1 to 30 March.
    """
    if not has_whole_months(period):
        start = months_later(period.start, -months)
        return Period(start, start + timedelta(days=now.days))
    start = Month.of(period.start).plus(-months).start
    if now == period:
        return Period(start, Month.of(period.end).plus(-months).start)
    last = Month.of(now.last_day)
    other = last.plus(-months)
    return Period(start, min(other.start + (now.end - last.start), other.next.start))


def days_just_before(period: Period, now: Period) -> Period:
    """As many days, or whole months, right before `period`; of these as many as `now` has of `period`."""
    if has_whole_months(period):
        return same_days_before(period, now, len(period.months()))
    start = period.start - timedelta(days=period.days)
    return Period(start, start + timedelta(days=now.days))


def same_part(period: Period, now: Period, other: Period) -> Period:
    """The days of `other`, which somebody chose, that `now` is compared with.

    As many whole months as `period` has are cut as it is; other days stay as they were chosen.
    """
    if now == period or not (has_whole_months(period) and has_whole_months(other)):
        return other
    if len(period.months()) != len(other.months()):
        return other
    years, months = period.start.year - other.start.year, period.start.month - other.start.month
    return same_days_before(period, now, 12 * years + months)
