"""Amounts out of what a scope has cost: suggested by the last months, or in the shape of last year."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from budgets.calc import amounts
from budgets.forecast.spending import daily_costs, monthly_costs
from budgets.models import Budget
from finops_site.lib.periods import Month, Period

SUGGESTED_MONTHS = 6


@dataclass(frozen=True, slots=True)
class AmountSuggestion:
    """What the last months suggest for a month, and from which months."""

    amount: Decimal
    months: list[tuple[date, Decimal]]
    currency: str


def suggest_amount(budget: Budget, today: date) -> AmountSuggestion | None:
    """An amount for a month out of the last complete months that have any cost; None where there are none."""
    period = Period(Month.of(today).plus(-SUGGESTED_MONTHS).start, Month.of(today).start)
    costs = monthly_costs([budget], period)[budget.pk]
    months = [(start, amount) for start, amount in sorted(costs.items()) if amount]
    amount = amounts.suggested_amount([amount for _, amount in months], budget.currency)
    return AmountSuggestion(amount, months, budget.currency) if amount else None


def last_year_costs(budget: Budget, periods: Sequence[Period]) -> list[Decimal]:
    """What the scope cost in the same periods a year before, for the seasonal shape."""
    before = [Period(Month.of(p.start).plus(-12).start, Month.of(p.end).plus(-12).start) for p in periods]
    daily = daily_costs([budget], Period(min(before).start, max(p.end for p in before)))[budget.pk]
    return [daily.total(period) for period in before]
