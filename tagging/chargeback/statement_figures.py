"""What the pages, files and API of chargeback show of a month and of a team's statement: read, never written."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse

from costs.models import CostLine
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.calc import change_explanation
from tagging.calc.change_explanation import ChangePart, MonthlyCost
from tagging.calc.tag_policy import PolicyResource
from tagging.chargeback import allocation
from tagging.models import ChargebackPeriod, Statement, StatementLine, TagRequirement
from tagging.policy.compliance import is_compliant

ZERO = Decimal(0)
TOP = 10
KINDS = StatementLine.Kind


def billing_month_lines_url(month: Month, span: tuple[Any, Any], **filters: Any) -> str:
    """The cost lines behind an amount of a billing month; `span` are its first and last charge day."""
    query = {**filters, "billing_month": str(month), "from": span[0], "to": span[1]}
    return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team of a month in one currency: its own statement, and with the teams below."""

    team: Team
    depth: int
    currency: str
    statement: Statement | None
    direct: Decimal
    shared: Decimal
    booked: Decimal
    total: Decimal
    with_below: Decimal
    before: Decimal | None


def team_rows(user: Person, period: ChargebackPeriod) -> list[TeamRow]:
    """The teams a person may see, each under the team it belongs to, with sums of those below."""
    teams = list(Team.objects.visible_to(user))
    mine = list(Statement.objects.visible_to(user).filter(period=period).select_related("period"))
    before = _totals_before(user, period)
    found = {(each.team_id, each.currency): each for each in mine}
    rows = []
    for code in sorted({each.currency for each in mine}):
        for team, depth, below in _tree(teams):
            total = exact_sum(found[pk, code].total for pk in below if (pk, code) in found)
            if any((pk, code) in found for pk in below):
                rows.append(_team_row(team, depth, code, found.get((team.pk, code)), total, before))
    return rows


def _team_row(
    team: Team, depth: int, code: str, own: Statement | None, with_below: Decimal, before: Mapping[Any, Decimal]
) -> TeamRow:
    sums = {name: getattr(own, name) if own else ZERO for name in ("direct", "shared", "total")}
    booked = exact_sum([own.spread, own.corrections, own.adjustments]) if own else ZERO
    return TeamRow(
        team=team,
        depth=depth,
        currency=code,
        statement=own,
        booked=booked,
        with_below=with_below,
        before=before.get((team.pk, code)),
        **sums,
    )


def _totals_before(user: Person, period: ChargebackPeriod) -> dict[tuple[int, str], Decimal]:
    rows = Statement.objects.visible_to(user).filter(period__billing_month=period.month.previous.start)
    return {(team, code): total for team, code, total in rows.values_list("team", "currency", "total")}


