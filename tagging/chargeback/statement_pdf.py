"""A statement as a PDF, for the lead's mail and for its page."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text
from finops_site.registry import TeamBudget, registry
from finops_site.reports import typst_documents
from finops_site.ui.figures import month_text
from tagging.chargeback import statement_figures
from tagging.chargeback.statement_figures import StatementDetails
from tagging.models import Statement


def statement_attachment(statement: Statement, reader: Any) -> tuple[str, bytes, str]:
    """(file name, content, type) of what is mailed with a closed statement to `reader`."""
    return f"statement-{statement.number}.pdf", render_statements([statement], reader), "application/pdf"


def render_statements(found: list[Statement], reader: Any) -> bytes:
    """The statements of one team and month, one for each currency, as a PDF, with the budgets that `reader` may see."""
    first = found[0]
    period = first.period
    state = f"Closed on {day_text(period.closed_at)}" if period.is_closed else "Draft: it may still change"
    numbers = ", ".join(statement.number for statement in found if statement.number)
    budgets = registry.budgets_of(reader, first.team_id, period.month)
    data = {
        "title": f"Chargeback of {first.team_name}, {month_text(period.billing_month, 'long')}",
        "subtitle": ". ".join(part for part in (numbers and f"Statement {numbers}", state, _basis(first)) if part),
        "note": f"Cost centre {first.cost_center}" if first.cost_center else "",
        "sections": [
            section for each in found for section in _sections(statement_figures.statement_details(each), budgets)
        ],
    }
    return typst_documents.render_pdf("document", data)


def _basis(statement: Statement) -> str:
    period = statement.period
    words = f"By billing month, {period.get_basis_display().lower()}"
    if period.basis == period.Basis.EFFECTIVE:
        words += f", discounts of commitments {period.get_discounts_display()}"
    return words


def _sections(shown: StatementDetails, budgets: Sequence[TeamBudget]) -> list[dict[str, Any]]:
    code = shown.statement.currency
    groups = [_group(group, code) for group in shown.groups]
    return [_summary(shown, budgets), *groups, _why(shown), *([_top(shown)] if shown.top else [])]


def _amount(amount: Decimal, code: str) -> dict[str, str]:
    return {"amount": formatted(amount, code), "currency": code}


def _summary(shown: StatementDetails, budgets: Sequence[TeamBudget]) -> dict[str, Any]:
    statement, code = shown.statement, shown.statement.currency
    sums = [
        ("Total", statement.total),
        ("Direct", statement.direct),
        ("Shared", statement.shared),
        ("Against last month", shown.explained.change),
        ("Lacks a required tag", shown.untagged),
    ]
    stats: list[dict[str, Any]] = [{"label": label, "value": _amount(amount, code)} for label, amount in sums]
    stats += [_budget(each) for each in budgets if each.currency == code]
    return {"title": f"In {code}", "stats": stats}


def _budget(budget: TeamBudget) -> dict[str, Any]:
    spent = f"{formatted(budget.spent, budget.currency)} {budget.currency} spent by charge day"
    share = f": {budget.share * 100:.0f} % of it" if budget.share is not None else ""
    return {"label": f"Budget {budget.name}", "value": _amount(budget.amount, budget.currency), "note": spent + share}


def _group(group: Mapping[str, Any], code: str) -> dict[str, Any]:
    words = any(row.line.formula for row in group["rows"])
    how = (lambda text: [text]) if words else (lambda _: [])
    rows = [[row.line.label, *how(row.line.formula), _amount(row.line.amount, code)] for row in group["rows"]]
    totals = [["Total", *how(""), _amount(group["total"], code)]]
    table = {"head": ["What", *how("How"), "Amount"], "rows": rows, "totals": totals}
    return {"title": group["title"], "text": [group["text"]], "tables": [table]}


def _why(shown: StatementDetails) -> dict[str, Any]:
    code = shown.statement.currency
    rows = [[kind["label"], _amount(kind["amount"], code)] for kind in shown.explained.kinds]
    totals = [["Change against last month", _amount(shown.explained.change, code)]]
    table = {"head": ["Why it changed", "Amount"], "rows": rows, "totals": totals}
    return {"title": "Why it changed", "text": ["The parts sum to the change exactly."], "tables": [table]}


def _top(shown: StatementDetails) -> dict[str, Any]:
    code = shown.statement.currency
    rows = [[row["label"], _amount(row["amount"], code)] for row in shown.top]
    return {"title": "Top resources", "tables": [{"head": ["Resource", "Amount"], "rows": rows}]}
