"""What pages show of a team or the whole company: this month so far, the months before, what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.calc.dimensions import named
from costs.calc.period_changes import CostChange, billed_part, cost_changes, same_days_before
from costs.query import currency_conversion, latest_month
from costs.query.group_labels import group_labels
from costs.query.pivots import Pivot, build_pivots
from costs.query.question import METRIC, METRIC_LABELS, Question, company_metric
from costs.query.spend import SpendRow, find_spend, sums_by_currency
from finops_site.lib import charts as charting
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence
from finops_site.people.company import reporting_currency
from finops_site.ui.figures import month_text

MONTHS = 13
GROUPS = 7
Filters = Mapping[str, Sequence[str]]
Sums = dict[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A month (so far) and the same days of the month before; both by charge day.

    `shown_in` is the company's reporting currency, into which pages convert all costs; empty for each as it was billed.
    `metric` is the cost that is compared.
    """

    month: Month
    now: Period
    before: Period
    shown_in: str = ""
    metric: str = METRIC

    @property
    def metric_label(self) -> str:
        """The cost that is compared, in words: pages say it."""
        return METRIC_LABELS[self.metric]

    @property
    def has_full_month(self) -> bool:
        return self.now == self.month.period

    @property
    def against(self) -> str:
        """What the change is against, in words."""
        if self.has_full_month:
            return _("against {month}").format(month=month_text(self.month.previous, "long"))
        return _("against 1 to {day} {month}").format(day=self.before.last_day.day, month=month_text(self.before.start))

    @property
    def days_before(self) -> str:
        """The days that the change is against, in words."""
        if self.has_full_month:
            return month_text(self.month.previous, "long")
        return _("1 to {day} {month}").format(day=self.before.last_day.day, month=month_text(self.before.start))

    @property
    def both_months(self) -> Period:
        """The month and the one before it, whole."""
        return Period(self.month.previous.start, self.month.next.start)

    @property
    def year(self) -> Period:
        """The thirteen months that charts of it show."""
        return Period(self.month.plus(1 - MONTHS).start, self.month.next.start)

    @property
    def title(self) -> str:
        if self.has_full_month:
            return month_text(self.month, "long")
        days = self.now.days
        words = ngettext("{month}, the first day", "{month}, the first {days} days", days)
        return words.format(month=month_text(self.month, "long"), days=days)


def compare(user: Person, month: Month, today: date, filters: Filters | None = None) -> Comparison:
    """The days of `month` that have been billed so far, against the same days of the month before.

    A bill lags, so the last day that all bills have delivered ends the comparison, and not today.
    """
    shown_in, metric = reporting_currency(user), company_metric()
    now = billed_part(month.period, latest_month.compared_until(user, month.period, today, filters))
    return Comparison(month, now, same_days_before(month.period, now, 1), shown_in, metric)


def find_spend_in(user: Person, question: Question, shown_in: str) -> list[SpendRow]:
    """The answer's rows, converted month by month into the currency to show them in where there is one."""
    if not shown_in:
        return find_spend(user, question)
    return currency_conversion.find_converted_spend(user, question, shown_in)[0]


def totals_shown_in(user: Person, period: Period, filters: Filters, metric: str, shown_in: str = "") -> Sums:
    rows = find_spend_in(user, Question(period, metric=metric, filters=filters), shown_in)
    return {row.currency: row.amount for row in rows}


def totals_of_months(user: Person, comparison: Comparison, period: Period, filters: Filters) -> Sums:
    """What full months of `comparison.year` cost together, out of the question that their chart asks."""
    question = Question(comparison.year, (), "month", comparison.metric, filters)
    rows = find_spend_in(user, question, comparison.shown_in)
    return sums_by_currency([row for row in rows if row.bucket and period.start <= row.bucket < period.end])


def totals_of_services(user: Person, period: Period, filters: Filters, metric: str, shown_in: str = "") -> Sums:
    """The same as `totals`, out of the question that `drivers` asks: a page with both asks it once."""
    return sums_by_currency(find_spend_in(user, Question(period, ("service",), "", metric, filters), shown_in))


@dataclass(frozen=True, slots=True)
class MonthlyHistory:
    """Charts of the months before; the rates that converted them, and the currencies that lack one: {code: month}."""

    charts: list[dict[str, Any]]
    target: str
    rates: Sequence[currency_conversion.AppliedRate] = ()
    apart: Mapping[str, date] = field(default_factory=dict)


def monthly_history(user: Person, comparison: Comparison, by: str, filters: Filters) -> MonthlyHistory:
    """A chart for each currency: 13 months that end with the one compared, stacked by a dimension."""
    period, shown_in = comparison.year, comparison.shown_in
    question = Question(period, (by,), "month", comparison.metric, filters)
    if not shown_in:
        pivots = build_pivots(user, question, top=GROUPS)
        return MonthlyHistory([_history_chart(pivot, by, comparison) for pivot in pivots], "")
    converted, exchange = currency_conversion.build_converted_pivots(user, question, shown_in, top=GROUPS)
    charts = [_history_chart(pivot, by, comparison) for pivot in converted]
    return MonthlyHistory(charts, shown_in, exchange.list_applied(), exchange.missing)


def _history_chart(pivot: Pivot, by: str, comparison: Comparison) -> dict[str, Any]:
    unfinished = {} if comparison.has_full_month else {comparison.month.start: _(charting.SO_FAR)}
    return {
        "id": f"course-{by}-{pivot.currency.lower()}",
        "kind": "stacked-bar",
        "title": _("Months by {label}, {currency}").format(label=in_sentence(named(by).label), currency=pivot.currency),
        "categories": [month_text(bucket) for bucket in pivot.buckets],
        "series": [
            charting.series(group.label, group.amounts, **({} if group.keys else {"other": True}))
            for group in pivot.groups
        ],
        "currency": pivot.currency,
        "unfinished": [unfinished.get(bucket, "") for bucket in pivot.buckets],
    }


@dataclass(frozen=True, slots=True)
class LabelledChange:
    """A change with the name people know its thing by."""

    change: CostChange
    label: str
    currency: str


def cost_drivers(
    user: Person, comparison: Comparison, by: str, filters: Filters, metric: str
) -> dict[str, list[LabelledChange]]:
    """{currency: every change by `by`, the largest first}; the differences sum to the change of the total."""
    before, after = (
        find_spend_in(user, Question(period, (by,), "", metric, filters), comparison.shown_in)
        for period in (comparison.before, comparison.now)
    )
    labels = group_labels((by,), [*before, *after])
    changed = {}
    for code in sorted({row.currency for row in (*before, *after)}):
        amounts = (
            {row.group[0]: row.amount for row in rows if row.currency == code and row.amount is not None}
            for rows in (before, after)
        )
        changed[code] = [LabelledChange(change, labels[(change.key,)], code) for change in cost_changes(*amounts)]
    return changed


def cost_difference(after: Decimal | None, before: Decimal | None) -> Decimal | None:
    if after is None and before is None:
        return None
    return EXACT.subtract(after or Decimal(0), before or Decimal(0))
