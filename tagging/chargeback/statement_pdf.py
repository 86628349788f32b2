"""A statement as a PDF, for the lead's email and for its page."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.registry import TeamBudget, registry
from finops_site.reports import typst_documents
from finops_site.ui.figures import month_text
from tagging.chargeback.periods import known_of_month
from tagging.chargeback.statement_details import StatementDetails, statement_details
from tagging.models import Statement


def statement_attachment(statement: Statement, reader: Person) -> tuple[str, bytes, str]:
    """(file name, content, type) of the attachment that is mailed with a closed statement to `reader`."""
    period = statement.period
    notes: Sequence[str] = ()
    if period.closed_at is not None:
        notes = known_of_month(reader, period, period.closed_at.date(), team=statement.team).notes
    return f"statement-{statement.number}.pdf", render_statements([statement], reader, notes), "application/pdf"


def render_statements(statements: list[Statement], reader: Person, notes: Sequence[str] = ()) -> bytes:
    """The statements of one team and month, one for each currency, as a PDF, with the budgets that `reader` may see.

    `notes`: what the month lacks, in sentences.
    """
    first = statements[0]
    period = first.period
    state = "Draft: it may still change"
    if period.is_closed:
        assert period.closed_at is not None
        state = f"Closed on {day_text(period.closed_at)}"
    numbers = ", ".join(statement.number for statement in statements if statement.number)
    basis = f"By billing month, {period.get_basis_display().lower()}"
    if period.basis == period.Basis.EFFECTIVE:
        basis += f", discounts of commitments {period.get_discounts_display()}"
    budgets = registry.budgets_of(reader, first.team_id, period.month)
    details = [statement_details(statement) for statement in statements]
    data = {
        "title": f"Chargeback of {first.team_name}, {month_text(period.billing_month, 'long')}",
        "subtitle": ". ".join(part for part in (numbers and f"Statement {numbers}", state, basis) if part),
        "note": f"Cost centre {first.cost_center}" if first.cost_center else "",
        "sections": [
            *([{"title": "What is not known yet", "text": list(notes)}] if notes else []),
            *(section for shown in details for section in _sections(shown, budgets)),
        ],
    }
    return typst_documents.render_pdf("document", data)


def _sections(details: StatementDetails, budgets: Sequence[TeamBudget]) -> list[dict[str, Any]]:
    code = details.statement.currency
    change = {
        "head": ["Why it changed", "Amount"],
        "rows": [[reason["label"], _amount(reason["amount"], code)] for reason in details.change.reasons],
        "totals": [["Change against last month", _amount(details.change.amount, code)]],
    }
    top = {
        "head": ["Resource", "Amount"],
        "rows": [[row["label"], _amount(row["amount"], code)] for row in details.top],
    }
    return [
        _summary(details, [budget for budget in budgets if budget.currency == code]),
        *(_group_section(group, code) for group in details.groups),
        {"title": "Why it changed", "text": ["The parts sum to the change exactly."], "tables": [change]},
        *([{"title": "Top resources", "tables": [top]}] if details.top else []),
    ]


def _amount(amount: Decimal, code: str) -> dict[str, str]:
    return {"amount": formatted(amount, code), "currency": code}


def _summary(details: StatementDetails, budgets: Sequence[TeamBudget]) -> dict[str, Any]:
    statement, code = details.statement, details.statement.currency
    sums = [
        ("Total", statement.total),
        ("Direct", statement.direct),
        ("Shared", statement.shared),
        ("Against last month", details.change.amount),
        ("Lacks a required tag", details.untagged),
    ]
    stats: list[dict[str, Any]] = [{"label": label, "value": _amount(amount, code)} for label, amount in sums]
    for budget in budgets:
        spent = f"{formatted(budget.spent, code)} {code} spent by charge day"
        share = f": {budget.share * 100:.0f} % of it" if budget.share is not None else ""
        stats.append({"label": f"Budget {budget.name}", "value": _amount(budget.amount, code), "note": spent + share})
    return {"title": f"In {code}", "stats": stats}


def _group_section(group: Mapping[str, Any], code: str) -> dict[str, Any]:
    """The lines of a group; the column of formulas only where one of them has a formula."""
    lines = [row.line for row in group["rows"]]
    if any(line.formula for line in lines):
        head = ["What", "How", "Amount"]
        rows = [[line.label, line.formula, _amount(line.amount, code)] for line in lines]
        totals = [["Total", "", _amount(group["total"], code)]]
    else:
        head = ["What", "Amount"]
        rows = [[line.label, _amount(line.amount, code)] for line in lines]
        totals = [["Total", _amount(group["total"], code)]]
    table = {"head": head, "rows": rows, "totals": totals}
    return {"title": group["title"], "text": [group["text"]], "tables": [table]}
