"""An alert in one line, with its severity and its chart: for mails, channels and pages."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from budgets.calc.headlines import AlertSummary, headline, severity
from budgets.forecast.spending import daily_costs
from budgets.models import Alert
from finops_site.lib import charts
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Period

# (words, tone, icon) of each state.
ALERT_STATES = {
    "open": ("open", "bad", "bell-ringing"),
    "reopened": ("open again", "bad", "bell-ringing"),
    "acknowledged": ("acknowledged", "busy", "check"),
    "snoozed": ("snoozed", "calm", "alarm"),
    "resolved": ("resolved", "good", "circle-check"),
}


def summary_of(alert: Alert) -> AlertSummary:
    """The alert and its period as they were when it opened."""
    figures = alert.figures
    return AlertSummary(
        alert.budget.name,
        alert.kind,
        alert.period.period,
        Decimal(figures.get("amount") or alert.period.budgeted),
        Decimal(figures.get("spent") or alert.value),
        Decimal(figures.get("p50") or alert.value),
        alert.value,
        alert.limit,
        alert.budget.currency,
        alert.as_of,
    )


def alert_headline(alert: Alert, occasion: str = "opened") -> str:
    """The alert in one line, which begins with the occasion where that is not its opening."""
    line = headline(summary_of(alert))
    if occasion.startswith("taken back"):
        return f"Taken back: {line}"
    if occasion.startswith("escalated"):
        return f"Unacknowledged: {line}"
    return f"Again: {line}" if occasion.startswith("reopened") else line


def alert_severity(alert: Alert) -> str:
    return severity(alert.kind, alert.value, summary_of(alert).budgeted)


def alert_chart(alert: Alert) -> dict[str, Any]:
    """The period day by day: the total spent by each day and the forecast from there, against the amount."""
    period, currency = alert.period.period, alert.budget.currency
    known = Period(period.start, min(period.end, max(alert.as_of, period.start)))
    spent = daily_costs([alert.budget], known)[alert.budget_id].amounts
    sums, total = [], Decimal(0)
    for day in period.each_day():
        total = EXACT.add(total, spent.get(day, Decimal(0)))
        sums.append(total if day < alert.as_of else None)
    return {
        "id": f"alert-{alert.pk}",
        "kind": "line",
        "title": f"{alert.budget}, spent so far against its amount, {currency}",
        "categories": [f"{day:%-d %b}" for day in period.each_day()],
        "series": [
            charts.series("Spent", sums),
            *_forecast_series(alert, sums),
            charts.threshold("Budget", summary_of(alert).budgeted, period.days),
        ],
        "currency": currency,
    }


def _forecast_series(alert: Alert, sums: Sequence[Decimal | None]) -> list[dict[str, Any]]:
    """A straight line from the last known day to the forecast of that night; nothing where there is none."""
    end = alert.figures.get("p50")
    known_days = sum(amount is not None for amount in sums)
    if not end or known_days >= len(sums):
        return []
    first = max(known_days - 1, 0)
    start, steps = sums[first] or Decimal(0), len(sums) - 1 - first
    rise = EXACT.subtract(Decimal(end), start)
    line = [start + (rise * number / max(steps, 1)).quantize(Decimal("0.01")) for number in range(steps + 1)]
    return [charts.series("Forecast", [*[None] * first, *line], dashed=True)]
