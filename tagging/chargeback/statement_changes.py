"""Why a team's statement changed against the month before, with the largest things of each reason."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from costs.models import CostLine
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month
from tagging.calc import change_explanation
from tagging.calc.change_explanation import ChangePart, MonthlyCost
from tagging.chargeback.allocation import NOT_BY_SERVICE
from tagging.chargeback.cost_queries import current_rows_of_month
from tagging.models import Statement

ZERO = Decimal(0)
SHOWN_THINGS = 5
# The cost of a resource in a month: service, charge_category, resource, resource_name, unit, currency, cost, ...
ResourceCost = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StatementChange:
    """The change against last month: its reasons with their largest things; the parts sum to `amount` exactly."""

    before: Decimal
    after: Decimal
    reasons: list[dict[str, Any]]

    @property
    def amount(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


def resource_costs(team: int, month: Month, basis: str) -> list[ResourceCost]:
    """What each resource cost in a billing month, per unit of its quantity, by today's cost data."""
    reference = Coalesce("contracted_cost", "list_cost", basis)
    saved = Sum(reference - F(basis), filter=Q(commitment_status="Used"))
    rows = current_rows_of_month(CostLine, month).filter(owner=team)
    by_resource = rows.values("service", "charge_category", "resource", "resource_name", "unit", "currency")
    return list(by_resource.annotate(cost=Sum(basis), amount=Sum("quantity"), saved=saved))


def explain_change_of(statement: Statement, costs_now: Sequence[ResourceCost]) -> StatementChange:
    """The change against the team's statement of the month before; `costs_now` are those of the statement's month."""
    last = _statement_before(statement)
    costs_before = resource_costs(statement.team_id, statement.period.month.previous, (last or statement).basis)
    was, now = _monthly_costs(costs_before, statement.currency), _monthly_costs(costs_now, statement.currency)
    parts = change_explanation.explain_statement_change(
        change_explanation.explain_change(was, now, _resources_of_others(statement, [*costs_before, *costs_now])),
        _sums(last) if last else {},
        _sums(statement),
        (exact_sum(cost.cost for cost in was), exact_sum(cost.cost for cost in now)),
    )
    names = {_thing(row): row["resource_name"] or _thing(row) for row in (*costs_before, *costs_now)}
    reasons = [_reason(kind, parts, names) for kind in change_explanation.sum_by_kind(parts)]
    return StatementChange(last.total if last else ZERO, statement.total, reasons)


def _statement_before(statement: Statement) -> Statement | None:
    rows = Statement.objects.filter(
        team=statement.team_id,
        currency=statement.currency,
        period__billing_month=statement.period.month.previous.start,
    )
    return rows.select_related("period").first()


def _monthly_costs(rows: Iterable[ResourceCost], code: str) -> list[MonthlyCost]:
    return [
        MonthlyCost(_thing(row), row["unit"], row["cost"] or ZERO, row["amount"], row["saved"] or ZERO)
        for row in rows
        if row["currency"] == code
    ]


def _thing(row: ResourceCost) -> str:
    """The name of a resource; a charge without one is named by its service and category."""
    return row["resource"] or f"{row['service'] or NOT_BY_SERVICE}, {row['charge_category'].lower()}"


def _resources_of_others(statement: Statement, rows: Iterable[ResourceCost]) -> tuple[set[str], set[str]]:
    """Which of these resources another team (or nobody) owned last month, and which now."""
    resources = {row["resource"] for row in rows if row["resource"]}

    def owned_by_others(month: Month) -> set[str]:
        lines = current_rows_of_month(CostLine, month).filter(resource__in=resources, currency=statement.currency)
        return set(lines.exclude(owner=statement.team_id).order_by().values_list("resource", flat=True).distinct())

    month = statement.period.month
    return owned_by_others(month.previous), owned_by_others(month)


def _sums(statement: Statement) -> dict[str, Decimal]:
    return {
        "direct": statement.direct,
        "shared": EXACT.add(statement.shared, statement.spread),
        "booked": EXACT.add(statement.corrections, statement.adjustments),
    }


def _reason(kind: str, parts: Sequence[ChangePart], names: Mapping[str, str]) -> dict[str, Any]:
    """The sum of one kind of change, and its largest things."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        if part.kind == kind:
            sums[part.thing] = EXACT.add(sums[part.thing], part.amount)
    things = sorted(((thing, amount) for thing, amount in sums.items() if thing), key=lambda item: -abs(item[1]))
    return {
        "label": change_explanation.KIND_LABELS[kind],
        "amount": exact_sum(sums.values()),
        "rows": [{"label": names.get(thing, thing), "amount": amount} for thing, amount in things[:SHOWN_THINGS]],
        "more": max(0, len(things) - SHOWN_THINGS),
    }
