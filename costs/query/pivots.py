"""Answers laid out as tables: the largest groups, and the exact rest as Other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import DateField, F, FloatField, QuerySet, Sum, TextField, Value
from django.db.models.functions import Abs, Cast, Concat
from django.utils.translation import gettext as _

from costs.calc import dimensions
from costs.calc.dimensions import Choices
from costs.calc.filters import filter_name
from costs.query.group_labels import group_labels
from costs.query.question import Question
from costs.query.result_cache import cached
from costs.query.rows import SpelledBy
from costs.query.spend import SpendRow, add, as_group, bucket_of, find_spend, group_names, grouped_rows, minus
from costs.query.tag_keys import TagKeys, tag_keys_of
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy

OTHER = _lazy("Other")


@dataclass(frozen=True, slots=True)
class Pivot:
    """An answer laid out as a table: a row for each group, a column for each bucket, in one currency."""

    currency: str
    buckets: list[date]
    groups: list["PivotGroup"]
    sums: list[Decimal | None]
    total: Decimal | None


@dataclass(frozen=True, slots=True)
class PivotGroup:
    """A row of a pivot. `keys` are its values, empty for what was put together as Other."""

    keys: tuple[str, ...]
    label: str
    amounts: list[Decimal | None]
    total: Decimal | None


# (group, currency) of the groups that are listed by name.
Leaders = set[tuple[tuple[str, ...], str]]
# {currency: {step of time: what one of it is worth in the currency that all of them become}}.
Worths = Mapping[str, Mapping[date, Decimal]]


def build_pivots(user: Person, question: Question, *, top: int = 10, worths: Worths | None = None) -> list[Pivot]:
    """The answer as tables, one for each currency, with its `top` largest groups and the exact rest as Other.

    Large is what is far from zero: a credit too. Currencies with `worths` become one: they have the same leaders, the
    largest by what a group cost in all of them together, so that no part of a leader is hidden in Other. Needs a grain.
    """
    totals = find_spend(user, Question(question.period, (), question.grain, question.metric, question.filters))
    currencies = sorted({row.currency for row in totals})
    keys = tag_keys_of(question.names)
    leaders, cut = (
        _leaders(user, question, top, currencies, keys, worths or {}) if question.group_by else (set(), set())
    )
    rows = (
        _rows_of_leaders(user, question, leaders, keys) if question.group_by else find_spend(user, question, keys=keys)
    )
    labels = group_labels(question.group_by, rows) if question.group_by else {}
    buckets = _buckets(question, totals)
    return [_pivot(code, buckets, rows, totals, labels, code in cut) for code in currencies]


def skip_largest(pivot: Pivot, count: int) -> Pivot:
    """The same table with its `count` largest groups in one row, so that those that follow are listed."""
    larger, others = pivot.groups[:count], pivot.groups[count:]
    if not larger or not larger[-1].keys:
        return pivot
    amounts = [add(column) for column in zip(*(group.amounts for group in larger), strict=True)]
    together = PivotGroup((), _("The {count} largest").format(count=len(larger)), amounts, add(amounts))
    return replace(pivot, groups=[together, *others])


def _buckets(question: Question, totals: Sequence[SpendRow]) -> list[date]:
    """Every bucket with cost; of months those between them too: one without a bill is a gap that is seen."""
    days = sorted({row.bucket for row in totals if row.bucket})
    if question.grain != "month" or not days:
        return days
    return [month.start for month in Period(days[0], days[-1] + timedelta(days=1)).months()]


def _rows_of_leaders(user: Person, question: Question, leaders: Leaders, keys: TagKeys) -> list[SpendRow]:
    """The rows of the leading groups; the first dimension narrows the query, the second is compared here."""
    first = {group[0] for group, _ignored in leaders}
    name = question.group_by[0]
    narrows = name != "billing_month" and dimensions.named(name).choices in (Choices.CATALOGUE, Choices.NONE)
    if first and narrows:
        # The leaders are among what the filters leave.
        filters = {**question.filters, filter_name(name): sorted(first)}
        question = Question(question.period, question.group_by, question.grain, question.metric, filters)
    rows = find_spend(user, question, keys=keys)
    return [row for row in rows if (row.group, row.currency) in leaders]


def _leaders(
    user: Person, question: Question, top: int, currencies: Sequence[str], keys: TagKeys, worths: Worths
) -> tuple[Leaders, set[str]]:
    """(group, currency) of the totals farthest from zero: `top` of each currency, and of those with `worths` together.

    And the currencies that have more groups than these. Which are the largest needs no eighteenth decimal, and sums of
    floats take half the time and memory.
    """
    names = group_names(question)
    amount = Cast(question.metric, FloatField())

    def largest(rows: QuerySet, size: Sum) -> list[tuple[str, ...]]:
        # Of those of one size, the same ones lead each time.
        ranking = (Abs("size").desc(nulls_last=True), *names)
        return [as_group(group) for group in rows.annotate(size=size).order_by(*ranking).values_list(*names)[: top + 1]]

    def query() -> tuple[Leaders, set[str]]:
        ungrained = Question(question.period, question.group_by, "", question.metric, question.filters)
        rows = grouped_rows(user, ungrained, keys)
        # One after the other: a rank over all of them would sort every resource there is.
        ranked = {code: largest(rows.filter(currency=code), Sum(amount)) for code in currencies if code not in worths}
        if worths:
            ranked |= dict.fromkeys(worths, largest(*_sizes_together(user, question, keys, worths)))
        leaders = {(group, code) for code, groups in ranked.items() for group in groups[:top]}
        return leaders, {code for code, groups in ranked.items() if len(groups) > top}

    return cached(user, ("leaders of each currency", question, top, sorted(keys.items()), worths), query)


def _sizes_together(user: Person, question: Question, keys: TagKeys, worths: Worths) -> tuple[QuerySet, Sum]:
    """The rows of all currencies with `worths` by group, and what they cost together."""
    amount = Cast(question.metric, FloatField())
    if len({worth for steps in worths.values() for worth in steps.values()}) < 2:
        # Nothing to tell apart: the smallest table there is has the sums.
        question, size = replace(question, grain=""), Sum(amount)
    else:
        size = Sum(amount * _worth(question, worths))
    return grouped_rows(user, question, keys, by_currency=False).filter(currency__in=list(worths)), size


def _worth(question: Question, worths: Worths) -> Cast:
    """What one of a row's currency is worth in its step of time; null where nothing was spent in it."""
    of_step = {f"{code}{step}": float(worth) for code, steps in worths.items() for step, worth in steps.items()}
    bucket = bucket_of(question)
    assert bucket is not None, "rates are those of steps of time"
    # A truncated day is a moment to PostgreSQL.
    step = Cast(Cast(bucket, DateField()), TextField())
    return Cast(SpelledBy(Value(json.dumps(of_step)), Concat(F("currency"), step)), FloatField())


