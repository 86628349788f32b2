"""The annual plan: a year of budgets against what was spent and what is expected, and why they differ."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from budgets.calc.fiscal_calendar import MONTHS
from budgets.calc.scope_overlap import are_apart
from budgets.calc.variance import CostItem, ItemUse, VariancePart, explain_variance
from budgets.forecast.spending import DailyCost, bills_of_budgets, daily_costs, day_after
from budgets.forecast.status import newest_forecasts
from budgets.models import Budget, BudgetPeriod, CompanyYear, Forecast
from costs.calc.known_until import Bill
from costs.models import CostLine, Dimension
from costs.query import spend
from costs.query.currency_conversion import Exchange
from costs.query.filter_values import FilterValues
from costs.query.known_until import is_delivered, is_month_known
from costs.query.question import Question
from costs.query.rows import filtered_rows
from finops_site.lib.money import EXACT, STORED_UNIT, percent, ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.lib.words import some_of
from finops_site.people.company import reporting_currency
from finops_site.translation import text_lazy
from finops_site.ui.figures import month_text

ZERO = Decimal(0)
VARIANCE_TARGET = Decimal(5)
FINEST_FIRST = ("month", "quarter", "custom", "project", "year")


@dataclass(slots=True)
class PlanMonth:
    """A month of a budget: the amount, what was spent, and, for a month that is not over, what is expected.

    A month that no bill has brought has no actual cost; `is_known`: all of its bills are there. A quarter or a year
    stands in its first column and covers `columns` of them. Of a period that reaches beyond the year the amount, actual
    and forecast are those of its days in the year, and `whole_amount` is all of it. `judged` is (amount, actual) of a
    period that is over and delivered, in the year that it ends in: what the variance is made of.
    """

    amount: Decimal | None = None
    actual: Decimal | None = None
    forecast: Decimal | None = None
    is_over: bool = False
    is_known: bool = True
    columns: int = 1
    period: Period | None = None
    whole_amount: Decimal | None = None
    judged: tuple[Decimal, Decimal] | None = None

    @property
    def at_end(self) -> Decimal | None:
        """What the month ended or is forecast to end at; None where it is over and its bills are not there."""
        return self.actual if self.is_over and self.is_known else self.forecast

    @property
    def variance(self) -> Decimal | None:
        return None if self.at_end is None or self.amount is None else EXACT.subtract(self.at_end, self.amount)

    @property
    def is_unknown(self) -> bool:
        """Whether it is over and what it cost is not known."""
        return self.is_over and not self.is_known and self.amount is not None


@dataclass(slots=True)
class PlanLine:
    """A budget's year; `by_column` has the same figures by the days of each column, for charts."""

    budget: Budget
    months: dict[Month, PlanMonth] = field(default_factory=dict)
    by_column: dict[Month, dict[str, Decimal | None]] = field(default_factory=dict)
    # Whether any bill is in its currency: without one, what it cost is not known.
    is_billed: bool = True

    def total(self, name: str) -> Decimal | None:
        return spend.add(getattr(month, name) for month in self.months.values())

    @property
    def at_year_end(self) -> Decimal | None:
        """The year's cost: months that are over as spent, this one as forecast, later ones as budgeted."""
        return spend.add(month.at_end if month.at_end is not None else month.amount for month in self.months.values())

    @property
    def shown(self) -> list[tuple[Month, PlanMonth]]:
        """The cells of its row: a quarter's is as wide as three months, and the months under it have none."""
        cells, covered = list[tuple[Month, PlanMonth]](), 0
        for month, cell in self.months.items():
            if covered:
                covered -= 1
                continue
            cells.append((month, cell))
            covered = cell.columns - 1
        return cells


def plan_columns(year: int) -> dict[Month, Period]:
    """The twelve months of the company's year that begins in `year`, by the name that they go by."""
    calendar = CompanyYear.load().calendar
    first = Month(year, calendar.first_month)
    return {first.plus(place): period for place, period in enumerate(calendar.months(year))}


