"""What waits for a person's decision, as the pillars registered it."""

from typing import Any

from django.db.models import Count, IntegerField, Subquery, Value

from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.registry import PendingDecision, PendingDecisionSource, registry

MOST = 20


def waiting_for(user: Person) -> list[PendingDecision]:
    """Everything that this person may decide now; one question where nothing waits."""
    asked = [(each, each.rows(user)) for each in registry.allowed(PendingDecisionSource, user)]
    if not asked:
        return []
    numbers = User.objects.filter(pk=user.pk).values_list(*(_number(rows) for _, rows in asked)).get()
    waits = zip(asked, numbers, strict=True)
    return [item for (each, rows), number in waits if number for item in each.items(user, rows)]


def _number(rows: Any) -> Subquery:
    counted = rows.order_by().annotate(all_of_them=Value(1)).values("all_of_them").annotate(n=Count("pk")).values("n")
    return Subquery(counted, output_field=IntegerField())


def said(rows: Any, one: str, many: str, url: str) -> list[PendingDecision]:
    """One row by its name and at its own address, several as a number at the address of their list."""
    found = list(rows[: MOST + 1])
    if len(found) == 1:
        return [PendingDecision(f"{one}: {found[0]}", found[0].get_absolute_url())]
    number = f"more than {MOST}" if len(found) > MOST else str(len(found))
    return [PendingDecision(f"{number} {many}", url)] if found else []
