"""Two periods side by side by any dimension, and why the one costs more than the other.

The reasons are those of `costs/calc/change_parts.py`, found resource by resource; they sum to the difference exactly.
Those of the total are the same whatever it is grouped by: what moved from one group to another is new and gone in
neither, and in the total it is compared with itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Coalesce

from costs.calc.change_parts import PeriodCost, explain_change, sum_by_kind
from costs.calc.charge_kinds import CREDIT
from costs.models import CostLine
from costs.query.group_labels import group_labels
from costs.query.pivots import OTHER
from costs.query.question import Question
from costs.query.result_cache import cached
from costs.query.rows import filtered_rows, group_value
from costs.query.spend import SpendRow, add, as_group, group_names
from costs.query.tag_keys import TagKeys, tag_keys_of
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy

TOTAL = _lazy("Total")
ZERO = Decimal(0)
# (group, currency) -> {what parts its things: the cost of one of them}.
CostsByGroup = dict[tuple[tuple[str, ...], str], dict[tuple[str, ...], PeriodCost]]


@dataclass(frozen=True, slots=True)
class ComparedGroup:
    """A group in both periods, None where it has no cost; `parts` {kind of change: its sum} make up the difference.

    `keys` are its values, empty for what was put together as Other and for the total.
    """

    keys: tuple[str, ...]
    label: str
    before: Decimal | None
    after: Decimal | None
    parts: dict[str, Decimal] = field(default_factory=dict)

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after or ZERO, self.before or ZERO)


@dataclass(frozen=True, slots=True)
class ComparedPeriods:
    """The groups of one currency, the largest difference first, and the total that they sum to."""

    currency: str
    groups: list[ComparedGroup]
    total: ComparedGroup


def compare_periods(user: Person, question: Question, before: Period, *, top: int | None = 10) -> list[ComparedPeriods]:
    """The question's period against `before`, for each currency as it was billed.

    The `top` groups whose cost differs most are listed, and all others together as Other; every group where it is None.
    """
    keys = tag_keys_of(question.names)

    def query() -> list[ComparedPeriods]:
        names: dict[tuple[str, ...], str] = {}
        was = _costs(user, replace(question, period=before), keys, names)
        now = _costs(user, question, keys, names)
        return [
            _of_currency(code, was, now, names, top)
            for code in sorted({currency for _ignored, currency in (*was, *now)})
        ]

    compared = cached(user, ("compared periods", question, before, top, sorted(keys.items())), query)
    if not question.group_by:
        return [replace(one, groups=[], total=_named(one.total)) for one in compared]
    # Sums are cached, names are not: a team, a pool or a group of accounts may be called otherwise since.
    listed = [group for one in compared for group in one.groups if group.keys]
    labels = group_labels(question.group_by, [SpendRow(group.keys, None, "", None, group.label) for group in listed])
    return [
        replace(
            one,
            groups=[replace(group, label=labels.get(group.keys, str(group.label))) for group in one.groups],
            total=_named(one.total),
        )
        for one in compared
    ]


def _named(group: ComparedGroup) -> ComparedGroup:
    """The group with its label in the language of the reader: sums are cached for everybody."""
    return replace(group, label=str(group.label))


def _costs(user: Person, question: Question, keys: TagKeys, names: dict[tuple[str, ...], str]) -> CostsByGroup:
    """What each resource cost, per unit of its quantity. Fills `names` in: {group: what its resource is called}."""
    metric = question.metric
    reference = Coalesce("contracted_cost", "list_cost", metric)
    groups = {
        alias: group_value(name, keys) for alias, name in zip(group_names(question), question.group_by, strict=True)
    }
    things = ("service", "charge_category", "resource", "unit", "currency")
    # Aliases of our own, for a dimension may be one of the columns that part the things.
    parting = {f"thing_{name}": F(name) for name in things}
    rows = filtered_rows(CostLine.objects.visible_to(user), question, keys).order_by().annotate(**groups, **parting)
    sums = rows.values(*groups, *parting).annotate(
        cost=Sum(metric),
        # Of what has a cost: another quantity has no part in its price.
        amount=Sum("quantity", filter=Q(**{f"{metric}__isnull": False})),
        saved=Sum(reference - F(metric), filter=Q(commitment_status="Used")),
        name=Max("resource_name"),
    )
    costs: CostsByGroup = defaultdict(dict)
    for row in sums.values_list(*groups, *parting, "cost", "amount", "saved", "name").iterator(chunk_size=5000):
        group = as_group(row[: len(groups)])
        service, category, resource, unit, currency, cost, amount, saved, name = row[len(groups) :]
        if cost is None:
            # Not delivered is not zero: what is known of the days stands beside the figures.
            continue
        thing = resource or f"{service}, {category}"
        names[group] = max(names.get(group, ""), name if "resource" in question.group_by else "")
        part = (service, category, resource, unit)
        costs[group, currency][part] = PeriodCost(thing, unit, cost, amount, saved or ZERO, category == CREDIT)
    return costs


def _of_currency(
    currency: str, was: CostsByGroup, now: CostsByGroup, names: dict[tuple[str, ...], str], top: int | None
) -> ComparedPeriods:
    """The groups have the names of their resources for labels."""
    groups = []
    all_before, all_after = _all_costs(was, currency), _all_costs(now, currency)
    # What a group itself had is no question here: `explain_change` looks at that first.
    others = (_things(all_before), _things(all_after))
    for group in sorted({group for group, code in (*was, *now) if code == currency}):
        before, after = (list(side.get((group, currency), {}).values()) for side in (was, now))
        groups.append(
            ComparedGroup(
                group,
                names.get(group, ""),
                add(cost.cost for cost in before),
                add(cost.cost for cost in after),
                sum_by_kind(explain_change(before, after, others)),
            )
        )
    total = replace(_together(TOTAL, groups), parts=sum_by_kind(explain_change(all_before, all_after)))
    groups.sort(key=lambda group: (-abs(group.difference), -abs(group.after or ZERO)))
    if top is not None and len(groups) > top + 1:
        groups = [*groups[:top], _together(OTHER, groups[top:])]
    return ComparedPeriods(currency, groups, total)


def _all_costs(costs: CostsByGroup, currency: str) -> list[PeriodCost]:
    """What a period cost in one currency, with nothing grouped."""
    sums: dict[tuple[str, ...], PeriodCost] = {}
    for (_ignored, code), of_group in costs.items():
        for part, cost in of_group.items() if code == currency else ():
            known = sums.get(part)
            # As a sum of SQL has it: unknown only where all are unknown.
            quantity = add([known.quantity, cost.quantity]) if known else cost.quantity
            sums[part] = replace(known.plus(cost), quantity=quantity) if known else cost
    return list(sums.values())


def _things(costs: Iterable[PeriodCost]) -> Set[str]:
    return {cost.thing for cost in costs if not cost.is_credit}


def _together(label: str, groups: Sequence[ComparedGroup]) -> ComparedGroup:
    parts: dict[str, list[Decimal]] = defaultdict(list)
    for group in groups:
        for kind, amount in group.parts.items():
            parts[kind].append(amount)
    sums: Iterable[tuple[str, Any]] = ((kind, add(amounts)) for kind, amounts in parts.items())
    return ComparedGroup(
        (), label, add(group.before for group in groups), add(group.after for group in groups), dict(sums)
    )