def plan_year_of(day: date) -> int:
    """The number of the company's year that holds `day`."""
    return CompanyYear.load().calendar.year_of(day)


def load_annual_plan(user: Person, year: int, today: date) -> list[PlanLine]:
    """Every active budget that `user` may see and that has an amount in the year, with its twelve months."""
    columns = plan_columns(year)
    starts = list(columns.values())
    span = Period(starts[0].start, starts[-1].end)
    budgets = {row.pk: row for row in Budget.objects.visible_to(user).active().select_related("team")}
    rows = BudgetPeriod.objects.filter(budget__in=budgets, start__lt=span.end, end__gt=span.start)
    periods = list(rows.order_by("budget__name", "budget", "start"))
    budgets = {period.budget_id: budgets[period.budget_id] for period in periods}
    if not periods:
        return []
    first = min(period.start for period in periods)
    known = Period(first, max(first, min(max(period.end for period in periods), day_after(today))))
    costs = daily_costs(list(budgets.values()), known) if known.days else {}
    bills = bills_of_budgets(list(budgets.values()), today) if costs else {}
    forecasts = newest_forecasts(periods)
    lines = {pk: PlanLine(budget, {month: PlanMonth() for month in columns}) for pk, budget in budgets.items()}
    billed = set(Dimension.objects.filter(name="currency").values_list("value", flat=True))
    for line in lines.values():
        line.is_billed = not billed or line.budget.currency in billed
    for period in periods:
        pk = period.budget_id
        # Without a bill in its currency all days are as those that no bill has brought.
        own_bills, forecast = (bills.get(pk, []), forecasts.get(period.pk)) if lines[pk].is_billed else ([], None)
        figures = _PeriodFigures(period, budgets[pk], costs.get(pk, DailyCost()), own_bills, forecast, today)
        cell = figures.in_year(span)
        place, cell.columns = _place(period.period, starts)
        _put(lines[pk], list(columns)[place], cell)
        for month, days in columns.items():
            _spread(lines[pk], month, days, cell, figures)
    return list(lines.values())


@dataclass(frozen=True, slots=True)
class _PeriodFigures:
    """A period, and what its figures are made of."""

    row: BudgetPeriod
    budget: Budget
    daily: DailyCost
    bills: Sequence[Bill]
    forecast: Forecast | None
    today: date

    def spent(self, days: Period) -> Decimal | None:
        """What is known to be spent on some days until today; None where no bill has brought any of them."""
        until = min(days.end, day_after(self.today))
        if until <= days.start:
            return None
        spent = self.daily.total(Period(days.start, until))
        months = Period(days.start, until).months()
        return spent if spent or any(is_delivered(self.bills, month) for month in months) else None

    def is_known(self, days: Period) -> bool:
        months = [month for month in days.months() if month.start <= self.today]
        return all(is_month_known(self.bills, month, self.today, self.budget.basis) for month in months)

    def expected(self, days: Period) -> Decimal | None:
        """The forecast for some of its days: what was forecast beyond what is spent, by the days ahead.

        None where there was no cost to forecast from: that is not a forecast of nothing.
        """
        if self.forecast is None or self.forecast.method == Forecast.Method.NONE:
            return None
        period = self.row.period
        if days == period:
            return self.forecast.p50
        ahead = Period(min(max(day_after(self.forecast.as_of), period.start), period.end), period.end)
        inside = Period(max(ahead.start, days.start), max(min(ahead.end, days.end), max(ahead.start, days.start)))
        more = EXACT.subtract(self.forecast.p50, self.forecast.spent)
        return EXACT.add(self.spent(days) or ZERO, _by_days(more, inside, ahead) if ahead.days else ZERO)

    def in_year(self, span: Period) -> PlanMonth:
        period = self.row.period
        days = Period(max(period.start, span.start), min(period.end, span.end))
        cell = PlanMonth(
            _by_days(self.row.budgeted, days, period),
            self.spent(days),
            is_over=days.end <= self.today,
            is_known=self.is_known(days),
            period=period,
            whole_amount=self.row.budgeted,
        )
        if not (cell.is_over and cell.is_known):
            cell.forecast = self.expected(days)
        if period.end <= min(span.end, self.today):
            spent = self.spent(period)
            if spent is not None and (cell.is_known if days == period else self.is_known(period)):
                cell.judged = (self.row.budgeted, spent)
        return cell


