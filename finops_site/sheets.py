"""A table as an Excel workbook. Text stays text: nothing in it is run as a formula."""

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

from finops_site.tables import tags_text

KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A sheet has no more rows than this; the CSV has them all.
MOST_ROWS = 1_048_575
MOST_CHARACTERS = 32_767


def xlsx_download(rows: Iterable[Iterable[Any]], filename: str) -> HttpResponse:
    """Any rows, the header first, as ``<filename>.xlsx``.

    Excel keeps fifteen digits of a number: who needs every digit of an amount takes the CSV.
    """
    response = HttpResponse(workbook(rows, filename), content_type=KIND)
    response["Content-Disposition"] = f'attachment; filename="{slugify(filename) or "export"}.xlsx"'
    return response


def workbook(rows: Iterable[Iterable[Any]], title: str) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(slugify(title)[:31] or "export")
    sheet.freeze_panes = "A2"
    for number, row in enumerate(rows):
        if number > MOST_ROWS:
            break
        sheet.append([_cell(sheet, value, is_head=not number) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(sheet: Any, value: Any, *, is_head: bool) -> WriteOnlyCell:
    if isinstance(value, bool | int | Decimal | date | datetime) or value is None:
        return WriteOnlyCell(sheet, value)
    text = tags_text(value) if isinstance(value, dict) else str(value)
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text)[:MOST_CHARACTERS])
    cell.data_type = "s"
    if is_head:
        cell.font = Font(bold=True)
    return cell
