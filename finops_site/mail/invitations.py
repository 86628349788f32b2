"""Inviting people: a person, her role and her team, and the mail with the link by which she chooses her password."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.mail.emails import absolute_url, make_message
from finops_site.mail.outbox import queue_email
from finops_site.models import Membership, Team, User
from finops_site.people.backends import password_opens_for
from finops_site.people.company import entered_name
from finops_site.people.leaving import leave
from finops_site.people.roles import ROLES, all_roles, role_name_of, shown_role

# How many characters of what is in an invitation are stored.
LENGTHS: dict[str, Any] = {
    "email": User._meta.get_field("email").max_length,
    "name": User._meta.get_field("name").max_length,
    "team": Team._meta.get_field("name").max_length,
    "cost_center": Team._meta.get_field("cost_center").max_length,
}


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
    """Queues the mail with a link by which she chooses her password; the link ends when she has.

    Where no password opens for her it leads to the page of sign-in.
    """
    by_password = password_opens_for(person.email)
    url = _password_url(person) if by_password else reverse("account_login")
    where = ", ".join(str(membership.team) for membership in person.memberships.select_related("team"))

    def context() -> dict[str, object]:
        name = entered_name()
        site = _("FinOps of {company}").format(company=name) if name else "FinOps"
        return {
            "person": person,
            "site": site,
            "url": absolute_url(url),
            "where": where,
            "role": shown_role(role_name_of(person)),
            "by_password": by_password,
        }

    message = make_message("invitation", person.email, context)
    queue_email(f"invitation at {now:%Y-%m-%d %H:%M:%S.%f} to {person.email}", message, now=now)


def _password_url(person: User) -> str:
    key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
    return reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"}).replace("UID-KEY", key)


class PeopleHere:
    """Who and which teams are here already, asked once for a whole list of invitations."""

    def __init__(self, emails: Iterable[str]) -> None:
        here = User.objects.annotate(lower=Lower("email")).filter(lower__in=set(emails))
        self.emails = set(here.values_list("lower", flat=True))
        self._teams: dict[str, Team] = {}
        for team in Team.objects.order_by("pk"):
            self._teams.setdefault(team.name.casefold(), team)

    def team(self, name: str) -> Team | None:
        """The team of that name; capitals make no other one."""
        return self._teams.get(name.casefold())

    def team_for(self, invitation: Invitation) -> Team:
        """The team that an invitation names, made where there is none; it gets the cost centre where it had none."""
        team = self.team(invitation.team) or Team(name=invitation.team)
        if team.pk is None or (invitation.cost_center and not team.cost_center):
            team.cost_center = invitation.cost_center
            team.full_clean()
            team.save()
            self._teams[team.name.casefold()] = team
        return team


def in_our_words(invitation: Invitation) -> Invitation:
    """The same without spaces around it; role and part in the team may be in the reader's language."""
    return Invitation(
        email=invitation.email.strip().lower(),
        name=invitation.name.strip(),
        role=_our_role(invitation.role),
        team=invitation.team.strip(),
        team_role=_our_name(invitation.team_role, Membership.Role.values),
        cost_center=invitation.cost_center.strip(),
    )


def _our_role(text: str) -> str:
    """A built-in role, or one of an administrator's own: these are asked for only where it is none of those."""
    name = _our_name(text, ROLES)
    return name if name in ROLES or not name else _our_name(name, all_roles())


def _our_name(text: str, names: Iterable[str]) -> str:
    """The one of `names` that is written in English or in the reader's language; else the text as it is."""
    written = text.strip().casefold()
    return next((name for name in names if written in (name.casefold(), _(name).casefold())), text.strip())


def labels() -> dict[str, str]:
    """What an invitation has, as the reader calls it."""
    return {
        "email": _("E-mail"),
        "name": _("Name"),
        "role": _("Role"),
        "team": _("Team"),
        "team_role": _("Lead or member"),
        "cost_center": _("Cost centre"),
    }


