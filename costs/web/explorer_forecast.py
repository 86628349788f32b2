"""The months to come of an answer of the explorer, by whoever forecasts cost: a band in the chart, and its figures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from costs.models import CostLine
from costs.query.pivots import Pivot
from costs.query.question import Question
from costs.query.rows import table_for
from costs.query.trends import find_spend_in
from finops_site.lib import charts
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.registry import CostForecaster, SpanForecast, registry
from finops_site.ui.figures import month_text

# Two years and two months, for what comes back every year is learnt when it came twice.
HISTORY_DAYS = 790


class NoForecast(Exception):
    """Nobody can say what is to come; the message says why."""


def forecast_months(
    user: Person, question: Question, target: str, known_until: date | None, as_of: date, months: int
) -> dict[str, list[SpanForecast]]:
    """{currency: the month that is running and those after it, `months` in all}. Raises NoForecast."""
    forecasters = registry.allowed(CostForecaster, user)
    if not forecasters or known_until is None:
        raise NoForecast(_("There is no forecast: nothing is known of what was spent."))
    first = Month.of(known_until + timedelta(days=1))
    if question.period.end <= first.start:
        raise NoForecast(
            _("There is no forecast: it begins with {month}, which is not among these days.").format(
                month=month_text(first)
            )
        )
    days = Period(known_until - timedelta(days=HISTORY_DAYS - 1), known_until + timedelta(days=1))
    daily = replace(question, period=days, group_by=(), grain="day")
    if table_for(daily) is CostLine:
        raise NoForecast(_("There is no forecast for these filters: what they ask is not summed by day."))
    by_currency: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for row in find_spend_in(user, daily, target):
        if row.bucket and row.amount is not None:
            by_currency[row.currency][row.bucket] = row.amount
    spans = [first.plus(number).period for number in range(months)]
    return {
        code: forecasters[0].forecast(amounts, known_until, as_of, spans, code) for code, amounts in by_currency.items()
    }


def with_forecast(answer: Mapping[str, Any], pivot: Pivot, forecasts: Sequence[SpanForecast]) -> dict[str, Any]:
    """The answer of one currency with the band and the line of its forecast, from the last month that is over."""
    if not forecasts:
        return dict(answer)
    chart, starts = answer["chart"], {forecast.days.start: forecast for forecast in forecasts}
    buckets = sorted({*pivot.buckets, *starts})
    added = len(buckets) - len(pivot.buckets)
    spent = dict(zip(pivot.buckets, pivot.sums, strict=True))
    last = max((bucket for bucket in pivot.buckets if bucket < forecasts[0].days.start), default=None)

    def along(side: str) -> list[Decimal | None]:
        return [
            getattr(starts[bucket], side) if bucket in starts else spent[bucket] if bucket == last else None
            for bucket in buckets
        ]

    nothing: list[None] = [None] * added
    series = [{**one, "data": [*one["data"], *nothing]} for one in chart["series"]]
    series += [
        charts.band(_("Eight times in ten"), along("low"), along("high"), currency=pivot.currency),
        charts.series(_("Forecast"), along("likely"), kind="line", dashed=True, tone="calm"),
    ]
    texts = [month_text(bucket) for bucket in buckets]
    unfinished = [*(chart["unfinished"] or [""] * len(pivot.buckets)), *[""] * added]
    return {
        **answer,
        "forecasts": forecasts,
        "chart": {**chart, "categories": texts, "series": series, "unfinished": unfinished},
    }
