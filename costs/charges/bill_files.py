"""The files of a bill, opened: what each is, which columns it has, and which format they belong to. Pure: no Django."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
from duckdb.sqltypes import DuckDBPyType as ColumnType

from costs.charges import files, gzips, json_lines, price_lookup, text_files
from costs.charges.duckdb_session import is_out_of_space
from costs.charges.json_lines import LONGEST_LINE, Page
from costs.charges.layouts.file_names import view_of as view_of_name
from costs.formats import FORMATS, detect
from costs.formats.base import METRICS, TAG_COLUMNS, BadBill, Format, Options, Sheet, formula
from costs.formats.sql import literal, quoted
from finops_site.lib.language import gettext as _
from finops_site.lib.money import exact_text
from finops_site.lib.periods import day_text
from finops_site.lib.words import number_text

# No compression, set and not guessed from the name, which may be anything: what is packed comes unfolded.
AS_TEXT = f"max_line_size = {LONGEST_LINE}, buffer_size = {8 * LONGEST_LINE}, compression = 'none'"
JSON = json_lines.KINDS
LINES = f"ignore_errors = true, {AS_TEXT}, store_rejects = false"
# So many lines may stand above a header.
MAX_PREAMBLE = 30
NULLS = "['', 'NULL', 'null', '(null)', 'None']"
# What DuckDB raises for the sake of the data; a binder or parser error would be our own mistake.
UNREADABLE = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException, duckdb.OutOfRangeException)


@dataclass(frozen=True, slots=True)
class BillFile:
    """A file of the bill, recognised; `address` is where DuckDB reads its text.

    `plain` is where the text of a gzip is put when somebody must look at single lines, `head` the address of its first
    megabyte. `other_text` shows where its text was no UTF-8 but Windows-1252. `written` are the columns as they stand
    in the file; those of `sheet` read as ISO dates and plain numbers.
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
    other_text: text_files.OtherText | None = None
    # Whether it lists prices and has no charges; by which keys its rows find the prices that stand beside them.
    is_price_list: bool = False
    price_keys: tuple[int, ...] = ()

    def source(self, *, store_rejects: bool = True, record: str = "", head: bool = False) -> str:
        """The SQL that reads its rows; what is no row is skipped, and stored where it can be looked up.

        `record` names a column for the number of each row, counted as DuckDB reads them. With `head` not necessarily
        all rows are read, but quickly.
        """
        rows = self._rows(self.head if head else self.address, store_rejects)
        if record:
            rows = f"(SELECT *, row_number() OVER () AS {record} FROM {rows})"
        keys = self.price_keys
        return price_lookup.with_prices(rows, self.sheet, self.format, keys) if keys else rows

    def _rows(self, address: str, store_rejects: bool) -> str:
        rejects = "store_rejects = true, rejects_limit = 100000" if store_rejects else "store_rejects = false"
        options = f"ignore_errors = true, {AS_TEXT}, {rejects}"
        if self.kind in JSON:
            return json_lines.source(json_lines.lines_of(address, self.kind, options), self.written)
        if self.layout is None:
            return f"read_parquet({literal(address)})"
        # A header with more columns than the rows have is no header to DuckDB.
        skip = self.layout.skip
        header = f"header = false, skip = {skip + 1}" if self.layout.bare else f"header = true, skip = {skip}"
        if self.layout.new_line:
            header += f", new_line = '{self.layout.new_line.encode('unicode_escape').decode()}'"
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in self.layout.columns)
        nulls = "['']" if self.layout.has_word_none else NULLS
        return (
            f"read_csv({literal(address)}, auto_detect = false, {header}, columns = {{{columns}}}, "
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
    anew: bool = False,
) -> BillFile:
    """Recognises a file by its head; raises BadBill when it is none of the formats we read.

    With `anew` its text is first written anew, in UTF-8 and with lines that end alike.
    """
    kind, plain, head, address = files.kind(path, name), None, path, str(path)
    other_text: text_files.OtherText | None = None
    if kind == "gzip":
        head, plain = scratch / f"head-{path.name}", scratch / f"plain-{path.name}.csv"
        files.head_of_gzip(path, head, name, limit=unfolded.limit)
        address = unfolded.address(path, name)
        kind = files.kind(head, name)
        if kind not in ("csv", "jsonl", "utf-16"):
            raise BadBill(
                _("{name}: inside the gzip is a {kind} file; deliver that file as it is.").format(name=name, kind=kind)
            )
    if kind == "utf-16" or (anew and kind in ("csv", "jsonl")):
        plain = head = scratch / f"text-{path.name}.csv"
        one_ending = anew and kind != "jsonl"
        other_text = text_files.rewrite(path, plain, name, limit=unfolded.limit, one_ending=one_ending)
        address, kind = str(plain), files.kind(plain, name)
    if kind == "jsonl" and (kind := json_lines.kind_of(head)) != json_lines.LINES:
        if plain is not None:
            if not plain.exists():
                files.unfold(path, plain, name, limit=unfolded.limit)
            path, plain = plain, None
        address = str(path)
        head = path
        if kind == json_lines.DOCUMENT and path.stat().st_size > json_lines.LARGEST_DOCUMENT:
            raise BadBill(_("{name}: one JSON object of more than 256 MB; deliver it as JSON lines.").format(name=name))
        if kind == json_lines.ARRAY:
            json_lines.check_ends(path, name)
    layout, sheet = _sheet(db, kind, address, head, name, options)
    unrecognised = BillFile(name, path, address, kind, sheet, sheet, FORMATS[0], layout, str(head), plain, other_text)
    if listed := price_list_of(sheet):
        return replace(unrecognised, format=listed, is_price_list=True)
    detected = detect(
        sheet, wanted=format_name, file=name, shows=lambda candidate: _has_rows(db, unrecognised, candidate.evidence)
    )
    if detected.needs_month and options.month is None:
        raise BadBill(
            _("{name}: {detected} has no dates; say which month it is for (--month 2025-11).").format(
                name=name, detected=detected.title
            )
        )
    _check_doubled_columns(db, opened := replace(unrecognised, format=detected))
    return opened


