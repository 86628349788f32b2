"""Bills of JSON objects, however they stand in the file, nested objects flattened to dotted names. Pure: no Django.

One a line, one in the whole file, several written over many lines, or all in one array: ``[{...}, {...}]``.

Every number is read as the text it is: JSON's own numbers would lose digits. Where the rows stand in lists inside the
objects (``data[].results[]``), each element is a row, and has what is around it beside it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from costs.formats.base import OUTSIDE, BadBill, Options, Pages, Sheet, squeezed
from costs.formats.sql import literal, moment, quoted
from finops_site.lib.language import gettext as _

# The line itself where it is no JSON object.
UNREAD = '"unread line"'

# "key": 0.1 becomes "key": "0.1". A quote inside a text is escaped, so that no text can look like this.
NUMBER = """'"([A-Za-z_][A-Za-z0-9_.]*)" *: *(-?[0-9][0-9.eE+-]*)'"""
ROW = "parsed"
# Objects whose keys are anybody's: each is one column, as text.
MAPS = frozenset(
    {"tags", "labels", "resourcetags", "costcategory", "product", "discount", "skupricedetails", "xskudetails"}
)
LEVEL = "around_"
# DuckDB reads in blocks of eight of these: small enough for a gigabyte of memory, and longer than any row of a bill.
LONGEST_LINE = 2 << 20
# A file that is one JSON object is read as a whole.
LARGEST_DOCUMENT = 256 << 20
# DuckDB reads arrays and objects over several lines in blocks of two of these; no object may be longer than a block.
LARGEST_OBJECT = 16 << 20
# How the objects stand in a file: each on a line, a single one, several over lines of their own, in an array.
LINES, DOCUMENT, OBJECTS, ARRAY = KINDS = ("jsonl", "json", "json-objects", "json-array")


def kind_of(head: Path) -> str:
    """How the objects stand in a file, by its beginning: one of `KINDS`."""
    with head.open("rb") as stream:
        text = stream.read(LONGEST_LINE).decode("utf-8-sig", "replace").lstrip()
    if text.startswith("["):
        return ARRAY
    try:
        _ignored, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        end = 0
    first, after = text[:end], text[end:]
    if end and after.lstrip().startswith("{") and ("\n" in first or "\n" not in after[: after.index("{")]):
        return OBJECTS
    if end and "\n" not in first and not after.partition("\n")[0].strip():
        return LINES
    # A first line that is damaged is no reason to read the others otherwise.
    return LINES if any(line.startswith("{") for line in text.splitlines()[1:]) else DOCUMENT


def check_ends(path: Path, name: str) -> None:
    """Raises BadBill where an array does not end: DuckDB sees no fault in one that is cut off behind a comma."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LONGEST_LINE))
        if not stream.read().rstrip().endswith(b"]"):
            raise BadBill(
                _("{name}: the JSON array does not end with a ]; it was cut off. Fetch it again.").format(name=name)
            )


def lines_of(address: str, kind: str, options: str) -> str:
    """The SQL of a table whose `line` is the text of each object; `options` are those by which lines are read."""
    if kind == DOCUMENT:
        return f"(SELECT content AS line FROM read_text({literal(address)}))"
    if kind == LINES:
        # A delimiter that no text has keeps a line in one piece.
        columns = "columns = {'line': 'VARCHAR'}"
        one_cell = f"auto_detect = false, header = false, {columns}, delim = '\x01', quote = '', escape = ''"
        return f"read_csv({literal(address)}, {one_cell}, {options})"
    layout = "array" if kind == ARRAY else "unstructured"
    blocks = f"compression = 'none', maximum_object_size = {LARGEST_OBJECT}"
    objects = f"read_json_objects({literal(address)}, format = {literal(layout)}, {blocks})"
    return f"(SELECT CAST(json AS VARCHAR) AS line FROM {objects})"


