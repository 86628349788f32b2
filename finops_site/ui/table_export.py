"""What a table says outside the site: its rows with every digit, and cells that no spreadsheet runs."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django_tables2.columns import BoundColumn, Column
from django_tables2.rows import BoundRow
from django_tables2.utils import Accessor

from finops_site.lib.file_rows import rows_written
from finops_site.lib.money import AmountWithPlaces, exact_text
from finops_site.ui.tables import BaseTable, tags_text

ROWS_IN_A_WRITE = 500
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?\Z")
# A cell that begins so is run as a formula by spreadsheets.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: object) -> str:
    """`value` as a CSV cell that no spreadsheet runs: text that looks like a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, AmountWithPlaces):
        return f"{value:f}"
    if isinstance(value, Decimal):
        return exact_text(value) or ""
    if isinstance(value, bool | int | float | date | datetime):
        return str(value)
    if isinstance(value, Mapping):
        value = tags_text(value)
    text = str(value).replace("\0", "")
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not PLAIN_NUMBER.match(text) else text


def csv_text(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The rows as text of a CSV, some hundreds at a time: a write for each row would take longer than the row."""
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_IN_A_WRITE)):
        page = io.StringIO()
        csv.writer(page).writerows([safe_cell(cell) for cell in row] for row in batch)
        rows_written(len(batch))
        yield page.getvalue()


def with_notes(rows: Iterable[Iterable[Any]], notes: Sequence[str]) -> Iterator[Iterable[Any]]:
    """The rows, and after them what a reader must know of them: a row of one cell for each note."""
    yield from rows
    yield from ([f"Note: {note}"] for note in notes)


def export_rows(table: BaseTable) -> Iterator[Iterable[Any]]:
    """The header and every row; a table that shows amounts without a column of their currency gets one.

    A table over very many rows names in `Meta.csv_fields` its {header: field}: then no model is made for a row.
    """
    fields = getattr(type(table).Meta, "csv_fields", None)
    if fields and isinstance(table.data.data, QuerySet):
        yield list(fields)
        yield from table.data.data.select_related(None).values_list(*fields.values()).iterator(chunk_size=5000)
    else:
        yield from _drawn_rows(table)


def _drawn_rows(table: BaseTable) -> Iterator[list[Any]]:
    columns = [bound for bound in table.columns.iterall() if not bound.column.exclude_from_export]
    currencies = _missing_currencies(columns)
    data = table.data.data
    yield [str(bound.header) for bound in columns] + ["Currency"] * len(currencies)
    for record in data.iterator(chunk_size=2000) if isinstance(data, QuerySet) else data:
        row = BoundRow(record, table=table)
        cells = [_plain_cell(row.get_cell_value(bound.name), bound, record) for bound in columns]
        yield cells + [code(record) for code in currencies]


def _plain_cell(cell: Any, bound: BoundColumn, record: Any) -> Any:
    """A cell without the markup that a page draws around it: its value, or its text where it has none of its own."""
    if not isinstance(cell, SafeString):
        return cell
    accessor = Accessor(bound.accessor)
    value = accessor.resolve(record, quiet=True)
    if value in (None, "") or str(accessor) in ("pk", "id"):
        return " ".join(unescape(strip_tags(cell.replace("<", " <"))).split())
    if type(bound.column).value is not Column.value:
        return bound.column.value(value)
    penultimate, name = accessor.penultimate(record)
    display = getattr(penultimate, f"get_{name}_display", None)
    return display() if display else value


def _missing_currencies(columns: list[BoundColumn]) -> list[Callable[[Any], str]]:
    """For each currency that the amounts name and that has no column of its own: what finds it in a record."""
    accessors = {str(bound.accessor) for bound in columns}
    money = [bound.column for bound in columns if hasattr(bound.column, "code")]
    missing = {str(column.currency): column.code for column in money if str(column.currency) not in accessors}
    return list(missing.values())
