"""Figures of the months of chargeback: their sums, the equation of a month, and its teams. Read, never written."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from costs.query.scope import POOLED
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.chargeback.links import CostLineLinks
from tagging.models import ChargebackPeriod, Statement

ZERO = Decimal(0)


def company_months() -> list[dict[str, Any]]:
    """A row for each month and currency of the whole company, the latest month first."""
    names = ("currency", "bill", "direct", "shared", "corrections")
    return [
        {
            "billing_month": period.billing_month,
            "state": period.state,
            "to_nobody": EXACT.add(total.unallocated, total.unowned),
            **{name: getattr(total, name) for name in names},
        }
        for period in ChargebackPeriod.objects.prefetch_related("totals")
        for total in period.totals.all()
    ]


def months_of_teams(user: Person) -> list[dict[str, Any]]:
    """A row for each month and currency of the statements that a person may see, the latest month first."""
    rows = Statement.objects.visible_to(user).order_by("-period__billing_month", "currency")
    names = ("direct", "shared", "spread", "corrections", "adjustments", "total")
    sums = {f"sum_{name}": Sum(name) for name in names}
    return [
        {
            "billing_month": row["period__billing_month"],
            "state": row["period__state"],
            "currency": row["currency"],
            "direct": row["sum_direct"],
            "shared": EXACT.add(row["sum_shared"], row["sum_spread"]),
            "booked": EXACT.add(row["sum_corrections"], row["sum_adjustments"]),
            "total": row["sum_total"],
        }
        for row in rows.values("period__billing_month", "period__state", "currency").annotate(**sums)
    ]


def month_equations(period: ChargebackPeriod) -> list[dict[str, Any]]:
    """bill = direct + shared + unallocated + unowned in each currency, each side with the address of its cost lines."""
    links = CostLineLinks()
    equations = []
    for total in period.totals.all():
        code = total.currency
        # The lines of all pools are what was shared, as long as nothing stayed in a pool.
        shared_url = "" if total.unallocated else links.month(period.month, team=POOLED, currency=code)
        parts = [
            ("Direct", total.direct, ""),
            ("Shared", total.shared, shared_url),
            ("In pools nobody can take", total.unallocated, ""),
            ("Unowned", total.unowned, links.month(period.month, team="none", currency=code)),
        ]
        equations.append(
            {
                "currency": code,
                "total": total,
                "parts": [{"label": label, "amount": amount, "url": url} for label, amount, url in parts],
                "url": links.month(period.month, currency=code),
                "charged": exact_sum([total.direct, total.shared, total.corrections, -total.given_back]),
            }
        )
    return equations


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team of a month in one currency: its own statement, and with the teams below."""

    team: Team
    depth: int
    currency: str
    statement: Statement | None
    with_below: Decimal
    before: Decimal | None

    def _own(self, name: str) -> Decimal:
        return getattr(self.statement, name) if self.statement else ZERO

    @property
    def direct(self) -> Decimal:
        return self._own("direct")

    @property
    def shared(self) -> Decimal:
        return self._own("shared")

    @property
    def booked(self) -> Decimal:
        return exact_sum([self._own("spread"), self._own("corrections"), self._own("adjustments")])

    @property
    def total(self) -> Decimal:
        return self._own("total")

    @property
    def change(self) -> Decimal | None:
        return None if self.before is None else EXACT.subtract(self.total, self.before)


def team_rows(user: Person, period: ChargebackPeriod) -> list[TeamRow]:
    """The teams that a person may see, each under the team it belongs to, with sums of those below."""
    visible = Statement.objects.visible_to(user)
    statements = {(row.team_id, row.currency): row for row in visible.filter(period=period).select_related("period")}
    last_month = visible.filter(period__billing_month=period.month.previous.start)
    before = {(team, code): total for team, code, total in last_month.values_list("team", "currency", "total")}
    tree = list(_team_tree(list(Team.objects.visible_to(user))))
    rows = []
    for code in sorted({code for _, code in statements}):
        for team, depth, below in tree:
            totals = [statements[pk, code].total for pk in below if (pk, code) in statements]
            if totals:
                key = (team.pk, code)
                rows.append(TeamRow(team, depth, code, statements.get(key), exact_sum(totals), before.get(key)))
    return rows


def _team_tree(teams: Sequence[Team]) -> Iterator[tuple[Team, int, set[int]]]:
    """(team, its depth, its id and those of all teams below it), from the top down."""
    known = {team.pk for team in teams}
    children: dict[int | None, list[Team]] = defaultdict(list)
    for team in teams:
        children[team.parent_id if team.parent_id in known else None].append(team)

    def below(team: Team) -> set[int]:
        return {team.pk}.union(*(below(child) for child in children[team.pk]))

    def walk(parent: int | None, depth: int) -> Iterator[tuple[Team, int, set[int]]]:
        for team in sorted(children[parent], key=lambda child: child.name):
            yield team, depth, below(team)
            yield from walk(team.pk, depth + 1)

    return walk(None, 0)
