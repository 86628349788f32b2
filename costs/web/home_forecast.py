"""What the month that runs will have cost at its end, as a figure on home."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from costs.query import latest_month
from costs.query.known_until import known_in
from costs.query.question import Question, company_metric
from costs.query.result_cache import cached
from costs.query.scope import filters_of
from costs.web.explorer_forecast import NoForecast, forecast_months
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.people.company import reporting_currency
from finops_site.registry import SpanForecast
from finops_site.ui.figures import month_text


def forecast_figures(user: Person, as_of: date) -> list[dict[str, Any]]:
    """A figure for each currency; none where nobody forecasts, or the month is over."""
    month = latest_month.month(user, as_of)
    question = Question(month.period, (), "", company_metric(), filters_of(user))
    until = known_in(user, month.period, as_of, metric=question.metric).until
    target = reporting_currency(user)

    def forecast() -> dict[str, list[SpanForecast]]:
        try:
            return forecast_months(user, question, target, until, as_of, 1)
        except NoForecast:
            return {}

    # The forecast of a day stays what it is while no bill comes: fitting two years of days takes a while.
    forecasts = cached(user, ("forecast on home", question, target, until, as_of), forecast)
    return [_figure(month, code, spans[0]) for code, spans in sorted(forecasts.items()) if spans]


def _figure(month: Month, code: str, span: SpanForecast) -> dict[str, Any]:
    low, high = (formatted(amount.quantize(Decimal(1)), code).partition(".")[0] for amount in (span.low, span.high))
    return {
        "label": _("Forecast, {month}").format(month=month_text(month, "long")),
        "amount": span.likely,
        "currency": code,
        "note": _("eight times in ten {low} to {high}").format(low=low, high=high),
        "url": f"{reverse('costs:explorer')}?period=12-months&forecast=1",
        "icon": "chart-dots",
    }
