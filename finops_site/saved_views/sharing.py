"""Who may keep, change and share views and dashboards: the same for both, and at every door."""

from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.models import Membership, Shareable, Team

# More are a sign that a program makes them.
MOST_OF_ONE_OWNER = 200
WITH_COMPANY = "finops_site.share_savedview"


class CannotSave(ValueError):
    """Why a view or a dashboard is not kept, shared or pinned like this; nothing was changed."""


class NotYours(CannotSave):
    """Somebody else's: she may look, and change nothing."""


def teams_to_share_with(user: Person) -> QuerySet[Team]:
    """Those that she is a member of herself."""
    return Team.objects.filter(memberships__user=user.pk)


def check_owner(row: Shareable, user: Person) -> None:
    """Raises NotYours for what somebody else has made."""
    if row.owner_id != user.pk:
        raise NotYours(_("{row} is {owner}'s, who alone changes it.").format(row=row, owner=row.owner))


def may_stop_sharing(row: Shareable, user: Person) -> bool:
    """The owner, a lead of the team, and for the company those who may share with it: also when the owner has left."""
    if row.owner_id == user.pk:
        return row.is_shared
    if row.with_company:
        return user.has_perm(WITH_COMPANY)
    lead = Membership.objects.filter(user=user.pk, team=row.team_id, role=Membership.Role.LEAD)
    return row.team_id is not None and lead.exists()


def stop_sharing(row: Shareable, user: Person) -> None:
    """From now on only its owner finds it. Raises NotYours."""
    if not may_stop_sharing(row, user):
        raise NotYours(_("{row} is {owner}'s, who decides with whom it is shared.").format(row=row, owner=row.owner))
    row.team, row.with_company = None, False
    row.save(update_fields=["team", "with_company"])


def save_row(row: Shareable, user: Person) -> None:
    """Saves what its owner named and shared. Raises CannotSave, NotYours for what is somebody else's."""
    check_owner(row, user)
    _check_name(row)
    before = type(row)._default_manager.filter(pk=row.pk).first()
    if row.with_company and row.team_id:
        raise CannotSave(_("Share it with a team or with the whole company: the company has all teams in it."))
    is_same_team = before is not None and before.team_id == row.team_id
    if row.team_id and not is_same_team and not teams_to_share_with(user).filter(pk=row.team_id).exists():
        raise CannotSave(_("Share it with a team that you are a member of."))
    if row.with_company and not (before and before.with_company) and not user.has_perm(WITH_COMPANY):
        raise CannotSave(_("Finance and administrators share with the whole company."))
    row.save()


def _check_name(row: Shareable) -> None:
    row.name = " ".join(row.name.split())
    if not row.name or "\0" in row.name:
        raise CannotSave(_("Give it a name."))
    others = type(row)._default_manager.filter(owner=row.owner_id).exclude(pk=row.pk)
    if others.annotate(small=Lower("name")).filter(small=row.name.lower()).exists():
        raise CannotSave(_("You have one that is called {row} already.").format(row=row.name))
    if row.pk is None and others.count() >= MOST_OF_ONE_OWNER:
        raise CannotSave(_("You have {most}: delete one first.").format(most=MOST_OF_ONE_OWNER))
