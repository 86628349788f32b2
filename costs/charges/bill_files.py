"""The files of a bill, opened: what each is, which columns it has, and which format they belong to. Pure: no Django."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from costs.charges import files, gzips, json_lines, text_files
from costs.charges.duckdb_session import is_out_of_space
from costs.formats import FORMATS, detect, is_known
from costs.formats.base import BadBill, Format, Options, Sheet, formula
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

    `plain` is where the text of a gzip is put when somebody must look at single lines, `head` the address of its first
    megabyte. `written` are the columns as they stand in the file; those of `sheet` read as ISO dates and plain numbers.
    """

    name: str
    path: Path
    address: str
    kind: str
    sheet: Sheet
    written: Sheet
    format: Format
    layout: files.Layout | None
    head: str
    plain: Path | None = None

    def source(self, *, store_rejects: bool = True, head: bool = False) -> str:
        """The SQL that reads its rows; what is no row is skipped, and stored where it can be looked up.

        With `head` not necessarily all of them, but quickly.
        """
        address = self.head if head else self.address
        rejects = "store_rejects = true, rejects_limit = 100000" if store_rejects else "store_rejects = false"
        options = f"ignore_errors = true, {AS_TEXT}, {rejects}"
        if self.kind == "jsonl":
            return json_lines.source(address, self.written, options)
        if self.layout is None:
            return f"read_parquet({literal(address)})"
        # A header with more columns than the rows have is no header to DuckDB.
        skipped = self.layout.skip + bool(self.layout.bare)
        header = f"header = {'false' if self.layout.bare else 'true'}, skip = {skipped}"
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in self.layout.columns)
        return (
            f"read_csv({literal(address)}, auto_detect = false, {header}, columns = {{{columns}}}, "
            f"delim = {literal(self.layout.delimiter)}, quote = '\"', escape = '\"', nullstr = {NULLS}, {options})"
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
    one_ending: bool = False,
) -> BillFile:
    """Recognises a file by its head; raises BadBill when it is none of the formats we read.

    With `one_ending` its lines are first made to end alike.
    """
    kind, plain, head, address = files.kind(path, name), None, path, str(path)
    if kind == "gzip":
        head, plain = scratch / f"head-{path.name}", scratch / f"plain-{path.name}.csv"
        files.head_of_gzip(path, head, name, limit=unfolded.limit)
        address = unfolded.address(path, name)
        kind = files.kind(head, name)
        if kind not in ("csv", "jsonl", "utf-16"):
            raise BadBill(f"{name}: inside the gzip is a {kind} file; deliver that file as it is.")
    if kind == "utf-16" or (one_ending and kind == "csv"):
        plain = head = scratch / f"text-{path.name}.csv"
        text_files.rewrite(path, plain, name, limit=unfolded.limit, one_ending=one_ending)
        address, kind = str(plain), files.kind(plain, name)
    layout = files.csv_layout(head, name, is_known=is_known) if kind == "csv" else None
    sheet = Sheet(_columns(db, kind, address, name, layout), options)
    unrecognised = BillFile(name, path, address, kind, sheet, sheet, FORMATS[0], layout, str(head), plain)
    detected = detect(
        sheet, wanted=format_name, file=name, shows=lambda candidate: _has_evidence(db, unrecognised, candidate)
    )
    if detected.needs_month and options.month is None:
        raise BadBill(f"{name}: {detected.title} has no dates; say which month it is for (--month 2025-11).")
    return replace(unrecognised, format=detected)


def unreadable(bill: Sequence[BillFile], error: duckdb.Error) -> Exception:
    """The BadBill that says so where the files are to blame; else the error itself, which is our own mistake."""
    # A damaged Parquet file can raise any of DuckDB's errors.
    is_the_bills_fault = isinstance(error, UNREADABLE) or any(file.kind == "parquet" for file in bill)
    if is_out_of_space(error) or not is_the_bills_fault:
        return error
    names = ", ".join(file.name for file in bill)
    return BadBill(f"{names}: could not be read as a table ({first_line(error)}).")


def _columns(
    db: duckdb.DuckDBPyConnection, kind: str, address: str, name: str, layout: files.Layout | None
) -> dict[str, str]:
    """{column: SQL that reads it as text}."""
    if kind == "jsonl":
        return json_lines.columns(db, address, name, AS_TEXT)
    if layout is not None:
        return {column: quoted(column) for column in layout.columns}
    try:
        described = db.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(address)})").fetchall()
    except duckdb.Error as error:
        raise BadBill(f"{name}: the Parquet file is damaged ({first_line(error)}). Fetch it again.") from None
    return {column: _as_text(quoted(column), type_name) for column, type_name, *_ in described}


def _as_text(column: str, type_name: str) -> str:
    if type_name == "VARCHAR":
        return f"CASE WHEN {column} NOT IN ({NULLS[1:-1]}) THEN {column} END"
    nested = type_name.startswith(("MAP", "STRUCT")) or type_name.endswith("[]")
    return f"CAST(to_json({column}) AS VARCHAR)" if nested else f"CAST({column} AS VARCHAR)"


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
