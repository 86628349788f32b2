"""For whom a report is made: what she may see, narrowed to a team, and who sees exactly the same."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from finops_site.models import Team, User
from finops_site.registry import (
    Freshness,
    Kpi,
    PendingDecisionSource,
    PeriodSection,
    ReportSection,
    TeamDocumentSource,
    registry,
)

COMPANY = "costs.view_company"
READS = "costs.view_costline"
# What may stand in a report, each with its permission.
PARTS: tuple[type[Any], ...] = (Kpi, ReportSection, PeriodSection, Freshness, PendingDecisionSource, TeamDocumentSource)


class NoAccess(Exception):
    """Why somebody gets nothing, in a sentence."""


class Reader:
    """A person who sees no more than one team, and the teams below it, of what she may see."""

    is_authenticated = True
    sees_whole_company = False
    # A report is of teams: others with the same teams read the same one.
    cost_scope: Mapping[str, Sequence[str]] = {}

    def __init__(self, user: User, teams: Sequence[int]) -> None:
        self.user, self.visible_team_ids = user, sorted(teams)
        self.pk, self.email = user.pk, user.email

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return perm != COMPANY and self.user.has_perm(perm)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report may show: all of the company, or teams; with the permissions that its parts need."""

    person: Any
    is_company: bool
    teams: tuple[int, ...]
    permissions: tuple[str, ...]
    names: tuple[str, ...]
    language: str = ""
    extra: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """Whose cost it is, in the language that is spoken when it is asked for."""
        if self.is_company or not self.names:
            return _("The whole company")
        if len(self.names) <= 3:
            return ", ".join(self.names)
        names = ", ".join(self.names[:2])
        return _("{names} and {count} more teams").format(names=names, count=len(self.names) - 2)

    @property
    def key(self) -> str:
        """The same for everybody who sees the same."""
        parts = (self.is_company, self.teams, self.permissions, self.language, self.extra)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def scope_of(user: User, *, team: Team | None = None, extra: tuple[str, ...] = ()) -> Scope:
    """What `user` may see now, of `team` where it is named. Raises NoAccess, saying why.

    `extra` is what tells her report from that of others who see the same cost: a saved view that shows her own rows.
    """
    # Rights are those of this moment, not those of when the person was read.
    user = User.objects.get(pk=user.pk)
    if not user.is_active:
        raise NoAccess(_("{person} may not sign in any more.").format(person=user))
    if not user.has_perm(READS):
        raise NoAccess(_("{person} may not see costs.").format(person=user))
    person: Any = user
    if team is not None:
        below = set(Team.objects.below(team).values_list("pk", flat=True))
        seen = below if user.sees_whole_company else below & set(user.visible_team_ids)
        if team.pk not in seen:
            raise NoAccess(_("{person} may not see {team} any more.").format(person=user, team=team))
        person = Reader(user, sorted(seen))
    elif user.cost_scope and user.visible_team_ids:
        person = Reader(user, user.visible_team_ids)
    elif not user.sees_whole_company and not user.visible_team_ids:
        raise NoAccess(_("{person} is in no team, and sees no cost.").format(person=user))
    is_company = person.sees_whole_company
    teams = () if is_company else tuple(person.visible_team_ids)
    language = getattr(user, "language", "") or ""
    names = tuple(Team.objects.filter(pk__in=teams).order_by("name").values_list("name", flat=True)) if teams else ()
    return Scope(person, is_company, teams, _permissions(person), names, language, extra)


def _permissions(person: Any) -> tuple[str, ...]:
    """The permissions of parts that this person holds."""
    entries: list[Any] = [entry for kind in PARTS for entry in registry.of(kind)]
    named = {entry.permission for entry in entries if entry.permission}
    return tuple(sorted(name for name in named if person.has_perm(name)))
