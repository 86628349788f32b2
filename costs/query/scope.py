"""Whose a cost is: a team's, shared in a pool or unowned, as filters name it and as pages show it."""

from collections.abc import Sequence

from django.db.models import Case, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce

from costs.querysets import SIDES
from finops_site.lib.person import Person
from finops_site.models import Team

NOBODY = "none"
UNOWNED = "Unowned"
POOLED = "shared"
SHARED = "Shared"
# What has no team: the value in filters and groups -> its name for people.
WITHOUT_TEAM = {POOLED: SHARED, NOBODY: UNOWNED}


def filters_of(user: Person) -> dict[str, list[str]]:
    """The teams a person leads or works in; no filter for those who see the whole company."""
    return {} if user.sees_whole_company else {"team": [str(pk) for pk in user.visible_team_ids]}


def team_or_shared() -> Coalesce:
    """The team's id as text, POOLED for what a pool holds; null, which is NOBODY, for the rest."""
    pooled = Case(When(pool__isnull=False, then=Value(POOLED)), output_field=TextField())
    return Coalesce(Cast("owner", TextField()), pooled)


def of_teams(queryset: QuerySet, values: Sequence[str]) -> QuerySet:
    """Lines of these teams and the teams below them; NOBODY stands for what nobody owns, POOLED for what pools hold."""
    condition = owned_by(values)
    for team in Team.objects.filter(pk__in=ids_in(values)):
        condition |= Q(owner__in=list(Team.objects.below(team).values_list("pk", flat=True)))
    return queryset.filter(condition)


def owned_by(values: Sequence[str]) -> Q:
    """These teams themselves, nobody, and pools."""
    condition = Q(owner__in=ids_in(values))
    for value, side in ((NOBODY, "unowned"), (POOLED, "shared")):
        if value in values:
            condition |= SIDES[side]
    return condition


def in_pools(values: Sequence[str]) -> Q:
    """Lines of these pools; NOBODY stands for lines in none."""
    condition = Q(pool__in=ids_in(values))
    return condition | Q(pool__isnull=True) if NOBODY in values else condition


def ids_in(values: Sequence[str]) -> list[int]:
    """The values that are ids, as numbers."""
    return [int(value) for value in values if value.isdigit()]
