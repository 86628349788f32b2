"""A report that was composed: what its pages, its PDF, its files and its archive are all drawn from."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from finops_site.lib.periods import Period
from finops_site.reports.monthly_report import Gate, Part

# The figures of a cell or of a stat that are amounts.
AMOUNTS = ("amount", "before", "exact")


@dataclass(frozen=True, slots=True)
class ComposedReport:
    """One report for everybody who sees the same: `lead` are the sentences of its first page.

    `scope` says whose cost it is and `known` until when that is known: both stand on every page. A part of a report
    that has no brief stands in its appendix alone.
    """

    kind: str
    title: str
    scope: str
    known: str
    period: Period
    as_of: date
    lead: Sequence[str]
    gates: Sequence[Gate]
    parts: Sequence[Part]
    notes: Sequence[str] = field(default=())

    @property
    def briefs(self) -> list[Part]:
        return [part.brief for part in self.parts if part.brief]

    @property
    def stats(self) -> list[dict[str, Any]]:
        """The figures of the first page."""
        return [stat for brief in self.briefs for stat in brief.stats][:4]

    @property
    def chart(self) -> dict[str, Any] | None:
        """The one chart of the first page."""
        return next((chart for brief in self.briefs for chart in brief.charts), None)

    @property
    def is_empty(self) -> bool:
        return not self.parts

    def tables(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every table with the title of its part."""
        for part in self.parts:
            for table in part.tables:
                yield part.title, table

    @property
    def summary(self) -> str:
        """How many targets are met; empty where none has a value."""
        with_target = [gate for gate in self.gates if gate.state]
        met = sum(gate.state == "met" for gate in with_target)
        return f"{met}/{len(with_target)}" if with_target else ""


def to_json(report: ComposedReport) -> dict[str, Any]:
    """The report as JSON has it, for the archive: amounts as text, with every digit."""
    data = asdict(replace(report, parts=[replace(part, template="", context={}) for part in report.parts]))
    stored: dict[str, Any] = json.loads(json.dumps(data, cls=DjangoJSONEncoder))
    return stored


def from_json(data: Mapping[str, Any]) -> ComposedReport:
    period = data["period"]
    return ComposedReport(
        **{name: data[name] for name in ("kind", "title", "scope", "known", "lead", "notes")},
        period=Period(date.fromisoformat(period["start"]), date.fromisoformat(period["end"])),
        as_of=date.fromisoformat(data["as_of"]),
        gates=[Gate(**gate) for gate in data["gates"]],
        parts=[_part(part) for part in data["parts"]],
    )


def _part(data: Mapping[str, Any]) -> Part:
    return Part(
        data["name"],
        data["title"],
        list(data["text"]),
        [_with_amounts(stat) for stat in data["stats"]],
        list(data["charts"]),
        [_table(table) for table in data["tables"]],
        [(label, url) for label, url in data["links"]],
        brief=_part(data["brief"]) if data["brief"] else None,
    )


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    rows = {name: [[_with_amounts(cell) for cell in row] for row in table[name]] for name in ("rows", "totals")}
    return {**table, **rows}


def _with_amounts(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts are text in JSON, with every digit."""
    return {
        name: Decimal(value) if name in AMOUNTS and isinstance(value, str) else value for name, value in cell.items()
    }
