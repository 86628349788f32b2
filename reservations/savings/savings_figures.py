"""Figures and charts of the savings ledger, as its pages show them."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from finops_site.lib import charts
from finops_site.lib.money import exact_text, formatted, ratio
from finops_site.lib.periods import Month, last_months, month_text
from finops_site.ui.figures import percent_text
from reservations.calc import realised_savings
from reservations.models import PurchaseRequest
from reservations.querysets import LedgerQuerySet
from reservations.savings import ledger


def currency_figures(row: dict[str, Any], rows: LedgerQuerySet, today: date) -> dict[str, Any]:
    """The twelve months of one currency: figures, chart, and the reasons that sum to what is missing."""
    code = row["currency"]
    return {
        "currency": code,
        "stats": savings_stats(row),
        "chart": month_chart(rows.filter(currency=code), code, last_months(12, today).months()),
        "why": realised_savings.explain_gap(row, code),
        "reasons": [(_(realised_savings.REASON_NAMES[name]), row[name]) for name in realised_savings.REASONS],
        "gap": row["gap"],
    }


def savings_stats(row: dict[str, Any]) -> list[dict[str, Any]]:
    code, promised, realised = row["currency"], row["promised"], row["realised"]
    share = (
        _("{share} of what was promised").format(share=percent_text(ratio(realised, promised))) if promised > 0 else ""
    )
    stats: list[dict[str, Any]] = [
        {
            "label": _("Promised, 12 months"),
            "amount": promised,
            "currency": code,
            "note": _("for the days in the bills"),
        },
        {"label": _("Realised"), "amount": realised, "currency": code, "note": share},
        {"label": _("Missing"), "amount": row["gap"], "currency": code, "note": _("promised less realised")},
    ]
    if code == ledger.TARGET_CURRENCY:
        part = percent_text(ratio(realised, ledger.TARGET))
        note = _("not reached: {part} of {target} {code} a year")
        if realised >= ledger.TARGET:
            note = _("reached: {part} of {target} {code} a year")
        note = note.format(part=part, target=formatted(ledger.TARGET, code), code=code)
        stats.append({"label": _("Of the year's target"), "value": part, "note": note})
    return stats


def month_chart(rows: LedgerQuerySet, code: str, months: list[Month]) -> dict[str, Any]:
    """Promised and realised of each month; a month without a line has no bar."""
    known = {Month.of(row["month"]): row for row in ledger.sum_lines(rows, "month")}
    return {
        "id": f"saved-{code.lower()}",
        "kind": "bar",
        "title": _("Promised and realised by month, {code}").format(code=code),
        "currency": code,
        "categories": [month_text(month) for month in months],
        "series": [
            charts.series(label, [known[month][name] if month in known else None for month in months])
            for name, label in (("promised", _("Promised")), ("realised", _("Realised")))
        ],
        "csv_url": "?_export=csv",
    }


def savings_by_purchase(rows: LedgerQuerySet) -> list[dict[str, Any]]:
    """Each purchase of these lines with its sums and its reasons, what misses most first."""
    sums = ledger.sum_lines(rows, "request")
    requests = PurchaseRequest.objects.in_bulk([row["request"] for row in sums])
    explained = [
        row | {"request": requests[row["request"]], "why": realised_savings.explain_gap(row, row["currency"])}
        for row in sums
    ]
    return sorted(explained, key=lambda row: -row["gap"])


def promise_facts(row: PurchaseRequest) -> list[tuple[str, str]]:
    """What was frozen when it was approved, in words with its numbers."""
    a_day, code = ledger.promise_of(row), row.currency
    idle = Decimal(row.baseline.get("idle") or 0)
    amounts = {
        _("Saving a day"): a_day.on_demand - a_day.paid,
        _("That is, on demand"): a_day.on_demand,
        _("Less what it costs"): a_day.paid,
        _("It could cover, a day"): a_day.demand,
        _("Older commitments idle, a day"): idle,
    }
    facts = [(label, f"{formatted(amount, code)} {code}") for label, amount in amounts.items()]
    return [*facts, (_("Expected to be used"), percent_text(a_day.utilisation) or str(exact_text(a_day.utilisation)))]
