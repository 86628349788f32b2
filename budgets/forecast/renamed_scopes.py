"""What a scope that fell silent may be called now: values that began when it ended, at a similar daily cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from budgets.calc.quiet_scopes import QUIET_DAYS, is_similar
from budgets.models import Budget, Forecast
from costs.calc.dimensions import TAG
from costs.calc.filters import describe_filter, dimension_of, filter_name, filter_value, is_tag
from costs.query.group_labels import group_labels
from costs.query.question import Question
from costs.query.spend import find_spend, sums_by_currency, total_spend
from costs.query.tag_keys import all_tag_keys
from finops_site.lib.periods import Period
from finops_site.lib.person import Person

DAYS = 28
# No more keys of tags are looked at for one that took the place of another.
MOST_KEYS = 30
Filters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class LikelyName:
    """A filter that may stand in the place of one that matches nothing any more, in words, and its cost a day."""

    text: str
    filters: Filters
    daily: Decimal
    period: Period


def likely_names(user: Person, budget: Budget, forecast: Forecast) -> list[LikelyName]:
    """The likeliest new names of what a budget counts, of what `user` may see; none where it has not fallen silent."""
    quiet = forecast.quiet_since
    if quiet is None or forecast.complete_until is None:
        return []
    after = Period(quiet + timedelta(days=1), forecast.complete_until + timedelta(days=1))
    before = Period(quiet - timedelta(days=DAYS - 1), quiet + timedelta(days=1))
    if after.days < QUIET_DAYS:
        return []
    usual = (total_spend(user, Question(before, metric=budget.basis, filters=budget.filters)).get(budget.currency)) or 0
    daily_before = Decimal(usual) / before.days
    rows = []
    for dimension in dict.fromkeys(map(dimension_of, budget.scope)):
        rest = {name: values for name, values in budget.filters.items() if dimension_of(name) != dimension}
        rows += _new_values(user, budget, dimension, rest, (before, after), daily_before)
        if is_tag(dimension):
            rows += _new_keys(user, budget, dimension, rest, (before, after), daily_before)
    return sorted(rows, key=lambda name: abs(name.daily - daily_before))


def _new_values(
    user: Person, budget: Budget, dimension: str, rest: Filters, spans: tuple[Period, Period], usual: Decimal
) -> list[LikelyName]:
    after = spans[1]
    questions = [Question(span, (dimension,), "", budget.basis, rest) for span in spans]
    earlier = {row.group for row in find_spend(user, questions[0]) if row.amount}
    rows = [row for row in find_spend(user, questions[1]) if row.amount and row.group not in earlier and row.group[0]]
    name, labels = filter_name(dimension), group_labels((dimension,), rows)
    return [
        LikelyName(
            describe_filter(name, [labels[row.group]]),
            {**rest, name: [filter_value(dimension, row.group[0])]},
            daily,
            after,
        )
        for row in rows
        if is_similar(daily := (row.amount or Decimal(0)) / after.days, usual)
    ]


def _new_keys(
    user: Person, budget: Budget, dimension: str, rest: Filters, spans: tuple[Period, Period], usual: Decimal
) -> list[LikelyName]:
    """Other keys that have the same values since the old one has none."""
    values = [value for name, own in budget.scope.items() if name == dimension for value in own]
    rows = []
    for key in all_tag_keys()[:MOST_KEYS] if values else ():
        name = filter_name(f"{TAG}{key}")
        filters = {**rest, name: values}
        if f"{TAG}{key}".lower() == dimension.lower():
            continue
        sums = [
            sums_by_currency(find_spend(user, Question(span, (), "", budget.basis, filters))).get(budget.currency)
            for span in spans
        ]
        daily = (sums[1] or Decimal(0)) / spans[1].days
        if not sums[0] and is_similar(daily, usual):
            rows.append(LikelyName(describe_filter(name, values), filters, daily, spans[1]))
    return rows


def other_currencies(user: Person, budget: Budget, period: Period) -> list[str]:
    """The currencies in which a scope has cost in a period, where it has none in the budget's own."""
    filters = {name: values for name, values in budget.filters.items() if name != "currency"}
    sums = total_spend(user, Question(period, metric=budget.basis, filters=filters))
    return [] if sums.get(budget.currency) else sorted(code for code, amount in sums.items() if amount)
