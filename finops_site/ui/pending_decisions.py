"""What waits for a person's decision, as the pillars registered it."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Count, IntegerField, QuerySet, Subquery, Value
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.registry import PendingDecision, PendingDecisionSource, registry

# Of one kind so many are named, the rest are a number.
NAMED = 3
MOST = 20
# (amount, currency, what it counts) of a row.
AmountOf = Callable[[Any], tuple[Decimal | None, str, str]]


def waiting_for(user: Person) -> list[PendingDecision]:
    """Everything that this person may decide now; one question where nothing waits."""
    sources = registry.allowed(PendingDecisionSource, user)
    rows = [source.rows(user) for source in sources]
    counts = count_rows(user, rows)
    waiting = [pair for *pair, count in zip(sources, rows, counts, strict=True) if count]
    return [item for source, of_source in waiting for item in source.items(user, of_source)]


def count_rows(user: Person, querysets: Sequence[QuerySet]) -> Sequence[int]:
    """How many rows each queryset has, all in one query; none (or None) where it is empty."""
    if not querysets:
        return []
    counts: Sequence[int] = User.objects.filter(pk=user.pk).values_list(*(_count(rows) for rows in querysets)).get()
    return counts


def _count(rows: QuerySet) -> Subquery:
    counted = rows.order_by().annotate(all_of_them=Value(1)).values("all_of_them").annotate(n=Count("pk")).values("n")
    return Subquery(counted, output_field=IntegerField())


def decision_items(
    rows: Sequence[Any] | QuerySet, one: str, many: str, url: str, *, amount_of: AmountOf | None = None
) -> list[PendingDecision]:
    """Each by its name and at its own address, with its money; of many the first, and a number at their list."""
    first = list(rows[: MOST + 1])
    named = first if len(first) <= NAMED + 1 else first[:NAMED]
    items = [
        PendingDecision(
            _("{label}: {text}").format(label=one, text=row),
            row.get_absolute_url(),
            *(amount_of(row) if amount_of else ()),
        )
        for row in named
    ]
    if rest := len(first) - len(named):
        number = _("more than {value}").format(value=MOST - len(named)) if len(first) > MOST else str(rest)
        items.append(PendingDecision(_("{number} more {many}").format(number=number, many=many), url))
    return items
