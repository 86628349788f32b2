"""Removing the demo company: what goes and what stays, and doing it part by part, with progress.

Each pillar takes its own away (registry.DemoPart), in a transaction of its own; a removal that was interrupted goes on
where it stopped. What people made who are not of the demo stays, and with it what that stands on.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.lib.person import Person
from finops_site.lib.words import labelled
from finops_site.models import DemoCompany, Membership, OutgoingEmail, Team, User
from finops_site.people.demo import DOMAIN
from finops_site.people.demo_rows import (
    counted_rows,
    delete_unless_held,
    demo_company,
    demo_people,
    demo_teams,
    note_remains,
)
from finops_site.people.leaving import leave
from finops_site.people.roles import ADMINISTRATOR
from finops_site.registry import DemoPart, registry
from finops_site.translation import gettext_lazy as _lazy

logger = logging.getLogger(__name__)


class CannotRemove(Exception):
    """Why the demo company is not removed now, and what helps; nothing was changed."""


def what_goes() -> list[tuple[str, int, int]]:
    """(what, how many go, how many stay), of every pillar."""
    return [row for part in registry.of(DemoPart) for row in part.counts()]


def real_administrators() -> bool:
    """Whether somebody who stays can run the site."""
    return User.objects.in_role(ADMINISTRATOR).exclude(pk__in=demo_people()).exists()


def why_not() -> str:
    """A sentence where the demo cannot be removed; empty where it can."""
    company = demo_company()
    if company is None:
        return _("There is no demo company here.")
    if company.is_being_made and not company.rows:
        return _("The demo is still being made: wait until it is whole.")
    if not company.rows:
        return _(
            "This demo was made by an older version, which did not note what it made: begin anew in "
            "another folder, FINOPS_VAR=other python3 run.py --no-demo."
        )
    return ""


@transaction.atomic
def queue_removal(user: Person, now: datetime) -> None:
    """Has the demo removed in the background. Raises CannotRemove."""
    if reason := why_not():
        raise CannotRemove(reason)
    if demo_company().is_being_made:  # type: ignore[union-attr]  # why_not has found it
        raise CannotRemove(_("The demo is still being made: wait until it is whole."))
    if not real_administrators():
        raise CannotRemove(
            _(
                "Every administrator is of the demo, and would go with it: invite one of your own first, who "
                "signs in and removes it."
            )
        )
    if demo_people().filter(pk=user.pk).exists():
        raise CannotRemove(_("You are of the demo yourself: sign in as an administrator of your own."))
    company = DemoCompany.objects.select_for_update().get(removed_at=None)
    company.removal_asked_at, company.removal_asked_by, company.problem = now, user.email, ""
    company.save(update_fields=["removal_asked_at", "removal_asked_by", "problem"])
    task("finops_site.tasks.remove_demo").delay_on_commit()


def continue_removal() -> bool:
    """Does a removal that somebody asked for and that is not finished; False where there is none."""
    company = demo_company()
    if company is None or company.removal_asked_at is None or company.problem:
        return False
    remove_demo(lambda _ignored: None)
    return True


def remove_demo(write: Callable[[str], object]) -> None:
    """Removes the demo company now, part by part. Raises CannotRemove."""
    if reason := why_not():
        raise CannotRemove(reason)
    parts = registry.of(DemoPart)
    rows = DemoCompany.objects.filter(removed_at=None)
    for number, part in enumerate(parts):
        write(f"  {part.label}")
        rows.update(removal_step=part.name, removal_percent=100 * number // len(parts), problem="")
        try:
            with transaction.atomic():
                # Two workers at once do one part after the other.
                rows.select_for_update().first()
                part.remove()
        except Exception as error:
            rows.update(problem=labelled(part.label, error)[:1000])
            raise
    rows.update(removal_step="", removal_percent=100, removed_at=timezone.now())


def remove_half_made(company: DemoCompany) -> None:
    """Removes a demo company whose making ended halfway, and is ready to make another."""
    note_remains(company)
    if company.rows:
        remove_demo(lambda _ignored: None)
    company.delete()


def counts_of_people() -> list[tuple[str, int, int]]:
    return [counted_rows(_("people"), demo_people()), counted_rows(_("teams"), _teams_that_go())]


def remove_people() -> None:
    """The demo people and their teams; who something real stands on is switched off, and such a team stays."""
    people, teams = demo_people(), _teams_that_go()
    OutgoingEmail.objects.filter(Q(reader__in=people) | Q(to__iendswith=f"@{DOMAIN}")).delete()
    Membership.objects.filter(user__in=people).delete()
    delete_unless_held(teams.filter(parent__isnull=False))
    delete_unless_held(_teams_that_go())
    delete_unless_held(people)
    for person in demo_people():
        leave(person)


def _teams_that_go() -> QuerySet[Team]:
    """Those of the demo's teams that nobody joined who is not of the demo."""
    joined = Membership.objects.exclude(user__in=demo_people()).values("team")
    return demo_teams().exclude(pk__in=joined)


PEOPLE = DemoPart("people", _lazy("People and teams"), counts_of_people, remove_people, 90)
