"""Somebody leaves: what she came in by ends at once, and what she looked after is named to administrators.

The one way to switch somebody off, for the page of people, the admin, SCIM and whoever else does it.
"""

from dataclasses import dataclass

from django.db import transaction
from django.urls import reverse

from finops_site.models import Dashboard, SavedView, User, ViewMail
from finops_site.people.sessions import end_all_sessions
from finops_site.people.tokens import end_all_tokens
from finops_site.registry import Possession, registry
from finops_site.translation import gettext_lazy as _lazy


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What of one kind somebody looked after: how many, and where they are."""

    label: str
    count: int
    url: str = ""


@transaction.atomic
def leave(person: User) -> None:
    """Switches her off. Sessions, tokens, links in mails, and what is mailed to her or in her name end at once.

    What she made stays: see `left_behind`. Nothing of it comes back by itself when she is switched on again.
    """
    # A link to choose a password hangs on the password that there was.
    person.set_unusable_password()
    person.is_active = False
    person.save(update_fields=["password", "is_active"])
    end_all_sessions(person)
    end_all_tokens(person)
    for mail in ViewMail.objects.filter(user=person):
        # One by one, so that the audit log has it.
        mail.delete()
    for possession in registry.of(Possession):
        possession.let_go(person)


def left_behind(person: User) -> list[LeftBehind]:
    """What she looked after and somebody else has to now, by kind."""
    own = [
        LeftBehind(str(_lazy("saved views that others find")), _shared(SavedView, person)),
        LeftBehind(str(_lazy("dashboards that others find")), _shared(Dashboard, person)),
    ]
    others = [
        LeftBehind(str(one.label), one.count(person), reverse(one.url_name) if one.url_name else "")
        for one in registry.of(Possession)
    ]
    return [one for one in own + others if one.count]


def _shared(model: type[SavedView] | type[Dashboard], person: User) -> int:
    return model.objects.filter(owner=person).exclude(team=None, with_company=False).count()
