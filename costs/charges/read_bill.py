"""From the files of a bill to its charges in Parquet. Pure: no Django, and no Python loop over rows.

One pass over the text writes every row, mapped and cast, with the problem it has if it has one. In the usual case
(one billing month, nothing rejected) that file is the charges; otherwise it is cut into its months.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from costs.calc import fee_spreading
from costs.charges import duckdb_session, files, gzips, json_lines
from costs.formats import FORMATS, detect
from costs.formats.base import (
    CHARGE_COLUMNS,
    FULL,
    METRICS,
    NO_NUL,
    BadBill,
    Format,
    Options,
    Sheet,
    aside,
    beyond,
    formula,
    literal,
    moment,
    plain_number,
    quoted,
    stored,
    tags,
)
from finops_site.lib.money import EXACT, NO_CURRENCY

# So many rejects are kept with line and reason; all of them are counted.
MAX_REJECTS = 10_000
# DuckDB reads in blocks of eight of these: small enough for a gigabyte of memory, and longer than any row of a bill.
LONGEST_LINE = 2 << 20
# No compression, said and not guessed from the name, which may be anything: what is packed comes unfolded.
AS_TEXT = f"max_line_size = {LONGEST_LINE}, buffer_size = {8 * LONGEST_LINE}, compression = 'none'"
NULLS = "['', 'NULL', 'null', '(null)', 'None']"
BLANK = "blank"
# A name that no bill has for a column of its own.
RECORD = '"our record number"'
# Small row groups: two threads that write big ones wait for each other and for memory. Nobody looks for single values.
PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 30720, WRITE_BLOOM_FILTER false"
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)

# What DuckDB raises for the sake of the data; a binder or parser error would be our own mistake.
UNREADABLE = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException, duckdb.OutOfRangeException)

Sums = dict[str, dict[str, Decimal | None]]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not read: where it stands, what was wrong, and the value that says so."""

    file: str
    line: int | None
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class MonthOfCharges:
    """The charges of one billing month as written: rows, and sums as stored."""

    billing_month: date
    folder: Path
    rows: int
    charge_months: tuple[date, ...]
    totals: Sums
    view: str = ""


@dataclass(slots=True)
class Reading:
    """What reading a bill found. `totals` are exact to the digits of the text, `residual` what storing cannot keep."""

    format: str
    provider: str = ""
    rows_read: int = 0
    rows_rejected: int = 0
    months: list[MonthOfCharges] = field(default_factory=list)
    rejects: list[Rejected] = field(default_factory=list)
    totals: Sums = field(default_factory=dict)
    residual: Sums = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def rows_loaded(self) -> int:
        return sum(month.rows for month in self.months)


@dataclass(frozen=True, slots=True)
class OpenFile:
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
        """The SQL that reads its rows; those that are no rows are skipped, and stored where they can be asked for."""
        rejects = "store_rejects = true, rejects_limit = 100000" if store_rejects else "store_rejects = false"
        rest = f"ignore_errors = true, {AS_TEXT}, {rejects}"
        if self.kind == "jsonl":
            return json_lines.source(self.address, self.sheet, rest)
        if self.layout is None:
            return f"read_parquet({literal(self.address)})"
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in self.layout.columns)
        return (
            f"read_csv({literal(self.address)}, auto_detect = false, {self._header}, columns = {{{columns}}}, "
            f"delim = {literal(self.layout.delimiter)}, quote = '\"', escape = '\"', nullstr = {NULLS}, {rest})"
        )

    @property
    def _header(self) -> str:
        # A header with more columns than the rows have is no header to DuckDB.
        return "header = false, skip = 1" if self.layout and self.layout.bare else "header = true"

    def text(self) -> Path:
        """The file as plain text."""
        if self.plain is None:
            return self.path
        if not self.plain.exists():
            files.unfold(self.path, self.plain, self.name, limit=1 << 62)
        return self.plain


