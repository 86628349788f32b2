"""The annual plan: a year of budgets against what was spent and what is expected, and why they differ."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import Sum

from budgets.calc.variance import CostItem, ItemUse, VariancePart, explain_variance
from budgets.forecast.spending import bills_of_budgets, day_after, monthly_costs
from budgets.forecast.status import newest_forecasts
from budgets.models import Budget, BudgetPeriod
from costs.models import CostLine
from costs.query import spend
from costs.query.known_until import is_delivered, is_month_known
from costs.query.rows import filtered_rows
from finops_site.lib.money import EXACT, percent, ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person

ZERO = Decimal(0)
VARIANCE_TARGET = Decimal(5)


@dataclass(slots=True)
class PlanMonth:
    """A month of a budget: the amount, what was spent, and, for a month that is not over, what is expected.

    A month that no bill has brought has no actual cost; `is_known`: all of its bills are there.
    """

    amount: Decimal | None = None
    actual: Decimal | None = None
    forecast: Decimal | None = None
    is_over: bool = False
    is_known: bool = True

    @property
    def at_end(self) -> Decimal | None:
        """What the month ended or is forecast to end at; None where it is over and its bills are not there."""
        return self.actual if self.is_over and self.is_known else self.forecast

    @property
    def variance(self) -> Decimal | None:
        return None if self.at_end is None or self.amount is None else EXACT.subtract(self.at_end, self.amount)


@dataclass(slots=True)
class PlanLine:
    """A budget's year."""

    budget: Budget
    months: dict[Month, PlanMonth] = field(default_factory=dict)

    def total(self, name: str) -> Decimal | None:
        return spend.add(getattr(month, name) for month in self.months.values())

    @property
    def at_year_end(self) -> Decimal | None:
        """The year's cost: months that are over as spent, this one as forecast, later ones as budgeted."""
        return spend.add(month.at_end if month.at_end is not None else month.amount for month in self.months.values())


def load_annual_plan(user: Person, year: int, today: date) -> list[PlanLine]:
    """Every active monthly budget that `user` may see, with its twelve months."""
    months = [Month(year, number) for number in range(1, 13)]
    span = Period(months[0].start, months[-1].next.start)
    budgets = list(Budget.objects.visible_to(user).active().filter(kind="month").select_related("team"))
    periods = list(BudgetPeriod.objects.filter(budget__in=budgets, start__gte=span.start, start__lt=span.end))
    known = Period(span.start, max(span.start, min(span.end, day_after(today))))
    costs = monthly_costs(budgets, known) if known.days else {}
    forecasts = newest_forecasts(periods)
    lines = {
        budget.pk: PlanLine(budget, {month: PlanMonth(is_over=month.next.start <= today) for month in months})
        for budget in budgets
    }
    bills = bills_of_budgets(budgets, today) if costs else {}
    for pk, line in lines.items():
        for start, amount in costs.get(pk, {}).items():
            of_month = Month.of(start)
            row = line.months[of_month]
            row.is_known = is_month_known(bills[pk], of_month, today, line.budget.basis)
            if amount or is_delivered(bills[pk], of_month):
                row.actual = amount
    for period in periods:
        month, forecast = lines[period.budget_id].months[Month.of(period.start)], forecasts.get(period.pk)
        month.amount = period.budgeted
        if forecast and not (month.is_over and month.is_known):
            month.forecast = forecast.p50
    return [line for line in lines.values() if line.total("amount") is not None]


def without_children(lines: Sequence[PlanLine]) -> list[PlanLine]:
    """The lines of budgets that have no parent among them, so that nothing counts twice."""
    budgets = {line.budget.pk for line in lines}
    return [line for line in lines if line.budget.parent_id not in budgets]


def totals_by_currency(lines: Sequence[PlanLine]) -> dict[str, dict[str, Decimal | None]]:
    by_currency: dict[str, list[PlanLine]] = defaultdict(list)
    for line in without_children(lines):
        by_currency[line.budget.currency].append(line)
    return {
        code: {
            "amount": spend.add(line.total("amount") for line in of_currency),
            "actual": spend.add(line.total("actual") for line in of_currency),
            "at_year_end": spend.add(line.at_year_end for line in of_currency),
        }
        for code, of_currency in by_currency.items()
    }


def variance_kpi(lines: Sequence[PlanLine]) -> Decimal | None:
    """The KPI "variance": |actual - amount| of every known month that is over and every budget, in % of the amounts.

    Absolute values, so that one team's saving does not hide another's overrun; budgets under a parent are counted
    themselves and the parent is left out. None where no month is over and delivered, or currencies differ.
    """
    parents = {line.budget.parent_id for line in lines}
    counted = [line for line in lines if line.budget.pk not in parents]
    if len({line.budget.currency for line in counted}) != 1:
        return None
    months = [month for line in counted for month in line.months.values() if month.is_over and month.is_known]
    months = [month for month in months if month.variance is not None]
    missed = sum((abs(month.variance or ZERO) for month in months), ZERO)
    return percent(ratio(missed, sum((month.amount or ZERO for month in months), ZERO)))


def variance_reasons(user: Person, budget: Budget, month: Month, amount: Decimal) -> list[VariancePart]:
    """Why `month` cost more or less than `amount`, against the month before; the parts sum to the variance."""
    return explain_variance(amount, _items(user, budget, month.previous), _items(user, budget, month))


def _items(user: Person, budget: Budget, month: Month) -> dict[CostItem, ItemUse]:
    lines = filtered_rows(CostLine.objects.visible_to(user), budget.question(month.period))
    lines = lines.exclude(budget.left_out_lines).order_by()
    grouped = lines.values_list("service", "instance_type", "unit", "charge_category", "commitment")
    items: dict[CostItem, ItemUse] = {}
    for service, instance_type, unit, category, commitment, cost, quantity in grouped.annotate(
        cost=Sum(budget.basis), used=Sum("quantity")
    ):
        item = CostItem(service, instance_type, unit, category, bool(commitment))
        before = items.get(item, ItemUse(ZERO, ZERO))
        items[item] = ItemUse(EXACT.add(before.cost, cost or ZERO), (before.quantity or ZERO) + (quantity or ZERO))
    return items