def _check_doubled_columns(db: duckdb.DuckDBPyConnection, file: BillFile) -> None:
    """Raises BadBill where a column of money, currency or time stands twice in the header, with different values."""
    columns, rules = file.sheet.columns, file.format.columns
    names = (*METRICS, "BillingCurrency", "BillingPeriodStart", "ChargePeriodStart")
    read = "\n".join(sql for name in names if name in rules and (sql := rules[name](file.sheet)))
    spellings = {name.lower(): name for name in columns}
    for name in columns:
        numbered = re.fullmatch(r"(.+) [(][0-9]+[)]", name)
        first = numbered and spellings.get(numbered[1].lower())
        if first and columns[first] in read and _differ(db, file, columns[first], columns[name]):
            raise BadBill(
                _(
                    "{file}: the column {first} stands twice in the header, with different values. Leave one out."
                ).format(file=file.name, first=first)
            )


def _differ(db: duckdb.DuckDBPyConnection, file: BillFile, one: str, other: str) -> bool:
    try:
        rows = f"{file.source(store_rejects=False)} WHERE {one} IS DISTINCT FROM {other}"
        return db.execute(f"SELECT 1 FROM {rows} LIMIT 1").fetchone() is not None
    except UNREADABLE:
        return False


def unreadable(bill: Sequence[BillFile], error: duckdb.Error) -> Exception:
    """The BadBill that says so where the files are to blame; else the error itself, which is our own mistake."""
    # A damaged Parquet file can raise any of DuckDB's errors.
    is_the_bills_fault = isinstance(error, UNREADABLE) or any(file.kind == "parquet" for file in bill)
    if is_out_of_space(error) or not is_the_bills_fault:
        return error
    names = ", ".join(file.name for file in bill)
    return BadBill(
        _("{names}: could not be read as a table ({first_line}).").format(names=names, first_line=first_line(error))
    )