def read(
    db: duckdb.DuckDBPyConnection,
    bundle: Sequence[tuple[str, Path]],
    *,
    target: Path,
    scratch: Path,
    options: Options,
    wanted: str = "auto",
    limit: int,
    progress: Progress = lambda stage, share: None,
) -> Reading:
    """Reads the named files as one bill and writes ``target/<month>/charges.parquet`` for each billing month.

    Raises BadBill, naming the file and what to do, when the bill as a whole cannot be read.
    """
    staging = scratch / "staging.parquet"
    with gzips.readable(db, limit) as unfolded:

        def staged() -> list[OpenFile]:
            opened = [_open(db, name, path, scratch, options, wanted, unfolded) for name, path in bundle]
            _one_format(opened)
            progress("reading", 0.1)
            _stage(db, opened, staging)
            return opened

        opened = unfolded.read_whole(staged)
        remarks = _spread_fees(db, opened[0].format, staging)
        progress("checking", 0.5)
        reading = _finish(db, opened, staging, target, options)
        reading.notes += remarks
        return reading


def _open(
    db: duckdb.DuckDBPyConnection,
    name: str,
    path: Path,
    scratch: Path,
    options: Options,
    wanted: str,
    unfolded: gzips.Gzips,
) -> OpenFile:
    """Recognises a file by its head."""
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
    raw = OpenFile(name, path, address, kind, sheet, FORMATS[0], layout, plain)
    found = detect(sheet, wanted=wanted, file=name, shows=lambda known: _shows(db, raw, known))
    if found.needs_month and options.month is None:
        raise BadBill(f"{name}: {found.title} has no dates; say which month it is for (--month 2025-11).")
    return replace(raw, format=found)


def _columns(
    db: duckdb.DuckDBPyConnection, kind: str, address: str, name: str, layout: files.Layout | None
) -> dict[str, str]:
    """{column: SQL that reads it as text}."""
    if kind == "jsonl":
        return json_lines.columns(db, address, name, AS_TEXT)
    if layout is None:
        return _parquet_columns(db, address, name)
    return {column: quoted(column) for column in layout.columns}


def _shows(db: duckdb.DuckDBPyConnection, each: OpenFile, known: Format) -> bool:
    """Whether a row of the file is as only this format has them; what cannot be read at all is told when it is read."""
    evidence = formula(known.evidence)(each.sheet)
    try:
        found = db.execute(f"SELECT 1 FROM {each.source(store_rejects=False)} WHERE {evidence} LIMIT 1").fetchone()
    except UNREADABLE:
        return False
    return found is not None


def _parquet_columns(db: duckdb.DuckDBPyConnection, address: str, name: str) -> dict[str, str]:
    try:
        described = db.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(address)})").fetchall()
    except duckdb.Error as error:
        raise BadBill(f"{name}: the Parquet file is damaged ({_first_line(error)}). Fetch it again.") from None
    return {column: _as_text(quoted(column), kind) for column, kind, *_ in described}


def _as_text(column: str, kind: str) -> str:
    if kind == "VARCHAR":
        return f"CASE WHEN {column} NOT IN ({NULLS[1:-1]}) THEN {column} END"
    nested = kind.startswith(("MAP", "STRUCT")) or kind.endswith("[]")
    return f"CAST(to_json({column}) AS VARCHAR)" if nested else f"CAST({column} AS VARCHAR)"


def _one_format(opened: Sequence[OpenFile]) -> None:
    names = sorted({each.format.name for each in opened})
    if len(names) > 1 and not all(each.format.view for each in opened):
        raise BadBill(f"these files are bills of different formats ({', '.join(names)}); deliver each by itself.")


def _view(opened: Sequence[OpenFile]) -> str:
    """The half of the bill these files carry; empty for a whole bill, and for both halves of one."""
    views = {each.format.view for each in opened}
    return views.pop() if len(views) == 1 else ""


def _stage(db: duckdb.DuckDBPyConnection, opened: Sequence[OpenFile], staging: Path) -> None:
    selects = " UNION ALL BY NAME ".join(_select(number, each) for number, each in enumerate(opened))
    for kept in ("reject_errors", "reject_scans"):
        # What DuckDB could not read of a bill before is not this one's.
        db.execute(f"DROP TABLE IF EXISTS {kept}")
    try:
        db.execute(f"COPY ({selects}) TO {literal(str(staging))} ({PARQUET})")
    except duckdb.Error as error:
        # A damaged Parquet file can be told in any of DuckDB's ways; anything else of a CSV would be our own mistake.
        told = isinstance(error, UNREADABLE) or any(each.kind == "parquet" for each in opened)
        if duckdb_session.is_out_of_space(error) or not told:
            raise
        names = ", ".join(each.name for each in opened)
        raise BadBill(f"{names}: could not be read as a table ({_first_line(error)}).") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]


