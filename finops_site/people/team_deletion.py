"""Deleting a team, which is possible while nothing stands on it."""

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, ProtectedError, RestrictedError
from django.utils.translation import gettext as _

from finops_site.models import SavedView, Team
from finops_site.translation import gettext_lazy as _lazy

# What people call the rows of a table that name a team; those of any other are "other records".
WORDS = {
    "finops_site.Membership": _lazy("people"),
    "finops_site.Team": _lazy("teams below it"),
    "costs.MonthRollup": _lazy("cost"),
    "tagging.OwnershipRule": _lazy("ownership rules"),
    "budgets.Budget": _lazy("budgets"),
    "budgets.Control": _lazy("cost controls"),
    "tagging.SplitPart": _lazy("shares of shared costs"),
    "tagging.Statement": _lazy("statements"),
    "reservations.Commitment": _lazy("commitments"),
    "reservations.PurchaseRequest": _lazy("purchase requests"),
    "finops_site.SavedView": _lazy("saved views"),
    "finops_site.Dashboard": _lazy("dashboards"),
    "finops_site.GroupMapping": _lazy("groups of a sign-in"),
}
# What lets a team go: a milestone keeps its name, a schedule of its reports is paused, a place in it that came from a
# group is one of its people.
LET_GO = {"programme.ReportSchedule", "programme.ReportRun", "programme.Milestone", "finops_site.GroupGrant"}


class CannotDelete(Exception):
    """Why a team stays, in a sentence."""


def what_stands_on(team: Team) -> list[str]:
    """What names the team, in the reader's language and one query; empty where nothing does.

    Of the tables of cost, which have no index by team, only the smallest is asked: it sums the others.
    """
    fields: list[Any] = Team._meta.get_fields(include_hidden=True)
    relations = [
        relation
        for relation in fields
        if relation.auto_created
        and not relation.concrete
        and relation.related_model._meta.label not in LET_GO
        and (relation.field.db_index or relation.related_model._meta.label == "costs.MonthRollup")
    ]
    exists: dict[str, Any] = {
        f"has_{number}": Exists(relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")}))
        for number, relation in enumerate(relations)
    }
    filtered = SavedView.objects.filter(query__regex=rf"(^|&)team={team.pk:d}(&|$)")
    has: Any = Team.objects.filter(pk=team.pk).values(**exists, filtered=Exists(filtered)).get()
    labels = [relation.related_model._meta.label for number, relation in enumerate(relations) if has[f"has_{number}"]]
    labels += ["finops_site.SavedView"] if has["filtered"] else []
    words = [str(word) for label, word in WORDS.items() if label in labels]
    return words + ([_("other records")] if set(labels) - set(WORDS) else [])


@transaction.atomic
def delete_team(team: Team) -> None:
    """Deletes it. Raises CannotDelete where something stands on it."""
    # Nothing can be put on it meanwhile.
    Team.objects.select_for_update().get(pk=team.pk)
    if held := what_stands_on(team):
        raise CannotDelete(_("{team} cannot be deleted. On it stand: {what}.").format(team=team, what=", ".join(held)))
    try:
        team.delete()
    except (ProtectedError, RestrictedError):
        raise CannotDelete(_("{team} cannot be deleted: there is cost of it.").format(team=team)) from None
