"""The files of a bill, opened: what each is, which columns it has, and which format they belong to. Pure: no Django."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from costs.charges import files, gzips, json_lines
from costs.formats import FORMATS, detect
from costs.formats.base import TAG_COLUMNS, BadBill, Format, Options, Sheet, formula
from costs.formats.sql import literal, quoted

# DuckDB reads in blocks of eight of these: small enough for a gigabyte of memory, and longer than any row of a bill.
LONGEST_LINE = 2 << 20
# No compression, set and not guessed from the name, which may be anything: what is packed comes unfolded.
AS_TEXT = f"max_line_size = {LONGEST_LINE}, buffer_size = {8 * LONGEST_LINE}, compression = 'none'"
NULLS = "['', 'NULL', 'null', '(null)', 'None']"
# What DuckDB raises for the sake of the data; a binder or parser error would be our own mistake.
UNREADABLE = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException, duckdb.OutOfRangeException)


@dataclass(frozen=True, slots=True)
class BillFile:
    """A file of the bill, recognised; `address` is where DuckDB reads its text.

    `plain` is where the text of a gzip is put when somebody must look at single lines.
    """

    name: str
    path: Path
    address: str
    kind: str
    sheet: Sheet
    format: Format
    layout: files.Layout | None
    plain: Path | None = None

    def source(self, *, store_rejects: bool = True) -> str:
        """The SQL that reads its rows; what is no row is skipped, and stored where it can be looked up."""
        rejects = "store_rejects = true, rejects_limit = 100000" if store_rejects else "store_rejects = false"
        options = f"ignore_errors = true, {AS_TEXT}, {rejects}"
        if self.kind == "jsonl":
            return json_lines.source(self.address, self.sheet, options)
        if self.layout is None:
            return f"read_parquet({literal(self.address)})"
        # A header with more columns than the rows have is no header to DuckDB.
        header = "header = false, skip = 1" if self.layout.bare else "header = true"
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in self.layout.columns)
        nulls = "['']" if self.layout.literal else NULLS
        return (
            f"read_csv({literal(self.address)}, auto_detect = false, {header}, columns = {{{columns}}}, "
            f"delim = {literal(self.layout.delimiter)}, quote = '\"', escape = '\"', nullstr = {nulls}, {options})"
        )

    def text(self) -> Path:
        """The file as plain text."""
        if self.plain is None:
            return self.path
        if not self.plain.exists():
            files.unfold(self.path, self.plain, self.name, limit=1 << 62)
        return self.plain


def open_bill_file(
    db: duckdb.DuckDBPyConnection,
    name: str,
    path: Path,
    *,
    scratch: Path,
    options: Options,
    format_name: str,
    unfolded: gzips.Gzips,
) -> BillFile:
    """Recognises a file by its head; raises BadBill when it is none of the formats we read."""
    kind, plain, head, address = files.kind(path, name), None, path, str(path)
    if kind == "gzip":
        head, plain = scratch / f"head-{path.name}", scratch / f"plain-{path.name}.csv"
        files.head_of_gzip(path, head, name, limit=unfolded.limit)
        address = unfolded.address(path, name)
        kind = files.kind(head, name)
        if kind not in ("csv", "jsonl"):
            raise BadBill(f"{name}: inside the gzip is a {kind} file; deliver that file as it is.")
    layout = files.csv_layout(head, name) if kind == "csv" else None
    sheet = Sheet(_columns(db, kind, address, name, layout), options)
    unrecognised = BillFile(name, path, address, kind, sheet, FORMATS[0], layout, plain)
    detected = detect(
        sheet, wanted=format_name, file=name, shows=lambda candidate: _has_evidence(db, unrecognised, candidate)
    )
    if detected.needs_month and options.month is None:
        raise BadBill(f"{name}: {detected.title} has no dates; say which month it is for (--month 2025-11).")
    return replace(unrecognised, format=detected)


def _columns(
    db: duckdb.DuckDBPyConnection, kind: str, address: str, name: str, layout: files.Layout | None
) -> dict[str, str]:
    """{column: SQL that reads it as text}."""
    if kind == "jsonl":
        return json_lines.columns(db, address, name, AS_TEXT)
    if layout is not None:
        cells = {column: quoted(column) for column in layout.columns}
        if not layout.literal:
            return cells
        return {column: sql if column in layout.literal else _without_nulls(sql) for column, sql in cells.items()}
    try:
        described = db.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(address)})").fetchall()
    except duckdb.Error as error:
        raise BadBill(f"{name}: the Parquet file is damaged ({first_line(error)}). Fetch it again.") from None
    return {column: _as_text(column, type_name) for column, type_name, *_ in described}


def _as_text(name: str, type_name: str) -> str:
    column = quoted(name)
    if type_name == "VARCHAR" and name.lower().startswith(TAG_COLUMNS):
        return f"nullif({column}, '')"
    if type_name == "VARCHAR":
        return _without_nulls(column)
    nested = type_name.startswith(("MAP", "STRUCT")) or type_name.endswith("[]")
    return f"CAST(to_json({column}) AS VARCHAR)" if nested else f"CAST({column} AS VARCHAR)"


def _without_nulls(column: str) -> str:
    return f"CASE WHEN {column} NOT IN ({NULLS[1:-1]}) THEN {column} END"


def _has_evidence(db: duckdb.DuckDBPyConnection, file: BillFile, candidate: Format) -> bool:
    """Whether a row of the file is as only this format has them; what cannot be read at all is reported later."""
    evidence = formula(candidate.evidence)(file.sheet)
    try:
        row = db.execute(f"SELECT 1 FROM {file.source(store_rejects=False)} WHERE {evidence} LIMIT 1").fetchone()
    except UNREADABLE:
        return False
    return row is not None


def check_one_format(bill: Sequence[BillFile]) -> None:
    """Raises BadBill for files of several formats, unless they are the two halves of one bill."""
    names = sorted({file.format.name for file in bill})
    if len(names) > 1 and not all(file.format.view for file in bill):
        raise BadBill(f"these files are bills of different formats ({', '.join(names)}); deliver each by itself.")


def view_of(bill: Sequence[BillFile]) -> str:
    """The half of the bill these files carry; empty for a whole bill, and for both halves of one."""
    views = {file.format.view for file in bill}
    return views.pop() if len(views) == 1 else ""


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
