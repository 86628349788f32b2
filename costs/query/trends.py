"""What pages say about a team or the whole company: this month so far, the months before, what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from costs.calc.period_changes import CostChange, cost_changes
from costs.query import currency_conversion, latest_month, spend
from costs.query.spend import Question
from finops_site.lib import charts as charting
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.ui.figures import month_text

MONTHS = 13


@dataclass(frozen=True, slots=True)
class Comparison:
    """A month (so far) and the same days of the month before; both by charge day.

    `shown_in` is the company's reporting currency, into which pages turn all costs; empty for each as it was billed.
    """

    month: Month
    now: Period
    before: Period
    shown_in: str = ""

    @property
    def is_whole(self) -> bool:
        return self.now == self.month.period

    @property
    def against(self) -> str:
        """What the change is against, in words."""
        if self.is_whole:
            return f"against {month_text(self.month.previous, 'long')}"
        return f"against 1 to {self.before.last_day.day} {month_text(self.before.start)}"

    @property
    def said(self) -> str:
        if self.is_whole:
            return month_text(self.month, "long")
        return f"{month_text(self.month, 'long')}, the first {self.now.days} days"


def compare(user: Person, month: Month, today: date) -> Comparison:
    """The days of `month` that have been billed so far, against the same days of the month before.

    A bill lags, so the last day that has any cost ends the comparison, and not today.
    """
    last, shown_in = latest_month.day(user, today), settings.FINOPS_REPORTING_CURRENCY
    if last is None or last < month.start or last >= month.period.last_day:
        return Comparison(month, month.period, month.previous.period, shown_in)
    now = Period(month.start, last + timedelta(days=1))
    end = min(month.previous.start + timedelta(days=now.days), month.start)
    return Comparison(month, now, Period(month.previous.start, end), shown_in)


def rows(user: Person, question: Question, shown_in: str) -> list[spend.Row]:
    """The answer's rows, turned month by month into the currency to show them in where there is one."""
    return currency_conversion.rows(user, question, shown_in)[0] if shown_in else spend.rows(user, question)


def totals(
    user: Person, period: Period, filters: Mapping[str, Sequence[str]], metric: str, shown_in: str = ""
) -> dict[str, Decimal | None]:
    found = rows(user, Question(period, metric=metric, filters=filters), shown_in)
    return {row.currency: row.amount for row in found}


def sums_of_services(
    user: Person, period: Period, filters: Mapping[str, Sequence[str]], metric: str, shown_in: str = ""
) -> dict[str, Decimal | None]:
    """The same as `totals`, out of the question that `drivers` asks: a page with both asks it once."""
    return spend.sums(rows(user, Question(period, ("service",), "", metric, filters), shown_in))


@dataclass(frozen=True, slots=True)
class Course:
    """Charts of the months before; the rates that turned them, and the currencies that lack one: {code: month}."""

    charts: list[dict[str, Any]]
    target: str
    rates: Sequence[currency_conversion.Used] = ()
    apart: Mapping[str, date] = field(default_factory=dict)


def course(
    user: Person, month: Month, by: str, filters: Mapping[str, Sequence[str]], metric: str, shown_in: str = ""
) -> Course:
    """A chart for each currency: 13 months that end with `month`, stacked by a dimension."""
    period = Period(month.plus(1 - MONTHS).start, month.next.start)
    found = spend.pivots(user, Question(period, (by,), "month", metric, filters), top=7)
    if not shown_in:
        return Course([_course(pivot, by) for pivot in found], "")
    turn = currency_conversion.Exchange(shown_in, "month", period, {pivot.currency for pivot in found})
    charts = [_course(pivot, by) for pivot in currency_conversion.pivots(found, turn)]
    return Course(charts, shown_in, turn.list_used(), turn.missing)


def _course(pivot: spend.Pivot, by: str) -> dict[str, Any]:
    many = [
        charting.series(group.label, group.amounts, **({} if group.keys else {"other": True})) for group in pivot.groups
    ]
    return {
        "id": f"course-{by}-{pivot.currency.lower()}",
        "kind": "stacked-bar",
        "title": f"Months by {spend.LABELS[by].lower()}, {pivot.currency}",
        "categories": [month_text(bucket) for bucket in pivot.buckets],
        "series": many,
        "currency": pivot.currency,
    }


@dataclass(frozen=True, slots=True)
class Named:
    """A change with the name people know its thing by."""

    change: CostChange
    label: str
    currency: str


def drivers(
    user: Person, comparison: Comparison, by: str, filters: Mapping[str, Sequence[str]], metric: str
) -> dict[str, list[Named]]:
    """{currency: every change by `by`, the largest first}; the differences sum to the change of the total."""
    before = rows(user, Question(comparison.before, (by,), "", metric, filters), comparison.shown_in)
    after = rows(user, Question(comparison.now, (by,), "", metric, filters), comparison.shown_in)
    names = spend.labels((by,), [*before, *after])
    currencies = sorted({row.currency for row in (*before, *after)})
    return {code: _drivers(_amounts(before, code), _amounts(after, code), names, code) for code in currencies}


def _amounts(rows: Sequence[spend.Row], currency: str) -> dict[str, Decimal]:
    return {row.group[0]: row.amount for row in rows if row.currency == currency and row.amount is not None}


def _drivers(before: Any, after: Any, names: Any, currency: str) -> list[Named]:
    return [Named(each, names[(each.key,)], currency) for each in cost_changes(before, after)]


def difference(after: Decimal | None, before: Decimal | None) -> Decimal | None:
    if after is None and before is None:
        return None
    return EXACT.subtract(after or Decimal(0), before or Decimal(0))
