"""Figures of the months of chargeback: their sums, the equation of a month, and its teams. Read, never written.

Amounts are those of the documents, in whole cents: they sum as they stand on the page (calc/rounded_sets.py).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from costs.query.scope import POOLED
from costs.query.trends import Comparison
from finops_site.lib.money import EXACT, AmountWithPlaces, exact_sum, rounded
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.chargeback.links import CostLineLinks
from tagging.chargeback.statement_changes import TeamSums, charged_so_far, charged_until, in_cents, same_days_of
from tagging.models import ChargebackPeriod, Statement
from tagging.models.chargeback import StatementQuerySet

ZERO = Decimal(0)


def company_months() -> list[dict[str, Any]]:
    """A row for each month and currency of the whole company, the latest month first.

    bill = direct + shared + to_nobody.
    """
    names = ("bill", "direct", "shared", "corrections")
    return [
        {
            "billing_month": period.billing_month,
            "state": period.state,
            "currency": total.currency,
            **_with_places(
                total.currency,
                to_nobody=exact_sum([total.document_unallocated, total.document_unowned, total.document_rounding]),
                **{name: getattr(total, f"document_{name}") for name in names},
            ),
        }
        for period in ChargebackPeriod.objects.prefetch_related("totals")
        for total in period.totals.all()
    ]


def months_of_teams(user: Person) -> list[dict[str, Any]]:
    """A row for each month and currency of the statements that a person may see, the latest month first."""
    rows = Statement.objects.visible_to(user).order_by("-period__billing_month", "currency")
    names = ("direct", "shared", "spread", "corrections", "adjustments", "total")
    sums = {f"sum_{name}": Sum(f"document_{name}") for name in names}
    return [
        {
            "billing_month": row["period__billing_month"],
            "state": row["period__state"],
            "currency": row["currency"],
            **_with_places(
                row["currency"],
                direct=row["sum_direct"],
                shared=row["sum_shared"],
                spread=row["sum_spread"],
                booked=EXACT.add(row["sum_corrections"], row["sum_adjustments"]),
                total=row["sum_total"],
            ),
        }
        for row in rows.values("period__billing_month", "period__state", "currency").annotate(**sums)
    ]


def _with_places(code: str, **amounts: Decimal) -> dict[str, AmountWithPlaces]:
    """Amounts that a download writes with all places of their currency."""
    return {name: AmountWithPlaces(rounded(amount, code)) for name, amount in amounts.items()}


def month_equations(period: ChargebackPeriod) -> list[dict[str, Any]]:
    """bill = direct + shared + unallocated + unowned in each currency, each side with the address of its cost lines.

    A month that was closed before its documents were rounded together has what rounding made of it as one more part.
    """
    links = CostLineLinks()
    equations = []
    for total in period.totals.all():
        code = total.currency
        # The lines of all pools are what was shared, as long as nothing stayed in a pool.
        shared_url = "" if total.unallocated else links.month(period.month, team=POOLED, currency=code)
        parts = [
            (_("Direct"), total.document_direct, ""),
            (_("Shared"), total.document_shared, shared_url),
            (_("In pools nobody can take"), total.document_unallocated, ""),
            (_("Unowned"), total.document_unowned, links.month(period.month, team="none", currency=code)),
            *([(_("Rounding"), total.document_rounding, "")] if total.document_rounding else []),
        ]
        equations.append(
            {
                "currency": code,
                "total": total,
                "parts": [{"label": label, "amount": amount, "url": url} for label, amount, url in parts],
                "url": links.month(period.month, currency=code),
                "charged": exact_sum(
                    [
                        total.document_direct,
                        total.document_shared,
                        total.document_corrections,
                        -total.document_given_back,
                    ]
                ),
            }
        )
    return equations


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team of a month in one currency: its own statement, and with the teams below.

    `before` is what it was charged last month, or for the same days of it where the month is running; `after` is what
    is compared with it: its total, or what the days cost that all bills of a running month have.
    """

    team: Team
    depth: int
    currency: str
    statement: Statement | None
    with_below: Decimal
    before: Decimal | None
    after: Decimal

    def _own(self, name: str) -> Decimal:
        return getattr(self.statement, f"document_{name}") if self.statement else ZERO

    @property
    def direct(self) -> Decimal:
        return self._own("direct")

    @property
    def shared(self) -> Decimal:
        return self._own("shared")

    @property
    def spread(self) -> Decimal:
        return self._own("spread")

    @property
    def booked(self) -> Decimal:
        return exact_sum([self._own("corrections"), self._own("adjustments")])

    @property
    def total(self) -> Decimal:
        return self._own("total")

    @property
    def change(self) -> Decimal | None:
        return None if self.before is None else EXACT.subtract(self.after, self.before)