def _sheet(
    db: duckdb.DuckDBPyConnection, kind: str, address: str, head: Path, name: str, options: Options
) -> tuple[files.Layout | None, Sheet]:
    """How a CSV is written, and the header of any file."""
    if kind in JSON:
        places = dict.fromkeys(known.rows_in for known in FORMATS if known.rows_in)
        return None, json_lines.sheet(db, json_lines.lines_of(address, kind, LINES), name, options, places)
    if kind == "csv":
        return csv_sheet(head, name, options)
    try:
        rows = db.sql(f"SELECT * FROM read_parquet({literal(address)})")
        described = list(zip(rows.columns, rows.types, strict=True))
    except duckdb.Error as error:
        raise BadBill(
            _("{name}: the Parquet file is damaged ({first_line}). Fetch it again.").format(
                name=name, first_line=first_line(error)
            )
        ) from None
    columns: dict[str, str] = {}
    for column, kind_of_column in described:
        columns |= _parquet_columns(column, quoted(column), kind_of_column)
    return None, Sheet(columns, options)


def csv_sheet(head: Path, name: str, options: Options) -> tuple[files.Layout, Sheet]:
    """The header of a CSV: its first line, or the first below it that is the header of a format."""
    refusal: BadBill | None = None
    first: tuple[files.Layout, Sheet] | None = None
    for skip in range(min(MAX_PREAMBLE, files.lines_in_head(head))):
        try:
            layout = files.csv_layout(head, name, skip=skip)
        except BadBill as error:
            refusal = refusal or error
            continue
        preamble = {key: literal(value) for key, value in files.preamble(head, skip).items()} if skip else {}
        sheet = Sheet({column: quoted(column) for column in layout.columns}, options, preamble)
        first = first or (layout, sheet)
        if is_known(sheet):
            return layout, sheet
    if refusal is not None and (first is None or first[0].skip):
        raise refusal
    assert first is not None
    return first


def price_list_of(sheet: Sheet) -> Format | None:
    """The format whose price list has this header."""
    return next((known for known in FORMATS if known.prices and known.prices.fits(sheet)), None)


def is_known(sheet: Sheet) -> bool:
    """Whether the header is that of a format, or of the price list of one."""
    return any(known.fits(sheet) for known in FORMATS) or price_list_of(sheet) is not None


def _parquet_columns(name: str, sql: str, kind: ColumnType) -> dict[str, str]:
    """A column of Parquet as text, and what a struct has inside it under dotted names: ``service.description``."""
    columns = {name: _as_text(name, sql, kind)}
    if kind.id == "struct":
        for inner, kind_of_inner in _inside(kind):
            columns |= _parquet_columns(f"{name}.{inner}", f"struct_extract({sql}, {literal(inner)})", kind_of_inner)
    return columns


def _as_text(name: str, sql: str, kind: ColumnType) -> str:
    if kind.id == "varchar" and name.lower().startswith(TAG_COLUMNS):
        return f"nullif({sql}, '')"
    if kind.id == "varchar":
        return _without_nulls(sql)
    if kind.id not in ("struct", "map", "list", "array"):
        return f"CAST({sql} AS VARCHAR)"
    return f"CAST(to_json({_without_wrappers(sql, kind)}) AS VARCHAR)"


def _without_wrappers(sql: str, kind: ColumnType) -> str:
    """A list as a list: writers that do not mark lists and maps leave the groups in which Parquet holds them.

    ``STRUCT(list STRUCT(element STRUCT(key, value))[])`` is a list of keys and values.
    """
    match _inside(kind):
        case [("list" | "key_value" | "array" | "bag" as name, group)] if kind.id == "struct" and group.id == "list":
            return _without_wrappers(f"struct_extract({sql}, {literal(name)})", group)
        case [(_, group)] if kind.id == "list":
            match _inside(group):
                case [("element" | "item" | "array_element" as wrapper, _)] if group.id == "struct":
                    return f"list_transform({sql}, lambda _each_: struct_extract(_each_, {literal(wrapper)}))"
    return sql


def _inside(kind: ColumnType) -> list[tuple[str, ColumnType]]:
    """What a nested type holds: (name, type); DuckDB gives the size of an array and the values of an enum as well."""
    if kind.id not in ("struct", "map", "list", "array"):
        return []
    return [(name, inner) for name, inner in kind.children if isinstance(inner, ColumnType)]


def _without_nulls(column: str) -> str:
    return f"CASE WHEN {column} NOT IN ({NULLS[1:-1]}) THEN {column} END"