def refusal(error: duckdb.Error, name: str) -> BadBill:
    """What DuckDB says of JSON that is damaged or cut off, with the number of the object instead of the path."""
    message = str(error).strip().splitlines()[0]
    if "maximum_object_size" in message:
        return BadBill(
            _("{name}: an object in it is larger than {value} MB; deliver JSON lines.").format(
                name=name, value=2 * LARGEST_OBJECT >> 20
            )
        )
    if where := re.search(r"at byte \d+ in record/value (\d+): (.*)", message):
        # The first object is number two to DuckDB.
        row, reason = max(1, int(where[1]) - 1), where[2].rstrip(". ")
        return BadBill(
            _("{name}: the JSON is damaged or cut off at row {row} ({reason}). Fetch it again.").format(
                name=name, row=row, reason=reason
            )
        )
    return BadBill(_("{name}: not readable as JSON ({message}).").format(name=name, message=message[:200]))


def _objects(lines: str) -> str:
    """Every text and the JSON object it is, null where it is none."""
    parsed = f"TRY_CAST(regexp_replace(line, {NUMBER}, '\"\\1\":\"\\2\"', 'g') AS JSON)"
    parsed_lines = f"(SELECT line, {parsed} AS json FROM {lines})"
    return f"(SELECT line, CASE WHEN json_type(json) = 'OBJECT' THEN json END AS object FROM {parsed_lines})"


def sheet(db: duckdb.DuckDBPyConnection, lines: str, name: str, options: Options, lists: Iterable[str]) -> Sheet:
    """The dotted names of all objects: exports leave out what is empty, so the first lines do not show them all.

    `lists` are the places where rows may stand inside an object (`Format.rows_in`); the first that is there is taken.
    """
    try:
        # One object of each shape: DuckDB keeps all those in memory whose shapes it joins.
        shapes = f"SELECT any_value(object) AS object FROM {_objects(lines)} GROUP BY json_structure(object)"
        row = db.execute(f"SELECT json_group_structure(object) FROM ({shapes})").fetchone()
    except duckdb.Error as error:
        raise refusal(error, name) from None
    shape = json.loads(row[0]) if row and row[0] else {}
    if not isinstance(shape, dict):
        raise BadBill(_("{name}: it holds no JSON objects.").format(name=name))
    for place in lists:
        if (levels := _levels(shape, steps(place))) is not None:
            break
    else:
        place, levels = "", [shape]
    inside, around = levels[-1], {}
    for number, outer in enumerate(levels[:-1]):
        above = [part for step in steps(place)[:number] for part in step]
        for path in _leaves(outer):
            if list(path) != steps(place)[number]:
                around[OUTSIDE + ".".join([*above, *path])] = _cell(f"{LEVEL}{number}", path)
    columns = {".".join(path): _cell(ROW, path) for path in _leaves(inside)} | around
    return Sheet(columns, options, rows_in=place, has_rows=bool(inside))


def steps(place: str) -> list[list[str]]:
    """The keys that lead from one list to the next: ``data[].results[]`` is [["data"], ["results"]]."""
    return [part.strip(".").split(".") for part in place.split("[]") if part]


def _levels(shape: Mapping[str, Any], path: Sequence[Sequence[str]]) -> list[Mapping[str, Any]] | None:
    """The shapes of what is around the rows, and of a row last; None where the lists are not there."""
    levels = [shape]
    for step in path:
        inner: Any = levels[-1]
        for key in step:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if not isinstance(inner, list):
            return None
        # Of an empty list the elements are unknown.
        levels.append(inner[0] if inner and isinstance(inner[0], dict) else {})
    return levels


def _cell(struct: str, path: Sequence[str]) -> str:
    return f"{struct}." + ".".join(map(quoted, path))


