"""A statement as a PDF, for the lead's mail and for its page."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from finops_site import documents
from finops_site.figures import month_text
from finops_site.money import formatted
from tagging import statement_figures
from tagging.models import Statement
from tagging.statement_figures import Shown


def attachment(statement: Statement) -> tuple[str, bytes, str]:
    """(file name, content, type) of what is mailed with a closed statement."""
    return f"statement-{statement.number}.pdf", pdf([statement]), "application/pdf"


def pdf(found: list[Statement]) -> bytes:
    """The statements of one team and month, one for each currency, as a PDF."""
    first = found[0]
    period = first.period
    state = f"Closed on {period.closed_at:%d %b %Y}" if period.is_closed else "Draft: it may still change"
    numbers = ", ".join(statement.number for statement in found if statement.number)
    data = {
        "title": f"Chargeback of {first.team_name}, {month_text(period.billing_month, 'long')}",
        "subtitle": ". ".join(part for part in (numbers and f"Statement {numbers}", state, _basis(first)) if part),
        "note": f"Cost centre {first.cost_center}" if first.cost_center else "",
        "sections": [section for each in found for section in _sections(statement_figures.shown(each))],
    }
    return documents.pdf("document", data)


def _basis(statement: Statement) -> str:
    return f"By billing month, {statement.period.get_basis_display().lower()}"


def _sections(shown: Shown) -> list[dict[str, Any]]:
    code = shown.statement.currency
    groups = [_group(group, code) for group in shown.groups]
    return [_summary(shown), *groups, _why(shown), *([_top(shown)] if shown.top else [])]


def _amount(amount: Decimal, code: str) -> dict[str, str]:
    return {"amount": formatted(amount, code), "currency": code}


def _summary(shown: Shown) -> dict[str, Any]:
    statement, code = shown.statement, shown.statement.currency
    sums = [
        ("Total", statement.total),
        ("Direct", statement.direct),
        ("Shared", statement.shared),
        ("Against last month", shown.explained.change),
    ]
    stats = [{"label": label, "value": _amount(amount, code)} for label, amount in sums]
    return {"title": f"In {code}", "stats": stats}


def _group(group: Mapping[str, Any], code: str) -> dict[str, Any]:
    rows = [[row.line.label, row.line.formula, _amount(row.line.amount, code)] for row in group["rows"]]
    totals = [["Total", "", _amount(group["total"], code)]]
    table = {"head": ["What", "How", "Amount"], "rows": rows, "totals": totals}
    return {"title": group["title"], "text": [group["text"]], "tables": [table]}


def _why(shown: Shown) -> dict[str, Any]:
    code = shown.statement.currency
    rows = [[kind["label"], _amount(kind["amount"], code)] for kind in shown.explained.kinds]
    totals = [["Change against last month", _amount(shown.explained.change, code)]]
    table = {"head": ["Why it changed", "Amount"], "rows": rows, "totals": totals}
    return {"title": "Why it changed", "text": ["The parts sum to the change exactly."], "tables": [table]}


def _top(shown: Shown) -> dict[str, Any]:
    code = shown.statement.currency
    rows = [[row["label"], _amount(row["amount"], code)] for row in shown.top]
    return {"title": "Top resources", "tables": [{"head": ["Resource", "Amount"], "rows": rows}]}
