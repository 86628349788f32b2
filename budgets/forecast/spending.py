"""What many budgets have spent, by day: a question for each shape of scope, never one for each budget.

Two scopes have the same shape when they filter by the same dimensions. One grouped query answers for all budgets of a
shape: each of its groups is added to every budget that counts it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import numpy as np

from budgets.calc.cost_history import Floats
from budgets.models import Budget
from costs.calc.known_until import Bill
from costs.models import DayRollup
from costs.query import spend
from costs.query.known_until import delivered_bills, touches
from costs.query.question import Question
from costs.query.rows import stored_values
from costs.query.scope import NOBODY
from costs.query.tag_keys import tag_keys_of
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import WholeCompany
from finops_site.models import Team

CATEGORY, PURCHASE = "charge_category", "Purchase"
# More values than this are not worth naming in the query: it groups by them anyway.
MOST_NAMED = 1000
YEAR = 12
ZERO = Decimal(0)
ScopeShape = tuple[str, tuple[str, ...]]
# The currency, and the values of the shape's dimensions but the category.
GroupKey = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class DailyCost:
    """The cost of each day, exactly; days without any are left out."""

    amounts: dict[date, Decimal] = field(default_factory=dict)

    def add(self, day: date, amount: Decimal) -> None:
        self.amounts[day] = EXACT.add(self.amounts.get(day, ZERO), amount)

    def total(self, period: Period) -> Decimal:
        """The exact sum of the days in `period`."""
        return exact_sum(amount for day, amount in self.amounts.items() if day in period)

    def last_day(self) -> date | None:
        return max((day for day, amount in self.amounts.items() if amount), default=None)


def last_delivered_day(as_of: date) -> date | None:
    """The last charge day up to `as_of` in any current bill."""
    days = DayRollup.objects.current().filter(charge_date__lte=as_of)
    last: date | None = days.order_by("-charge_date").values_list("charge_date", flat=True).first()
    return last


def bills_of_budgets(budgets: Sequence[Budget], as_of: date) -> dict[int, list[Bill]]:
    """{budget id: the bills that its scope had cost from in the last year}; all bills for a scope without any cost."""
    bills = delivered_bills(WholeCompany(), as_of)
    by_budget = {budget.pk: bills for budget in budgets}
    if len(bills) < 2:
        return by_budget
    month = Month.of(as_of)
    period = Period(month.plus(-YEAR).start, month.next.start)
    touched: dict[int, set[tuple[int, str]]] = defaultdict(set)
    tree = TeamTree()
    for shape, alike in _by_shape(budgets).items():
        question = replace(_question_of_shape(shape, alike, period), grain="month")
        place = question.group_by.index(CATEGORY) if CATEGORY in question.group_by else None
        by_group = _budgets_by_group(alike, shape, tree)
        rows = spend.grouped_rows(WholeCompany(), question, tag_keys_of(question.names))
        names = (
            *spend.group_names(question),
            "currency",
            "delivery_month__stream_id",
            "sub_account",
            "billing_account",
        )
        for *group, currency, stream, account, billing in rows.values_list(*names).distinct():
            values = [NOBODY if value is None else str(value) for value in group]
            if place is not None:
                del values[place]
            for budget in by_group.get((currency, tuple(values)), ()):
                touched[budget.pk].add((stream, account or billing))
    for pk, accounts in touched.items():
        by_budget[pk] = [bill for bill in bills if touches(bill, accounts)]
    return by_budget


def scope_shape(budget: Budget) -> ScopeShape:
    """What must be the same for budgets to be answered by one query."""
    names = set(budget.filters) | ({CATEGORY} if budget.left_out else set())
    return budget.basis, tuple(sorted(names))


def daily_costs(budgets: Sequence[Budget], period: Period) -> dict[int, DailyCost]:
    """{budget id: the cost of its scope by charge day in `period`, in its currency}."""
    tree = TeamTree()
    costs = {budget.pk: DailyCost() for budget in budgets}
    for shape, alike in _by_shape(budgets).items():
        question, by_group = _question_of_shape(shape, alike, period), _budgets_by_group(alike, shape, tree)
        if left_out := _add_costs(costs, question, by_group):
            _add_other_purchases(costs, replace(question, period=left_out), by_group)
    return costs


def _by_shape(budgets: Sequence[Budget]) -> dict[ScopeShape, list[Budget]]:
    shapes: dict[ScopeShape, list[Budget]] = defaultdict(list)
    for budget in budgets:
        shapes[scope_shape(budget)].append(budget)
    return shapes


def monthly_costs(budgets: Sequence[Budget], period: Period) -> dict[int, dict[date, Decimal]]:
    """{budget id: {first day of the month: cost}}, every month of `period` among them."""
    months = list(period.months())
    return {
        pk: {month.start: costs.total(month.period) for month in months}
        for pk, costs in daily_costs(budgets, period).items()
    }


def total_cost(budget: Budget, period: Period) -> Decimal:
    """The exact cost of one budget's scope in `period`."""
    return daily_costs([budget], period)[budget.pk].total(period)


