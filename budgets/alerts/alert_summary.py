"""An alert in one line, with its severity and its chart: for mails, channels and pages."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from budgets.calc.breaches import ThresholdRule
from budgets.calc.headlines import AlertSummary, correction, headline, severity
from budgets.forecast.spending import DailyCost, daily_costs
from budgets.models import Alert, Forecast, Threshold
from finops_site.lib import charts
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import Period, short_day_text
from finops_site.translation import gettext_lazy as _lazy

# (words, tone, icon) of each state.
ALERT_STATES = {
    "open": (_lazy("open"), "bad", "bell-ringing"),
    "reopened": (_lazy("open again"), "bad", "bell-ringing"),
    "acknowledged": (_lazy("acknowledged"), "busy", "check"),
    "snoozed": (_lazy("snoozed"), "calm", "alarm"),
    "resolved": (_lazy("resolved"), "good", "circle-check"),
}


def figures_of(alert: Alert, forecast: Forecast | None = None) -> dict[str, Any]:
    """The figures of its period: of the night of `forecast` where that is newer, else as they were at opening."""
    if forecast is None or forecast.as_of <= alert.as_of:
        return {"amount": exact_text(alert.period.budgeted), **alert.figures}
    distribution = {name: exact_text(getattr(forecast, name)) for name in ("p10", "p50", "p90", "chance_of_overrun")}
    return {
        **alert.figures,
        **distribution,
        "amount": exact_text(alert.period.budgeted),
        "spent": exact_text(forecast.spent),
        "complete_until": forecast.complete_until.isoformat() if forecast.complete_until else "",
        "method": forecast.method,
    }


def summary_of(alert: Alert, forecast: Forecast | None = None) -> AlertSummary:
    """The alert and its period as they were when it opened, or by a newer forecast of the period."""
    figures, period = figures_of(alert, forecast), alert.period
    budgeted = Decimal(figures.get("amount") or period.budgeted)
    spent, likely = (Decimal(figures.get(name) or alert.value) for name in ("spent", "p50"))
    value, limit, as_of = alert.value, alert.limit, alert.as_of
    if forecast is not None and forecast.as_of > alert.as_of:
        value = {Threshold.Kind.ACTUAL: spent, Threshold.Kind.FORECAST: likely}.get(Threshold.Kind(alert.kind), value)
        rule = ThresholdRule(alert.threshold_id, alert.kind, alert.threshold.percent, alert.threshold.amount)
        limit, as_of = rule.limit(budgeted), forecast.as_of
    return AlertSummary(
        alert.budget.name,
        alert.kind,
        period.period,
        budgeted,
        spent,
        likely,
        value,
        limit,
        alert.budget.currency,
        as_of,
        alert.budget.words_of(period.period) if alert.budget.calendar else "",
    )


def alert_headline(alert: Alert, occasion: str = "opened", forecast: Forecast | None = None) -> str:
    """The alert in one line, which begins with the occasion where that is not its opening.

    A correction says what is true now, and nothing of what it takes back.
    """
    summary = summary_of(alert, forecast)
    if occasion.startswith("taken back"):
        return _("Corrected: {correction}").format(correction=correction(summary))
    line = headline(summary)
    if occasion.startswith("escalated"):
        return _("Unacknowledged: {line}").format(line=line)
    return _("Again: {line}").format(line=line) if occasion.startswith("reopened") else line


def alert_severity(alert: Alert) -> str:
    return severity(alert.kind, alert.value, summary_of(alert).budgeted)


def alert_chart(alert: Alert, forecast: Forecast | None = None, costs: DailyCost | None = None) -> dict[str, Any]:
    """The period day by day: the total spent by each day and the forecast from there, against the amount.

    `costs`: the daily cost of the budget's scope, where it was asked for already.
    """
    period, currency, summary = alert.period.period, alert.budget.currency, summary_of(alert, forecast)
    if costs is None:
        costs = daily_costs([alert.budget], known_days(alert, summary.as_of))[alert.budget_id]
    sums, total = [], Decimal(0)
    for day in period.each_day():
        total = EXACT.add(total, costs.amounts.get(day, Decimal(0)))
        sums.append(total if day < summary.as_of else None)
    return {
        "id": f"alert-{alert.pk}",
        "kind": "line",
        "title": _("{budget}, spent so far against its amount, {currency}").format(
            budget=alert.budget, currency=currency
        ),
        "categories": [short_day_text(day) for day in period.each_day()],
        "series": [
            charts.series(_("Spent"), sums),
            *_forecast_series(figures_of(alert, forecast).get("p50"), sums),
            charts.threshold(_("Budget"), summary.budgeted, period.days),
        ],
        "currency": currency,
    }


def known_days(alert: Alert, as_of: date) -> Period:
    """The days of the alert's period up to a day."""
    period = alert.period.period
    return Period(period.start, min(period.end, max(as_of, period.start)))


def _forecast_series(end: str | None, sums: Sequence[Decimal | None]) -> list[dict[str, Any]]:
    """A straight line from the last known day to the forecast of that night; nothing where there is none."""
    known_days = sum(amount is not None for amount in sums)
    if not end or known_days >= len(sums):
        return []
    first = max(known_days - 1, 0)
    start, steps = sums[first] or Decimal(0), len(sums) - 1 - first
    rise = EXACT.subtract(Decimal(end), start)
    line = [start + (rise * number / max(steps, 1)).quantize(Decimal("0.01")) for number in range(steps + 1)]
    return [charts.series(_("Forecast"), [*[None] * first, *line], dashed=True)]
