"""Amounts out of what a scope has cost: suggested by the last months, or in the shape of last year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Sum

from budgets.calc import amounts
from budgets.forecast.spending import bills_of_budgets, daily_costs, monthly_costs
from budgets.models import Budget
from costs.calc.known_until import Bill
from costs.models import DayRollup
from costs.query.known_until import is_delivered
from costs.querysets import CostQuerySet
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.people.company import reporting_currency

SUGGESTED_MONTHS = 6


@dataclass(frozen=True, slots=True)
class AmountSuggestion:
    """What the last months suggest for a month, and from which months."""

    amount: Decimal
    months: list[tuple[date, Decimal]]
    currency: str


def recent_costs(today: date) -> CostQuerySet:
    """The costs of the last months and of the running one, by which first budgets and their currencies are proposed."""
    this = Month.of(today)
    period = Period(this.plus(-SUGGESTED_MONTHS).start, this.next.start)
    return DayRollup.objects.current().filter(charge_date__gte=period.start, charge_date__lt=period.end).order_by()


def usual_currency(user: Person, today: date) -> str:
    """What a new budget is in: the company's currency, else that of most of the cost that `user` sees; else empty."""
    if currency := reporting_currency(user):
        return currency
    costs = recent_costs(today).visible_to(user).values("currency").annotate(cost=Sum("billed_cost"))
    most = costs.order_by("-cost", "currency").first()
    return most["currency"] if most else ""


def suggest_amount(budget: Budget, today: date) -> AmountSuggestion | None:
    """An amount for a month out of the last months that are delivered, from the first that has any cost on.

    None where there are none. A month that no bill has brought says nothing; one that cost nothing does.
    """
    return suggest_amounts([budget], today)[budget.pk]


def suggest_amounts(budgets: Sequence[Budget], today: date) -> dict[int, AmountSuggestion | None]:
    """The same for several budgets, which need not be saved, by their ids."""
    this = Month.of(today)
    months = [this.plus(-back) for back in range(SUGGESTED_MONTHS, 0, -1)]
    costs = monthly_costs(budgets, Period(months[0].start, this.start))
    bills = bills_of_budgets(budgets, today)
    return {budget.pk: _suggested(budget.currency, months, costs[budget.pk], bills[budget.pk]) for budget in budgets}


def _suggested(
    currency: str, months: Sequence[Month], costs: Mapping[date, Decimal], bills: Sequence[Bill]
) -> AmountSuggestion | None:
    known = [(month.start, costs[month.start]) for month in months if costs[month.start] or is_delivered(bills, month)]
    used = amounts.since_first_cost([amount for _, amount in known])
    amount = amounts.suggested_amount(used, currency)
    return AmountSuggestion(amount, known[len(known) - len(used) :], currency) if amount else None


def last_year_costs(budget: Budget, periods: Sequence[Period]) -> list[Decimal]:
    """What the scope cost in the same periods a year before, for the seasonal shape."""
    before = [budget.cut.calendar.a_year_before(period) for period in periods]
    daily = daily_costs([budget], Period(min(before).start, max(period.end for period in before)))[budget.pk]
    return [daily.total(period) for period in before]
