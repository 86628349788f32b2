"""A statement as a PDF, for the lead's email and for its page."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils.text import capfirst, slugify

from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.people.reader_language import in_company_language
from finops_site.reports import typst_documents
from finops_site.ui.figures import month_text
from tagging.chargeback.periods import known_of_month
from tagging.chargeback.statement_details import StatementDetails, statement_details
from tagging.models import ChargebackPeriod, Statement, StatementDocument

PDF = "application/pdf"


def statement_attachment(statement: Statement) -> tuple[str, bytes, str]:
    """(file name, content, type) of the attachment to mail with a closed statement: all currencies of its team."""
    name = f"statement-{statement.period.month}-{slugify(statement.team_name) or statement.team_id}.pdf"
    return name, closed_document(statement.period, statement.team_id), PDF


def closed_document(period: ChargebackPeriod, team: int) -> bytes:
    """The PDF of a team's closed statements, made at first and kept: the same bytes for everybody, ever after."""
    document = StatementDocument.objects.filter(period=period, team=team).first()
    if document is None:
        rows = Statement.objects.filter(period=period, team=team).select_related("period__closed_by", "team")
        statements = list(rows.order_by("currency"))
        assert period.closed_by is not None
        assert period.closed_at is not None
        with in_company_language():
            content = render_statements(statements, period.closed_by, period.closed_at.date())
        document, _ = StatementDocument.objects.get_or_create(
            period=period, team_id=team, defaults={"content": content}
        )
    return bytes(document.content)


def make_documents() -> None:
    """Makes the documents of closed statements that have none yet."""
    made = StatementDocument.objects.filter(period=OuterRef("period"), team=OuterRef("team"))
    rows = Statement.objects.filter(~Exists(made), period__state=ChargebackPeriod.State.CLOSED)
    pairs = list(rows.order_by("period", "team").values_list("period", "team").distinct())
    periods = ChargebackPeriod.objects.select_related("closed_by").in_bulk({period for period, _ in pairs})
    for period, team in pairs:
        if periods[period].closed_by:
            closed_document(periods[period], team)


def render_statements(statements: list[Statement], reader: Person, today: date) -> bytes:
    """The statements of one team and month, one for each currency, as a PDF, with the budgets that `reader` may see."""
    first = statements[0]
    period = first.period
    state = "Draft: it may still change"
    if period.is_closed:
        assert period.closed_at is not None
        state = f"Closed on {day_text(period.closed_at)}"
    elif period.is_set_aside:
        state = "Set aside: nobody is charged for it"
    numbers = ", ".join(statement.number for statement in statements if statement.number)
    basis = f"By billing month, {period.get_basis_display().lower()}"
    if period.basis == period.Basis.EFFECTIVE:
        basis += f", discounts of commitments {period.get_discounts_display()}"
    notes = known_of_month(reader, period, today, team=first.team).notes
    data = {
        "title": f"Chargeback of {first.team_name}, {month_text(period.billing_month, 'long')}",
        "subtitle": ". ".join(part for part in (numbers and f"Statement {numbers}", state, basis) if part),
        "note": f"Cost centre {first.cost_center}" if first.cost_center else "",
        "date": today.isoformat(),
        "sections": [
            *([{"title": "What is not known yet", "text": list(notes)}] if notes else []),
            *(section for shown in statement_details(statements, reader, today) for section in _sections(shown)),
        ],
    }
    return typst_documents.render_pdf("document", data)


def _sections(details: StatementDetails) -> list[dict[str, Any]]:
    code = details.statement.currency
    change = {
        "head": ["Why it changed", "Amount"],
        "rows": [[reason["label"], _amount(reason["amount"], code)] for reason in details.change.reasons],
        "totals": [[f"Change {details.change.against}", _amount(details.change.amount, code)]],
    }
    top = {
        "head": ["Resource", "Amount"],
        "rows": [[row["label"], _amount(row["amount"], code)] for row in details.top],
    }
    return [
        _summary(details),
        *(_group_section(group, code) for group in details.groups),
        {"title": "Why it changed", "text": ["The parts sum to the change exactly."], "tables": [change]},
        *([{"title": "Top resources", "tables": [top]}] if details.top else []),
    ]


def _amount(amount: Decimal, code: str) -> dict[str, str]:
    return {"amount": formatted(amount, code), "currency": code}


def _summary(details: StatementDetails) -> dict[str, Any]:
    statement, code = details.statement, details.statement.currency
    sums = [
        ("Total", statement.document_total),
        ("Direct", statement.document_direct),
        ("Shared", statement.document_shared),
        ("Spread discounts", statement.document_spread),
        ("Corrections", statement.document_corrections),
        ("Adjustments", statement.document_adjustments),
        (capfirst(details.change.against), details.change.amount),
        ("Lacks a required tag", details.figures.untagged),
    ]
    rare = ("Spread discounts", "Corrections", "Adjustments")
    sums = [(label, amount) for label, amount in sums if amount or label not in rare]
    stats: list[dict[str, Any]] = [{"label": label, "value": _amount(amount, code)} for label, amount in sums]
    for budget in details.figures.budgets:
        spent = f"{formatted(budget.spent, code)} {code} spent by charge day"
        share = f": {budget.share * 100:.0f}% of it" if budget.share is not None else ""
        stats.append({"label": f"Budget {budget.name}", "value": _amount(budget.amount, code), "note": spent + share})
    return {"title": f"In {code}", "stats": stats}


def _group_section(group: Mapping[str, Any], code: str) -> dict[str, Any]:
    """The lines of a group; the column of formulas only where one of them has a formula."""
    lines = [row.line for row in group["rows"]]
    if any(line.formula for line in lines):
        head = ["What", "How", "Amount"]
        rows = [[line.label, line.formula, _amount(line.document_amount, code)] for line in lines]
        totals = [["Total", "", _amount(group["total"], code)]]
    else:
        head = ["What", "Amount"]
        rows = [[line.label, _amount(line.document_amount, code)] for line in lines]
        totals = [["Total", _amount(group["total"], code)]]
    table = {"head": head, "rows": rows, "totals": totals}
    return {"title": group["title"], "text": [group["text"]], "tables": [table]}