def _has_rows(db: duckdb.DuckDBPyConnection, file: BillFile, condition: str) -> bool:
    """Whether a row of the file meets a condition, a formula; what cannot be read at all is reported later."""
    evidence = formula(condition)(file.sheet)
    try:
        row = db.execute(f"SELECT 1 FROM {file.source(store_rejects=False)} WHERE {evidence} LIMIT 1").fetchone()
    except UNREADABLE:
        return False
    return row is not None


# The number of a part in a file's name: part_0_0001.csv, part-00001, costs-0001.csv.gz, costs_1_of_3.csv.
PART_NUMBER = re.compile(
    r"(?i)(?<![a-z])part[-_.]?[0-9]+([-_.][0-9]+)*|(^|[-_.])[0-9]+([-_ ]?of[-_ ]?[0-9]+)?(?=[.]|$)"
)


def views_of_parts(db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile]) -> list[BillFile]:
    """The files, with the parts of one export all of the view that one of them shows.

    Rows that only one view has may all stand in another part. Parts have one header and names that differ by a number;
    where some have rows of the one view and others of the other view, they are exports of both, and stay as they are.
    A month without commitments shows no view: then the names of files and folders do.
    """
    exports: dict[tuple[object, ...], list[BillFile]] = {}
    for file in bill:
        header = (PART_NUMBER.sub("#", file.name.removesuffix(".gz")), file.kind, *file.sheet.columns)
        exports.setdefault(header if file.format.view else (file.address,), []).append(file)
    decided: dict[str, BillFile] = {}
    for parts in exports.values():
        shown = next((part.format for part in parts if part.format.evidence), None) or _named_view(parts[0])
        others = [part for part in parts if part.format is not shown]
        if shown and others and not any(_has_rows(db, part, shown.counter_evidence) for part in others):
            parts = [replace(part, format=shown) for part in parts]
        decided |= {part.address: part for part in parts}
    return [decided[file.address] for file in bill]


def _named_view(file: BillFile) -> Format | None:
    """The format of the view that the name of a file, or that of its folder, states."""
    if not file.format.view or not (view := view_of_name(file.name) or file.sheet.options.view):
        return None
    return next((known for known in FORMATS if known.view == view and not known.missing(file.sheet)), None)


def join_prices(db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile]) -> list[BillFile]:
    """The files that have charges, those without cost of their own beside the price lists among the others.

    Raises BadBill when usage comes without its price list, prices without usage, or a price list with two prices at
    once.
    """
    lists = [file for file in bill if file.is_price_list]
    usage = [file for file in bill if not file.is_price_list]
    names = ", ".join(file.name for file in bill)
    for file in usage:
        if file.format.prices and not lists:
            raise BadBill(
                _("{names}: usage without its cost; deliver it together with the {prices}.").format(
                    names=names, prices=file.format.prices.title
                )
            )
    if lists and not usage:
        raise BadBill(
            _("{names}: a price list and no usage; deliver it together with the usage it prices.").format(names=names)
        )
    if not lists:
        return usage
    rows = [(file.name, file.source(store_rejects=False), file.sheet, file.format) for file in lists]
    keys = price_lookup.collect(db, rows)
    return [replace(file, price_keys=keys if file.format.prices else ()) for file in usage]


def check_one_format(bill: Sequence[BillFile]) -> None:
    """Raises BadBill for files of several formats, unless they are the two halves of one bill."""
    names = sorted({file.format.name for file in bill})
    for file in bill:
        if file.format.repeats in names:
            raise BadBill(
                _("{file}: the {format} repeats costs of the other file; leave it out.").format(
                    file=file.name, format=file.format.title
                )
            )
    if len(names) > 1 and not all(file.format.view for file in bill):
        raise BadBill(
            _("these files are bills of different formats ({names}); deliver each by itself.").format(
                names=", ".join(names)
            )
        )


