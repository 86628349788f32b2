"""The chart of a period: the total spent by each day, the interval of where it goes, and the amount."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from budgets.forecast.spending import daily_costs
from budgets.models import BudgetPeriod, Forecast
from finops_site.lib import charts
from finops_site.lib.periods import Period, short_day_text
from finops_site.translation import gettext_lazy as _lazy

MOST_POINTS = 92
INTERVAL = _lazy("Likely interval")


def period_chart(period: BudgetPeriod, forecast: Forecast | None, delivered: date | None = None) -> dict[str, Any]:
    """The actual cost ends with the last day of `delivered`; the forecast and its interval begin there.

    The interval opens with the root of the days ahead: 8 in 10 outcomes lie in it.
    """
    span, code = period.period, period.budget.currency
    as_of = forecast.as_of if forecast else span.start
    known = Period(span.start, max(span.start, min(span.end, as_of + timedelta(days=1))))
    last = min(day for day in (known.last_day, delivered) if day)
    shown_days = Period(span.start, max(span.start, last + timedelta(days=1)))
    daily = daily_costs([period.budget], known)[period.budget_id]
    step = max(1, span.days // MOST_POINTS)
    # The last delivered day is a point whatever the step, for the forecast goes on from it.
    ends = (span.last_day, last)
    shown = [day for number, day in enumerate(span.each_day()) if number % step == 0 or day in ends]
    actual = [daily.total(Period(span.start, day + timedelta(days=1))) if day in shown_days else None for day in shown]
    series = [charts.series(_("Actual"), actual)]
    has_interval = bool(forecast and forecast.method not in ("done", "none") and last < span.last_day)
    if forecast and has_interval:
        likely, low, high = (
            _forecast_course(shown, span, max(last, span.start), forecast, end)
            for end in (forecast.p50, forecast.p10, forecast.p90)
        )
        series += [charts.series(_("Likely"), likely, dashed=True), charts.band(INTERVAL, low, high, currency=code)]
    series.append(charts.threshold(_("Amount"), period.budgeted, len(shown)))
    return {
        "id": "course",
        "kind": "line",
        "title": _("{budget}, day by day").format(budget=period.budget),
        "categories": [short_day_text(day) for day in shown],
        "series": series,
        "currency": code,
        "note": _("The shaded interval holds 8 in 10 outcomes.") if has_interval else "",
    }


def _forecast_course(
    shown: Sequence[date], span: Period, first: date, forecast: Forecast, end: Decimal
) -> list[Decimal | None]:
    """From what is spent on `first` to an end: the likely course straight, the interval's edges around it."""
    days_left = (span.last_day - first).days
    course: list[Decimal | None] = []
    for day in shown:
        ahead = (day - first).days
        if ahead < 0 or days_left <= 0:
            course.append(None)
            continue
        part = Decimal(ahead) / days_left
        likely = forecast.spent + (forecast.p50 - forecast.spent) * part
        course.append((likely + (end - forecast.p50) * part.sqrt()).quantize(Decimal("0.01")))
    return course
