"""What pages say about ownership: what each rule owns, what nobody owns and who will fix it, what a change moves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet, Sum
from django.urls import reverse

from costs.ingest.reallocate import CostMove
from costs.models import Dimension, MonthRollup, Pool
from costs.query import spend
from costs.query.result_cache import remembered
from costs.query.spend import Question
from costs.querysets import SIDES
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.models import Membership, Team, User
from finops_site.people.roles import FINANCE
from tagging.calc import rule_order
from tagging.models import Fixer, OwnershipRule

METRIC = "billed_cost"
SIDE_LABELS = {
    "direct": ("Direct", "of a team", "users-group"),
    "shared": ("Shared", "in pools, split among teams", "stack-2"),
    "unowned": ("Unowned", "no rule matched", "help"),
}


def month_lines_url(period: Period, **filters: Any) -> str:
    """The cost lines of a month that meet these filters."""
    query = {**filters, "from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"


def allocation_stats(user: Person, month: Month) -> list[dict[str, Any]]:
    """Stat cards: direct, shared and unowned of the month by charge day, which are the whole; per currency."""
    sums = remembered(user, ("sides", month), lambda: _sides(user, month))
    whole = {"bill": ("The bill", "direct + shared + unowned", "file-invoice")}
    links = {"bill": {}, "unowned": {"team": spend.NOBODY}, "shared": {"team": spend.POOLED}}
    return [
        {
            "label": label,
            "amount": row[side] if side in row else spend.add(row[part] for part in SIDE_LABELS),
            "currency": row["currency"],
            "note": note,
            "icon": icon,
            "url": month_lines_url(month.period, currency=row["currency"], **links[side]) if side in links else "",
        }
        for row in sums
        for side, (label, note, icon) in {**SIDE_LABELS, **whole}.items()
    ]


def _sides(user: Person, month: Month) -> list[dict[str, Any]]:
    rows = MonthRollup.objects.visible_to(user).charged_in(month.period).order_by("currency")
    sums = {side: Sum(METRIC, filter=which, default=Decimal(0)) for side, which in SIDES.items()}
    return list(rows.values("currency").annotate(**sums))


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
    """Every rule in its order, with what it owned in the month of what `user` may see.

    Rules of one name are told apart by their days; the name is what a line keeps.
    """
    rules = list(OwnershipRule.objects.visible_to(user).listed())
    owned = remembered(user, ("owned by rule", month), lambda: _owned(user, month))
    active = [rule for rule in rules if rule.is_active]
    shadows = rule_order.shadowed_rules([rule.as_rule() for rule in active])
    shadowed = {active[number].pk: active[by] for number, by in shadows.items()}
    return [
        RuleRow(
            rule,
            [(code, amount) for code, amount, _ in owned.get(rule.name, [])],
            sum(charges for *_, charges in owned.get(rule.name, [])),
            shadowed.get(rule.pk),
            month_lines_url(month.period, rule=rule.name),
        )
        for rule in rules
    ]


def _owned(user: Person, month: Month) -> dict[str, list[tuple[str, Decimal | None, int]]]:
    rows = MonthRollup.objects.visible_to(user).charged_in(month.period).exclude(owner_rule="").order_by("currency")
    found = defaultdict(list)
    for row in rows.values("owner_rule", "currency").annotate(amount=Sum(METRIC), n=Sum("charges")):
        found[row["owner_rule"]].append((row["currency"], row["amount"], row["n"]))
    return dict(found)


def summarise_moves(moves: Sequence[CostMove]) -> dict[str, Any]:
    """What would change hands: the sums by month, and by from and to, each by currency; and the teams concerned."""
    names = _names(moves)
    pairs: dict[tuple[str, str, str], list[CostMove]] = defaultdict(list)
    months: dict[tuple[date, str], list[CostMove]] = defaultdict(list)
    for move in moves:
        ends = (names(move.owner_before, move.pool_before), names(move.owner, move.pool))
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


def _names(moves: Sequence[CostMove]) -> Any:
    teams = dict(Team.objects.values_list("pk", "name"))
    pools = dict(Pool.objects.values_list("pk", "name"))

    def name(team: int | None, pool: int | None) -> str:
        if team is not None:
            return teams.get(team, f"team {team}")
        return f"{spend.SHARED}: {pools.get(pool, pool)}" if pool is not None else spend.UNOWNED

    return name


def unowned_rows(user: Person, month: Month, by: str) -> list[dict[str, Any]]:
    """What nobody owns in the month, by account, service, region or a tag: the largest first, per currency."""
    question = Question(month.period, (by,), "", METRIC, {"team": [spend.NOBODY]})
    found = spend.rows(user, question)
    names = spend.labels((by,), found)
    fixers = fixers_of([row.group[0] for row in found]) if by == "account" else {}
    rows = [
        {
            "key": row.group[0],
            "label": names[row.group],
            "currency": row.currency,
            "amount": row.amount,
            "fixer": fixers.get(row.group[0]),
            "url": month_lines_url(month.period, team=spend.NOBODY, **{by: row.group[0]}) if row.group[0] else "",
        }
        for row in found
        if row.amount
    ]
    return sorted(rows, key=lambda row: -abs(row["amount"]))


@dataclass(frozen=True, slots=True)
class ExpectedFixer:
    """Who will find an owner, and why it is that person."""

    name: str
    why: str
    user_id: int | None = None


def fixers_of(accounts: Iterable[str]) -> dict[str, ExpectedFixer]:
    """{account: who will fix it}: whoever was named; else the lead of the team that owns most there; else finance."""
    accounts = list(dict.fromkeys(accounts))
    named = {
        each.sub_account: each.user for each in Fixer.objects.filter(sub_account__in=accounts).select_related("user")
    }
    leads = _leads_of(account for account in accounts if account not in named)
    finance = User.objects.in_role(FINANCE).order_by("email").first()
    found = {}
    for account in accounts:
        if user := named.get(account):
            found[account] = ExpectedFixer(str(user), "named", user.pk)
        elif lead := leads.get(account):
            found[account] = ExpectedFixer(
                str(lead.user), f"leads {lead.team}, which owns most of the account", lead.user_id
            )
        else:
            found[account] = ExpectedFixer(str(finance or "Finance"), "finance", finance and finance.pk)
    return found


def _leads_of(accounts: Iterable[str]) -> dict[str, Membership]:
    """The lead of the team with the most direct cost in each account, over all months."""
    rows = MonthRollup.objects.current().filter(sub_account__in=list(accounts)).of_side("direct").order_by()
    sums = rows.values_list("sub_account", "owner").annotate(amount=Sum(METRIC))
    largest: dict[str, tuple[Decimal, int]] = {}
    for account, team, amount in sums:
        largest[account] = max(largest.get(account, (Decimal(0), 0)), (amount or Decimal(0), team))
    leads = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True).select_related("user", "team")
    by_team = {each.team_id: each for each in leads.order_by("-user__email")}
    return {account: by_team[team] for account, (_, team) in largest.items() if team in by_team}


def account_names() -> Mapping[str, str]:
    found: QuerySet = Dimension.objects.filter(name="sub_account")
    return {each.value: str(each) for each in found}
