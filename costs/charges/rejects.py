"""Rows of a bill that cannot be charges: on which line each stands, in which column, and why. Pure: no Django."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from costs.charges import files
from costs.charges.bill_files import BillFile
from costs.charges.charge_sql import BLANK, cell_checks, problem_sql, rows_sql, source_column, text_column
from costs.formats.sql import NO_NUL, literal

# So many rejects are kept with line and reason; all of them are counted.
MAX_REJECTS = 10_000
NOT_UTF_8 = "is not UTF-8 text; save the file as UTF-8 and deliver it again"
# A name that no bill has for a column of its own.
RECORD = '"our record number"'


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not read: where it stands, what was wrong, and the value that shows it."""

    file: str
    line: int | None
    column: str
    value: str
    reason: str


def has_broken_rows(db: duckdb.DuckDBPyConnection) -> bool:
    """Whether DuckDB could not read rows of the bill at all; of Parquet and JSON documents it notes none."""
    (tables,) = db.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchone() or (0,)
    return bool(tables) and db.execute("SELECT 1 FROM reject_errors LIMIT 1").fetchone() is not None


def broken_rows(db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile]) -> list[RejectedRow]:
    """Rows that are no rows of the table: too few or too many cells, open quotes, bytes that are not UTF-8."""
    if not has_broken_rows(db):
        return []
    # Of JSON a line is one cell, under a name of ours.
    rows = db.execute(
        f"""SELECT any_value(file_path), line_byte_position, any_value(coalesce(column_name, '')),
        any_value(coalesce(csv_line, '')), any_value(CASE error_type WHEN 'INVALID ENCODING' THEN {literal(NOT_UTF_8)}
        ELSE error_message END)
        FROM reject_errors JOIN reject_scans USING (scan_id, file_id)
        GROUP BY scan_id, file_id, line_byte_position ORDER BY scan_id, line_byte_position"""
    ).fetchall()
    rejects = []
    for file in bill:
        broken = [row[1:] for row in rows if row[0] == file.address]
        lines = files.line_at(file.text(), [offset for offset, *_ in broken]) if broken else {}
        rejects += [
            RejectedRow(file.name, lines.get(offset), column, _shown(value), _shown(str(message).splitlines()[0], 300))
            for offset, column, value, message in broken
        ]
    return rejects


def rows_with_bad_cells(db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile], table: str) -> list[RejectedRow]:
    """Rows with a cell that its column cannot hold."""
    numbers = db.execute(f"SELECT DISTINCT x_File FROM {table} WHERE x_Problem <> '{BLANK}' ORDER BY 1").fetchall()
    return [reject for (number,) in numbers for reject in _rows_with_bad_cells(db, bill[number])]


def _rows_with_bad_cells(db: duckdb.DuckDBPyConnection, file: BillFile) -> list[RejectedRow]:
    """The rejected rows of one file, read once more in order: the fast pass does not know line numbers."""
    cells = " ".join(
        f"WHEN {literal(name)} THEN {text_column(name)}" for name in {name for name, _, _ in cell_checks(file)}
    )
    reasons = " ".join(f"WHEN {is_bad} THEN {literal(reason)}" for _, is_bad, reason in cell_checks(file))
    # Read as the first time, rejects stored and all: DuckDB cuts a broken row otherwise when it stores none.
    numbered = file.source(record=RECORD)
    db.execute("SET preserve_insertion_order = true")
    rows = db.execute(
        f"""SELECT {RECORD}, problem, CASE problem {cells} END, CASE {reasons} END
        FROM (SELECT *, {problem_sql(file)} AS problem FROM {rows_sql(file, numbered, RECORD)})
        WHERE problem <> '{BLANK}' ORDER BY {RECORD} LIMIT {MAX_REJECTS}"""
    ).fetchall()
    db.execute("SET preserve_insertion_order = false")
    lines = files.lines_of_records(file.text(), file.layout, [row[0] for row in rows]) if file.layout else {}
    return [
        RejectedRow(file.name, lines.get(record, record), source_column(file, column), _shown(value or ""), reason)
        for record, column, value, reason in rows
    ]


def _shown(text: str, limit: int = 500) -> str:
    """Fit to be stored and read: without NUL, and not endless."""
    return text.replace("\x00", NO_NUL)[:limit]
