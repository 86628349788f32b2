"""A statement as a PDF, for the lead's email and for its page."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils.text import capfirst, slugify
from django.utils.translation import gettext as _

from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence, number_text
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
        document, _ignored = StatementDocument.objects.get_or_create(
            period=period, team_id=team, defaults={"content": content}
        )
    return bytes(document.content)


def make_documents() -> None:
    """Makes the documents of closed statements that have none yet."""
    made = StatementDocument.objects.filter(period=OuterRef("period"), team=OuterRef("team"))
    rows = Statement.objects.filter(~Exists(made), period__state=ChargebackPeriod.State.CLOSED)
    pairs = list(rows.order_by("period", "team").values_list("period", "team").distinct())
    periods = ChargebackPeriod.objects.select_related("closed_by").in_bulk({period for period, _ignored in pairs})
    for period, team in pairs:
        if periods[period].closed_by:
            closed_document(periods[period], team)


def render_statements(statements: list[Statement], reader: Person, today: date) -> bytes:
    """The statements of one team and month, one for each currency, as a PDF, with the budgets that `reader` may see."""
    first = statements[0]
    period = first.period
    state = _("Draft: it may still change")
    if period.is_closed:
        assert period.closed_at is not None
        state = _("Closed on {closed_at}").format(closed_at=day_text(period.closed_at))
    elif period.is_set_aside:
        state = _("Set aside: nobody is charged for it")
    numbers = ", ".join(statement.number for statement in statements if statement.number)
    basis = _("By billing month, {basis}").format(basis=in_sentence(period.get_basis_display()))
    if period.basis == period.Basis.EFFECTIVE:
        basis = _("By billing month, {basis}, discounts of commitments {discounts}").format(
            basis=in_sentence(period.get_basis_display()), discounts=period.get_discounts_display()
        )
    notes = known_of_month(reader, period, today, team=first.team).notes
    data = {
        "title": _("Chargeback of {team_name}, {month_text}").format(
            team_name=first.team_name, month_text=month_text(period.billing_month, "long")
        ),
        "subtitle": ". ".join(
            part for part in (numbers and _("Statement {numbers}").format(numbers=numbers), state, basis) if part
        ),
        "note": _("Cost centre {cost_center}").format(cost_center=first.cost_center) if first.cost_center else "",
        "date": today.isoformat(),
        "sections": [
            *([{"title": _("What is not known yet"), "text": list(notes)}] if notes else []),
            *(section for shown in statement_details(statements, reader, today) for section in _sections(shown)),
        ],
    }
    return typst_documents.render_pdf("document", data)


def _sections(details: StatementDetails) -> list[dict[str, Any]]:
    code = details.statement.currency
    change = {
        "head": [_("Why it changed"), _("Amount")],
        "rows": [[reason["label"], _amount(reason["amount"], code)] for reason in details.change.reasons],
        "totals": [
            [_("Change {against}").format(against=details.change.against), _amount(details.change.amount, code)]
        ],
    }
    top = {
        "head": [_("Resource"), _("Amount")],
        "rows": [[row["label"], _amount(row["amount"], code)] for row in details.top],
    }
    return [
        _summary(details),
        *(_group_section(group, code) for group in details.groups),
        {"title": _("Why it changed"), "text": [_("The parts sum to the change exactly.")], "tables": [change]},
        *([{"title": _("Top resources"), "tables": [top]}] if details.top else []),
    ]


def _amount(amount: Decimal, code: str) -> dict[str, str]:
    return {"amount": formatted(amount, code), "currency": code}


def _summary(details: StatementDetails) -> dict[str, Any]:
    statement, code = details.statement, details.statement.currency
    sums = [
        (_("Total"), statement.document_total),
        (_("Direct"), statement.document_direct),
        (_("Shared"), statement.document_shared),
        (_("Spread discounts"), statement.document_spread),
        (_("Corrections"), statement.document_corrections),
        (_("Adjustments"), statement.document_adjustments),
        (capfirst(details.change.against), details.change.amount),
        (_("Lacks a required tag"), details.figures.untagged),
    ]
    rare = (_("Spread discounts"), _("Corrections"), _("Adjustments"))
    sums = [(label, amount) for label, amount in sums if amount or label not in rare]
    stats: list[dict[str, Any]] = [{"label": label, "value": _amount(amount, code)} for label, amount in sums]
    for budget in details.figures.budgets:
        note = _("{spent} {code} spent by charge day")
        if budget.share is not None:
            note = _("{spent} {code} spent by charge day: {share}% of it")
        share = "" if budget.share is None else number_text(budget.share * 100)
        stats.append(
            {
                "label": _("Budget {budget}").format(budget=budget.name),
                "value": _amount(budget.amount, code),
                "note": note.format(spent=formatted(budget.spent, code), code=code, share=share),
            }
        )
    return {"title": _("In {code}").format(code=code), "stats": stats}


def _group_section(group: Mapping[str, Any], code: str) -> dict[str, Any]:
    """The lines of a group; the column of formulas only where one of them has a formula."""
    lines = [row.line for row in group["rows"]]
    if any(line.formula for line in lines):
        head = [_("What"), _("How"), _("Amount")]
        rows = [[line.label, line.formula, _amount(line.document_amount, code)] for line in lines]
        totals = [[_("Total"), "", _amount(group["total"], code)]]
    else:
        head = [_("What"), _("Amount")]
        rows = [[line.label, _amount(line.document_amount, code)] for line in lines]
        totals = [[_("Total"), _amount(group["total"], code)]]
    table = {"head": head, "rows": rows, "totals": totals}
    return {"title": group["title"], "text": [group["text"]], "tables": [table]}
