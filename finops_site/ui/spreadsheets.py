"""Workbooks: amounts as numbers with every digit shown, their currency beside them; of what people typed nothing runs.

A spreadsheet keeps 15 digits of a number: an amount with more is written as text, so that none is lost.
"""

import io
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from finops_site.lib.file_rows import rows_written
from finops_site.lib.money import AmountWithPlaces, exact_text
from finops_site.lib.words import number_text
from finops_site.ui.one_export import begin_export
from finops_site.ui.table_export import safe_cell

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DIGITS_KEPT = 15
LONGEST_TEXT = 32_767
MOST_ROWS = 1_048_576
# What XML may not hold.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that the spreadsheet computes, of our own making: ``=C2*12``; `value` is what it comes to now.

    None is a formula whose result is not known: the cell is empty until it is.
    """

    text: str
    value: Decimal | str | None = None


class TooManyRows(ValueError):
    """More rows than a sheet holds; the message says what to do instead."""


def xlsx(rows: Iterable[Iterable[Any]], *, title: str = "Sheet", notes: Sequence[str] = ()) -> bytes:
    """Rows, the header first and frozen, as a workbook. Raises TooManyRows beyond what a sheet holds.

    `notes` are what a reader must know of the rows: they stand on a second sheet.

    A row goes to the disk as soon as the next one begins, so that memory does not grow with their number.
    """
    sheets: list[tuple[str, Iterable[Iterable[Any]]]] = [(title, rows)]
    if notes:
        sheets.append(("Notes" if _name(title) != "Notes" else "Notes on it", ([note] for note in notes)))
    return xlsx_sheets(sheets)


def xlsx_sheets(sheets: Iterable[tuple[str, Iterable[Iterable[Any]]]]) -> bytes:
    """(title, rows) of each sheet as one workbook; titles are cut and numbered where they would be the same.

    Raises ExportRuns where whoever asks gets another file already.
    """
    begin_export()
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": folder}
        book = Workbook(file, options)
        formats, used = _Formats(book), set[str]()
        for title, rows in sheets:
            name = _free_name(_name(title), used)
            used.add(name.lower())
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            for number, row in enumerate(rows):
                if number >= MOST_ROWS:
                    raise TooManyRows(
                        _("A sheet holds {most_rows} rows; export it as CSV, or filter it first.").format(
                            most_rows=number_text(MOST_ROWS)
                        )
                    )
                rows_written(1)
                for column, value in enumerate(row):
                    _write(sheet, (number, column), value, formats)
        book.close()
    return file.getvalue()


def _name(title: str) -> str:
    """What a sheet may be called."""
    allowed = "".join(char for char in title if char not in "[]:*?/\\'" and char.isprintable())
    return allowed[:31].strip() or "Sheet"


def _free_name(name: str, used: set[str]) -> str:
    """`name`, or the same with a number where there is one of that name."""
    number, free = 1, name
    while free.lower() in used:
        number += 1
        free = f"{name[: 30 - len(str(number))]} {number}"
    return free


class _Formats(dict[tuple[str, bool], Any]):
    """(number format, whether in the header) -> the workbook's format; a workbook holds each once."""

    def __init__(self, book: Workbook) -> None:
        super().__init__()
        self.book = book

    def __missing__(self, key: tuple[str, bool]) -> Any:
        number_format, bold = key
        self[key] = self.book.add_format({"num_format": number_format or "General", "bold": bold})
        return self[key]


def _write(sheet: Worksheet, place: tuple[int, int], value: object, formats: _Formats) -> None:
    in_header = place[0] == 0
    if isinstance(value, Formula):
        result = value.value
        number_format = "#,##0.00" if isinstance(result, Decimal) else ""
        sheet.write_formula(*place, value.text, formats[number_format, in_header], "" if result is None else result)
    elif isinstance(value, datetime):
        sheet.write_datetime(*place, value.replace(tzinfo=None), formats["yyyy-mm-dd hh:mm:ss", in_header])
    elif isinstance(value, date):
        sheet.write_datetime(*place, value, formats["yyyy-mm-dd", in_header])
    elif isinstance(value, bool):
        sheet.write_boolean(*place, value, formats["", in_header])
    elif isinstance(value, Decimal | int | float) and _digits(value) <= DIGITS_KEPT:
        sheet.write_number(*place, value, formats[_number_format(value), in_header])
    elif text := CONTROL_CHARACTERS.sub("", safe_cell(value)):
        # As text even where it begins with "=".
        sheet.write_string(*place, text[:LONGEST_TEXT], formats["@", in_header])


def _digits(number: Decimal | int | float) -> int:
    """How many digits a spreadsheet must keep; a float has no more than it can."""
    if isinstance(number, float):
        return 0
    text = exact_text(number) or "" if isinstance(number, Decimal) else str(number)
    return len(text.lstrip("-0.").replace(".", ""))


def _number_format(number: Decimal | int | float) -> str:
    """As many places as the amount has, and two at least; whole numbers and floats as the spreadsheet likes."""
    if not isinstance(number, Decimal):
        return ""
    if isinstance(number, AmountWithPlaces):
        decimals = f"{number:f}".partition(".")[2]
        return f"#,##0.{'0' * len(decimals)}" if decimals else "#,##0"
    places = len((exact_text(number) or "").partition(".")[2])
    return f"#,##0.{'0' * max(places, 2)}"