def team_rows(user: Person, period: ChargebackPeriod, comparison: Comparison | None) -> list[TeamRow]:
    """The teams that a person may see, each under the team it belongs to, with sums of those below.

    With the `comparison` of a running month, against the same days of last month.
    """
    visible = Statement.objects.visible_to(user)
    statements = {(row.team_id, row.currency): row for row in visible.filter(period=period).select_related("period")}
    last = ChargebackPeriod.objects.filter(billing_month=period.month.previous.start).first()
    after = {key: row.document_total for key, row in statements.items()}
    if last and last.is_set_aside:
        # Nobody was charged for it, whatever its statements were when they were drafts.
        before = dict.fromkeys(statements, ZERO)
    else:
        before = _charged_before(visible, last, same_days_of(comparison))
        if (so_far := charged_so_far(period, comparison)) is not None:
            after = in_cents(so_far)
    teams = list(Team.objects.visible_to(user))
    parents: dict[int, int | None] = {}
    for key, statement in statements.items():
        if figures := statement.figures:
            # A closed month is what its frozen statements say, whatever became of last month and of the teams since.
            before[key] = Decimal(figures["change"]["before"])
            chain = [statement.team_id, *figures["above"]] if "above" in figures else []
            parents |= dict(zip(chain, [*chain[1:], None], strict=True)) if chain else {}
    tree = list(_team_tree(teams, parents))
    rows = []
    for code in sorted({code for _ignored, code in statements}):
        for team, depth, below in tree:
            totals = [statements[pk, code].document_total for pk in below if (pk, code) in statements]
            if totals:
                key = (team.pk, code)
                compared = (before.get(key), after.get(key, ZERO))
                rows.append(TeamRow(team, depth, code, statements.get(key), exact_sum(totals), *compared))
    return rows


def _charged_before(visible: StatementQuerySet, last: ChargebackPeriod | None, until: date | None) -> TeamSums:
    """{(team, currency): what it was charged last month}; with `until`, for the charge days before it."""
    if last is None:
        return {}
    if until is None:
        charged = visible.filter(period=last).values_list("team", "currency", "document_total")
        return {(team, code): total for team, code, total in charged}
    return charged_until(last, until)


def _team_tree(teams: Sequence[Team], parents: Mapping[int, int | None]) -> Iterator[tuple[Team, int, set[int]]]:
    """(team, its depth, its id and those of all teams below it), from the top down; `parents` go before today's."""
    known = {team.pk for team in teams}
    children: dict[int | None, list[Team]] = defaultdict(list)
    for team in teams:
        parent = parents.get(team.pk, team.parent_id)
        children[parent if parent in known else None].append(team)

    def below(team: Team) -> set[int]:
        return {team.pk}.union(*(below(child) for child in children[team.pk]))

    def walk(parent: int | None, depth: int) -> Iterator[tuple[Team, int, set[int]]]:
        for team in sorted(children[parent], key=lambda child: child.name):
            yield team, depth, below(team)
            yield from walk(team.pk, depth + 1)

    return walk(None, 0)
