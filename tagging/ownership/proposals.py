"""Ownership rules proposed from the bill, and accepting them: page and API come through here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from costs.calc.tag_values import BY_USER, meaning_of, plain_key
from costs.models import Dimension, MonthRollup, TagSet
from costs.query import latest_month
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import labelled
from finops_site.models import Team, User
from tagging.calc.rule_proposals import KnownTeam, RuleProposal, Spent, left_unowned, propose_rules
from tagging.models import OwnershipRule, TagRequirement
from tagging.ownership import rules
from tagging.ownership.rule_application import queue_application

# So many values of a tag are looked at, the dearest; a tag with more names no teams.
MOST_PROPOSED = 60


class CannotAccept(ValueError):
    """Why proposals were not accepted, in sentences; nothing was written."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(problems))


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the bill of a month suggests. `is_whole`: the month has ended with a bill for its last day."""

    month: Month
    is_whole: bool
    rules: list[RuleProposal]
    spent: list[Spent]

    @property
    def unowned(self) -> dict[str, Decimal]:
        return left_unowned(self.spent, [])

    def left_after(self, keys: Sequence[str]) -> dict[str, Decimal]:
        """What is still nobody's, by currency, when the proposals of these keys are accepted."""
        return left_unowned(self.spent, [rule for rule in self.rules if rule.key in keys])


def find_proposals(user: Person, today: date) -> Proposals:
    """The rules that the latest whole month suggests to `user`; of the running one where no other has cost."""
    month, is_whole = whole_month(user, today)
    spent, spellings = _spent(MonthRollup.objects.visible_to(user).charged_in(month.period))
    names = dict(Dimension.objects.filter(name="sub_account").values_list("value", "label"))
    accounts = {row.account: names.get(row.account, "") for row in spent if row.account}
    teams = [KnownTeam(*row) for row in Team.objects.order_by("name").values_list("pk", "name", "cost_center")]
    return Proposals(month, is_whole, propose_rules(spent, spellings, accounts, teams)[:MOST_PROPOSED], spent)


def whole_month(user: Person, today: date) -> tuple[Month, bool]:
    """(the latest month that ended with cost on record, True); (the running month, False) where there is no other."""
    last = latest_month.day(user, today)
    running = Month.of(last or today)
    if last is None or last == running.period.last_day:
        return running, last is not None
    before = running.previous
    has_cost = MonthRollup.objects.visible_to(user).charged_in(before.period).exists()
    return (before, True) if has_cost else (running, False)


def _spent(rows: "QuerySet[MonthRollup]") -> tuple[list[Spent], dict[str, tuple[str, str]]]:
    """The month's cost by tags, account and owner, and how most of it writes each tag's value."""
    groups = list(
        rows.order_by()
        .values_list("tag_set", "sub_account", "currency", "owner__name", "pool__name", "owner_rule")
        .annotate(cost=Sum("billed_cost", default=Decimal(0)), n=Sum("charges"))
    )
    tags = dict(TagSet.objects.filter(pk__in={group[0] for group in groups}).values_list("pk", "tags"))
    written: dict[str, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    policy = TagRequirement.objects.all().as_policy()
    names = {name: tag for tag, others in policy.aliases().items() for name in (*others, tag)}
    meanings, spent = policy.meanings(), []
    for tag_set, account, currency, team, pool, rule, cost, charges in groups:
        compared = {}
        for key, value in (tags.get(tag_set) or {}).items():
            tag = names.get(plain_key(key), plain_key(key))
            if meant := meaning_of(value or "", meanings.get(tag, {})):
                # What the policy says is one is one for rules too.
                compared[tag] = meant
                written[f"{tag}={meant}"][(key.removeprefix(BY_USER), value.strip())] += charges
        owner = f"{team or pool} ({rule})" if team or pool else ""
        spent.append(Spent(compared, account, currency, owner, cost, charges))
    return spent, {compared: max(ways, key=lambda way: (ways[way], way)) for compared, ways in written.items()}


@transaction.atomic
def accept_proposals(user: User, choices: Mapping[str, str], today: date) -> list[OwnershipRule]:
    """Writes the rules of these proposals behind those that are there: {key: name of the team}.

    A team that is not there yet is made. Raises CannotAccept, and writes nothing, where a proposal is no more there or
    a rule would not be valid.
    """
    proposed = {rule.key: rule for rule in find_proposals(user, today).rules}
    gone = [key for key in choices if key not in proposed]
    if gone:
        raise CannotAccept(
            [_("{value} is not proposed any more: look again.").format(value=key.partition(":")[2]) for key in gone]
        )
    if not choices:
        raise CannotAccept([_("Tick at least one.")])
    order = OwnershipRule.objects.aggregate(last=Max("order"))["last"] or 0
    accepted, problems = [], []
    # In the order in which they are proposed: of two that meet the same cost the first wins.
    for rule in (rule for rule in proposed.values() if rule.key in choices):
        order += 10
        try:
            team = _team(user, choices[rule.key], rule)
            made = OwnershipRule(order=order, name=rule.label[:200], team=team, **rule.conditions)
            made.full_clean()
        except ValidationError as error:
            problems.append(labelled(rule.label, " ".join(error.messages)))
            continue
        rules.store_version(made)
        accepted.append(made)
    if problems:
        raise CannotAccept(problems)
    queue_application(user, _("Proposed rules were accepted"))
    return accepted


def _team(user: User, name: str, rule: RuleProposal) -> Team:
    name = name.strip()
    if not name:
        raise ValidationError(_("name its team."))
    if team := Team.objects.filter(Q(name__iexact=name)).first():
        return team
    if not user.has_perm("finops_site.add_team"):
        raise ValidationError(_("there is no team {name!r}, and you may not add one.").format(name=name))
    team = Team(name=name, cost_center=rule.cost_center)
    team.full_clean()
    team.save()
    return team


def proposal_rows(proposals: Proposals) -> dict[str, object]:
    """The proposals as the API gives them: exact amounts by currency."""
    rows = [
        {
            "key": rule.key,
            "name": rule.label,
            **{name: rule.conditions.get(name, "") for name in ("sub_account", "tag_key", "tag_value")},
            "team": rule.team.name if rule.team else None,
            "new_team": rule.new_team,
            "why": rule.why,
            "is_sure": rule.is_sure,
            "charges": rule.charges,
            "would_own": _exact(rule.owns),
            "owned_already": [
                {"owner": owner, "currency": currency, "billed_cost": exact_text(cost)}
                for (owner, currency), cost in rule.overlaps.items()
            ],
        }
        for rule in proposals.rules
    ]
    unowned = _exact(proposals.unowned)
    return {"month": str(proposals.month), "is_whole": proposals.is_whole, "unowned": unowned, "proposals": rows}


def _exact(costs: Mapping[str, Decimal]) -> dict[str, str | None]:
    return {currency: exact_text(cost) for currency, cost in costs.items()}
