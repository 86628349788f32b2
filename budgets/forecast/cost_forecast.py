"""A forecast of cost that no budget is about: what the explorer shows of the months to come."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from budgets.calc.cost_history import CostHistory
from budgets.calc.forecast import forecast_days
from budgets.calc.forecast_methods import fit
from budgets.forecast.complete_days import last_complete_day
from budgets.forecast.period_forecasts import HISTORY_DAYS
from budgets.forecast.spending import DailyCost, cost_matrix, day_after
from finops_site.lib.money import rounded
from finops_site.lib.periods import Period
from finops_site.registry import SpanForecast

LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9


def forecast_spans(
    daily: Mapping[date, Decimal], delivered: date, as_of: date, spans: Sequence[Period], currency: str
) -> list[SpanForecast]:
    """What each of these spans will cost, by the same methods as budgets; nothing where no day has any cost."""
    cost = DailyCost(dict(daily))
    if not cost.last_day():
        return []
    complete = last_complete_day(delivered, as_of)
    known = Period(complete - timedelta(days=HISTORY_DAYS - 1), day_after(complete))
    fitted = fit(CostHistory(known.start, cost_matrix([cost], known)))
    forecasts = []
    for span in spans:
        if span.end <= known.end:
            continue
        spent = cost.total(Period(min(span.start, known.end), known.end))
        ahead = forecast_days(fitted, (span.end - known.end).days, max(0, (span.start - known.end).days))[0]
        low, likely, high = (
            rounded(spent + Decimal(repr(ahead.quantile(share))), currency) for share in (LOW, MIDDLE, HIGH)
        )
        forecasts.append(SpanForecast(span, low, likely, high))
    return forecasts
