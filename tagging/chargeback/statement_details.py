"""Everything that the page or the PDF of a team's statement shows: read, never written."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from costs.models import CostLine
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.calc.tag_policy import PolicyResource
from tagging.chargeback.cost_queries import current_rows_of_month
from tagging.chargeback.links import CostLineLinks
from tagging.chargeback.statement_changes import ResourceCost, StatementChange, explain_change_of, resource_costs
from tagging.models import ChargebackPeriod, Statement, StatementLine, TagRequirement
from tagging.policy.compliance import is_compliant

ZERO = Decimal(0)
TOP_RESOURCES = 10
KINDS = StatementLine.Kind
GROUPS = (
    ("Direct", "What your resources cost, by service.", (KINDS.DIRECT,)),
    ("Shared", "Your share of what several teams use.", (KINDS.SHARED, KINDS.SPREAD)),
    (
        "Corrections and adjustments",
        "Booked in this month for months closed before, and after disputes.",
        (KINDS.CORRECTION, KINDS.ADJUSTMENT),
    ),
)
CANNOT_CARRY_TAGS = (
    Q(resource="")
    | Q(charge_category__in=["Tax", "Credit", "Refund", "Adjustment"])
    | Q(commitment_status="Unused")
    | (Q(charge_category="Purchase") & ~Q(commitment=""))
)


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of a statement with the address of the cost lines behind its amount."""

    line: StatementLine
    url: str
    corrects_url: str = ""
    dispute_url: str = ""


@dataclass(frozen=True, slots=True)
class StatementDetails:
    """A statement as its page shows it."""

    statement: Statement
    groups: list[dict[str, Any]]
    change: StatementChange
    top: list[dict[str, Any]] = field(default_factory=list)
    untagged: Decimal = ZERO


def statements_of(user: Person, period: ChargebackPeriod, team: Team) -> list[Statement]:
    rows = Statement.objects.visible_to(user).filter(period=period, team=team)
    return list(rows.select_related("period__closed_by", "team").order_by("currency"))


def statement_details(
    statement: Statement, user: Person | None = None, disputes: Mapping[int, str] | None = None
) -> StatementDetails:
    """The details of a statement; links to cost lines only where `user` may open them.

    `disputes` is {line: the address of its latest dispute}.
    """
    links = CostLineLinks()
    costs = resource_costs(statement.team_id, statement.period.month, statement.basis)
    return StatementDetails(
        statement=statement,
        groups=_line_groups(statement, user, disputes or {}, links),
        change=explain_change_of(statement, costs),
        top=_top_resources(statement, costs, links),
        untagged=_untagged_cost(statement),
    )


def _line_groups(
    statement: Statement, user: Person | None, disputes: Mapping[int, str], links: CostLineLinks
) -> list[dict[str, Any]]:
    lines = list(statement.lines.select_related("pool", "corrects__period", "of_period"))
    groups = []
    for title, text, kinds in GROUPS:
        in_group = [line for line in lines if line.kind in kinds]
        in_group.sort(key=lambda line: (-abs(line.amount), line.key))
        rows = [
            LineRow(
                line,
                links.statement_line(line, user),
                line.corrects.get_absolute_url() if line.corrects else "",
                disputes.get(line.pk, ""),
            )
            for line in in_group
        ]
        if rows:
            total = exact_sum(line.amount for line in in_group)
            groups.append({"title": title, "text": text, "rows": rows, "total": total})
    return groups


def _top_resources(statement: Statement, costs: Sequence[ResourceCost], links: CostLineLinks) -> list[dict[str, Any]]:
    month, code = statement.period.month, statement.currency
    sums: dict[str, Decimal] = defaultdict(Decimal)
    names: dict[str, str] = {}
    for row in costs:
        if row["resource"] and row["currency"] == code:
            sums[row["resource"]] = EXACT.add(sums[row["resource"]], row["cost"] or ZERO)
            names[row["resource"]] = row["resource_name"] or row["resource"]
    largest = sorted(sums.items(), key=lambda item: -abs(item[1]))[:TOP_RESOURCES]
    return [
        {
            "label": names[resource],
            "amount": amount,
            "url": links.month(month, own_team=statement.team_id, resource=resource, currency=code),
        }
        for resource, amount in largest
    ]


def _untagged_cost(statement: Statement) -> Decimal:
    """The direct cost of charges that could carry tags and lack one that the policy of the month's end requires.

    The policy decides once for each distinct combination of resource type and tags, as in compliance.
    """
    month: Month = statement.period.month
    owned = current_rows_of_month(CostLine, month).filter(owner=statement.team_id, currency=statement.currency)
    taggable = owned.exclude(CANNOT_CARRY_TAGS).order_by()
    names = ("provider", "service", "resource_type")
    rows = list(taggable.values_list(*names, "tag_set__tags").annotate(cost=Sum(statement.basis)))
    policy = TagRequirement.objects.all().as_policy()
    day = month.next.start - timedelta(days=1)
    facts = policy.decide([PolicyResource(tags, *place) for *place, tags, _ in rows], day)
    requirements = policy.on(day)
    return exact_sum(
        row[-1] or ZERO for row, fact in zip(rows, facts, strict=True) if not is_compliant(requirements, fact)
    )