def _select(number: int, each: OpenFile) -> str:
    kept = ", ".join(
        [
            *map(quoted, CHARGE_COLUMNS),
            *(quoted(f"x_{name}Beyond") for name in METRICS),
            *(f"{_kept(name)} AS {quoted(name)}" for name in each.format.extras(each.sheet)),
        ]
    )
    return f"""SELECT {kept},
        date_trunc('month', "BillingPeriodStart")::DATE AS "x_BillingMonth", {number} AS "x_File",
        {_problem(each)} AS "x_Problem"
        FROM {_rows(each, each.source())}"""


def _rows(each: OpenFile, source: str, *also: str) -> str:
    """The rows of a file, first mapped to texts and then cast, so that no text is worked out twice."""
    texts = _texts(each)
    cells = [*each.sheet.columns.values(), *([json_lines.UNREAD] if each.kind == "jsonl" else [])]
    anything = f"coalesce({', '.join(cells)}) IS NULL"
    said = [f"{sql} AS {_said(name)}" for name, sql in texts.items()]
    said += [f"{sql} AS {_kept(name)}" for name, sql in each.format.extras(each.sheet).items()]
    said += [f"{json_lines.UNREAD} AS {_said('line')}"] if each.kind == "jsonl" else []
    said.append(f"CASE WHEN {stored(texts[_first_metric(each)])} IS NULL THEN {anything} ELSE false END AS empty_row")
    cast = [f"{_cast(each, kind, _said(name))} AS {quoted(name)}" for name, kind in CHARGE_COLUMNS.items()]
    rest = [f"CAST({beyond(_said(name))} AS {FULL}) AS {quoted(f'x_{name}Beyond')}" for name in METRICS]
    mapped = f"(SELECT {', '.join([*also, *said])} FROM {_worked_out(each, source)})"
    return f"(SELECT *, {', '.join([*cast, *rest])} FROM {mapped})"


def _worked_out(each: OpenFile, source: str) -> str:
    """The rows with what several columns need: worked out once, and in the plan once."""
    for name, rule in each.format.aside.items():
        source = f"(SELECT *, {rule(each.sheet) or 'NULL'} AS {aside(name)} FROM {source})"
    metrics = ", ".join(f"{sql} AS {_as_delivered(name)}" for name, sql in _metrics(each).items())
    return f"(SELECT *, {metrics} FROM {source})"


def _metrics(each: OpenFile) -> dict[str, str]:
    """SQL for the text of every metric, signs of money and separators of thousands and all."""
    rules = each.format.columns
    return {name: (rules[name](each.sheet) if name in rules else None) or "NULL::VARCHAR" for name in METRICS}


def _as_delivered(name: str) -> str:
    """The name under which a metric's text stands before it is a plain number."""
    return quoted(f"delivered {name}")


def _said(name: str) -> str:
    """The name under which a charge column's text is at hand while it is cast."""
    return quoted(f"said {name}")


def _kept(name: str) -> str:
    """The name under which a column that no rule reads is carried along."""
    return quoted(f"kept {name}")


def _first_metric(each: OpenFile) -> str:
    return next(name for name in METRICS if name in each.format.always)


def _texts(each: OpenFile) -> dict[str, str]:
    """SQL for the text of every charge column; the currency is in capitals, and XXX where the bill has none."""
    rules = each.format.columns
    texts = {name: (rules[name](each.sheet) if name in rules else None) or "NULL::VARCHAR" for name in CHARGE_COLUMNS}
    texts |= {name: plain_number(_as_delivered(name)) for name in METRICS}
    chosen = each.sheet.options.currency
    if texts["BillingCurrency"] == "NULL::VARCHAR":
        default = "USD" if each.format.needs_month else NO_CURRENCY
        texts["BillingCurrency"] = literal(chosen or default)
    return texts | {"BillingCurrency": f"upper(trim({texts['BillingCurrency']}))"}


