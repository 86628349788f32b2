"""Ownership rules that a bill suggests: tags and accounts that are called like a team. Pure: no Django."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher

from costs.calc.tag_values import plain_key
from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT

# Tags by which people say whose something is: a value of one that is no team's yet may be a new team.
TEAM_KEYS = {"team", "teamname", "owningteam", "squad", "department", "businessunit", "costcenter", "costcentre"}
CENTER_KEYS = {"costcenter", "costcentre"}
ALIKE = 0.85
SHORTEST = 3


@dataclass(frozen=True, slots=True)
class KnownTeam:
    id: int
    name: str
    cost_center: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Cost of the month that agrees in tags, account, currency and owner; `tags` has keys and values as compared.

    `owner` says whose it is and by which rule; empty: nobody's.
    """

    tags: Mapping[str, str]
    account: str
    currency: str
    owner: str
    cost: Decimal
    charges: int


@dataclass(slots=True)
class RuleProposal:
    """A rule that nobody wrote yet. `team` is None where no team is called like it: `new_team` is the name of one.

    `owns` is what of nobody's cost it would own by itself, {currency: cost}; `overlaps` what it also meets and an
    earlier rule owns, {(whose, currency): cost}.
    """

    key: str
    label: str
    conditions: Mapping[str, str]
    team: KnownTeam | None
    new_team: str
    why: str
    is_sure: bool
    owns: dict[str, Decimal] = field(default_factory=dict)
    overlaps: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    charges: int = 0

    @property
    def cost_center(self) -> str:
        """The cost centre that its tag names; empty for other tags and accounts."""
        names_center = _squeezed(self.conditions.get("tag_key", "")) in CENTER_KEYS
        return self.conditions["tag_value"][:50] if names_center else ""

    def largest_overlaps(self, most: int) -> list[tuple[str, str, Decimal]]:
        """(whose, currency, cost) of what earlier rules own of it, the dearest first."""
        rows = [(owner, currency, cost) for (owner, currency), cost in self.overlaps.items()]
        return sorted(rows, key=lambda row: -abs(row[2]))[:most]

    @property
    def team_name(self) -> str:
        return self.team.name if self.team else self.new_team


def propose_rules(
    spent: Sequence[Spent],
    spellings: Mapping[str, tuple[str, str]],
    accounts: Mapping[str, str],
    teams: list[KnownTeam],
) -> list[RuleProposal]:
    """Proposals that would own something that is nobody's, tags before accounts, the dearest first.

    `spellings`: {``key=value`` as compared: (key, value) as most write it}; `accounts`: {account: its name}.
    """
    proposals = [
        *(_of_tag(compared, key, value, teams) for compared, (key, value) in spellings.items()),
        *(_of_account(account, name, teams) for account, name in accounts.items()),
    ]
    by_key = {proposal.key: proposal for proposal in proposals if proposal}
    for row in spent:
        for key in (*(f"tag:{name}={value}" for name, value in row.tags.items()), f"account:{row.account}"):
            if proposal := by_key.get(key):
                _count(proposal, row)
    useful = [proposal for proposal in by_key.values() if proposal.charges]
    return sorted(useful, key=lambda one: ("sub_account" in one.conditions, -max(one.owns.values()), one.label))


def _count(proposal: RuleProposal, row: Spent) -> None:
    if row.owner:
        key = (row.owner, row.currency)
        proposal.overlaps[key] = EXACT.add(proposal.overlaps.get(key, Decimal(0)), row.cost)
        return
    proposal.owns[row.currency] = EXACT.add(proposal.owns.get(row.currency, Decimal(0)), row.cost)
    proposal.charges += row.charges


def left_unowned(spent: Iterable[Spent], accepted: Sequence[RuleProposal]) -> dict[str, Decimal]:
    """What is still nobody's when these are accepted, by currency."""
    tags = {one.key for one in accepted}
    left: dict[str, Decimal] = defaultdict(Decimal)
    for row in spent:
        keys = {f"account:{row.account}", *(f"tag:{name}={value}" for name, value in row.tags.items())}
        if not row.owner:
            left[row.currency] = EXACT.add(left[row.currency], Decimal(0) if keys & tags else row.cost)
    return dict(left)


def _of_tag(compared: str, key: str, value: str, teams: list[KnownTeam]) -> RuleProposal | None:
    squeezed_key = _squeezed(key)
    team, why, is_sure = _team_called(value, teams, by_center=squeezed_key in CENTER_KEYS)
    names_teams = squeezed_key in TEAM_KEYS
    if team is None and not names_teams:
        return None
    return RuleProposal(
        key=f"tag:{compared}",
        label=_("Tag {key} is {value}").format(key=key, value=value),
        conditions={"tag_key": key, "tag_value": value},
        team=team,
        new_team="" if team else value[:100],
        why=why or _("no team is called like this yet"),
        is_sure=is_sure and names_teams,
    )


def _of_account(account: str, name: str, teams: list[KnownTeam]) -> RuleProposal | None:
    if not account:
        return None
    team, why, is_sure = _team_called(name, teams, by_center=False)
    return RuleProposal(
        key=f"account:{account}",
        label=_("Account {value}").format(value=name or account),
        conditions={"sub_account": account},
        team=team,
        new_team="" if team else (name or account)[:100],
        why=why or _("no team is called like this account"),
        is_sure=is_sure,
    )


def _team_called(text: str, teams: list[KnownTeam], *, by_center: bool) -> tuple[KnownTeam | None, str, bool]:
    """(the team that a value or an account is called like, how we know, whether that is sure)."""
    value, words = _squeezed(text), set(re.findall(r"\w+", text.lower().replace("_", " ")))
    for team in teams:
        if value and value == _squeezed(team.name):
            return team, _("the team's name"), True
        if by_center and value and value == _squeezed(team.cost_center):
            return team, _("the team's cost centre"), True
    long_names = [team for team in teams if len(_squeezed(team.name)) >= SHORTEST]
    for team in long_names:
        if set(re.findall(r"\w+", team.name.lower())) <= words:
            return team, _("has the team's name in it"), False
    alike = [(SequenceMatcher(None, value, _squeezed(team.name)).ratio(), team) for team in long_names]
    ratio, nearest = max(alike, key=lambda pair: pair[0], default=(0.0, None))
    return (nearest, _("is written almost like the team's name"), False) if ratio >= ALIKE else (None, "", False)


def _squeezed(text: str) -> str:
    """Letters and digits alone, in small letters: ``Cost-Center`` is ``costcenter``."""
    return re.sub(r"[\W_]+", "", plain_key(text))
