"""Inviting people: a person, her role and her team, and the mail with the link by which she chooses her password."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.words import number_text
from finops_site.mail.emails import absolute_url, make_message
from finops_site.mail.outbox import queue_email
from finops_site.models import Membership, Team, User
from finops_site.people.company import company_name
from finops_site.people.roles import ROLES, role_of

COLUMNS = ("email", "name", "role", "team", "team_role", "cost_center")
MOST_PEOPLE = 2_000


class CannotChange(Exception):
    """Why a person cannot be changed like this; one sentence for each problem."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody is invited as: one of the roles, and a team with her part in it, if any."""

    email: str
    name: str = ""
    role: str = ""
    team: str = ""
    team_role: str = Membership.Role.MEMBER
    cost_center: str = ""


def why_not_change(by: User, person: User) -> str:
    """Why `by` may not change the role of somebody, or switch her off; empty where she may."""
    if by.pk == person.pk:
        return _("Nobody changes her own role or switches herself off: another administrator does.")
    if person.is_superuser and not by.is_superuser:
        return _("Only a superuser changes a superuser.")
    return ""


def send_invitation(person: User, now: datetime) -> None:
    """Queues the mail with a link by which she chooses her password; the link ends when she has."""
    key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
    url = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"}).replace("UID-KEY", key)
    where = ", ".join(str(membership.team) for membership in person.memberships.select_related("team"))
    context = {"person": person, "company": company_name(), "url": absolute_url(url), "where": where}
    message = make_message("invitation", person.email, {**context, "role": _(role_of(person))})
    queue_email(f"invitation at {now:%Y-%m-%d %H:%M:%S.%f} to {person.email}", message, now=now)


@transaction.atomic
def invite(invitation: Invitation, now: datetime, teams: Mapping[Team, str] | None = None) -> User:
    """Makes the person, without a password, puts her where she belongs and writes to her. Raises CannotChange.

    `teams` are hers in place of the one that the invitation names.
    """
    email = invitation.email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise CannotChange(_("{email!r} is no e-mail address.").format(email=invitation.email)) from None
    if User.objects.filter(email__iexact=email).exists():
        raise CannotChange(_("{email} is here already.").format(email=email))
    person = User(email=email, name=invitation.name.strip())
    person.set_unusable_password()
    person.full_clean(exclude=["password"])
    person.save()
    set_role(person, invitation.role)
    if invitation.team:
        teams = {_team(invitation): invitation.team_role}
    set_teams(person, teams or {})
    send_invitation(person, now)
    return person


@transaction.atomic
def change_person(person: User, *, by: User, name: str, role: str, is_active: bool, teams: Mapping[Team, str]) -> None:
    """Saves what somebody changed about a person. Raises CannotChange."""
    moves = role != role_of(person) or is_active != person.is_active
    reason = why_not_change(by, person)
    if reason and (moves or person.is_superuser):
        raise CannotChange(reason)
    person.name, person.is_active = name, is_active
    person.save(update_fields=["name", "is_active"])
    if role != role_of(person):
        set_role(person, role)
    set_teams(person, teams)


def set_role(person: User, role: str) -> None:
    """Gives her one role, or none. Raises CannotChange."""
    if role and role not in ROLES:
        raise CannotChange(_("{role!r} is no role: use {names}.").format(role=role, names=", ".join(ROLES)))
    person.groups.set(Group.objects.filter(name=role))


def set_teams(person: User, teams: Mapping[Team, str]) -> None:
    """Puts her into these teams, with her part in each, and into no other. Raises CannotChange."""
    for part in teams.values():
        if part not in Membership.Role.values:
            raise CannotChange(_("{part!r} is nothing to be in a team: use lead or member.").format(part=part))
    for membership in person.memberships.exclude(team__in=teams):
        # One by one, so that the audit log has it.
        membership.delete()
    for team, part in teams.items():
        Membership.objects.update_or_create(user=person, team=team, defaults={"role": part})


def _team(invitation: Invitation) -> Team:
    """The team of that name; a new one where there is none."""
    center = {"cost_center": invitation.cost_center.strip()}
    return Team.objects.get_or_create(name=invitation.team.strip(), defaults=center)[0]


@transaction.atomic
def invite_all(text: str, now: datetime) -> list[User]:
    """Invites everybody of a pasted list or CSV: all of them, or with CannotChange nobody.

    The first line may name the columns (COLUMNS), by commas, semicolons or tabs; without it they are in that order.
    """
    lines = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise CannotChange(_("There is nobody in it."))
    mark = max(",;\t", key=lines[0].count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=mark)]
    head = [cell.lower().replace(" ", "_") for cell in rows[0]]
    columns, first = (head, 1) if "email" in head else (list(COLUMNS), 0)
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise CannotChange(
            _("There is no column {unknown!r}: use {names}.").format(unknown=unknown[0], names=", ".join(COLUMNS))
        )
    if len(rows) - first > MOST_PEOPLE:
        raise CannotChange(
            _("These are {count} people: paste at most {most} at once.").format(
                count=number_text(len(rows) - first), most=number_text(MOST_PEOPLE)
            )
        )
    people, problems = [], []
    for number, row in enumerate(rows[first:], first + 1):
        values = {name: value for name, value in zip(columns, row, strict=False) if value}
        try:
            if len(row) > len(columns):
                raise CannotChange(
                    _("it has {count} columns, and {known} are known.").format(count=len(row), known=len(columns))
                )
            people.append(invite(Invitation(**{"email": "", **values}), now))
        except CannotChange as error:
            problems.append(_("Line {number}: {error}").format(number=number, error=error))
        except ValidationError as error:
            problems.append(_("Line {number}: {names}").format(number=number, names=" ".join(error.messages)))
    if problems:
        raise CannotChange(*problems[:50])
    return people
