"""Workbooks: amounts as numbers with every digit shown, their currency beside them, and nothing that runs.

A spreadsheet keeps 15 digits of a number: an amount with more is written as text, so that none is lost.
"""

import io
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.utils.text import slugify
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from finops_site.lib.money import exact_text
from finops_site.ui.tables import BaseTable, csv_rows, safe_cell

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DIGITS_KEPT = 15
LONGEST_TEXT = 32_767
MOST_ROWS = 1_048_576


class TooManyRows(ValueError):
    """More rows than a sheet holds; the message says what to do instead."""


def xlsx_response(table: BaseTable, filename: str) -> HttpResponse:
    """The whole table as ``<filename>.xlsx``: the rows of its CSV. Raises TooManyRows."""
    return xlsx_download(csv_rows(table), filename)


def xlsx_download(rows: Iterable[Iterable[Any]], filename: str) -> HttpResponse:
    """Any rows, the header first, as ``<filename>.xlsx``. Raises TooManyRows."""
    response = HttpResponse(xlsx(rows, title=filename), content_type=CONTENT_TYPE)
    response["Content-Disposition"] = f'attachment; filename="{slugify(filename) or "export"}.xlsx"'
    return response


def xlsx(rows: Iterable[Iterable[Any]], *, title: str = "Sheet") -> bytes:
    """Rows, the header first and frozen, as a workbook. Raises TooManyRows beyond what a sheet holds."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_name(title))
    sheet.freeze_panes = "A2"
    try:
        _fill(sheet, rows)
    except Exception:
        # openpyxl writes into a temporary file, which only a sheet that is closed lets go of.
        sheet.close()
        sheet._writer.cleanup()
        raise
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _fill(sheet: Any, rows: Iterable[Iterable[Any]]) -> None:
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            raise TooManyRows(f"A sheet holds {MOST_ROWS:,} rows; export it as CSV, or filter it first.")
        sheet.append([_cell(sheet, value, bold=not number) for value in row])


def _cell(sheet: Any, value: Any, *, bold: bool) -> WriteOnlyCell:
    written, shown = _written(value)
    cell = WriteOnlyCell(sheet, value=written)
    if isinstance(written, str):
        # What begins with = stays text: openpyxl would make a formula of it.
        cell.data_type = "s"
    if shown:
        cell.number_format = shown
    if bold:
        cell.font = Font(bold=True)
    return cell


def _written(value: Any) -> tuple[Any, str]:
    """What goes into the cell, and how it is shown."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None), "yyyy-mm-dd hh:mm:ss"
    if isinstance(value, bool | int | float | date):
        return (str(value), "") if isinstance(value, int) and len(str(value)) > DIGITS_KEPT else (value, "")
    text = ILLEGAL_CHARACTERS_RE.sub("", str(safe_cell(value)))
    return text[:LONGEST_TEXT], "@" if text else ""


def _number(amount: Decimal) -> tuple[Any, str]:
    text = exact_text(amount) or ""
    if len(text.lstrip("-0.").replace(".", "")) > DIGITS_KEPT:
        return text, "@"
    places = len(text.partition(".")[2])
    return amount, "#,##0" + (f".{'0' * max(places, 2)}")


def _sheet_name(title: str) -> str:
    kept = "".join(letter for letter in title if letter not in "[]:*?/\\'" and letter.isprintable())
    return kept[:31].strip() or "Sheet"