def problems_of(invitation: Invitation, here: PeopleHere) -> list[str]:
    """Why somebody cannot be invited like this, a sentence each; `invitation` is in our words. Changes nothing."""
    problems = [
        _("{what} has {count} characters: at most {most} can be stored.").format(
            what=labels()[name], count=len(getattr(invitation, name)), most=most
        )
        for name, most in LENGTHS.items()
        if len(getattr(invitation, name)) > most
    ]
    problems += [] if problems else _address_problems(invitation.email, here.emails)
    problems += [*_role_problems(invitation.role), *_part_problems(invitation.team_role)]
    team = here.team(invitation.team)
    if team and invitation.cost_center and team.cost_center not in ("", invitation.cost_center):
        problems.append(
            _("The team {team} has the cost centre {center} already.").format(team=team, center=team.cost_center)
        )
    return problems


def _address_problems(email: str, here: Collection[str]) -> list[str]:
    try:
        validate_email(email)
    except ValidationError:
        return [_("{email!r} is no e-mail address.").format(email=email)]
    return [_("{email} is here already.").format(email=email)] if email in here else []


def _role_problems(role: str) -> list[str]:
    if not role or role in ROLES or role in (roles := all_roles()):
        return []
    names = ", ".join(map(shown_role, roles))
    return [_("{role!r} is no role: use {names}.").format(role=role[:80], names=names)]


def _part_problems(part: str) -> list[str]:
    if part in Membership.Role.values:
        return []
    names = ", ".join(str(label) for label in Membership.Role.labels)
    return [_("{part!r} is nothing to be in a team: use {names}.").format(part=part[:80], names=names)]


@transaction.atomic
def invite(invitation: Invitation, now: datetime, teams: Mapping[Team, str] | None = None) -> User:
    """Makes the person, without a password, puts her where she belongs and writes to her. Raises CannotChange.

    `teams` are hers in place of the one that the invitation names.
    """
    invitation = in_our_words(invitation)
    here = PeopleHere([invitation.email])
    if problems := problems_of(invitation, here):
        raise CannotChange(*problems)
    return make_person(invitation, here, now, teams)


@transaction.atomic
def make_person(
    invitation: Invitation, here: PeopleHere, now: datetime, teams: Mapping[Team, str] | None = None
) -> User:
    """The same of an invitation without problems. Raises CannotChange."""
    person = User(email=invitation.email, name=invitation.name)
    person.set_unusable_password()
    try:
        person.full_clean(exclude=["password"])
        if invitation.team:
            teams = {here.team_for(invitation): invitation.team_role}
    except ValidationError as error:
        raise CannotChange(*error.messages) from None
    person.save()
    set_role(person, invitation.role)
    set_teams(person, teams or {})
    send_invitation(person, now)
    return person


@transaction.atomic
def change_person(person: User, *, by: User, name: str, role: str, is_active: bool, teams: Mapping[Team, str]) -> None:
    """Saves what somebody changed about a person. Raises CannotChange."""
    moves = role != role_name_of(person) or is_active != person.is_active
    reason = why_not_change(by, person)
    if reason and (moves or person.is_superuser):
        raise CannotChange(reason)
    leaves = person.is_active and not is_active
    person.name, person.is_active = name, is_active
    person.save(update_fields=["name", "is_active"])
    if leaves:
        leave(person)
    if role != role_name_of(person):
        set_role(person, role)
    set_teams(person, teams)


def set_role(person: User, role: str) -> None:
    """Gives her one role, or none. Raises CannotChange."""
    if problems := _role_problems(role):
        raise CannotChange(*problems)
    person.groups.set(Group.objects.filter(name=role))


def set_teams(person: User, teams: Mapping[Team, str]) -> None:
    """Puts her into these teams, with her part in each, and into no other. Raises CannotChange."""
    for part in teams.values():
        if problems := _part_problems(part):
            raise CannotChange(*problems)
    for membership in person.memberships.exclude(team__in=teams):
        # One by one, so that the audit log has it.
        membership.delete()
    for team, part in teams.items():
        Membership.objects.update_or_create(user=person, team=team, defaults={"role": part})
