"""The tables of a report as CSV and as a workbook: every row, every digit, and what it is about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finops_site.ui import spreadsheets
from programme.reports.composed import ComposedReport

HEAD = ["Part", "Table", "Row", "Column", "Amount", "Currency", "Text", "Unit"]


def csv_rows(report: ComposedReport) -> Iterator[list[Any]]:
    """A row for each cell: tables of many shapes are one table."""
    yield HEAD
    for part, table in report.tables():
        head = [name["text"] for name in table["head"]]
        for row in (*table["rows"], *table["totals"]):
            label = row[0].get("text", "")
            for name, cell in zip(head[1:], row[1:], strict=False):
                amount, currency, unit = (cell.get(key, "") for key in ("amount", "currency", "unit"))
                exact = cell.get("exact", amount)
                yield [part, table["title"], label, name, exact, currency, cell.get("text", ""), unit]


def notes(report: ComposedReport) -> list[str]:
    """What whoever opens the file alone must know."""
    return [report.title, report.scope, report.known, f"As of {report.as_of.isoformat()}", *report.notes]


def workbook(report: ComposedReport) -> bytes:
    """A sheet for each table, and one that says what they are about."""
    sheets = [(f"{part} {table['title']}".strip(), list(_sheet(table))) for part, table in report.tables()]
    return spreadsheets.xlsx_sheets([("About", [[note] for note in notes(report)]), *sheets])


def _sheet(table: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The table with a column of the currency or the unit beside each column of amounts and other figures."""
    rows = [*table["rows"], *table["totals"]]
    kinds = [_kind([row[place] for row in rows]) for place in range(len(table["head"]))]
    heads = [[name["text"], kind] for name, kind in zip(table["head"], kinds, strict=True)]
    yield [text for head in heads for text in head if text is not None]
    for row in rows:
        cells: list[Any] = []
        for place, cell in enumerate(row):
            if kinds[place]:
                value = cell.get("amount", cell.get("exact", cell.get("text")))
                cells += [value, cell.get("currency") or cell.get("unit", "")]
            else:
                cells.append(cell.get("text", ""))
        yield cells


def _kind(cells: Sequence[Mapping[str, Any]]) -> str | None:
    """What stands beside the figures of a column; None where it has none."""
    if any("amount" in cell for cell in cells):
        return "Currency"
    return "Unit" if any("exact" in cell for cell in cells) else None
