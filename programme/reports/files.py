"""The tables of a report as CSV and as a workbook: every row, every digit, and what it is about."""

from collections.abc import Iterator, Mapping
from typing import Any

from finops_site.ui import spreadsheets
from programme.reports.composed import ComposedReport

HEAD = ["Part", "Table", "Row", "Column", "Amount", "Currency", "Text"]


def csv_rows(report: ComposedReport) -> Iterator[list[Any]]:
    """A row for each cell: tables of many shapes are one table."""
    yield HEAD
    for part, table in report.tables():
        head = [name["text"] for name in table["head"]]
        for row in (*table["rows"], *table["totals"]):
            label = row[0].get("text", "")
            for name, cell in zip(head[1:], row[1:], strict=False):
                amount = cell.get("amount")
                yield [part, table["title"], label, name, amount, cell.get("currency", ""), cell.get("text", "")]


def notes(report: ComposedReport) -> list[str]:
    """What whoever opens the file alone must know."""
    return [report.title, report.scope, report.known, f"As of {report.as_of.isoformat()}", *report.notes]


def workbook(report: ComposedReport) -> bytes:
    """A sheet for each table, and one that says what they are about."""
    sheets = [(f"{part} {table['title']}".strip(), list(_sheet(table))) for part, table in report.tables()]
    return spreadsheets.xlsx_sheets([("About", [[note] for note in notes(report)]), *sheets])


def _sheet(table: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The table with a column of the currency beside each column of amounts."""
    rows = [*table["rows"], *table["totals"]]
    money = [place for place in range(len(table["head"])) if any("amount" in row[place] for row in rows)]
    yield [text for place, name in enumerate(table["head"]) for text in _with_currency(name["text"], place in money)]
    for row in rows:
        cells: list[Any] = []
        for place, cell in enumerate(row):
            if place in money:
                cells += [cell.get("amount", cell.get("text")), cell.get("currency", "")]
            else:
                cells.append(cell.get("text", ""))
        yield cells


def _with_currency(name: str, has_amounts: bool) -> list[str]:
    return [name, "Currency"] if has_amounts else [name]
