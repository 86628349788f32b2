"""Whose a cost is: a team's, shared in a pool or unowned, as filters name it and as pages show it."""

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Case, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce

from costs.calc.dimensions import NOBODY as NOBODY
from costs.models import GroupedAccount
from costs.querysets import SIDES
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy

POOLED = "shared"
# What people call what has no team, and as files have it, which are English.
UNOWNED, SHARED = _lazy("Unowned"), _lazy("Shared")
UNOWNED_IN_FILES, SHARED_IN_FILES = "Unowned", "Shared"
# What has no team: the value in filters and groups -> its name for people.
WITHOUT_TEAM = {POOLED: SHARED, NOBODY: UNOWNED}


def filters_of(user: Person) -> dict[str, list[str]]:
    """The teams a person leads or works in; no filter for those who see the whole company, or more than teams."""
    return {} if user.sees_whole_company or user.cost_scope else {"team": [str(pk) for pk in user.visible_team_ids]}


def team_or_shared() -> Coalesce:
    """The team's id as text, POOLED for what a pool holds; null, which is NOBODY, for the rest."""
    pooled = Case(When(pool__isnull=False, then=Value(POOLED)), output_field=TextField())
    return Coalesce(Cast("owner", TextField()), pooled)


class TeamTree:
    """The names of teams and the teams below each, out of one query."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.children: dict[int | None, list[int]] = defaultdict(list)
        for pk, name, parent in Team.objects.values_list("pk", "name", "parent"):
            self.names[str(pk)] = name
            self.children[parent].append(pk)

    def with_teams_below(self, values: Sequence[str]) -> list[str]:
        """The same filter values, and every team below one of them."""
        teams, left = {value for value in values if not value.isdigit()}, [int(v) for v in values if v.isdigit()]
        while left:
            team = left.pop()
            if str(team) not in teams:
                teams.add(str(team))
                left.extend(self.children[team])
        return sorted(teams)


def of_teams(queryset: QuerySet, values: Sequence[str]) -> QuerySet:
    """Lines of these teams and the teams below them; NOBODY stands for what nobody owns, POOLED for what pools hold."""
    return queryset.filter(owned_by(TeamTree().with_teams_below(values)))


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


def in_account_groups(values: Sequence[str]) -> Q:
    """Lines of the accounts in these groups; NOBODY stands for accounts in none."""
    grouped = GroupedAccount.objects.order_by().values("account")
    condition = Q(sub_account__in=grouped.filter(group__in=ids_in(values)))
    return condition | ~Q(sub_account__in=grouped) if NOBODY in values else condition


def ids_in(values: Sequence[str]) -> list[int]:
    """The values that are ids, as numbers."""
    return [int(value) for value in values if value.isdigit()]