def _by_days(amount: Decimal, days: Period, period: Period) -> Decimal:
    """The part of an amount that falls on some of its days."""
    if days == period:
        return amount
    share = EXACT.divide(EXACT.multiply(amount, Decimal(days.days)), Decimal(period.days))
    return share.quantize(STORED_UNIT, context=EXACT)


def _place(period: Period, columns: Sequence[Period]) -> tuple[int, int]:
    """The first column of a period, and how many are its: those whose middle day it holds, one at least."""
    own = [place for place, column in enumerate(columns) if _middle(column) in period]
    if own:
        return own[0], len(own)
    inside = Period(max(period.start, columns[0].start), min(period.end, columns[-1].end))
    return next(place for place, column in enumerate(columns) if _middle(inside) in column), 1


def _middle(period: Period) -> date:
    return period.start + (period.end - period.start) // 2


def _put(line: PlanLine, month: Month, cell: PlanMonth) -> None:
    """Puts a period into its column; where one is there already, they are one cell."""
    other = line.months[month]
    if other.period is not None:
        for name in ("amount", "actual", "forecast", "whole_amount"):
            setattr(cell, name, spend.add([getattr(other, name), getattr(cell, name)]))
        cell.is_over, cell.is_known = cell.is_over and other.is_over, cell.is_known and other.is_known
        if other.judged and cell.judged:
            cell.judged = (EXACT.add(other.judged[0], cell.judged[0]), EXACT.add(other.judged[1], cell.judged[1]))
        else:
            cell.judged = cell.judged or other.judged
    line.months[month] = cell


def _spread(line: PlanLine, month: Month, column: Period, cell: PlanMonth, figures: _PeriodFigures) -> None:
    """Adds what of a period falls on the days of a column."""
    period = figures.row.period
    days = Period(max(period.start, column.start), max(min(period.end, column.end), max(period.start, column.start)))
    if not days.days:
        return
    forecast = None if cell.forecast is None else figures.expected(days)
    parts = {
        "amount": _by_days(figures.row.budgeted, days, period),
        "actual": figures.spent(days),
        "forecast": forecast,
    }
    sums = line.by_column.setdefault(month, {})
    for name, amount in parts.items():
        sums[name] = spend.add([sums.get(name), amount])


def without_children(lines: Sequence[PlanLine]) -> list[PlanLine]:
    """The lines of budgets that have no parent among them, so that nothing counts twice."""
    budgets = {line.budget.pk for line in lines}
    return [line for line in lines if line.budget.parent_id not in budgets]


@dataclass(slots=True)
class PlanSum:
    """What budgets of one currency and basis that have no cost in common sum to, and which are left out as they have.

    `bill`: what was spent in the year, by all that the reader sees, whatever is budgeted.
    """

    currency: str
    basis: str
    lines: list[PlanLine] = field(default_factory=list)
    overlapping: list[tuple[PlanLine, PlanLine]] = field(default_factory=list)
    bill: Decimal | None = None

    def total(self, name: str) -> Decimal | None:
        return spend.add(line.total(name) for line in self.lines)

    @property
    def amount(self) -> Decimal | None:
        return self.total("amount")

    @property
    def actual(self) -> Decimal | None:
        return self.total("actual")

    @property
    def at_year_end(self) -> Decimal | None:
        return spend.add(line.at_year_end for line in self.lines)

    @property
    def basis_words(self) -> str:
        return str(Budget.Basis(self.basis).label)


