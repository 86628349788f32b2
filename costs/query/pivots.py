"""Answers laid out as tables: the largest groups, and the exact rest as Other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import FloatField, Sum
from django.db.models.functions import Abs, Cast

from costs.calc import dimensions
from costs.calc.dimensions import Choices
from costs.query.group_labels import group_labels
from costs.query.question import Question
from costs.query.result_cache import cached
from costs.query.spend import SpendRow, add, as_group, find_spend, group_names, grouped_rows, minus
from costs.query.tag_keys import tag_keys_of
from finops_site.lib.periods import Period
from finops_site.lib.person import Person

OTHER = "Other"


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


def build_pivots(user: Person, question: Question, *, top: int = 10, to_merge: bool = False) -> list[Pivot]:
    """The answer as tables, one for each currency, with its `top` largest groups and the exact rest as Other.

    Large is what is far from zero: a credit too. Pivots `to_merge` (their currencies become one) list the leaders of
    every currency in all of them, so that no part of a leader is hidden in Other.
    """
    totals = find_spend(user, Question(question.period, (), question.grain, question.metric, question.filters))
    currencies = sorted({row.currency for row in totals})
    leaders = _leaders(user, question, top, currencies) if question.group_by else set()
    rows = _rows_of_leaders(user, question, leaders, to_merge) if question.group_by else find_spend(user, question)
    labels = group_labels(question.group_by, rows) if question.group_by else {}
    buckets = _buckets(question, totals)
    return [_pivot(code, buckets, rows, totals, labels) for code in currencies]


def _buckets(question: Question, totals: Sequence[SpendRow]) -> list[date]:
    """Every bucket with cost; of months those between them too: one without a bill is a gap that is seen."""
    days = sorted({row.bucket for row in totals if row.bucket})
    if question.grain != "month" or not days:
        return days
    return [month.start for month in Period(days[0], days[-1] + timedelta(days=1)).months()]


def _rows_of_leaders(user: Person, question: Question, leaders: Leaders, to_merge: bool) -> list[SpendRow]:
    """The rows of the leading groups; the first dimension narrows the query, the second is compared here."""
    groups = {group for group, _ in leaders}
    first = {group[0] for group in groups}
    name = question.group_by[0]
    narrows = name != "billing_month" and dimensions.named(name).choices not in (Choices.TEAMS, Choices.POOLS)
    if first and narrows:
        values = set(question.filters.get(name, first)) & first
        filters = {**question.filters, name: sorted(values)}
        question = Question(question.period, question.group_by, question.grain, question.metric, filters)
    rows = find_spend(user, question)
    return [row for row in rows if (row.group in groups if to_merge else (row.group, row.currency) in leaders)]


def _leaders(user: Person, question: Question, top: int, currencies: Sequence[str]) -> Leaders:
    """(group, currency) of the totals farthest from zero, `top` of each currency."""
    keys = tag_keys_of(question.names)

    def query() -> Leaders:
        ungrained = Question(question.period, question.group_by, "", question.metric, question.filters)
        # Which are the largest needs no eighteenth decimal, and sums of floats take half the time and memory.
        size = Sum(Cast(question.metric, FloatField()))
        rows = grouped_rows(user, ungrained, keys).annotate(size=size)
        by_size = rows.order_by(Abs("size").desc(nulls_last=True)).values_list(*group_names(question), "currency")
        # One after the other: a rank over all of them would sort every resource there is.
        return {
            (as_group(group), currency)
            for code in currencies
            for *group, currency in by_size.filter(currency=code)[:top]
        }

    return cached(user, ("leaders by currency", question, top, sorted(keys.items())), query)


def _pivot(
    currency: str,
    buckets: list[date],
    rows: Sequence[SpendRow],
    totals: Sequence[SpendRow],
    labels: Mapping[tuple[str, ...], str],
) -> Pivot:
    """`labels`: of each group; empty for a question that groups by nothing."""
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
    return Pivot(currency, buckets, [*groups, *_rest(sums, groups)], sums, add(sums))


def _rest(sums: Sequence[Decimal | None], groups: Sequence[PivotGroup]) -> list[PivotGroup]:
    """What the listed groups leave of the total, exactly; nothing when they leave nothing."""
    if not groups:
        return []
    listed = [add(group.amounts[number] for group in groups) for number in range(len(sums))]
    rest = [minus(total, part) for total, part in zip(sums, listed, strict=True)]
    return [PivotGroup((), OTHER, rest, add(rest))] if any(rest) else []
