"""What a scope has cost and will cost, and the amount that this suggests: beside the forms of budgets."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from budgets.calc.fiscal_calendar import MONTHS
from budgets.forecast.cost_forecast import forecast_spans
from budgets.forecast.period_forecasts import HISTORY_DAYS
from budgets.forecast.spending import bills_of_budgets, daily_costs, day_after
from budgets.models import Budget
from budgets.planning.suggestions import AmountSuggestion, suggest_amount
from costs.query.known_until import last_known_day
from finops_site.lib.money import EXACT, typed_text
from finops_site.lib.periods import Month, Period
from finops_site.registry import SpanForecast


def scope_preview(budget: Budget, today: date) -> dict[str, Any]:
    """The last months of a scope with a bar for each, the forecast of this month, and the amount they suggest.

    The budget need not be saved. Months that no bill has brought are left out: not known is not zero.
    """
    suggestion = suggest_amount(budget, today)
    most = max((cost for _, cost in suggestion.months), default=Decimal(0)) if suggestion else Decimal(0)
    bars = [
        {"month": day, "cost": cost, "share": EXACT.divide(max(cost, Decimal(0)), most) if most > 0 else None}
        for day, cost in (suggestion.months if suggestion else [])
    ]
    text = suggested_text(budget, suggestion)
    return {
        "suggestion": suggestion,
        "suggested_text": text,
        "suggested_amount": Decimal(text) if text else None,
        "bars": bars,
        "this_month": _forecast_of_this_month(budget, today) if suggestion else None,
        "preview_of": budget,
    }


def suggested_text(budget: Budget, suggestion: AmountSuggestion | None) -> str:
    """The suggested amount of one of the budget's periods, as a field takes it; empty where nothing is suggested.

    A quarter has three months and a year twelve; of a range of days and a project nothing can be said.
    """
    months = MONTHS.get(budget.kind)
    if suggestion is None or months is None:
        return ""
    return typed_text(EXACT.multiply(suggestion.amount, Decimal(months))) or ""


def _forecast_of_this_month(budget: Budget, today: date) -> SpanForecast | None:
    """What the month of `today` will cost; None where it is known already, or nothing is."""
    bills = bills_of_budgets([budget], today)[budget.pk]
    delivered = last_known_day(bills, today)
    if delivered is None:
        return None
    past = Period(min(delivered, today) - timedelta(days=HISTORY_DAYS), day_after(min(delivered, today)))
    daily = daily_costs([budget], past)[budget.pk]
    spans = forecast_spans(daily.amounts, delivered, today, [Month.of(today).period], budget.currency)
    return spans[0] if spans else None