def sums_without_overlap(user: Person, lines: Sequence[PlanLine], year: int, today: date) -> list[PlanSum]:
    """One sum for each currency and basis: parents before children, then the largest budgets that add no cost twice."""
    values, sums = FilterValues(), dict[tuple[str, str], PlanSum]()
    scopes = {line.budget.pk: values.resolve_all(line.budget.filters) for line in lines}
    tops = {line.budget.pk for line in without_children(lines)}
    order = sorted(
        lines, key=lambda line: (line.budget.pk not in tops, -(line.total("amount") or ZERO), line.budget.name)
    )
    for line in order:
        key = (line.budget.currency, line.budget.basis)
        of_currency = sums.setdefault(key, PlanSum(*key))
        own = scopes[line.budget.pk]
        other = next((taken for taken in of_currency.lines if not are_apart(own, scopes[taken.budget.pk])), None)
        if other is None:
            of_currency.lines.append(line)
        else:
            of_currency.overlapping.append((line, other))
    for of_currency in sums.values():
        of_currency.bill = _bill(user, of_currency, year, today)
    return [sums[key] for key in sorted(sums)]


def _bill(user: Person, of_currency: PlanSum, year: int, today: date) -> Decimal | None:
    """All that the reader sees spent in the year so far, so that a sum above it would be seen."""
    days = list(plan_columns(year).values())
    until = min(days[-1].end, day_after(today))
    if until <= days[0].start:
        return None
    filters = {"currency": [of_currency.currency]}
    rows = spend.find_spend(user, Question(Period(days[0].start, until), (), "", of_currency.basis, filters))
    return spend.add(row.amount for row in rows)