def _tree(teams: Sequence[Team]) -> Iterator[tuple[Team, int, set[int]]]:
    """(team, how deep it stands, its id and those of all below it), from the top down."""
    known = {team.pk for team in teams}
    children: dict[int | None, list[Team]] = defaultdict(list)
    for team in teams:
        children[team.parent_id if team.parent_id in known else None].append(team)

    def below(team: Team) -> set[int]:
        return {team.pk}.union(*(below(child) for child in children[team.pk]))

    def walk(parent: int | None, depth: int) -> Iterator[tuple[Team, int, set[int]]]:
        for team in sorted(children[parent], key=lambda each: each.name):
            yield team, depth, below(team)
            yield from walk(team.pk, depth + 1)

    return walk(None, 0)


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of a statement with where its amount opens."""

    line: StatementLine
    url: str
    corrects_url: str = ""
    dispute_url: str = ""


@dataclass(frozen=True, slots=True)
class StatementChange:
    """The change against last month: its kinds with their largest things; the parts sum to `change` exactly."""

    before: Decimal
    after: Decimal
    kinds: list[dict[str, Any]]

    @property
    def change(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


@dataclass(frozen=True, slots=True)
class StatementDetails:
    """A statement as its page shows it."""

    statement: Statement
    groups: list[dict[str, Any]]
    explained: StatementChange
    top: list[dict[str, Any]] = field(default_factory=list)
    untagged: Decimal = ZERO


def statements_of(user: Person, period: ChargebackPeriod, team: Team) -> list[Statement]:
    rows = Statement.objects.visible_to(user).filter(period=period, team=team)
    return list(rows.select_related("period__closed_by", "team").order_by("currency"))


def statement_details(
    statement: Statement, user: Person | None = None, disputed: Mapping[int, str] | None = None
) -> StatementDetails:
    """Everything a statement's page or PDF says; links to lines only where `user` may open them.

    `disputed` is {line: the address of its latest dispute}.
    """
    month, code = statement.period.month, statement.currency
    now = _items(statement.team_id, month, statement.basis)
    last = _last(statement)
    before = _items(statement.team_id, month.previous, (last or statement).basis)
    return StatementDetails(
        statement=statement,
        groups=_groups(statement, user, disputed or {}),
        explained=_explained(statement, last, before, now),
        top=_top(statement, now),
        untagged=_untagged(statement.team_id, month, statement.basis, code),
    )


GROUPS = (
    ("Direct", "What your resources cost, by service.", (KINDS.DIRECT,)),
    ("Shared", "Your share of what several teams use.", (KINDS.SHARED, KINDS.SPREAD)),
    (
        "Corrections and adjustments",
        "Booked in this month for months closed before, and after disputes.",
        (KINDS.CORRECTION, KINDS.ADJUSTMENT),
    ),
)


def _groups(statement: Statement, user: Person, disputed: Mapping[int, str]) -> list[dict[str, Any]]:
    lines = list(statement.lines.select_related("pool", "corrects__period", "of_period"))
    span = allocation.charge_days_of(statement.period.month)
    company = user is not None and user.sees_whole_company
    groups = []
    for title, text, kinds in GROUPS:
        mine = sorted((line for line in lines if line.kind in kinds), key=lambda line: (-abs(line.amount), line.key))
        if mine:
            rows = [
                LineRow(line, _line_url(line, statement, span, company), _corrects_url(line), disputed.get(line.pk, ""))
                for line in mine
            ]
            total = exact_sum(line.amount for line in mine)
            groups.append({"title": title, "text": text, "rows": rows, "total": total})
    return groups


def _line_url(line: StatementLine, statement: Statement, span: tuple[Any, Any], company: bool) -> str:
    """Shared cost opens for those who see the company: the lines of a pool are no single team's."""
    month, code = statement.period.month, statement.currency
    if line.kind == KINDS.DIRECT:
        return billing_month_lines_url(month, span, own_team=statement.team_id, service=line.service, currency=code)
    if line.kind == KINDS.SHARED and company:
        return billing_month_lines_url(month, span, pool=line.pool_id, currency=code)
    if line.kind == KINDS.CORRECTION and line.of_period and line.service:
        corrected = line.of_period.month
        days = allocation.charge_days_of(corrected)
        return billing_month_lines_url(corrected, days, own_team=statement.team_id, service=line.service, currency=code)
    return ""


def line_url(line: StatementLine, user: Person) -> str:
    """Where the amount of one line opens, empty where this person may not see what is behind it."""
    span = allocation.charge_days_of(line.statement.period.month)
    return _line_url(line, line.statement, span, user.sees_whole_company)


def _corrects_url(line: StatementLine) -> str:
    return line.corrects.get_absolute_url() if line.corrects else ""


def _items(team: int, month: Month, basis: str) -> list[dict[str, Any]]:
    """What each resource cost in a billing month, per unit of its quantity, by today's books."""
    reference = Coalesce("contracted_cost", "list_cost", basis)
    saved = Sum(reference - F(basis), filter=Q(commitment_status="Used"))
    rows = allocation.current_rows_of_month(CostLine, month).filter(owner=team)
    named = rows.values("service", "charge_category", "resource", "resource_name", "unit", "currency")
    return list(named.annotate(cost=Sum(basis), amount=Sum("quantity"), saved=saved))


def _as_items(rows: Iterable[Mapping[str, Any]], code: str) -> list[MonthlyCost]:
    return [
        MonthlyCost(_thing(row), row["unit"], row["cost"] or ZERO, row["amount"], row["saved"] or ZERO)
        for row in rows
        if row["currency"] == code
    ]


def _thing(row: Mapping[str, Any]) -> str:
    """A resource; what has none is known by its service and category."""
    return row["resource"] or f"{row['service'] or allocation.NOT_BY_SERVICE}, {row['charge_category'].lower()}"


def _explained(statement: Statement, last: Statement | None, before: Any, now: Any) -> StatementChange:
    code = statement.currency
    was, items = _as_items(before, code), _as_items(now, code)
    told = exact_sum(item.cost for item in was), exact_sum(item.cost for item in items)
    others = _of_others(statement, [*before, *now])
    parts = change_explanation.explain_statement_change(
        change_explanation.explain_change(was, items, others), _sums(last), _sums(statement), told
    )
    names = {_thing(row): row["resource_name"] or _thing(row) for row in (*before, *now)}
    total_before = last.total if last else ZERO
    return StatementChange(
        total_before, statement.total, [_kind(kind, parts, names) for kind in change_explanation.sum_by_kind(parts)]
    )


