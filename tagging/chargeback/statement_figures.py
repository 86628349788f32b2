"""The figures around the lines of a statement: why it changed, top resources, missing tags, budgets.

Those of a draft are found each time, and those of a closed statement are frozen with it: its page, PDF and mail never
ask again, whoever reads them and whatever became of bills, budgets and names.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from costs.models import CostLine
from costs.query.trends import Comparison
from finops_site.lib.money import EXACT, exact_sum, rounded
from finops_site.lib.person import Person, WholeCompany
from finops_site.lib.trees import all_above
from finops_site.models import Team, User
from finops_site.people.roles import FINANCE
from finops_site.registry import TeamBudget, registry
from tagging.calc.tag_policy import PolicyResource
from tagging.chargeback.cost_queries import current_rows_of_month
from tagging.chargeback.periods import known_by_team, known_json, known_of_month, period_summary
from tagging.chargeback.statement_changes import (
    ResourceCost,
    StatementChange,
    TeamSums,
    explain_change_of,
    months_beside,
    resource_costs,
)
from tagging.models import ChargebackPeriod, Statement, TagRequirement
from tagging.policy.compliance import is_compliant

ZERO = Decimal(0)
TOP_RESOURCES = 10
# Teams whose resources are in memory together, while a month is closed.
TEAMS_AT_ONCE = 50
CANNOT_CARRY_TAGS = (
    Q(resource="")
    | Q(charge_category__in=["Tax", "Credit", "Refund", "Adjustment"])
    | Q(commitment_status="Unused")
    | (Q(charge_category="Purchase") & ~Q(commitment=""))
)


@dataclass(frozen=True, slots=True)
class StatementFigures:
    """Amounts in whole cents of the statement's currency; `top` is [{resource, label, amount}]."""

    change: StatementChange
    top: Sequence[Mapping[str, Any]]
    untagged: Decimal
    budgets: Sequence[TeamBudget]

    def as_json(self) -> dict[str, Any]:
        return {
            "change": asdict(self.change),
            "top": list(self.top),
            "untagged": self.untagged,
            "budgets": [asdict(budget) for budget in self.budgets],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StatementFigures":
        change = data["change"]
        return cls(
            StatementChange(
                Decimal(change["before"]),
                Decimal(change["after"]),
                [_with_decimals(reason) for reason in change["reasons"]],
                change["against"],
            ),
            [_with_decimals(row) for row in data["top"]],
            Decimal(data["untagged"]),
            [
                TeamBudget(**{**budget, "amount": Decimal(budget["amount"]), "spent": Decimal(budget["spent"])})
                for budget in data["budgets"]
            ],
        )


def _with_decimals(row: Mapping[str, Any]) -> dict[str, Any]:
    """The amounts of a stored row as decimals, and those of the rows in it."""
    amounts = {name: Decimal(row[name]) for name in ("amount", "rest") if name in row}
    inner = {"rows": [_with_decimals(one) for one in row["rows"]]} if "rows" in row else {}
    return {**row, **amounts, **inner}


def figures_of(
    statements: Sequence[Statement], reader: Person, comparison: Comparison | None
) -> dict[int, StatementFigures]:
    """{statement: its figures} of statements of one month: those frozen with it, else by today's data.

    `reader` decides which budgets are shown, and `comparison` with which days of last month a draft is compared.
    """
    figures = {
        statement.pk: StatementFigures.from_json(statement.figures) for statement in statements if statement.figures
    }
    missing = [statement for statement in statements if statement.pk not in figures]
    return {**figures, **(find_figures(missing, reader, comparison) if missing else {})}


def find_figures(
    statements: Sequence[Statement], reader: Person, comparison: Comparison | None = None
) -> dict[int, StatementFigures]:
    """The same by today's data, with as many questions of the cost data for many teams as for one."""
    period: ChargebackPeriod = statements[0].period
    teams = {statement.team_id for statement in statements}
    costs = resource_costs(teams, period.month, period.basis)
    months = months_beside(period, teams, costs, comparison)
    untagged = _untagged_cost(period, teams)
    budgets = {team: registry.budgets_of(reader, team, period.month) for team in teams}
    return {
        statement.pk: StatementFigures(
            explain_change_of(statement, months),
            _top_resources(costs.get(statement.team_id, ()), statement.currency),
            rounded(untagged.get((statement.team_id, statement.currency), ZERO), statement.currency),
            [budget for budget in budgets[statement.team_id] if budget.currency == statement.currency],
        )
        for statement in statements
    }


def freeze_figures(statements: Sequence[Statement], reader: Person) -> None:
    """Keeps with statements of one month what their documents show; `reader` sees the company and its budgets."""
    if not statements:
        return
    period: ChargebackPeriod = statements[0].period
    teams = sorted({statement.team_id for statement in statements})
    # What is missing in the bills, said as to a lead: she hears of no source.
    known, summary = known_by_team(period, teams), period_summary(period)
    parents = dict(Team.objects.values_list("pk", "parent"))
    for start in range(0, len(teams), TEAMS_AT_ONCE):
        batch = set(teams[start : start + TEAMS_AT_ONCE])
        of_batch = [statement for statement in statements if statement.team_id in batch]
        figures = find_figures(of_batch, reader)
        for statement in of_batch:
            statement.figures = {
                **figures[statement.pk].as_json(),
                "known": known_json(known[statement.team_id]),
                "summary": summary,
                # The teams above it, nearest first: the month's page sums by the tree as it was.
                "above": list(all_above(statement.team_id, parents)),
            }
    Statement.objects.bulk_update(statements, ["figures"], batch_size=200)


def freeze_missing() -> None:
    """Keeps the figures of statements that were closed before figures were kept, as they are today.

    Budgets are read for somebody who is in finance today: whoever closed the month may have left.
    """
    reader = User.objects.in_role(FINANCE).first() or WholeCompany()
    rows = Statement.objects.filter(figures__isnull=True, period__state=ChargebackPeriod.State.CLOSED)
    by_period: dict[int, list[Statement]] = defaultdict(list)
    for statement in rows.select_related("period__closed_by").order_by("pk"):
        by_period[statement.period_id].append(statement)
    for statements in by_period.values():
        period = statements[0].period
        if period.closed_by is None or period.closed_at is None:
            continue
        if period.known is None:
            period.known = known_json(known_of_month(WholeCompany(), period, period.closed_at.date()))
            period.save(update_fields=["known"])
        freeze_figures(statements, reader)


def _top_resources(costs: Iterable[ResourceCost], code: str) -> list[dict[str, Any]]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    names: dict[str, str] = {}
    for row in costs:
        if row["resource"] and row["currency"] == code:
            sums[row["resource"]] = EXACT.add(sums[row["resource"]], row["cost"] or ZERO)
            names[row["resource"]] = row["resource_name"] or row["resource"]
    largest = sorted(sums.items(), key=lambda item: -abs(item[1]))[:TOP_RESOURCES]
    return [
        {"resource": resource, "label": names[resource], "amount": rounded(amount, code)}
        for resource, amount in largest
    ]


def _untagged_cost(period: ChargebackPeriod, teams: Collection[int]) -> TeamSums:
    """{(team, currency): direct cost of charges that could carry tags and lack one that the policy requires}.

    The policy of the month's end decides once for each distinct combination of type and tags, as in compliance.
    """
    owned = current_rows_of_month(CostLine, period.month).filter(owner__in=teams)
    taggable = owned.exclude(CANNOT_CARRY_TAGS).order_by()
    names = ("owner", "currency", "provider", "service", "resource_type")
    rows = list(taggable.values_list(*names, "tag_set__tags").annotate(cost=Sum(period.basis)))
    policy = TagRequirement.objects.all().as_policy()
    day = period.month.next.start - timedelta(days=1)
    facts = policy.decide([PolicyResource(tags, *place) for _, _, *place, tags, _ in rows], day)
    requirements = policy.on(day)
    sums: dict[tuple[int, str], list[Decimal]] = defaultdict(list)
    for (team, code, *_, cost), fact in zip(rows, facts, strict=True):
        if not is_compliant(requirements, fact):
            sums[team, code].append(cost or ZERO)
    return {key: exact_sum(amounts) for key, amounts in sums.items()}
