"""The monthly report: what a section's context may hold, and how it is drawn on the page and in the PDF alike.

A section (registry.ReportSection) fills any of these, and writes neither HTML nor Typst:

- ``text``: a sentence, or a list of them.
- ``stats``: the dicts of templates/includes/stat.html.
- ``charts``: the dicts of finops_site.charting.
- ``tables``: {title, head: [text], rows: [[cell]], totals: [[cell]]}. A cell is text, or {"text", "url"}, or
  {"amount": Decimal or None, "currency", "url"}; with "change": True the amount is a difference, and "before" gives its
  percentage.
- ``links``: [(label, address)], on the page only.
- ``brief``: any of these once more, as much as belongs on the one page that is read in a minute: a sentence, three
  figures, one chart, a table of five rows. The section itself stands in the appendix.

Both draw the same cells, so that the page and the PDF cannot say different things.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from finops_site.lib.periods import Month, day_text
from finops_site.lib.person import Person
from finops_site.lib.words import counted
from finops_site.registry import Better, Kpi, Measure, ReportSection, registry
from finops_site.ui.figures import limit_text, measure_text, month_text

CONTRACT = ("text", "stats", "charts", "tables", "links", "brief")
ABSENT = "—"
# What a text column holds when it is figures: it stands to the right.
# A figure in the marks of any language, with its unit: ``12.5%``, ``1 234,50 EUR``, ``6 months``.
UNITS = "%|[A-Z]{3}|hours|Stunden|heures|days|Tage|jours|months|Monate|mois"
FIGURE = re.compile(rf"[-−+(]?\d[\d,.\s]*\)?\s?({UNITS})?( \(.*\))?\Z")


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
    brief: "Part | None" = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure of the programme against its target, in words; the code `state`: "met", "not met" or "" for none."""

    label: str
    value: str
    target: str
    state: str
    description: str
    url: str

    @property
    def verdict(self) -> str:
        """The target and whether it is met, as a reader sees it."""
        if not self.target:
            return _("No target")
        words = {"met": _("met"), "not met": _("not met")}.get(self.state, _("not known yet"))
        return _("Target {target}: {value}").format(target=self.target, value=words)


@dataclass(frozen=True, slots=True)
class Report:
    """One month for one person: of the whole company, or of her own teams."""

    month: Month
    title: str
    subtitle: str
    gates: list[Gate]
    parts: list[Part]

    @property
    def briefs(self) -> list[Part]:
        """What the one page shows of the sections."""
        return [part.brief for part in self.parts if part.brief]

    @property
    def summary(self) -> str:
        """How many gates are met, in a sentence; empty where none has a target."""
        with_target = [gate for gate in self.gates if gate.state]
        met = sum(gate.state == "met" for gate in with_target)
        return (
            _("{met} of {targets} met.").format(met=met, targets=counted(len(with_target), "target"))
            if with_target
            else ""
        )


def make_report(user: Person, month: Month, today: date) -> Report:
    """The report of `month` as it stands today: the figures of the programme on its last day, then every section."""
    as_of = min(today, month.period.last_day)
    whose = _("The whole company") if user.sees_whole_company else _("Your own teams")
    if user.cost_scope:
        whose = _("What your role lets you see")
    is_over = month.period.end <= today
    over = _("Costs by charge day; a later bill may still add to them.")
    state = over if is_over else _("The month is not over: as of {today}.").format(today=day_text(today))
    return Report(
        month,
        _("{month} report").format(month=month_text(month, "long")),
        f"{whose}. {state}",
        make_gates(user, as_of),
        [make_part(section, context) for section, context in registry.report_sections(user, month)],
    )


def make_gates(user: Person, as_of: date) -> list[Gate]:
    """Every figure of the programme that `user` may see, in words."""
    return [make_gate(kpi, measure) for kpi, measure in registry.measures(user, as_of)]


def make_home_gates(user: Person, as_of: date) -> tuple[list[Gate], date | None]:
    """The same for home, as the last night stored them, and the day of that night; None where they are measured now.

    What has neither a value nor a target is left to the list of KPIs.
    """
    stored = registry.stored_measures(user, as_of)
    if stored is None:
        return make_gates(user, as_of), None
    day, measures = stored
    shown = [pair for pair in measures if pair[1].value is not None or pair[1].target is not None]
    return [make_gate(kpi, measure) for kpi, measure in shown], day


def make_gate(kpi: Kpi, measure: Measure) -> Gate:
    target = ""
    if measure.target is not None:
        target = _("at most {figure}") if measure.better == Better.LOWER else _("at least {figure}")
        target = target.format(figure=limit_text(measure.target, measure.unit, measure.currency))
    state = {True: "met", False: "not met", None: ""}[measure.met]
    url = registry.kpi_url(kpi.name) or measure.url
    return Gate(str(kpi.label), shown_value(measure), target, state, measure.description, url)


def shown_value(measure: Measure) -> str:
    """The value in words, with as many digits as it takes not to look like the target while it is not there."""
    if measure.value is None:
        return ABSENT
    text = _figure(measure.value, measure)
    looks_met = measure.target is not None and text == limit_text(measure.target, measure.unit, measure.currency)
    return text if not looks_met or measure.met else _figure(measure.value, measure, places=4)


def _figure(value: Decimal, measure: Measure, *, places: int = 1) -> str:
    return measure_text(value, measure.unit, measure.currency, places=places)


def figure_cell(text: str, value: Decimal | None, unit: str) -> str | dict[str, Any]:
    """A cell that reads as `text`, and is the exact value with its unit in files; the text alone for no value."""
    return text if value is None else {"text": text, "exact": value, "unit": unit}


def make_part(section: ReportSection, context: Mapping[str, Any]) -> Part:
    """The section as both the page and the PDF draw it; a template of its own only where the contract is not filled."""
    text = context.get("text") or []
    fills = any(name in context for name in CONTRACT)
    brief = context.get("brief")
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
        make_part(section, {name: brief[name] for name in CONTRACT if name in brief}) if brief else None,
    )


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with every cell as a dict, and the numbers of the columns that stand to the right."""
    rows, totals = (
        [
            [{"before": None, **cell} if isinstance(cell, Mapping) else {"text": str(cell)} for cell in row]
            for row in table.get(name, ())
        ]
        for name in ("rows", "totals")
    )
    numbers = [place for place in range(1, len(table["head"])) if _is_number([*rows, *totals], place)]
    head = [{"text": name, "number": place in numbers} for place, name in enumerate(table["head"])]
    for row in (*rows, *totals):
        for place, cell in enumerate(row):
            cell["number"] = place in numbers  # type: ignore[assignment]
    return {"title": table.get("title", ""), "head": head, "rows": rows, "totals": totals, "numbers": numbers}


def _is_number(rows: Iterable[Sequence[Mapping[str, Any]]], place: int) -> bool:
    cells = [row[place] for row in rows]
    texts = [cell["text"] for cell in cells if cell.get("text") not in (None, "", ABSENT)]
    amounts = any("amount" in cell for cell in cells)
    return (amounts or bool(texts)) and all(FIGURE.match(text) for text in texts)
