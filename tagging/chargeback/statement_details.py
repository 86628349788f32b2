"""Everything that the page or the PDF of a team's statement shows: read, never written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from costs.web.links import group_filters
from finops_site.lib.money import exact_sum
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from tagging.chargeback.links import CostLineLinks
from tagging.chargeback.statement_changes import StatementChange, draft_comparison
from tagging.chargeback.statement_figures import StatementFigures, figures_of
from tagging.models import ChargebackPeriod, Statement, StatementLine

KINDS = StatementLine.Kind
GROUPS = (
    (_lazy("Direct"), _lazy("What your resources cost, by service."), (KINDS.DIRECT,)),
    (_lazy("Shared"), _lazy("Your share of what several teams use."), (KINDS.SHARED,)),
    (_lazy("Spread discounts"), _lazy("What discounts of commitments move between teams."), (KINDS.SPREAD,)),
    (
        _lazy("Corrections and adjustments"),
        _lazy("Booked in this month for months closed before, and after disputes."),
        (KINDS.CORRECTION, KINDS.ADJUSTMENT),
    ),
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
    """A statement as its page shows it; `top` is [{label, amount, url}]."""

    statement: Statement
    groups: list[dict[str, Any]]
    figures: StatementFigures
    top: list[dict[str, Any]]

    @property
    def change(self) -> StatementChange:
        return self.figures.change


def statements_of(user: Person, period: ChargebackPeriod, team: Team) -> list[Statement]:
    rows = Statement.objects.visible_to(user).filter(period=period, team=team)
    return list(rows.select_related("period__closed_by", "team").order_by("currency"))


def statement_details(
    statements: Sequence[Statement], reader: Person, today: date, disputes: Mapping[int, str] | None = None
) -> list[StatementDetails]:
    """The details of a team's statements of one month, with links where `reader` may open them.

    `disputes` is {line: the address of its latest dispute}.
    """
    if not statements:
        return []
    links = CostLineLinks()
    figures = figures_of(statements, reader, draft_comparison(statements[0].period, today))
    return [
        StatementDetails(
            statement,
            _line_groups(statement, reader, disputes or {}, links),
            figures[statement.pk],
            [_top_row(statement, row, links) for row in figures[statement.pk].top],
        )
        for statement in statements
    ]


def _top_row(statement: Statement, row: Mapping[str, Any], links: CostLineLinks) -> dict[str, Any]:
    resource = group_filters(("resource",), [row["resource"]])
    filters = {"own_team": statement.team_id, **resource, "currency": statement.currency}
    url = links.month(statement.period.month, **filters)
    return {"label": row["label"], "amount": row["amount"], "url": url}


def _line_groups(
    statement: Statement, user: Person, disputes: Mapping[int, str], links: CostLineLinks
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
            total = exact_sum(line.document_amount for line in in_group)
            groups.append({"title": title, "text": text, "rows": rows, "total": total})
    return groups
