"""How much it takes to be an anomaly in each scope, and who may say so."""

from collections.abc import Mapping, Sequence

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from budgets.anomalies.cost_scopes import Scope
from budgets.calc.anomaly_detection import NORMAL
from budgets.models import AnomalySensitivity
from budgets.permissions import led_teams
from finops_site.lib.person import Person
from finops_site.lib.trees import all_above
from finops_site.models import Team


def sensitivities_of(scopes: Sequence[Scope]) -> list[str]:
    """The level of each scope: of what fits it, the one that names most; out of two queries for all of them.

    One of a team holds for the teams below it too, as far as these have none of their own.
    """
    rows = list(AnomalySensitivity.objects.values_list("team", "service", "account", "level"))
    if not rows:
        return [NORMAL] * len(scopes)
    levels: dict[tuple[int | None, str, str], str] = {
        (team, service, account): level for team, service, account, level in rows
    }
    parents = dict(Team.objects.values_list("pk", "parent"))
    return [_level(levels, parents, scope) for scope in scopes]


def _level(levels: Mapping[tuple[int | None, str, str], str], parents: Mapping[int, int | None], scope: Scope) -> str:
    _kind, team, service, account, _currency = scope
    teams = [team, *all_above(team, parents), None] if team else [None]
    named = [(service, account), (service, ""), ("", account), ("", "")]
    return next(
        (levels[key] for pair in named for one in teams if (key := (one, *pair)) in levels and any(key)), NORMAL
    )


def may_set_sensitivity(user: Person, team_id: int | None) -> bool:
    """Finance everywhere; a lead for the teams she leads and those below."""
    if user.has_perm("budgets.change_budget"):
        return True
    return user.has_perm("budgets.propose_budget") and team_id is not None and team_id in led_teams(user)


def check_sensitivity(row: AnomalySensitivity, user: Person) -> None:
    """Raises PermissionDenied where she may not set it; ValidationError where it is wrong."""
    before = AnomalySensitivity.objects.filter(pk=row.pk).values_list("team", flat=True).first() if row.pk else None
    if not may_set_sensitivity(user, row.team_id) or (row.pk and not may_set_sensitivity(user, before)):
        raise PermissionDenied(_("Finance sets it everywhere, a lead for the teams that she leads."))
    row.full_clean()
    same = AnomalySensitivity.objects.filter(team=row.team_id, service=row.service, account=row.account)
    if same.exclude(pk=row.pk).exists():
        raise ValidationError(_("This scope has a sensitivity already: change that one."))


def save_sensitivity(row: AnomalySensitivity, user: Person) -> AnomalySensitivity:
    """Saves what the page, the API and the admin ask for; it holds from the next night on. Raises as the check does."""
    check_sensitivity(row, user)
    row.save()
    return row


def remove_sensitivity(row: AnomalySensitivity, user: Person) -> None:
    """Back to normal; raises PermissionDenied where she may not."""
    if not may_set_sensitivity(user, row.team_id):
        raise PermissionDenied(_("Finance sets it everywhere, a lead for the teams that she leads."))
    row.delete()
