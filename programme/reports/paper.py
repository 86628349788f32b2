"""Reports on paper: one idea a page, a first page that stands alone, scope and freshness at the foot of every page."""

import re
from typing import Any

from django.utils.translation import gettext as _

from finops_site.lib import chart_svg
from finops_site.lib.periods import day_text
from finops_site.reports import typst_documents
from finops_site.reports.report_pdf import render_parts, section_data, stat_data
from programme.models import ReportKind
from programme.reports.composed import ComposedReport

# A report that nobody reads is none: beyond this somebody chooses a team, or takes the workbook.
MOST_PAGES = 200
ROWS_A_PAGE = 36
# Of a table on a page of one idea, beside a drawing and alone.
MOST_ROWS, MOST_ROWS_ALONE = 12, 18
# What the first page has room for.
MOST_GATES = 7
# The chart of an update with more of them.
LOW = 130
ABSENT = "—"
PAGE = re.compile(rb"/Type\s*/Page\b")


class ReportTooLong(Exception):
    """The report would have too many pages; the message says how many, and what to do instead, to whoever reads it."""

    def __init__(self, pages: int) -> None:
        super().__init__(pages)
        self.pages = pages

    def __str__(self) -> str:
        return _(
            "The report would have about {pages} pages, and {most} is the most: "
            "choose a team, or take its tables as a workbook."
        ).format(pages=f"{self.pages:,}", most=MOST_PAGES)


def render(report: ComposedReport, *, is_kept: bool = False) -> bytes:
    """The report as a PDF; one that `is_kept` says so. Raises ReportTooLong."""
    check_length(report)
    return _monthly(report) if report.kind == ReportKind.MONTHLY else _review(report, is_kept)


def check_length(report: ComposedReport) -> None:
    """Raises ReportTooLong before anything is drawn: about as many pages as its rows fill."""
    if report.kind != ReportKind.MONTHLY:
        # Tables of other kinds are cut to their pages.
        return
    pages = len(report.parts) + sum(len(table["rows"]) for _title, table in report.tables()) // ROWS_A_PAGE
    if pages > MOST_PAGES:
        raise ReportTooLong(pages)


def pages_of(content: bytes) -> int:
    """How many pages a PDF of ours has."""
    return len(PAGE.findall(content))


def _foot(report: ComposedReport) -> str:
    return " ".join([f"{report.scope}.", report.known])


def _head(report: ComposedReport) -> dict[str, Any]:
    return {
        "title": report.title,
        "subtitle": _("{scope}. As of {day}. {known}").format(
            scope=report.scope, day=day_text(report.as_of), known=report.known
        ),
        "note": _foot(report),
        "date": report.as_of.isoformat(),
    }


def _gates(report: ComposedReport) -> list[dict[str, str]]:
    names = ("label", "value", "state", "verdict", "description")
    return [{name: str(getattr(gate, name)) for name in names} for gate in report.gates]


def _monthly(report: ComposedReport) -> bytes:
    return render_parts({**_head(report), "summary": "", "gates": _gates(report)}, report.briefs, report.parts)


def _review(report: ComposedReport, is_kept: bool) -> bytes:
    alone = report.kind == ReportKind.UPDATE
    files: dict[str, str | bytes] = {}
    gates = _gates(report)
    if alone:
        # An update has no other page, and room for every target; what has neither that nor a value says nothing.
        says = [bool(gate.target) or gate.value != ABSENT for gate in report.gates]
        gates = [gate for gate, is_shown in zip(gates, says, strict=True) if is_shown]
    first: dict[str, Any] = {
        "lead": list(report.lead),
        "stats": [stat_data(stat) for stat in report.stats],
        "charts": [],
    }
    if report.chart:
        height = LOW if alone and len(gates) > MOST_GATES else 190
        files["first"] = chart_svg.svg(report.chart, width=640 if alone else 420, height=height)
        first["charts"] = [{"file": "first", "title": report.chart.get("title") or _("Chart")}]
    for part in () if alone else report.parts:
        for number, chart in enumerate(part.charts):
            wide = 420 if part.tables else 760
            files[f"{part.name}-{number}"] = chart_svg.svg(chart, width=wide, height=250)
    sections = [] if alone else [_shortened(section_data(part)) for part in report.parts]
    data = {
        **_head(report),
        "gates": gates if alone else gates[:MOST_GATES],
        "more": "" if alone else _more_text(len(report.gates) - MOST_GATES),
        "first": first,
        "sections": sections,
        "alone": alone,
        "wide": not alone,
        "about": about_lines(report, is_kept=is_kept),
        "titles": {"gates": _("Targets of the programme"), "about": _("About these figures")},
    }
    return typst_documents.render_pdf("review", data, files)


def _more_text(count: int) -> str:
    if count < 1:
        return ""
    return _("{count} more: under promised and achieved.").format(count=count)


def about_lines(report: ComposedReport, *, is_kept: bool) -> list[str]:
    """What a reader must know of the figures before she forwards them."""
    how_long = _("This report was kept as it was made, as of {day}; later bills do not change it.")
    if not is_kept:
        how_long = _("This report is not kept: it is as of {day}, and later bills may change it.")
    return [
        _("Whose cost: {scope}. Days: {first} to {last}, by charge day.").format(
            scope=report.scope, first=day_text(report.period.start), last=day_text(report.period.last_day)
        ),
        report.known,
        _("Why cost changed is found resource by resource; the parts sum to the change exactly."),
        _("What was saved is what bills prove. What was only planned stands in no sum."),
        _("A figure that is not known is shown as not known, and never as zero."),
        _("Amounts are rounded for reading; the workbook and the pages hold every digit."),
        *report.notes,
        how_long.format(day=day_text(report.as_of)),
    ]


def _shortened(section: dict[str, Any]) -> dict[str, Any]:
    """The section with tables that fit its page; the workbook has every row, and what a drawing says already."""
    tables = []
    drawn = 1 if section["charts"] and len(section["tables"]) > 1 else 0
    for table in section["tables"][drawn:]:
        most = MOST_ROWS if section["charts"] else MOST_ROWS_ALONE
        rest = len(table["rows"]) - most
        if rest > 1:
            more = [_("{count} more: in the workbook").format(count=rest), *[""] * (len(table["head"]) - 1)]
            table = {**table, "rows": [*table["rows"][:most], more]}
        tables.append(table)
    return {**section, "tables": tables}
