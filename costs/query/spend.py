"""What was spent: sums by group, step of time and currency, answered by the smallest table that knows enough.

Year-long questions are answered by the month rollup, those by resource by the resource rollup, daily ones by the day
rollup, and only what these do not carry (resources or tags by day) by the cost lines themselves. Every sum is per
currency.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import F, Max, QuerySet, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import TruncMonth, TruncWeek

from costs.models import MonthRollup, ResourceRollup
from costs.query.question import Question
from costs.query.result_cache import cached
from costs.query.rows import filtered_rows, group_value, table_for
from costs.query.scope import NOBODY
from costs.query.tag_keys import TagKeys, tag_keys_of
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.person import Person, WholeCompany


@dataclass(frozen=True, slots=True)
class SpendRow:
    """One sum: of a group (a value for each dimension), in a bucket of time, in one currency.

    `name` is what its resource is called, where the question groups by resource.
    """

    group: tuple[str, ...]
    bucket: date | None
    currency: str
    amount: Decimal | None
    name: str = ""


def find_spend(
    user: Person, question: Question, *, limit: int | None = None, keys: TagKeys | None = None
) -> list[SpendRow]:
    """Every sum that answers the question, of what `user` may see.

    `keys`: what the question's tags mean, where that was looked up already.
    """
    keys = tag_keys_of(question.names) if keys is None else keys

    def query() -> list[SpendRow]:
        bucket = bucket_of(question)
        names = [*group_names(question), *(["bucket"] if bucket else []), "currency"]
        resource_name = Max("resource_name") if "resource" in question.group_by else Max(Value(""))
        rows = grouped_rows(user, question, keys).annotate(
            **({"bucket": bucket} if bucket else {}), amount=Sum(question.metric), name=resource_name
        )
        values = rows.order_by(*names).values_list(*names, "amount", "name")
        groups = len(question.group_by)
        return [
            SpendRow(as_group(row[:groups]), row[groups] if bucket else None, *row[-3:])
            for row in (values[:limit] if limit else values)
        ]

    # Which keys a tag means today is part of the question: a result is kept no longer than that.
    return cached(user, ("rows", question, limit, sorted(keys.items())), query)


def find_unknown(user: Person, question: Question) -> set[tuple[tuple[str, ...], date | None, str]]:
    """(group, bucket, currency) of every sum that `find_spend` makes of a part: of some lines the metric is not known.

    Sums leave those lines out; whoever judges by a sum must not take them for zero.
    """
    keys = tag_keys_of(question.names)

    def query() -> set[tuple[tuple[str, ...], date | None, str]]:
        bucket = bucket_of(question)
        names = [*group_names(question), *(["bucket"] if bucket else []), "currency"]
        rows = grouped_rows(user, question, keys).filter(**{f"{question.metric}__isnull": True})
        values = rows.annotate(**({"bucket": bucket} if bucket else {})).values_list(*names).distinct()
        groups = len(question.group_by)
        return {(as_group(row[:groups]), row[groups] if bucket else None, row[-1]) for row in values}

    return cached(user, ("unknown", question, sorted(keys.items())), query)


def stream_spend(question: Question, **also: Combinable) -> Iterator[tuple[Any, ...]]:
    """(*group, *also, bucket, currency, sum) of the whole company, row by row and not cached: for the work of a night.

    `also`: what else of a row the sums are grouped by.
    """
    rows = grouped_rows(WholeCompany(), question, tag_keys_of(question.names)).annotate(
        **also, bucket=bucket_of(question) or Value(""), amount=Sum(question.metric)
    )
    yield from rows.values_list(*group_names(question), *also, "bucket", "currency", "amount").iterator(chunk_size=5000)


def total_spend(user: Person, question: Question) -> dict[str, Decimal | None]:
    """The sum of all that the question is about, by currency."""
    ungrouped = Question(question.period, (), "", question.metric, question.filters)
    return {row.currency: row.amount for row in find_spend(user, ungrouped)}


def grouped_rows(user: Person, question: Question, keys: TagKeys, *, by_currency: bool = True) -> QuerySet:
    """The filtered rows of the table that answers, grouped by each of `group_names`, and by currency."""
    rows = filtered_rows(table_for(question).objects.visible_to(user), question, keys)
    groups = {
        alias: group_value(name, keys) for alias, name in zip(group_names(question), question.group_by, strict=True)
    }
    return rows.order_by().annotate(**groups).values(*groups, *(["currency"] if by_currency else []))


def group_names(question: Question) -> list[str]:
    """What a query calls the values of a group: g0, g1 and so on."""
    return [f"g{number}" for number in range(len(question.group_by))]


def as_group(values: Sequence[Any]) -> tuple[str, ...]:
    """The values of a group as text."""
    return tuple(NOBODY if value is None else str(value) for value in values)


def bucket_of(question: Question) -> Combinable | None:
    """The first day of the step of time that a row of the table that answers is in; None without a grain."""
    if not question.grain:
        return None
    if question.grain == "month":
        return F("charge_month") if table_for(question) in (MonthRollup, ResourceRollup) else TruncMonth("charge_date")
    return TruncWeek("charge_date") if question.grain == "week" else F("charge_date")


def add(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The exact sum of what is known; None when nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return exact_sum(known) if known else None


def minus(total: Decimal | None, part: Decimal | None) -> Decimal | None:
    """What `part` leaves of `total`, exactly; None where the total is not known."""
    return None if total is None else EXACT.subtract(total, part or Decimal(0))


def sums_by_currency(rows: Iterable[SpendRow]) -> dict[str, Decimal | None]:
    """{currency: the exact sum of its rows}; None where nothing of it is known."""
    amounts: dict[str, list[Decimal | None]] = {}
    for row in rows:
        amounts.setdefault(row.currency, []).append(row.amount)
    return {code: add(of_currency) for code, of_currency in amounts.items()}