def pages_once(db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile]) -> tuple[list[BillFile], list[str]]:
    """The files without those that repeat pages of others, and what is to be said about the pages of the bill.

    Raises BadBill where pages overlap otherwise: which of them is right does not show.
    """
    read = bill[0].format.pages
    if read is None:
        return list(bill), []
    files_once: list[BillFile] = []
    notes: list[str] = []
    where: dict[tuple[str | None, str], str] = {}
    pages: list[tuple[str, Page]] = []
    for file in bill:
        lines = json_lines.lines_of(file.address, file.kind, LINES) if file.kind in JSON else ""
        of_file = json_lines.pages(db, lines, read) if lines else []
        again = [where[page.answer, page.content] for page in of_file if (page.answer, page.content) in where]
        if again and len(again) == len(of_file):
            notes.append(
                _("{file} is the same page as {again}; it counts once.").format(file=file.name, again=again[0])
            )
            continue
        for page in of_file:
            if other := where.get((page.answer, page.content)):
                raise BadBill(
                    _("{file}: a page of it is in {other} already. Deliver each page once.").format(
                        file=file.name, other=other
                    )
                )
            where[page.answer, page.content] = file.name
        files_once.append(file)
        pages += [(file.name, page) for page in of_file]
    for of_answer in _by_answer(pages):
        notes += _notes_on_pages(of_answer)
    for number, message in enumerate(read.left_out.values()):
        amount = sum((page.left_out[number] or Decimal(0) for _ignored, page in pages), Decimal(0))
        notes += [message.format(exact_text(amount))] if amount else []
    return files_once, notes


def _by_answer(pages: Sequence[tuple[str, Page]]) -> Iterator[list[tuple[str, Page]]]:
    """The pages of each answer; a page that does not say of which it is belongs to the only one."""
    answers: dict[str | None, list[tuple[str, Page]]] = {}
    for name, page in pages:
        answers.setdefault(page.answer, []).append((name, page))
    if len(answers) == 2 and None in answers:
        yield list(pages)
        return
    for of_answer in answers.values():
        parts: dict[str | None, list[tuple[str, Page]]] = {}
        for name, page in of_answer:
            parts.setdefault(page.part, []).append((name, page))
        yield from [of_answer] if None in parts else parts.values()


def _notes_on_pages(pages: Sequence[tuple[str, Page]]) -> list[str]:
    """What is missing among the pages of one answer; raises BadBill where two have charges of the same time."""
    times = sorted((*span, name) for name, page in pages for span in page.times)
    until, notes = None, []
    with_rows: list[tuple[datetime, str]] = []
    for start, stop, rows, name in times:
        if until and start > until:
            span = _("{until} to {start}").format(
                until=f"{until:%-d %b %Y %H:%M}".removesuffix(" 00:00"),
                start=f"{start:%-d %b %Y %H:%M}".removesuffix(" 00:00"),
            )
            notes.append(_("No page has {span}: one is missing, and with it a part of the bill.").format(span=span))
        if rows and with_rows and start < with_rows[-1][0]:
            raise BadBill(
                _(
                    "{other} and {name}: both have charges of {start}, and not the same pages. Deliver each page "
                    "once, and answers of several organisations or filters each by itself."
                ).format(other=with_rows[-1][1], name=name, start=day_text(start))
            )
        if rows:
            with_rows.append((stop, name))
        until = max(until, stop) if until else stop
    stated = [page.total for _ignored, page in pages if page.total is not None]
    here = sum(page.rows or 0 for _ignored, page in pages)
    if stated and here > max(stated):
        names = ", ".join(dict.fromkeys(name for name, _ignored in pages))
        raise BadBill(
            _("{names}: {here} rows of {max}: pages overlap. Deliver each page once.").format(
                names=names, here=number_text(here), max=number_text(max(stated))
            )
        )
    if stated and here < max(stated):
        notes.append(
            _("The pages hold {here} of {max} rows: one is missing, and with it a part of the bill.").format(
                here=number_text(here), max=number_text(max(stated))
            )
        )
    # Of pages cut by time the latest is the last; a page without any time says nothing.
    latest = max((span[1] for _ignored, page in pages for span in page.times), default=None)
    ends = [page for _ignored, page in pages if latest is None or any(span[1] == latest for span in page.times)]
    if not notes and not any(page.is_last for page in ends):
        notes.append(_("Every page says that more follow: the last page is missing, and with it a part of the bill."))
    return notes


def view_of(bill: Sequence[BillFile]) -> str:
    """The half of the bill these files carry; empty for a whole bill, and for both halves of one."""
    views = {file.format.view for file in bill}
    return views.pop() if len(views) == 1 else ""


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