def _pivot(
    currency: str,
    buckets: list[date],
    rows: Sequence[SpendRow],
    totals: Sequence[SpendRow],
    labels: Mapping[tuple[str, ...], str],
    is_cut: bool,
) -> Pivot:
    """`labels`: of each group; empty for a question that groups by nothing. `is_cut`: there are groups beside these."""
    columns: Sequence[date | None] = buckets or [None]

    def by_bucket(of_group: Sequence[SpendRow]) -> list[Decimal | None]:
        amounts = {row.bucket: row.amount for row in of_group}
        return [amounts.get(bucket) for bucket in columns]

    sums = by_bucket([row for row in totals if row.currency == currency])
    by_group: dict[tuple[str, ...], list[SpendRow]] = {}
    for row in rows if labels else ():
        if row.currency == currency:
            by_group.setdefault(row.group, []).append(row)
    groups = []
    for keys, of_group in by_group.items():
        amounts = by_bucket(of_group)
        groups.append(PivotGroup(keys, labels[keys], amounts, add(amounts)))
    groups.sort(key=lambda group: -abs(group.total or 0))  # type: ignore[operator]
    return Pivot(currency, buckets, [*groups, *_rest(sums, groups, is_cut)], sums, add(sums))


def _rest(sums: Sequence[Decimal | None], groups: Sequence[PivotGroup], is_cut: bool) -> list[PivotGroup]:
    """What the listed groups leave of the total, exactly; nothing when they leave nothing.

    Where there are more groups they leave something, though it may sum to zero.
    """
    if not groups and not is_cut:
        return []
    listed = [add(group.amounts[number] for group in groups) for number in range(len(sums))]
    rest = [minus(total, part) for total, part in zip(sums, listed, strict=True)]
    return [PivotGroup((), str(OTHER), rest, add(rest))] if is_cut or any(rest) else []