def _of_others(statement: Statement, rows: Iterable[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """Which of these resources somebody else (or nobody) had last month, and which has now."""
    named = {row["resource"] for row in rows if row["resource"]}
    month, code = statement.period.month, statement.currency
    had, have = (
        set(
            allocation.current_rows_of_month(CostLine, each)
            .filter(resource__in=named, currency=code)
            .exclude(owner=statement.team_id)
            .order_by()
            .values_list("resource", flat=True)
            .distinct()
        )
        for each in (month.previous, month)
    )
    return had, have


def _last(statement: Statement) -> Statement | None:
    rows = Statement.objects.filter(
        team=statement.team_id,
        currency=statement.currency,
        period__billing_month=statement.period.month.previous.start,
    )
    return rows.select_related("period").first()


def _sums(statement: Statement | None) -> dict[str, Decimal]:
    if statement is None:
        return {}
    return {
        "direct": statement.direct,
        "shared": EXACT.add(statement.shared, statement.spread),
        "booked": EXACT.add(statement.corrections, statement.adjustments),
    }


def _kind(kind: str, parts: Sequence[ChangePart], names: Mapping[str, str]) -> dict[str, Any]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        if part.kind == kind:
            sums[part.thing] = EXACT.add(sums[part.thing], part.amount)
    things = sorted(((thing, amount) for thing, amount in sums.items() if thing), key=lambda each: -abs(each[1]))
    rows = [{"label": names.get(thing, thing), "amount": amount} for thing, amount in things[:5]]
    total = exact_sum(sums.values())
    return {
        "label": change_explanation.KIND_LABELS[kind],
        "amount": total,
        "rows": rows,
        "more": max(0, len(things) - 5),
    }


def _top(statement: Statement, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    month, code = statement.period.month, statement.currency
    span = allocation.charge_days_of(month)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    names: dict[str, str] = {}
    for row in rows:
        if row["resource"] and row["currency"] == code:
            sums[row["resource"]] = EXACT.add(sums[row["resource"]], row["cost"] or ZERO)
            names[row["resource"]] = row["resource_name"] or row["resource"]
    largest = sorted(sums.items(), key=lambda each: -each[1])[:TOP]
    return [
        {
            "label": names[resource],
            "amount": amount,
            "url": billing_month_lines_url(month, span, own_team=statement.team_id, resource=resource, currency=code),
        }
        for resource, amount in largest
    ]


CANNOT_CARRY_TAGS = (
    Q(resource="")
    | Q(charge_category__in=["Tax", "Credit", "Refund", "Adjustment"])
    | Q(commitment_status="Unused")
    | (Q(charge_category="Purchase") & ~Q(commitment=""))
)


def _untagged(team: int, month: Month, basis: str, currency: str) -> Decimal:
    """The direct cost of charges that could carry tags and lack one that the policy of the month's end requires.

    Asked once for each distinct thing to decide, as compliance does.
    """
    mine = (
        allocation.current_rows_of_month(CostLine, month)
        .filter(owner=team, currency=currency)
        .exclude(CANNOT_CARRY_TAGS)
    )
    names = ("provider", "service", "resource_type")
    rows = list(mine.order_by().values_list(*names, "tag_set__tags").annotate(cost=Sum(basis)))
    policy = TagRequirement.objects.all().as_policy()
    day = month.next.start - timedelta(days=1)
    decided = policy.decide([PolicyResource(tags, *place) for *place, tags, _ in rows], day)
    return exact_sum(
        row[-1] or ZERO for row, facts in zip(rows, decided, strict=True) if not is_compliant(policy.on(day), facts)
    )


HEADER = (
    "Billing month",
    "State",
    "Statement",
    "Team",
    "Cost centre",
    "Kind",
    "What",
    "How",
    "Corrects",
    "Basis",
    "Amount",
    "Currency",
)


def statement_table(statements: Any) -> Iterator[Sequence[Any]]:
    """Every line of the statements as rows of a file, the header first, amounts with every digit."""
    yield HEADER
    lines = StatementLine.objects.filter(statement__in=statements).select_related(
        "statement__period", "statement__team", "corrects"
    )
    for line in lines.order_by("statement__team_name", "statement__currency", "kind", "-amount", "key"):
        statement, period = line.statement, line.statement.period
        yield (
            str(period.month),
            period.state,
            statement.number or "",
            statement.team_name,
            statement.cost_center,
            line.get_kind_display(),
            line.label,
            line.formula,
            line.corrects.number if line.corrects else "",
            period.basis,
            line.amount,
            statement.currency,
        )


def unallocated_rows(period: ChargebackPeriod) -> Iterator[Sequence[Any]]:
    """What no statement charges: pools nobody can take and what nobody owns, for the file of the whole month."""
    for total in period.totals.all():
        for label, amount in (("In pools nobody can take", total.unallocated), ("Unowned", total.unowned)):
            if amount:
                code = total.currency
                yield (str(period.month), period.state, "", "", "", label, label, "", "", period.basis, amount, code)
