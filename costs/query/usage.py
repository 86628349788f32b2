"""How much was used, and what a unit of it cost: amounts of different units are never added."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import F, Max, Q, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import TruncMonth, TruncWeek
from django.utils.translation import gettext as _

from costs.models import CostLine
from costs.query.group_labels import group_labels
from costs.query.pivots import OTHER, Pivot, PivotGroup
from costs.query.question import BadQuestion, Question
from costs.query.result_cache import cached
from costs.query.rows import filtered_rows, group_value
from costs.query.spend import SpendRow, add, as_group, group_names
from costs.query.tag_keys import tag_keys_of
from finops_site.lib.money import ratio
from finops_site.lib.person import Person
from finops_site.lib.words import number_text

MOST_ROWS = 50_000
MOST_UNITS = 6


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The usage of a group in a step of time, in one unit, and what it cost in one currency.

    `priced` is the quantity of what has a known cost: a price divides by no other.
    """

    group: tuple[str, ...]
    bucket: date | None
    unit: str
    currency: str
    quantity: Decimal
    cost: Decimal | None
    priced: Decimal | None
    name: str = ""

    @property
    def unit_price(self) -> Decimal | None:
        return _price(self.cost, self.priced)


@dataclass(frozen=True, slots=True)
class UsagePivot:
    """A table of one unit: of quantities where `currency` is empty, else of what a unit cost in it."""

    unit: str
    currency: str
    pivot: Pivot


def find_usage(user: Person, question: Question) -> list[UsageRow]:
    """Every sum of a quantity that the bills have, by a step of time. Raises BadQuestion for too many of them."""
    keys = tag_keys_of(question.names)
    steps: dict[str, Combinable] = {"month": TruncMonth("charge_date"), "week": TruncWeek("charge_date")}

    def query() -> list[UsageRow]:
        groups = {
            alias: group_value(name, keys) for alias, name in zip(group_names(question), question.group_by, strict=True)
        }
        rows = filtered_rows(CostLine.objects.visible_to(user), question, keys)
        rows = rows.filter(quantity__isnull=False).exclude(unit="").order_by()
        rows = rows.annotate(**groups, bucket=steps.get(question.grain, F("charge_date")))
        names = [*groups, "bucket", "unit", "currency"]
        name = Max("resource_name") if "resource" in question.group_by else Max(Value(""))
        priced = Sum("quantity", filter=Q(**{f"{question.metric}__isnull": False}))
        sums = rows.values(*names).annotate(used=Sum("quantity"), cost=Sum(question.metric), priced=priced, name=name)
        return [
            UsageRow(as_group(row[: len(groups)]), *row[len(groups) :])
            for row in sums.values_list(*names, "used", "cost", "priced", "name")[: MOST_ROWS + 1]
        ]

    usage = cached(user, ("usage", question, sorted(keys.items())), query)
    if len(usage) > MOST_ROWS:
        raise BadQuestion(
            _("The answer has more than {most_rows} rows: ask for a shorter time or filter it.").format(
                most_rows=number_text(MOST_ROWS)
            )
        )
    return usage


def lines_without_unit(user: Person, question: Question) -> int:
    """How many cost lines have a quantity and no unit: nobody knows what of, so they are in no table."""
    rows = filtered_rows(CostLine.objects.visible_to(user), question).filter(unit="").exclude(quantity=0)
    return cached(user, ("lines without unit", question), rows.exclude(quantity=None).count)


def usage_pivots(rows: Sequence[UsageRow], question: Question, *, per_unit: bool, top: int) -> list[UsagePivot]:
    """A table for each unit, the dearest first: what was used, or, `per_unit`, what a unit of it cost.

    Of prices every sum is the cost of all divided by the quantity of all that has a cost, and Other is what remains of
    both.
    """
    labels = _labels(question, rows)
    tables: dict[tuple[str, str], list[UsageRow]] = defaultdict(list)
    for row in rows:
        tables[row.unit, row.currency if per_unit else ""].append(row)
    dearest = sorted(tables.items(), key=lambda item: -abs(add(row.cost for row in item[1]) or Decimal(0)))
    return [UsagePivot(unit, currency, _pivot(currency, of_unit, labels, top)) for (unit, currency), of_unit in dearest]


def _labels(question: Question, rows: Iterable[UsageRow]) -> dict[tuple[str, ...], str]:
    if not question.group_by:
        return {}
    return group_labels(question.group_by, [SpendRow(row.group, None, "", None, row.name) for row in rows])


def _pivot(currency: str, rows: Sequence[UsageRow], labels: dict[tuple[str, ...], str], top: int) -> Pivot:
    buckets = sorted({row.bucket for row in rows if row.bucket})
    by_group: dict[tuple[str, ...], list[UsageRow]] = defaultdict(list)
    for row in rows if labels else ():
        by_group[row.group].append(row)
    ranked = sorted(by_group.items(), key=lambda item: (-abs(_size(item[1], currency)), item[0]))
    groups = [_group(keys, labels[keys], of_group, buckets, currency) for keys, of_group in ranked[:top]]
    if rest := [row for _ignored, of_group in ranked[top:] for row in of_group]:
        groups.append(_group((), str(OTHER), rest, buckets, currency))
    total = _group((), _("Total"), rows, buckets, currency)
    return Pivot(currency, buckets, groups, total.amounts, total.total)


def _size(rows: Iterable[UsageRow], currency: str) -> Decimal:
    return add(row.cost if currency else row.quantity for row in rows) or Decimal(0)


def _group(
    keys: tuple[str, ...], label: str, rows: Sequence[UsageRow], buckets: Sequence[date], currency: str
) -> PivotGroup:
    by_bucket: dict[date | None, list[UsageRow]] = defaultdict(list)
    for row in rows:
        by_bucket[row.bucket].append(row)
    return PivotGroup(
        keys, label, [_figure(by_bucket.get(bucket, []), currency) for bucket in buckets], _figure(rows, currency)
    )


def _figure(rows: Sequence[UsageRow], currency: str) -> Decimal | None:
    """The quantity of the rows; with a currency, the cost of all of them for one unit."""
    if not currency:
        return add(row.quantity for row in rows)
    return _price(add(row.cost for row in rows), add(row.priced for row in rows))


def _price(cost: Decimal | None, quantity: Decimal | None) -> Decimal | None:
    return None if cost is None or not quantity else ratio(cost, quantity)
