"""The chart of a period: the total spent by each day, the band of where it goes, and the amount."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from budgets.forecast.spending import daily_costs
from budgets.models import BudgetPeriod, Forecast
from finops_site.lib import charts
from finops_site.lib.periods import Period, short_day_text

MOST_POINTS = 92


def period_chart(period: BudgetPeriod, forecast: Forecast | None, delivered: date | None = None) -> dict[str, Any]:
    """The band of the forecast opens with the root of the days ahead; no day after `delivered` has an actual cost."""
    span = period.period
    as_of = forecast.as_of if forecast else span.start
    known = Period(span.start, max(span.start, min(span.end, as_of + timedelta(days=1))))
    last = min(day for day in (known.last_day, delivered) if day)
    shown_days = Period(span.start, max(span.start, last + timedelta(days=1)))
    daily = daily_costs([period.budget], known)[period.budget_id]
    step = max(1, span.days // MOST_POINTS)
    shown = [day for number, day in enumerate(span.each_day()) if number % step == 0 or day == span.last_day]
    actual = [daily.total(Period(span.start, day + timedelta(days=1))) if day in shown_days else None for day in shown]
    series = [charts.series("Actual", actual), charts.series("Amount", [period.budgeted] * len(shown), dashed=True)]
    if forecast and forecast.method not in ("done", "none") and known.end < span.end:
        series += [
            charts.series(name, _forecast_course(shown, span, forecast, end), dashed=True)
            for name, end in (("Likely", forecast.p50), ("Low (10%)", forecast.p10), ("High (90%)", forecast.p90))
        ]
    return {
        "id": "course",
        "kind": "line",
        "title": f"{period.budget}, day by day",
        "categories": [short_day_text(day) for day in shown],
        "series": series,
        "currency": period.budget.currency,
        "note": "Of the days ahead 8 in 10 outcomes lie between low and high.",
    }


def _forecast_course(shown: Sequence[date], span: Period, forecast: Forecast, end: Decimal) -> list[Decimal | None]:
    """From what is spent to an end: the likely course straight, the band's edges around it."""
    days_left = (span.last_day - forecast.as_of).days
    course: list[Decimal | None] = []
    for day in shown:
        ahead = (day - forecast.as_of).days
        if ahead < 0 or days_left <= 0:
            course.append(None)
            continue
        part = Decimal(ahead) / days_left
        likely = forecast.spent + (forecast.p50 - forecast.spent) * part
        course.append((likely + (end - forecast.p50) * part.sqrt()).quantize(Decimal("0.01")))
    return course
