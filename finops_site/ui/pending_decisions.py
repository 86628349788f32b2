"""What waits for a person's decision, as the pillars registered it."""

from django.db.models import Count, IntegerField, QuerySet, Subquery, Value

from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.registry import PendingDecision, PendingDecisionSource, registry

MOST = 20


def waiting_for(user: Person) -> list[PendingDecision]:
    """Everything that this person may decide now; one question where nothing waits."""
    querysets = [(source, source.rows(user)) for source in registry.allowed(PendingDecisionSource, user)]
    if not querysets:
        return []
    counts = User.objects.filter(pk=user.pk).values_list(*(_count(rows) for _, rows in querysets)).get()
    waiting = [pair for pair, count in zip(querysets, counts, strict=True) if count]
    return [item for source, rows in waiting for item in source.items(user, rows)]


def _count(rows: QuerySet) -> Subquery:
    counted = rows.order_by().annotate(all_of_them=Value(1)).values("all_of_them").annotate(n=Count("pk")).values("n")
    return Subquery(counted, output_field=IntegerField())


def decision_items(rows: QuerySet, one: str, many: str, url: str) -> list[PendingDecision]:
    """One row by its name and at its own address, several as a number at the address of their list."""
    first = list(rows[: MOST + 1])
    if len(first) == 1:
        return [PendingDecision(f"{one}: {first[0]}", first[0].get_absolute_url())]
    number = f"more than {MOST}" if len(first) > MOST else str(len(first))
    return [PendingDecision(f"{number} {many}", url)] if first else []
