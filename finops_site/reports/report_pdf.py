"""The monthly report on paper: the same figures as on its page, by Typst."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from finops_site.lib import chart_svg
from finops_site.lib.money import EXACT, formatted, ratio
from finops_site.reports import typst_documents
from finops_site.reports.monthly_report import ABSENT, Part, Report
from finops_site.ui.figures import percent_text, signed_text


def render_report(report: Report) -> bytes:
    """The report as a PDF; the same bytes for the same figures."""
    data = {
        "title": report.title,
        "subtitle": report.subtitle,
        "note": _("Figures are rounded for reading; the pages hold every digit."),
        "summary": report.summary,
        "gates": [
            {name: getattr(gate, name) for name in ("label", "value", "state", "verdict", "description")}
            for gate in report.gates
        ],
    }
    return render_parts(data, report.briefs, report.parts)


def render_parts(data: Mapping[str, Any], briefs: Sequence[Part], parts: Sequence[Part]) -> bytes:
    """The report with this head: its first page of `briefs`, then every part, each with its charts."""
    files: dict[str, str | bytes] = {
        f"{name}{part.name}-{number}": chart_svg.svg(chart, width=640, height=height)
        for name, several, height in (("brief", briefs, 190), ("", parts, 230))
        for part in several
        for number, chart in enumerate(part.charts)
    }
    sections = {
        "briefs": [section_data(part, "brief") for part in briefs],
        "sections": [_behind(section_data(part), part.brief) for part in parts],
    }
    return typst_documents.render_pdf("report", {**data, **sections}, files)


def _behind(section: dict[str, Any], brief: Part | None) -> dict[str, Any]:
    """The section without the figures and drawings that the first page shows already."""
    if brief is None:
        return section
    shown = {chart.get("title") for chart in brief.charts}
    charts = [chart for chart in section["charts"] if chart["title"] not in shown]
    stats = [stat for stat in section["stats"] if stat not in [stat_data(one) for one in brief.stats]]
    return {**section, "stats": stats, "charts": charts}


def section_data(part: Part, files: str = "") -> dict[str, Any]:
    """A part as Typst draws it, in every report; `files` begins the names of its drawings."""
    return {
        "title": part.title,
        "text": part.text or ([] if not part.template else [_("This part stands on the page of the report.")]),
        "stats": [stat_data(stat) for stat in part.stats],
        "charts": [
            {"file": f"{files}{part.name}-{number}", "title": chart.get("title") or _("Chart")}
            for number, chart in enumerate(part.charts)
        ],
        "tables": [
            {
                "title": table["title"],
                "head": [name["text"] for name in table["head"]],
                "rows": [[_cell(cell) for cell in row] for row in table["rows"]],
                "totals": [[_cell(cell) for cell in row] for row in table["totals"]],
                "numbers": table["numbers"],
            }
            for table in part.tables
        ],
    }


def stat_data(stat: Mapping[str, Any]) -> dict[str, Any]:
    """A figure with what stands under it: its change, then its note."""
    code, amount, before = stat.get("currency"), stat.get("amount"), stat.get("before")
    value = _amount(amount, code) if code else str(stat.get("value", ABSENT))
    notes = [str(stat["note"])] if stat.get("note") else []
    if code and amount is not None and before is not None:
        gap = {"amount": EXACT.subtract(amount, before), "currency": code, "before": before}
        notes.insert(0, f"{_change(gap)} {stat.get('against') or _('against the month before')}")
    return {"label": str(stat["label"]), "value": value, "note": ". ".join(notes)}


def _cell(cell: Mapping[str, Any]) -> Any:
    if "amount" not in cell:
        return str(cell.get("text", ""))
    return _change(cell) if cell.get("change") else _amount(cell["amount"], cell["currency"])


def _amount(amount: Decimal | None, code: str) -> Any:
    return ABSENT if amount is None else {"amount": formatted(amount, code), "currency": code}


def _change(cell: Mapping[str, Any]) -> str:
    """``+1,234.50 USD (+3.2%)``."""
    amount, before = cell["amount"], cell.get("before")
    if amount is None:
        return ABSENT
    share = None if before is None else ratio(amount, abs(before))
    percent = "" if share is None else f" ({'+' if share > 0 else ''}{percent_text(share)})"
    return signed_text(amount, cell["currency"]) + percent
