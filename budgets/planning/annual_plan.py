"""Finance's view: a year of budgets against what was spent and what is expected, and why they differ."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import Q, Sum

from budgets.calc import variance
from budgets.calc.variance import Part, Thing, Use
from budgets.evaluation import spending, status
from budgets.models import Budget, BudgetPeriod, Forecast
from costs.models import CostLine
from costs.query import spend
from costs.query.rows import filtered_rows
from finops_site.lib.money import EXACT, percent, ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person

ZERO = Decimal(0)
TARGET = Decimal(5)


@dataclass(slots=True)
class Cell:
    """A month of a budget: the amount, what was spent, and, for a month that is not over, what is expected."""

    amount: Decimal | None = None
    actual: Decimal | None = None
    forecast: Decimal | None = None
    is_over: bool = False

    @property
    def end(self) -> Decimal | None:
        """What the month ended or is expected to end at."""
        return self.actual if self.is_over else self.forecast

    @property
    def variance(self) -> Decimal | None:
        return None if self.end is None or self.amount is None else EXACT.subtract(self.end, self.amount)


@dataclass(slots=True)
class Line:
    """A budget's year."""

    budget: Budget
    cells: dict[Month, Cell] = field(default_factory=dict)

    def total(self, name: str) -> Decimal | None:
        return spend.add(getattr(cell, name) for cell in self.cells.values())

    @property
    def landing(self) -> Decimal | None:
        """What the year ends at: months that are over as spent, this one as forecast, later ones as budgeted."""
        return spend.add(cell.end if cell.end is not None else cell.amount for cell in self.cells.values())


def year(user: Person, number: int, today: date) -> list[Line]:
    """Every active budget of each month that `user` may see, with its twelve months."""
    months = [Month(number, month) for month in range(1, 13)]
    span = Period(months[0].start, months[-1].next.start)
    budgets = list(Budget.objects.visible_to(user).active().filter(kind="month").select_related("team"))
    periods = list(BudgetPeriod.objects.filter(budget__in=budgets, start__gte=span.start, start__lt=span.end))
    known = Period(span.start, max(span.start, min(span.end, spending.day_after(today))))
    spent = spending.monthly(budgets, known) if known.days else {}
    newest = status.newest(periods)
    lines = {
        each.pk: Line(each, {month: Cell(is_over=month.next.start <= today) for month in months}) for each in budgets
    }
    for budget in budgets:
        for start, amount in spent.get(budget.pk, {}).items():
            lines[budget.pk].cells[Month.of(start)].actual = amount
    for period in periods:
        _fill(lines[period.budget_id].cells[Month.of(period.start)], period, newest.get(period.pk))
    return [line for line in lines.values() if line.total("amount") is not None]


def _empty(budget: Budget, months: Sequence[Month], today: date) -> Line:
    return Line(budget, {month: Cell(is_over=month.next.start <= today) for month in months})


def _fill(cell: Cell, period: BudgetPeriod, forecast: Forecast | None) -> None:
    cell.amount = period.whole
    if forecast and not cell.is_over:
        cell.forecast = forecast.p50


def by_currency(lines: Sequence[Line]) -> dict[str, dict[str, Decimal | None]]:
    """The sums of budgets that have no parent among the lines, so that nothing counts twice."""
    inside = {line.budget.pk for line in lines}
    tops = [line for line in lines if line.budget.parent_id not in inside]
    found: dict[str, list[Line]] = defaultdict(list)
    for line in tops:
        found[line.budget.currency].append(line)
    return {
        code: {
            "amount": spend.add(line.total("amount") for line in mine),
            "actual": spend.add(line.total("actual") for line in mine),
            "landing": spend.add(line.landing for line in mine),
        }
        for code, mine in found.items()
    }


def kpi(lines: Sequence[Line]) -> Decimal | None:
    """The KPI "variance": |actual - amount| of every month that is over and every budget, summed, in % of the amounts.

    Absolute values, so that one team's saving does not hide another's overrun; budgets under a parent are judged
    themselves and the parent is left out. None where no month is over, or currencies differ.
    """
    parents = {line.budget.parent_id for line in lines}
    judged = [line for line in lines if line.budget.pk not in parents]
    if len({line.budget.currency for line in judged}) != 1:
        return None
    cells = [cell for line in judged for cell in line.cells.values() if cell.is_over and cell.variance is not None]
    missed = sum((abs(cell.variance or ZERO) for cell in cells), ZERO)
    share = ratio(missed, sum((cell.amount or ZERO for cell in cells), ZERO))
    return percent(share)


def reasons(user: Person, budget: Budget, month: Month, amount: Decimal) -> list[Part]:
    """Why `month` cost more or less than `amount`, against the month before; the parts sum to the variance."""
    return variance.parts(amount, _uses(user, budget, month.previous), _uses(user, budget, month))


def _uses(user: Person, budget: Budget, month: Month) -> dict[Thing, Use]:
    lines = filtered_rows(CostLine.objects.visible_to(user), budget.question(month.period))
    lines = lines.filter(~Q(charge_category__in=budget.left_out))
    rows = lines.order_by().values_list("service", "instance_type", "unit", "charge_category", "commitment")
    found: dict[Thing, Use] = {}
    for service, kind, unit, category, commitment, cost, quantity in rows.annotate(
        cost=Sum(budget.basis), used=Sum("quantity")
    ):
        thing = Thing(service, kind, unit, category, bool(commitment))
        before = found.get(thing, Use(ZERO, ZERO))
        found[thing] = Use(EXACT.add(before.cost, cost or ZERO), (before.quantity or ZERO) + (quantity or ZERO))
    return found
