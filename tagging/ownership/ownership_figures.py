"""Figures of ownership pages: the cost of each rule, unowned cost and who will fix it, and what a change moves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.calc.filters import filter_value
from costs.ingest.reallocate import CostMove
from costs.models import CostLine, Dimension, MonthRollup, Pool
from costs.query import spend
from costs.query.group_labels import group_labels
from costs.query.question import Question
from costs.query.result_cache import cached
from costs.query.scope import NOBODY, POOLED, SHARED, UNOWNED
from costs.querysets import SIDES
from costs.web.links import group_filters
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.lib.words import counted, labelled
from finops_site.models import Membership, Team, User
from finops_site.people.demo_rows import without_demo
from finops_site.people.roles import FINANCE
from finops_site.registry import LineFact
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc import rule_order
from tagging.models import Application, Fixer, OwnershipRule

METRIC = "billed_cost"
SIDE_LABELS = {
    "direct": (_lazy("Direct"), _lazy("of a team"), "users-group"),
    "shared": (_lazy("Shared"), _lazy("in pools, split among teams"), "stack-2"),
    "unowned": (_lazy("Unowned"), _lazy("no rule matched"), "help"),
}


def has_own_rules() -> bool:
    """Whether there is a rule that the demo did not bring."""
    return without_demo(OwnershipRule.objects.all()).exists()


def month_lines_url(period: Period, **filters: Any) -> str:
    """The cost lines of a month that meet these filters."""
    query = {**filters, "from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"


def allocation_stats(user: Person, month: Month) -> list[dict[str, Any]]:
    """Stat cards: direct, shared and unowned of the month by charge day, and the bill that they make; per currency."""

    def sum_sides() -> list[dict[str, Any]]:
        rows = MonthRollup.objects.visible_to(user).charged_in(month.period).order_by("currency")
        sums = {side: Sum(METRIC, filter=which, default=Decimal(0)) for side, which in SIDES.items()}
        return list(rows.values("currency").annotate(**sums))

    bill = {"bill": (_("The bill"), _("direct + shared + unowned"), "file-invoice")}
    links = {"bill": {}, "unowned": {"team": NOBODY}, "shared": {"team": POOLED}}
    return [
        {
            "label": label,
            "amount": row[side] if side in row else spend.add(row[part] for part in SIDE_LABELS),
            "currency": row["currency"],
            "note": note,
            "icon": icon,
            "url": month_lines_url(month.period, currency=row["currency"], **links[side]) if side in links else "",
        }
        for row in cached(user, ("sides", month), sum_sides)
        for side, (label, note, icon) in {**SIDE_LABELS, **bill}.items()
    ]


@dataclass(slots=True)
class RuleRow:
    """A rule as the page lists it: what it owned in the month, and whether it can own anything at all."""

    rule: OwnershipRule
    amounts: list[tuple[str, Decimal | None]]
    charges: int
    shadow: OwnershipRule | None
    url: str

    @property
    def is_dead(self) -> bool:
        return self.rule.is_active and not self.charges


def rule_rows(user: Person, month: Month) -> list[RuleRow]:
    """Every rule in its order, with the cost of the month that it owns, as far as `user` may see it.

    Rules of one name have different days and share their cost here: a cost line keeps only the name.
    """
    rules = list(OwnershipRule.objects.visible_to(user).listed())
    owned = cached(user, ("owned by rule", month), lambda: _cost_by_rule(user, month))
    active = [rule for rule in rules if rule.is_active]
    shadows = rule_order.shadowed_rules([rule.as_rule() for rule in active])
    shadowed = {active[number].pk: active[by] for number, by in shadows.items()}
    return [
        RuleRow(
            rule,
            [(code, amount) for code, amount, _ignored in owned.get(rule.name, [])],
            sum(charges for *_ignored, charges in owned.get(rule.name, [])),
            shadowed.get(rule.pk),
            month_lines_url(month.period, rule=filter_value("rule", rule.name)),
        )
        for rule in rules
    ]


def _cost_by_rule(user: Person, month: Month) -> dict[str, list[tuple[str, Decimal | None, int]]]:
    rows = MonthRollup.objects.visible_to(user).charged_in(month.period).exclude(owner_rule="").order_by("currency")
    costs = defaultdict(list)
    for row in rows.values("owner_rule", "currency").annotate(amount=Sum(METRIC), n=Sum("charges")):
        costs[row["owner_rule"]].append((row["currency"], row["amount"], row["n"]))
    return dict(costs)


def summarise_moves(moves: Sequence[CostMove]) -> dict[str, Any]:
    """What would change hands: the sums by month, and by from and to, each by currency; and the teams concerned."""
    teams = dict(Team.objects.values_list("pk", "name"))
    pools = dict(Pool.objects.values_list("pk", "name"))

    def name(team: int | None, pool: int | None) -> str:
        if team is not None:
            return teams.get(team, _("team {team}").format(team=team))
        return labelled(SHARED, pools.get(pool, pool)) if pool is not None else UNOWNED

    pairs: dict[tuple[str, str, str], list[CostMove]] = defaultdict(list)
    months: dict[tuple[date, str], list[CostMove]] = defaultdict(list)
    for move in moves:
        ends = (name(move.owner_before, move.pool_before), name(move.owner, move.pool))
        pairs[(*ends, move.currency)].append(move)
        months[(move.billing_month, move.currency)].append(move)
    return {
        "pairs": [
            {"before": before, "after": after, "currency": code, **_sums(some)}
            for (before, after, code), some in sorted(pairs.items(), key=lambda pair: -abs(_sums(pair[1])["billed"]))
        ],
        "months": [
            {"month": Month.of(day), "currency": code, **_sums(some)}
            for (day, code), some in sorted(months.items(), reverse=True)
        ],
        "charges": sum(move.charges for move in moves),
        "teams": sorted({end for ends in pairs for end in ends[:2]}),
    }


def _sums(moves: Iterable[CostMove]) -> dict[str, Any]:
    moves = list(moves)
    return {
        "billed": spend.add(move.billed_cost for move in moves) or Decimal(0),
        "effective": spend.add(move.effective_cost for move in moves),
        "charges": sum(move.charges for move in moves),
    }


def unowned_rows(user: Person, month: Month, by: str) -> list[dict[str, Any]]:
    """Unowned cost of the month by account, service, region or a tag: the largest first, per currency."""
    question = Question(month.period, (by,), "", METRIC, {"team": [NOBODY]})
    spent = spend.find_spend(user, question)
    labels = group_labels((by,), spent)
    fixers = fixers_of([row.group[0] for row in spent]) if by == "account" else {}
    rows = [
        {
            "key": row.group[0],
            "label": labels[row.group],
            "currency": row.currency,
            "amount": row.amount,
            "fixer": fixers.get(row.group[0]),
            "url": month_lines_url(month.period, team=NOBODY, **group_filters((by,), row.group)),
        }
        for row in spent
        if row.amount
    ]
    return sorted(rows, key=lambda row: -abs(row["amount"]))


@dataclass(frozen=True, slots=True)
class ExpectedFixer:
    """The person who should find an owner, and why it is that person."""

    name: str
    why: str
    user_id: int | None = None


def fixers_of(accounts: Iterable[str]) -> dict[str, ExpectedFixer]:
    """{account: who will fix it}: whoever was named; else the lead of the team that owns most there; else finance."""
    accounts = list(dict.fromkeys(accounts))
    assigned = Fixer.objects.filter(sub_account__in=accounts).select_related("user")
    named = {fixer.sub_account: fixer.user for fixer in assigned}
    leads = _largest_owners_leads(account for account in accounts if account not in named)
    finance = User.objects.in_role(FINANCE).order_by("email").first()
    fixers = {}
    for account in accounts:
        if user := named.get(account):
            fixers[account] = ExpectedFixer(str(user), "named", user.pk)
        elif lead := leads.get(account):
            why = _("leads {team}, which owns most of the account").format(team=lead.team)
            fixers[account] = ExpectedFixer(str(lead.user), why, lead.user_id)
        else:
            fixers[account] = ExpectedFixer(str(finance or _("Finance")), _("finance"), finance and finance.pk)
    return fixers


def _largest_owners_leads(accounts: Iterable[str]) -> dict[str, Membership]:
    """The lead of the team with the most direct cost in each account, over all months."""
    rows = MonthRollup.objects.current().filter(sub_account__in=list(accounts)).of_side("direct").order_by()
    sums = rows.values_list("sub_account", "owner").annotate(amount=Sum(METRIC))
    largest: dict[str, tuple[Decimal, int]] = {}
    for account, team, amount in sums:
        largest[account] = max(largest.get(account, (Decimal(0), 0)), (amount or Decimal(0), team))
    leads = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True).select_related("user", "team")
    by_team = {lead.team_id: lead for lead in leads.order_by("-user__email")}
    return {account: by_team[team] for account, (_ignored, team) in largest.items() if team in by_team}


def account_names() -> Mapping[str, str]:
    return {account.value: str(account) for account in Dimension.objects.filter(name="sub_account")}


def application_progress(application: Application | None) -> dict[str, Any] | None:
    """The progress bar of an application, while it runs and when it failed."""
    if application is None or application.state == Application.State.DONE:
        return None
    labels = {
        Application.State.QUEUED: _("Rules wait to be applied"),
        Application.State.RUNNING: _("Applying the rules"),
        Application.State.FAILED: _("Rules were not applied"),
    }
    is_queued = application.state == Application.State.QUEUED
    failed = application.state == Application.State.FAILED
    advice = _("{message} The months that were done are complete; apply again to do the rest.").format(
        message=application.message
    )
    return {
        "url": reverse("tagging:ownership_progress"),
        "percent": None if is_queued else round(application.progress * 100),
        "label": labels[Application.State(application.state)],
        "detail": _("{stage}: {lines} changed so far").format(
            stage=application.stage, lines=counted(application.lines, "line")
        )
        if application.stage
        else "",
        "failed": failed,
        "done": False,
        "message": advice if failed else "",
    }


def rule_of_line(user: Person, line: CostLine) -> list[LineFact]:
    """Which rule made a cost line whose it is, and by which conditions; the rule as it is today."""
    if not line.owner_rule:
        return []
    holds = Q(Q(start=None) | Q(start__lte=line.charge_date), Q(end=None) | Q(end__gt=line.charge_date))
    rules = OwnershipRule.objects.visible_to(user).filter(holds, name=line.owner_rule, is_active=True)
    rule = rules.filter(team=line.owner_id, pool=line.pool_id).first()
    if rule is None:
        return [LineFact(_("Rule"), _("It was changed, renamed or removed since it named the owner"))]
    conditions = _(" and ").join(
        _("{label} is {value}").format(label=label, value=value) for label, value in rule.condition_labels
    )
    url = reverse("tagging:ownership_rule", args=[rule.pk]) if user.has_perm("tagging.change_ownershiprule") else ""
    return [
        LineFact(
            _("Rule"),
            _("{conditions} (place {order}, holds {days_text})").format(
                conditions=conditions, order=rule.order, days_text=rule.days_text
            ),
            url,
        )
    ]
