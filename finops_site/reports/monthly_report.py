"""The monthly report: what a section's context may hold, and how it is drawn on the page and in the PDF alike.

A section (registry.ReportSection) fills any of these, and writes neither HTML nor Typst:

- ``text``: a sentence, or a list of them.
- ``stats``: the dicts of templates/includes/stat.html.
- ``charts``: the dicts of finops_site.charting.
- ``tables``: {title, head: [text], rows: [[cell]], totals: [[cell]]}. A cell is text, or {"text", "url"}, or
  {"amount": Decimal or None, "currency", "url"}; with "change": True the amount is a difference, and "before" gives its
  percentage.
- ``links``: [(label, address)], on the page only.

Both draw the same cells, so that the page and the PDF cannot say different things.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from finops_site.lib import chart_svg
from finops_site.lib.money import EXACT, formatted, ratio
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import Better, Kpi, Measure, ReportSection, Unit, registry
from finops_site.reports import typst_documents
from finops_site.ui.figures import month_text, percent_text, signed_text

CONTRACT = ("text", "stats", "charts", "tables", "links")
ABSENT = "—"
# What a text column holds when it is figures: it stands to the right.
FIGURE = re.compile(r"[-−+(]?[\d,.]+\)?( ?[A-Z]{3}| ?%| hours)?( \(.*\))?\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """A section as it is drawn: `context` is for a template of its own, where it fills nothing of the contract."""

    name: str
    title: str
    text: list[str]
    stats: list[dict[str, Any]]
    charts: list[dict[str, Any]]
    tables: list[dict[str, Any]]
    links: list[tuple[str, str]]
    template: str = ""
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure of the programme against its target, in words: `state` is "met", "not met" or "" where there is none."""

    label: str
    value: str
    target: str
    state: str
    words: str
    url: str

    @property
    def verdict(self) -> str:
        """The target and whether it is met, as a reader sees it."""
        if not self.target:
            return "No target"
        return f"Target {self.target}: {self.state or 'not known yet'}"


@dataclass(frozen=True, slots=True)
class Report:
    """One month for one person: of the whole company, or of her own teams."""

    month: Month
    title: str
    subtitle: str
    gates: list[Gate]
    parts: list[Part]

    @property
    def summary(self) -> str:
        """How many gates are met, in a sentence; empty where none has a target."""
        judged = [gate for gate in self.gates if gate.state]
        met = sum(gate.state == "met" for gate in judged)
        return f"{met} of {len(judged)} {'target' if len(judged) == 1 else 'targets'} met." if judged else ""


def make(user: Person, month: Month, today: date) -> Report:
    """The report of `month` as it stands today: the figures of the programme on its last day, then every section."""
    as_of = min(today, month.period.last_day)
    whose = "The whole company" if user.sees_whole_company else "Your own teams"
    return Report(
        month,
        f"{month_text(month, 'long')} report",
        f"{whose}. {_state(month, today)}",
        gates(user, as_of),
        [part(section, context) for section, context in registry.report_sections(user, month)],
    )


def _state(month: Month, today: date) -> str:
    if month.period.end <= today:
        return "Costs by charge day; a later bill may still add to them."
    return f"The month is not over: as of {today:%d %B %Y}."


def gates(user: Person, as_of: date) -> list[Gate]:
    """Every figure of the programme that `user` may see, in words."""
    return [_gate(kpi, measure) for kpi, measure in registry.measures(user, as_of)]


def _gate(kpi: Kpi, measure: Measure) -> Gate:
    side = "at most" if measure.better == Better.LOWER else "at least"
    target = "" if measure.target is None else f"{side} {_figure(measure.target, measure)}"
    state = {True: "met", False: "not met", None: ""}[measure.met]
    return Gate(kpi.label, _shown(measure), target, state, measure.description, measure.url)


def _shown(measure: Measure) -> str:
    """The value in words, with as many digits as it takes not to look like the target while it is not there."""
    if measure.value is None:
        return ABSENT
    text = _figure(measure.value, measure)
    looks_met = measure.target is not None and text == _figure(measure.target, measure)
    return text if not looks_met or measure.met else _figure(measure.value, measure, places=4)


def _figure(value: Decimal, measure: Measure, *, places: int = 1) -> str:
    """``70%``, ``5.2 hours`` or ``1,234.50 USD``."""
    if measure.unit == Unit.MONEY:
        return f"{formatted(value, measure.currency)} {measure.currency}"
    text = f"{value.quantize(Decimal(1).scaleb(-places), context=EXACT):,f}".rstrip("0").rstrip(".")
    return f"{text}%" if measure.unit == Unit.PERCENT else f"{text} {measure.unit}"


