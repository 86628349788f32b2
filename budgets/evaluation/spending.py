"""What many budgets have spent, by day: a question for each shape of scope, never one for each budget.

Two scopes have the same shape when they filter by the same dimensions. One grouped query answers for all budgets of a
shape: its groups are handed to every budget that wants them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import numpy as np

from budgets.calc.forecast import Floats
from budgets.models import Budget
from costs.models import DayRollup
from costs.query import spend
from costs.query.spend import NOBODY, Question
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Period
from finops_site.models import Team

CATEGORY = "charge_category"
# More values than this are not worth naming in the query: it groups by them anyway.
MOST_NAMED = 1000
ZERO = Decimal(0)
Key = tuple[str, ...]
Shape = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class Days:
    """The cost of each day, exactly; days without any are left out."""

    amounts: dict[date, Decimal] = field(default_factory=dict)

    def add(self, day: date, amount: Decimal) -> None:
        self.amounts[day] = EXACT.add(self.amounts.get(day, ZERO), amount)

    def total(self, period: Period) -> Decimal:
        """The exact sum of the days in `period`."""
        return exact_sum(amount for day, amount in self.amounts.items() if day in period)

    def last(self) -> date | None:
        return max((day for day, amount in self.amounts.items() if amount), default=None)


def last_delivered(as_of: date) -> date | None:
    """The last charge day up to `as_of` that any current bill tells of."""
    days = DayRollup.objects.current().filter(charge_date__lte=as_of)
    found: date | None = days.order_by("-charge_date").values_list("charge_date", flat=True).first()
    return found


def shape_of(budget: Budget) -> Shape:
    """What must be the same for budgets to be answered by one query."""
    names = set(budget.filters) | ({CATEGORY} if budget.left_out else set())
    return budget.basis, tuple(sorted(names))


def daily(budgets: Sequence[Budget], period: Period) -> dict[int, Days]:
    """{budget id: the cost of its scope by charge day in `period`, in its currency}."""
    shapes: dict[Shape, list[Budget]] = defaultdict(list)
    for budget in budgets:
        shapes[shape_of(budget)].append(budget)
    tree = Tree()
    found = {budget.pk: Days() for budget in budgets}
    for (basis, names), alike in shapes.items():
        _add(found, _question(basis, names, alike, period), _wanted(alike, names, tree))
    return found


def monthly(budgets: Sequence[Budget], period: Period) -> dict[int, dict[date, Decimal]]:
    """{budget id: {first day of the month: cost}}, every month of `period` among them."""
    days = daily(budgets, period)
    return {pk: {month.start: each.total(month.period) for month in period.months()} for pk, each in days.items()}


def spent(budget: Budget, period: Period) -> Decimal:
    """The exact cost of one budget's scope in `period`."""
    return daily([budget], period)[budget.pk].total(period)


def _question(basis: str, names: Key, alike: Sequence[Budget], period: Period) -> Question:
    """All groups of the shape, narrowed to the values that any budget asks for."""
    filters = {"currency": sorted({budget.currency for budget in alike})}
    for name in names:
        values = {value for budget in alike for value in budget.filters.get(name, [])}
        # The teams below a team are found here once and not by the query for each.
        if name not in ("team", CATEGORY) and len(values) <= MOST_NAMED:
            filters[name] = sorted(values)
    return Question(period, names, "day", basis, filters)


def _wanted(alike: Sequence[Budget], names: Key, tree: "Tree") -> dict[tuple[str, Key], list[Budget]]:
    """{(currency, values of the shape's dimensions but the category): the budgets that count it}."""
    found: dict[tuple[str, Key], list[Budget]] = defaultdict(list)
    for budget in alike:
        for key in _keys(budget, [name for name in names if name != CATEGORY], tree):
            found[(budget.currency, key)].append(budget)
    return found


def _keys(budget: Budget, names: Sequence[str], tree: "Tree") -> Iterable[Key]:
    filters = budget.filters
    choices = [tree.below(filters[name]) if name == "team" else filters[name] for name in names]
    return product(*(sorted(set(values)) for values in choices))


def _add(found: dict[int, Days], question: Question, wanted: Mapping[tuple[str, Key], list[Budget]]) -> None:
    place = question.group_by.index(CATEGORY) if CATEGORY in question.group_by else None
    asks = {budget.pk: set(budget.filters.get(CATEGORY, [])) for many in wanted.values() for budget in many}
    out = {budget.pk: set(budget.left_out) for many in wanted.values() for budget in many}
    for *group, day, currency, amount in spend.stream(question):
        values = [NOBODY if value is None else str(value) for value in group]
        category = values.pop(place) if place is not None else ""
        for budget in wanted.get((currency, tuple(values)), ()):
            if amount and category not in out[budget.pk] and (not asks[budget.pk] or category in asks[budget.pk]):
                found[budget.pk].add(day, amount)


class Tree:
    """The teams below each team, out of one query."""

    def __init__(self) -> None:
        self.children: dict[int | None, list[int]] = defaultdict(list)
        for pk, parent in Team.objects.values_list("pk", "parent"):
            self.children[parent].append(pk)

    def below(self, values: Sequence[str]) -> list[str]:
        found, left = {value for value in values if not value.isdigit()}, [int(v) for v in values if v.isdigit()]
        while left:
            team = left.pop()
            if str(team) not in found:
                found.add(str(team))
                left.extend(self.children[team])
        return sorted(found)


def matrix(days: Sequence[Days], period: Period) -> Floats:
    """The days of `period` as a row of floats for each of `days`, for statistics."""
    found = np.zeros((len(days), period.days))
    for row, each in enumerate(days):
        for day, amount in each.amounts.items():
            column = (day - period.start).days
            if 0 <= column < period.days:
                found[row, column] = float(amount)
    return found


def day_after(day: date) -> date:
    return day + timedelta(days=1)