def _cast(each: OpenFile, kind: str, sql: str) -> str:
    if kind in ("money", "number"):
        return stored(sql)
    if kind == "moment":
        return moment(sql)
    if kind == "tags":
        # As text, whatever it is: to make maps of a million texts takes longer than all the rest of a row.
        return f"CAST(to_json({sql}) AS VARCHAR)" if each.format.tags_are_map else sql
    return sql


def _problem(each: OpenFile) -> str:
    """SQL naming the first charge column that keeps a row from being a charge; null for good rows."""
    cases = " ".join(f"WHEN {bad} THEN {literal(name)}" for name, bad, _ in _checks(each))
    return f"CASE WHEN empty_row THEN {literal(BLANK)} {cases} END"


def _checks(each: OpenFile) -> list[tuple[str, str, str]]:
    """(charge column, SQL that is true when its cell is bad, reason)."""
    checks = [("line", f"{_said('line')} IS NOT NULL", "is not a JSON object")] if each.kind == "jsonl" else []
    for name in METRICS:
        said, value, rest = _said(name), quoted(name), quoted(f"x_{name}Beyond")
        if name in each.format.always:
            checks.append((name, f"{said} IS NULL", "is empty"))
        if name not in each.format.lenient:
            checks.append((name, f"{value} IS NULL AND {said} IS NOT NULL", "is not a number"))
            checks.append((name, f"{rest} IS NULL", "has more digits than can be kept"))
    for name in ("BillingPeriodStart", "ChargePeriodStart"):
        checks.append((name, f"{_said(name)} IS NULL", "is empty"))
        outside = f"{quoted(name)} NOT BETWEEN '{FIRST_DAY}' AND '{LAST_DAY}'"
        checks.append((name, f"coalesce({outside}, true)", "is not a date of this century"))
    checks.append(("BillingCurrency", '"BillingCurrency" IS NULL', "is empty"))
    code = "length(BillingCurrency) = 3 AND regexp_full_match(BillingCurrency, '[A-Z]{3}')"
    checks.append(("BillingCurrency", f"NOT ({code})", "is not a currency code"))
    return checks


def _spread_fees(db: duckdb.DuckDBPyConnection, known: Format, staging: Path) -> list[str]:
    """Lets usage carry the fees of its commitments in effective cost, where the provider bills them apart; says so."""
    table = f"read_parquet({literal(str(staging))})"
    if known.spread is None or not db.execute(f"SELECT 1 FROM {table} WHERE {known.spread.fee} LIMIT 1").fetchone():
        return []
    spread = staging.with_name("spread.parquet")
    db.execute(f"COPY ({fee_spreading.select(known.spread, table)}) TO {literal(str(spread))} ({PARQUET})")
    spread.replace(staging)
    return [known.spread.remark]


def _finish(
    db: duckdb.DuckDBPyConnection, opened: Sequence[OpenFile], staging: Path, target: Path, options: Options
) -> Reading:
    table = f"read_parquet({literal(str(staging))})"
    reading = Reading(format=opened[0].format.label(opened[0].sheet))
    rows, good, bad = db.execute(
        f"SELECT count(*), count(*) FILTER (x_Problem IS NULL), count(*) FILTER (x_Problem <> '{BLANK}') FROM {table}"
    ).fetchone() or (0, 0, 0)
    broken = _broken_rows(db, opened)
    reading.rows_rejected = bad + len(broken)
    reading.rows_read = good + reading.rows_rejected
    reading.rejects = [*broken, *(_bad_cells(db, opened, table) if bad else [])][:MAX_REJECTS]
    if not good:
        raise _nothing(opened, reading)
    reading.provider = _provider(db, table)
    reading.notes = [*_notes(db, table), *_notes_of_formats(db, table, opened)]
    months = _months(db, table)
    if options.month and [month for month, _, _ in months] != [options.month.start]:
        found = ", ".join(f"{month:%Y-%m}" for month, _, _ in months)
        raise BadBill(f"{opened[0].name}: the bill is for {found}, not for {options.month}.")
    reading.totals, reading.residual = _control_totals(db, table)
    _write_months(db, reading, months, staging, target, whole=good == rows, view=_view(opened))
    return reading