def _question_of_shape(shape: ScopeShape, alike: Sequence[Budget], period: Period) -> Question:
    """All groups of the shape, narrowed to the values that any budget filters by."""
    basis, names = shape
    filters = {"currency": sorted({budget.currency for budget in alike})}
    for name in names:
        values = {value for budget in alike for value in budget.filters.get(name, [])}
        # The teams below a team are looked up once here, and not by the query for each.
        if name not in ("team", CATEGORY) and len(values) <= MOST_NAMED:
            filters[name] = sorted(values)
    return Question(period, names, "day", basis, filters)


def _budgets_by_group(alike: Sequence[Budget], shape: ScopeShape, tree: "TeamTree") -> dict[GroupKey, list[Budget]]:
    """{group of the query: the budgets that count it}."""
    by_group: dict[GroupKey, list[Budget]] = defaultdict(list)
    for budget in alike:
        filters = budget.filters
        names = [name for name in shape[1] if name != CATEGORY]
        choices = [
            tree.with_teams_below(filters[name]) if name == "team" else stored_values(name, filters[name])
            for name in names
        ]
        for values in product(*(sorted(set(choice)) for choice in choices)):
            by_group[(budget.currency, values)].append(budget)
    return by_group


def _add_costs(
    costs: dict[int, DailyCost], question: Question, by_group: Mapping[GroupKey, Sequence[Budget]]
) -> Period | None:
    """Adds what each budget counts; returns the days on which some budget left out a purchase."""
    budgets = {budget.pk: budget for group in by_group.values() for budget in group}
    left_out = {pk: set(budget.left_out) for pk, budget in budgets.items()}
    days_of_purchases: set[date] = set()
    for budget, category, day, amount in _amounts(question, by_group):
        if category not in left_out[budget.pk]:
            costs[budget.pk].add(day, amount)
        elif category == PURCHASE:
            days_of_purchases.add(day)
    return Period(min(days_of_purchases), day_after(max(days_of_purchases))) if days_of_purchases else None


def _add_other_purchases(
    costs: dict[int, DailyCost], question: Question, by_group: Mapping[GroupKey, Sequence[Budget]]
) -> None:
    """Adds the purchases that are no commitment's to budgets that leave out those of commitments.

    Cost lines know the commitment, rollups do not: they are asked for the few lines that are purchases.
    """
    filters = {**question.filters, CATEGORY: [PURCHASE], "commitment": [NOBODY]}
    for budget, _category, day, amount in _amounts(replace(question, filters=filters), by_group):
        if not budget.with_purchases:
            costs[budget.pk].add(day, amount)


def _amounts(
    question: Question, by_group: Mapping[GroupKey, Sequence[Budget]]
) -> Iterator[tuple[Budget, str, date, Decimal]]:
    """Each budget with the category, day and amount of each group that its scope counts."""
    place = question.group_by.index(CATEGORY) if CATEGORY in question.group_by else None
    only = {budget.pk: set(budget.filters.get(CATEGORY, [])) for group in by_group.values() for budget in group}
    for *group, day, currency, amount in spend.stream_spend(question):
        values = [NOBODY if value is None else str(value) for value in group]
        category = values.pop(place) if place is not None else ""
        for budget in by_group.get((currency, tuple(values)), ()):
            if amount and (not only[budget.pk] or category in only[budget.pk]):
                yield budget, category, day, amount


class TeamTree:
    """The teams below each team, out of one query."""

    def __init__(self) -> None:
        self.children: dict[int | None, list[int]] = defaultdict(list)
        for pk, parent in Team.objects.values_list("pk", "parent"):
            self.children[parent].append(pk)

    def with_teams_below(self, values: Sequence[str]) -> list[str]:
        """The same filter values, and every team below one of them."""
        teams, left = {value for value in values if not value.isdigit()}, [int(v) for v in values if v.isdigit()]
        while left:
            team = left.pop()
            if str(team) not in teams:
                teams.add(str(team))
                left.extend(self.children[team])
        return sorted(teams)


def cost_matrix(costs: Sequence[DailyCost], period: Period) -> Floats:
    """The days of `period` as a row of floats for each of `costs`, for statistics."""
    matrix = np.zeros((len(costs), period.days))
    for row, series in enumerate(costs):
        for day, amount in series.amounts.items():
            column = (day - period.start).days
            if 0 <= column < period.days:
                matrix[row, column] = float(amount)
    return matrix


def day_after(day: date) -> date:
    return day + timedelta(days=1)
