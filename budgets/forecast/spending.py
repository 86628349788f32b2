"""What many budgets have spent, by day: a question for each shape of scope, never one for each budget.

Two scopes have the same shape when they filter by the same dimensions with the same operators. One grouped query
answers for all budgets of a shape: each of its groups is added to every budget that counts it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from django.db.models import Case, IntegerField, Q, Value, When
from django.db.models.expressions import Combinable

from budgets.calc.cost_history import Floats
from budgets.models import Budget
from costs.calc.filters import Filter, Operator, compared, dimension_of, filter_name
from costs.calc.known_until import Bill
from costs.models import DayRollup
from costs.query import spend
from costs.query.filter_values import FilterValues
from costs.query.known_until import delivered_bills, touches
from costs.query.question import Question
from costs.query.tag_keys import tag_keys_of
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import WholeCompany

# More values than this are not worth naming in the query: it groups by them anyway.
MOST_NAMED = 1000
YEAR = 12
# The number of no bill.
NO_BILL = -1
ZERO = Decimal(0)
NOT_OF_KINDS = filter_name("charge_kind", Operator.NOT)
# The metric and the filters of a budget.
BudgetScope = tuple[str, Mapping[str, Sequence[str]]]
# The metric, and the names of the filters.
ScopeShape = tuple[str, tuple[str, ...]]
# The currency, and the values of the shape's dimensions.
GroupKey = tuple[str, ...]


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
    for alike in _by_shape(_without_kinds(budgets), period):
        question = replace(alike.question, grain="month")
        rows = spend.grouped_rows(WholeCompany(), question, tag_keys_of(question.names))
        names = (
            *spend.group_names(question),
            "currency",
            "delivery_month__stream_id",
            "sub_account",
            "billing_account",
        )
        for *group, currency, stream, account, billing in rows.values_list(*names).distinct():
            for pk in alike.budgets_of((currency, *spend.as_group(group))):
                touched[pk].add((stream, account or billing))
    for pk, accounts in touched.items():
        by_budget[pk] = [bill for bill in bills if touches(bill, accounts)]
    return by_budget


def daily_costs(budgets: Sequence[Budget], period: Period) -> dict[int, DailyCost]:
    """{budget id: the cost of its scope by charge day in `period`, in its currency}."""
    costs = {budget.pk: DailyCost() for budget in budgets}
    for pk, _, day, amount in _amounts(budgets, period):
        costs[pk].add(day, amount)
    return costs


def daily_costs_by_bill(
    budgets: Sequence[Budget], period: Period, bills: Sequence[Bill]
) -> dict[int, dict[int, DailyCost]]:
    """{budget id: {place in `bills`: the cost that this bill brings}}; under NO_BILL what none of them brings.

    What several of them may bring is in the first of those.
    """
    costs: dict[int, dict[int, DailyCost]] = {budget.pk: defaultdict(DailyCost) for budget in budgets}
    for pk, place, day, amount in _amounts(budgets, period, _place_of_bill(bills)):
        costs[pk][place].add(day, amount)
    return costs


def _place_of_bill(bills: Sequence[Bill]) -> Combinable:
    """Which of the bills brings a row, as `touches` has it."""
    places = []
    for place, bill in enumerate(bills):
        names = sorted(bill.accounts | bill.payers)
        account = Q(sub_account__in=names) | Q(sub_account="", billing_account__in=names)
        in_layout, loose = sorted(bill.streams - bill.loose), sorted(bill.loose)
        brings = Q(delivery_month__stream__in=in_layout) | (Q(delivery_month__stream__in=loose) & account)
        places.append(When(brings, then=Value(place)))
    return Case(*places, default=Value(NO_BILL), output_field=IntegerField())


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


class BudgetsOfOneShape:
    """Budgets whose scopes have the same shape: what to ask for all of them, and which of them count a group.

    Which budgets count a value is decided once for each distinct value of a dimension.
    """

    def __init__(self, shape: ScopeShape, scopes: Mapping[int, Sequence[Filter]], period: Period) -> None:
        """`scopes`: {budget: its filters with the values that groups have}, the currency among them."""
        metric, names = shape
        others = dict.fromkeys(dimension_of(name) for name in names if name != "currency")
        self.places = ["currency", *others]
        # For each place: {value: budgets that list it}, and {filters: budgets that ask otherwise than by one list}.
        self.listed: list[dict[str, set[int]]] = [defaultdict(set) for _ in self.places]
        self.compared: list[dict[tuple[Filter, ...], set[int]]] = [defaultdict(set) for _ in self.places]
        self.by_value: list[dict[str, set[int]]] = [{} for _ in self.places]
        self.by_group: dict[GroupKey, set[int]] = {}
        for pk, filters in scopes.items():
            for place, dimension in enumerate(self.places):
                self._add(place, pk, tuple(own for own in filters if own.dimension == dimension))
        self.question = Question(period, tuple(others), "day", metric, self._narrowing(names))

    def _add(self, place: int, budget: int, filters: tuple[Filter, ...]) -> None:
        if len(filters) == 1 and filters[0].operator is Operator.IS:
            for value in filters[0].values:
                self.listed[place][value].add(budget)
        else:
            self.compared[place][filters].add(budget)

    def _narrowing(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The values that the budgets list, where all of them do."""
        narrowing = {}
        for place, dimension in enumerate(self.places):
            values, is_listed = self.listed[place], dimension in names and not self.compared[place]
            if is_listed and len(values) <= MOST_NAMED:
                narrowing[dimension] = sorted(values)
        return narrowing

    def budgets_of(self, group: GroupKey) -> set[int]:
        """The ids of the budgets that count a group: its currency, then a value for each dimension of the question."""
        if group not in self.by_group:
            sets = (self._budgets_of_value(place, value) for place, value in enumerate(group))
            self.by_group[group] = set.intersection(*sets)
        return self.by_group[group]

    def _budgets_of_value(self, place: int, value: str) -> set[int]:
        decided = self.by_value[place]
        if value not in decided:
            accepting = (
                budgets
                for filters, budgets in self.compared[place].items()
                if all(chosen.accepts(value) for chosen in filters)
            )
            decided[value] = self.listed[place].get(compared(self.places[place], value), set()).union(*accepting)
        return decided[value]