@dataclass(slots=True)
class VarianceFigures:
    """The KPI "variance": in all, by currency, and what is in none of it.

    `unknown`: {budget: its months that are over and not delivered}; `without_rate`: currencies that could not be
    converted; `not_billed`: {budget: its currency, in which there is no bill}, whose months are among `unknown`;
    `same_scope`: budgets left out because another one of the same scope has shorter periods.
    """

    value: Decimal | None = None
    currency: str = ""
    by_currency: dict[str, Decimal | None] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    without_rate: list[str] = field(default_factory=list)
    not_billed: dict[str, str] = field(default_factory=dict)
    same_scope: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What the figure lacks, in sentences."""
        alike: dict[str, list[str]] = defaultdict(list)
        for name, months in self.unknown.items():
            if name not in self.not_billed:
                alike[months].append(name)
        notes = [
            _("{names}: {months} not delivered, so not known.").format(names=some_of(names), months=months)
            for months, names in alike.items()
        ]
        notes += [
            _("{name}: no bill is in {code}, so not known.").format(name=name, code=code)
            for name, code in self.not_billed.items()
        ]
        if self.without_rate:
            notes.append(
                _("Left out for want of an exchange rate: {names}.").format(names=", ".join(self.without_rate))
            )
        if self.same_scope:
            notes.append(
                _("Left out, for another budget of the same scope counts: {same_scope}.").format(
                    same_scope=some_of(self.same_scope)
                )
            )
        return notes


def variance_kpi(lines: Sequence[PlanLine]) -> Decimal | None:
    """The KPI "variance": |actual - amount| of every known month that is over and every budget, in % of the amounts."""
    return variance_figures(lines).value


def variance_figures(lines: Sequence[PlanLine]) -> VarianceFigures:
    """The KPI "variance" and what it is made of, in the reporting currency at the rates of the months.

    Absolute values, so that one team's saving does not hide another's overrun; budgets under a parent are counted
    themselves and the parent is left out, and of two budgets with the same scope the one of shorter periods counts.
    Without a reporting currency, the one of most budgets.
    """
    figures, counted = VarianceFigures(), list[PlanLine]()
    parents, scopes = {line.budget.parent_id for line in lines}, set[tuple[object, ...]]()
    for line in sorted(lines, key=lambda line: (FINEST_FIRST.index(line.budget.kind), line.budget.pk)):
        budget = line.budget
        scope = (budget.basis, repr(sorted(budget.filters.items())))
        if budget.pk in parents:
            continue
        if scope in scopes:
            figures.same_scope.append(budget.name)
            continue
        scopes.add(scope)
        counted.append(line)
    judged: dict[str, list[tuple[date, Decimal, Decimal]]] = defaultdict(list)
    for line in counted:
        unknown = [month for month, cell in line.months.items() if cell.is_unknown]
        if unknown:
            figures.unknown[line.budget.name] = text_lazy(partial(_months_text, unknown))
            if not line.is_billed:
                figures.not_billed[line.budget.name] = line.budget.currency
        for cell in line.months.values():
            if cell.judged is not None and cell.period is not None:
                amount, actual = cell.judged
                judged[line.budget.currency].append((cell.period.last_day, amount, abs(EXACT.subtract(actual, amount))))
    if not judged:
        return figures
    figures.currency = reporting_currency() or max(sorted(judged), key=lambda code: len(judged[code]))
    figures.by_currency = {code: _share(rows) for code, rows in sorted(judged.items())}
    days = [day for rows in judged.values() for day, _amount, _missed in rows]
    exchange = Exchange(figures.currency, "month", Period(min(days), day_after(max(days))), set(judged))
    converted: list[tuple[date, Decimal, Decimal]] = []
    for code, rows in judged.items():
        if not exchange.knows(code, [day for day, _amount, _missed in rows]):
            figures.without_rate.append(code)
            continue
        for day, amount, missed in rows:
            values = [exchange.convert(value, code, day) or ZERO for value in (amount, missed)]
            converted.append((day, values[0], values[1]))
    figures.value = _share(converted)
    return figures


def _share(rows: Iterable[tuple[date, Decimal, Decimal]]) -> Decimal | None:
    rows = list(rows)
    missed = sum((row[2] for row in rows), ZERO)
    return percent(ratio(missed, sum((row[1] for row in rows), ZERO)))


def _months_text(months: Sequence[Month]) -> str:
    """``Apr 2026``, ``Apr 2026 to Oct 2026`` where they follow one another, else each."""
    if len(months) > 2 and months[-1] == months[0].plus(len(months) - 1):
        return pgettext("months", "{first} to {last}").format(first=month_text(months[0]), last=month_text(months[-1]))
    return ", ".join(month_text(month) for month in months)


def variance_reasons(user: Person, budget: Budget, period: Period, amount: Decimal) -> list[VariancePart]:
    """Why a period cost more or less than `amount`, against the one before; the parts sum to the variance.

    A whole month, quarter or year has the one before it; of a part of one, as many days before it.
    """
    before = Period(period.start - (period.end - period.start), period.start)
    cut = budget.cut
    if budget.kind in MONTHS and cut.covers_all_of_its_period(period):
        before = cut.calendar.holding(budget.kind, period.start - date.resolution)
    return explain_variance(amount, _items(user, budget, before), _items(user, budget, period))


def _items(user: Person, budget: Budget, period: Period) -> dict[CostItem, ItemUse]:
    lines = filtered_rows(CostLine.objects.visible_to(user), budget.question(period)).order_by()
    grouped = lines.values_list("service", "instance_type", "unit", "charge_category", "commitment")
    items: dict[CostItem, ItemUse] = {}
    for service, instance_type, unit, category, commitment, cost, quantity in grouped.annotate(
        cost=Sum(budget.basis), used=Sum("quantity")
    ):
        item = CostItem(service, instance_type, unit, category, bool(commitment))
        before = items.get(item, ItemUse(ZERO, ZERO))
        items[item] = ItemUse(EXACT.add(before.cost, cost or ZERO), (before.quantity or ZERO) + (quantity or ZERO))
    return items