def _nothing(opened: Sequence[OpenFile], reading: Reading) -> BadBill:
    names = ", ".join(each.name for each in opened)
    if not reading.rows_rejected:
        return BadBill(f"{names}: the bill has a header and no charges; nothing was changed.")
    worst = reading.rejects[0]
    return BadBill(
        f"{names}: none of its {reading.rows_rejected:,} rows could be read; the first: {worst.file}, "
        f"line {worst.line}: {worst.column} {worst.value[:80]!r} {worst.reason}."
    )


def _provider(db: duckdb.DuckDBPyConnection, table: str) -> str:
    rows = db.execute(
        f"""SELECT DISTINCT ProviderName FROM {table}
        WHERE x_Problem IS NULL AND ProviderName IS NOT NULL ORDER BY 1 LIMIT 5"""
    ).fetchall()
    return ", ".join(row[0] for row in rows)[:200]


def _notes(db: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """What was noticed though nothing was refused: never silent about what a page will not show."""
    good = f"(SELECT * FROM {table} WHERE x_Problem IS NULL)"
    texts = f"(SELECT Tags, count(*) AS n FROM {good} WHERE Tags IS NOT NULL GROUP BY 1)"
    (unread,) = db.execute(f"SELECT coalesce(sum(n), 0) FROM {texts} WHERE {tags('Tags')} IS NULL").fetchone() or (0,)
    no_currency = db.execute(f"SELECT 1 FROM {good} WHERE BillingCurrency = '{NO_CURRENCY}' LIMIT 1").fetchone()
    notes = [f"{unread:,} rows have tags that are not a JSON object; their cost is loaded without tags."] * bool(unread)
    if no_currency:
        notes.append("The bill names no currency; its costs stand under XXX. Load it with --currency to say which.")
    return notes


def _notes_of_formats(db: duckdb.DuckDBPyConnection, table: str, opened: Sequence[OpenFile]) -> list[str]:
    known = opened[0].format
    notes = [] if known.view and not _view(opened) else list(known.warnings(opened[0].sheet))
    for each in opened:
        if each.layout and each.layout.bare:
            bare = ", ".join(each.layout.bare)
            notes.append(f"{each.name}: no row has the last columns of the header ({bare}); they were left out.")
    for condition, remark in known.remarks.items():
        row = db.execute(f"SELECT count(*) FROM {table} WHERE x_Problem IS NULL AND ({condition})").fetchone()
        notes += [remark.format(f"{row[0]:,}")] if row and row[0] else []
    return notes


def _months(db: duckdb.DuckDBPyConnection, table: str) -> list[tuple[date, int, tuple[date, ...]]]:
    rows = db.execute(
        f"""SELECT x_BillingMonth, count(*), list_sort(list(DISTINCT date_trunc('month', ChargePeriodStart)::DATE))
        FROM {table} WHERE x_Problem IS NULL GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    return [(month, count, tuple(charged)) for month, count, charged in rows]


def _write_months(
    db: duckdb.DuckDBPyConnection,
    reading: Reading,
    months: Sequence[tuple[date, int, tuple[date, ...]]],
    staging: Path,
    target: Path,
    *,
    whole: bool,
    view: str,
) -> None:
    for month, rows, charged in months:
        folder = target / f"{month:%Y-%m}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "charges.parquet"
        if whole and len(months) == 1:
            shutil.move(staging, path)
        else:
            _cut(db, staging, month, path)
        totals = stored_totals(db, f"read_parquet({literal(str(path))})")
        reading.months.append(MonthOfCharges(month, folder, rows, charged, totals, view))


def _cut(db: duckdb.DuckDBPyConnection, staging: Path, month: date, path: Path) -> None:
    db.execute(
        f"""COPY (SELECT * FROM read_parquet({literal(str(staging))})
        WHERE x_Problem IS NULL AND x_BillingMonth = '{month}')
        TO {literal(str(path))} ({PARQUET})"""
    )


def stored_totals(db: duckdb.DuckDBPyConnection, table: str) -> Sums:
    """The sums of charges by currency, at the 18 decimals that are stored."""
    sums = ", ".join(f"sum({quoted(name)})" for name in METRICS)
    rows = db.execute(f"SELECT BillingCurrency, {sums} FROM {table} WHERE x_Problem IS NULL GROUP BY 1").fetchall()
    return {currency: dict(zip(METRICS, amounts, strict=True)) for currency, *amounts in rows}


def _control_totals(db: duckdb.DuckDBPyConnection, table: str) -> tuple[Sums, Sums]:
    """(totals exact to the text, what of them lies beyond the stored decimals)."""
    kept = stored_totals(db, table)
    sums = ", ".join(f"sum({quoted(f'x_{name}Beyond')})" for name in METRICS)
    rows = db.execute(f"SELECT BillingCurrency, {sums} FROM {table} WHERE x_Problem IS NULL GROUP BY 1").fetchall()
    rest: Sums = {currency: dict(zip(METRICS, amounts, strict=True)) for currency, *amounts in rows}
    exact = {code: {name: _plus(kept[code][name], rest[code][name]) for name in METRICS} for code in kept}
    return exact, rest


def _plus(amount: Decimal | None, more: Decimal | None) -> Decimal | None:
    return None if amount is None else EXACT.add(amount, more or Decimal(0))


def _broken_rows(db: duckdb.DuckDBPyConnection, opened: Sequence[OpenFile]) -> list[Rejected]:
    """Rows that are no rows of the table: too few or too many cells, open quotes, bytes that are not UTF-8."""
    if not any(each.layout for each in opened):
        return []
    rows = db.execute(
        """SELECT any_value(file_path), line_byte_position, any_value(coalesce(column_name, '')),
        any_value(coalesce(csv_line, '')), any_value(error_message)
        FROM reject_errors JOIN reject_scans USING (scan_id, file_id)
        GROUP BY scan_id, file_id, line_byte_position ORDER BY scan_id, line_byte_position"""
    ).fetchall()
    return [found for each in opened for found in _broken_in(each, [row for row in rows if row[0] == each.address])]


def _broken_in(each: OpenFile, rows: Sequence[tuple[Any, ...]]) -> list[Rejected]:
    if not rows:
        return []
    lines = files.line_at(each.text(), [offset for _, offset, *_ in rows])
    return [
        Rejected(each.name, lines.get(offset), column, _shown(value), _shown(str(message).splitlines()[0], 300))
        for _, offset, column, value, message in rows
    ]


def _bad_cells(db: duckdb.DuckDBPyConnection, opened: Sequence[OpenFile], table: str) -> list[Rejected]:
    bad = db.execute(f"SELECT DISTINCT x_File FROM {table} WHERE x_Problem <> '{BLANK}' ORDER BY 1").fetchall()
    return [found for (number,) in bad for found in _bad_in(db, opened[number])]


def _bad_in(db: duckdb.DuckDBPyConnection, each: OpenFile) -> list[Rejected]:
    """The rejected rows of one file, read once more in order: the fast pass does not know line numbers."""
    cells = " ".join(f"WHEN {literal(name)} THEN {_said(name)}" for name in {name for name, _, _ in _checks(each)})
    why = " ".join(f"WHEN {bad} THEN {literal(reason)}" for _, bad, reason in _checks(each))
    # Read as the first time, rejects stored and all: DuckDB cuts a broken row otherwise when it stores none.
    numbered = f"(SELECT *, row_number() OVER () AS {RECORD} FROM {each.source()})"
    db.execute("SET preserve_insertion_order = true")
    rows = db.execute(
        f"""SELECT {RECORD}, problem, CASE problem {cells} END, CASE {why} END
        FROM (SELECT *, {_problem(each)} AS problem FROM {_rows(each, numbered, RECORD)})
        WHERE problem <> '{BLANK}' ORDER BY {RECORD} LIMIT {MAX_REJECTS}"""
    ).fetchall()
    db.execute("SET preserve_insertion_order = false")
    lines = files.lines_of_records(each.text(), each.layout, [row[0] for row in rows]) if each.layout else {}
    return [
        Rejected(each.name, lines.get(record, record), _source_column(each, column), _shown(value or ""), reason)
        for record, column, value, reason in rows
    ]


def _source_column(each: OpenFile, column: str) -> str:
    """The column as the bill's own header names it, when it is read from one column as it stands."""
    rule = each.format.columns.get(column)
    sql = (rule(each.sheet) if rule else None) or ""
    return next((name for name, cell in each.sheet.columns.items() if cell == sql), column)


def _shown(text: str, limit: int = 500) -> str:
    """Fit to be stored and read: without NUL, and not endless."""
    return text.replace("\x00", NO_NUL)[:limit]