def part(section: ReportSection, context: Mapping[str, Any]) -> Part:
    """The section as both the page and the PDF draw it; a template of its own only where the contract is not filled."""
    text = context.get("text") or []
    fills = any(name in context for name in CONTRACT)
    return Part(
        section.name,
        section.title,
        [text] if isinstance(text, str) else list(text),
        list(context.get("stats", ())),
        list(context.get("charts", ())),
        [_table(table) for table in context.get("tables", ())],
        list(context.get("links", ())),
        "" if fills else section.template,
        {} if fills else dict(context),
    )


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with every cell as a dict, and the numbers of the columns that stand to the right."""
    rows, totals = ([[_cell(cell) for cell in row] for row in table.get(name, ())] for name in ("rows", "totals"))
    numbers = [place for place in range(1, len(table["head"])) if _is_number([*rows, *totals], place)]
    head = [{"text": name, "number": place in numbers} for place, name in enumerate(table["head"])]
    for row in (*rows, *totals):
        for place, cell in enumerate(row):
            cell["number"] = place in numbers
    return {"title": table.get("title", ""), "head": head, "rows": rows, "totals": totals, "numbers": numbers}


def _cell(cell: Any) -> dict[str, Any]:
    return {"before": None, **cell} if isinstance(cell, Mapping) else {"text": str(cell)}


def _is_number(rows: Iterable[Sequence[Mapping[str, Any]]], place: int) -> bool:
    cells = [row[place] for row in rows]
    texts = [cell["text"] for cell in cells if cell.get("text") not in (None, "", ABSENT)]
    amounts = any("amount" in cell for cell in cells)
    return (amounts or bool(texts)) and all(FIGURE.match(text) for text in texts)


def pdf(report: Report) -> bytes:
    """The report as a PDF: the same figures as on the page, the same bytes for the same figures."""
    files: dict[str, str | bytes] = {}
    for each in report.parts:
        for number, chart in enumerate(each.charts):
            files[f"{each.name}-{number}"] = chart_svg.svg(chart, width=640, height=230)
    data = {
        "title": report.title,
        "subtitle": report.subtitle,
        "note": "Figures are rounded for reading; the pages hold every digit.",
        "summary": report.summary,
        "gates": [_gate_on_paper(gate) for gate in report.gates],
        "sections": [_on_paper(each) for each in report.parts],
    }
    return typst_documents.pdf("report", data, files)


def _gate_on_paper(gate: Gate) -> dict[str, str]:
    return {
        "label": gate.label,
        "value": gate.value,
        "state": gate.state,
        "verdict": gate.verdict,
        "words": gate.words,
    }


def _on_paper(each: Part) -> dict[str, Any]:
    return {
        "title": each.title,
        "text": each.text or ([] if not each.template else ["This part stands on the page of the report."]),
        "stats": [_stat_on_paper(stat) for stat in each.stats],
        "charts": [
            {"file": f"{each.name}-{number}", "title": chart.get("title") or "Chart"}
            for number, chart in enumerate(each.charts)
        ],
        "tables": [_table_on_paper(table) for table in each.tables],
    }


def _stat_on_paper(stat: Mapping[str, Any]) -> dict[str, Any]:
    code = stat.get("currency")
    value = _amount(stat.get("amount"), code) if code else str(stat.get("value", ABSENT))
    return {"label": str(stat["label"]), "value": value, "note": _note(stat)}


def _note(stat: Mapping[str, Any]) -> str:
    """What stands under a figure: its change in words, then its note."""
    said = [str(stat["note"])] if stat.get("note") else []
    amount, before = stat.get("amount"), stat.get("before")
    if stat.get("currency") and amount is not None and before is not None:
        gap = {"amount": EXACT.subtract(amount, before), "currency": stat["currency"], "before": before}
        said.insert(0, f"{_change(gap)} {stat.get('against') or 'against the month before'}")
    return ". ".join(said)


def _table_on_paper(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": table["title"],
        "head": [name["text"] for name in table["head"]],
        "rows": [[_cell_on_paper(cell) for cell in row] for row in table["rows"]],
        "totals": [[_cell_on_paper(cell) for cell in row] for row in table["totals"]],
        "numbers": table["numbers"],
    }


def _cell_on_paper(cell: Mapping[str, Any]) -> Any:
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
    return signed_text(amount, cell["currency"]) + percent.replace("-", "−")