def _leaves(shape: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths to what is no object; a struct wants every name once, whatever its case, and none that is empty."""
    seen: set[str] = set()
    for key, inner in shape.items():
        if not key or key.lower() in seen:
            continue
        seen.add(key.lower())
        if isinstance(inner, dict) and inner and squeezed(key) not in MAPS:
            yield from _leaves(inner, (*above, key))
        else:
            yield (*above, key)


def source(lines: str, sheet: Sheet) -> str:
    """The SQL of its rows: `parsed` holds the object, `unread line` what is none or lacks the list of rows."""
    rows = f"(SELECT line, object AS json FROM {_objects(lines)})"
    structs = []
    for number, step in enumerate(steps(sheet.rows_in)):
        path = literal("$" + "".join(f'."{key}"' for key in step))
        elements = literal("$" + "".join(f'."{key}"' for key in step) + "[*]")
        inner = f"CASE WHEN json_type(json, {path}) = 'ARRAY' THEN json_extract(json, {elements}) ELSE [NULL] END"
        structs.append(f"{LEVEL}{number}")
        carried = ", ".join(["line", *structs[:-1], f"{_struct('json', sheet, structs[-1])} AS {structs[-1]}"])
        lists = f"(SELECT {carried}, {inner} AS inner_rows FROM {rows})"
        rows = f"(SELECT {', '.join(['line', *structs])}, unnest(inner_rows) AS json FROM {lists})"
    row = f"{_struct('json', sheet, ROW)} AS {ROW}"
    return (
        f"(SELECT {', '.join([*structs, row])}, "
        f"CASE WHEN trim(line) <> '' AND json IS NULL THEN left(line, 1000) END AS {UNREAD} FROM {rows})"
    )


def _struct(json_sql: str, sheet: Sheet, struct: str) -> str:
    """SQL that makes a struct of texts of a JSON object: of the names that the sheet reads from it."""
    shape: dict[str, Any] = {}
    for sql in sheet.columns.values():
        if not sql.startswith(f"{struct}."):
            continue
        *above, leaf = [part.strip('"').replace('""', '"') for part in sql.removeprefix(f"{struct}.").split('"."')]
        inner = shape
        for key in above:
            inner = inner.setdefault(key, {})
        inner[leaf] = "VARCHAR"
    return f"json_transform({json_sql}, {literal(json.dumps(shape))})" if shape else "NULL"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of an API, as `formats.base.Pages` reads it; `times` are (start, end, rows)."""

    content: str
    answer: str | None
    is_last: bool
    rows: int | None
    total: int | None
    part: str | None
    times: tuple[tuple[datetime, datetime, int], ...]
    left_out: tuple[Decimal | None, ...]


def pages(db: duckdb.DuckDBPyConnection, lines: str, read: Pages) -> list[Page]:
    """The pages in a file, in its order."""
    cells = [f"md5({read.content})", read.answer, read.is_last, read.rows, read.total, read.part]
    start, stop = moment("_each_.start"), moment("_each_.stop")
    times = f"list_transform({read.times}, lambda _each_: [CAST({start} AS VARCHAR), CAST({stop} AS VARCHAR)])"
    rows = f"list_transform({read.times}, lambda _each_: _each_.rows)" if read.times != "[]" else "[]"
    cells += [times if read.times != "[]" else "[]", rows, f"[{', '.join(read.left_out)}]"]
    answers = db.execute(
        f"SELECT {', '.join(cells)} FROM {_objects(lines)} WHERE object IS NOT NULL AND {read.content} IS NOT NULL"
    ).fetchall()
    return [
        Page(content, answer, is_last, rows, total, part, tuple(_times(spans, counts)), tuple(amounts))
        for content, answer, is_last, rows, total, part, spans, counts, amounts in answers
    ]


def _times(
    spans: Sequence[tuple[str | None, str | None]], counts: Sequence[int | None]
) -> Iterator[tuple[datetime, datetime, int]]:
    for (start, stop), count in zip(spans, counts, strict=True):
        if start and stop:
            yield datetime.fromisoformat(start), datetime.fromisoformat(stop), count or 0