def scope_shape(budget: Budget) -> ScopeShape:
    """What must be the same for budgets to be answered by one query."""
    return budget.basis, tuple(sorted(budget.filters))


def _by_shape(scopes: Mapping[int, BudgetScope], period: Period) -> list[BudgetsOfOneShape]:
    shapes: dict[ScopeShape, dict[int, list[Filter]]] = defaultdict(dict)
    values = FilterValues()
    for pk, (metric, filters) in scopes.items():
        shapes[metric, tuple(sorted(filters))][pk] = values.resolve_all(filters)
    return [BudgetsOfOneShape(shape, alike, period) for shape, alike in shapes.items()]


def _without_kinds(budgets: Sequence[Budget]) -> dict[int, BudgetScope]:
    """The scopes as if they left out no kind of charge, so that rollups can answer."""
    return {
        budget.pk: (budget.basis, {name: chosen for name, chosen in budget.filters.items() if name != NOT_OF_KINDS})
        for budget in budgets
    }


def _of_kinds_left_out(budgets: Sequence[Budget]) -> dict[int, BudgetScope]:
    """The scopes of what is left out by its kind: the few lines that are known by an index."""
    return {
        pk: (metric, {**filters, "charge_kind": budget.filters[NOT_OF_KINDS]})
        for budget in budgets
        if NOT_OF_KINDS in budget.filters
        for pk, (metric, filters) in _without_kinds([budget]).items()
    }


def _amounts(
    budgets: Sequence[Budget], period: Period, place: Combinable | None = None
) -> Iterator[tuple[int, int, date, Decimal]]:
    """Each budget with the `place`, day and amount of each group that its scope counts."""
    place = place or Value(NO_BILL)
    for alike in _by_shape(_without_kinds(budgets), period):
        yield from _amounts_of_shape(alike, place)
    # Rollups do not know the kind of a charge; of the lines that do, only those that are left out are asked for.
    for alike in _by_shape(_of_kinds_left_out(budgets), period):
        yield from ((pk, number, day, -amount) for pk, number, day, amount in _amounts_of_shape(alike, place))


def _amounts_of_shape(alike: BudgetsOfOneShape, place: Combinable) -> Iterator[tuple[int, int, date, Decimal]]:
    for *group, number, day, currency, amount in spend.stream_spend(alike.question, place=place):
        if amount:
            for pk in alike.budgets_of((currency, *spend.as_group(group))):
                yield pk, number, day, amount


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
