"""Bills of JSON objects, one a line or one a file, nested objects flattened to dotted names. Pure: no Django.

Every number is read as the text it is: JSON's own numbers would lose digits. Where the rows stand in lists inside the
objects (``data[].results[]``), each element is a row, and has what is around it beside it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from costs.formats.base import OUTSIDE, BadBill, Options, Sheet, squeezed
from costs.formats.sql import literal, quoted

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


def is_document(path: Path) -> bool:
    """Whether the file is one JSON object over several lines, or one too long for a line, and not an object a line."""
    with path.open("rb") as stream:
        lines = [line for line in stream.read(LONGEST_LINE).removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    try:
        json.loads(lines[0])
    except ValueError:
        # A first line that is damaged is no reason to read the others otherwise.
        return not any(line.startswith(b"{") for line in lines[1:])
    return False


def _objects(address: str, rest: str | None) -> str:
    """Every line and the JSON object it is, null where it is none; without `rest` the file is one object."""
    if rest is None:
        lines = f"(SELECT content AS line FROM read_text({literal(address)}))"
    else:
        # A delimiter that no text has keeps a line in one piece.
        columns = "columns = {'line': 'VARCHAR'}"
        options = f"auto_detect = false, header = false, {columns}, delim = '\x01', quote = '', escape = ''"
        lines = f"read_csv({literal(address)}, {options}, {rest})"
    parsed = f"TRY_CAST(regexp_replace(line, {NUMBER}, '\"\\1\":\"\\2\"', 'g') AS JSON)"
    parsed_lines = f"(SELECT line, {parsed} AS json FROM {lines})"
    return f"(SELECT line, CASE WHEN json_type(json) = 'OBJECT' THEN json END AS object FROM {parsed_lines})"


def sheet(
    db: duckdb.DuckDBPyConnection, address: str, name: str, rest: str | None, options: Options, lists: Iterable[str]
) -> Sheet:
    """The dotted names of all objects: exports leave out what is empty, so the first lines do not show them all.

    `lists` are the places where rows may stand inside an object (`Format.rows_in`); the first that is there is taken.
    """
    try:
        row = db.execute(f"SELECT json_group_structure(object) FROM {_objects(address, rest)}").fetchone()
    except duckdb.Error as error:
        raise BadBill(f"{name}: not readable as JSON ({str(error).splitlines()[0][:200]}).") from None
    shape = json.loads(row[0]) if row and row[0] else {}
    if not isinstance(shape, dict):
        raise BadBill(f"{name}: its lines are no JSON objects.")
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


def source(address: str, sheet: Sheet, rest: str | None) -> str:
    """The SQL of its rows: `parsed` holds the object, `unread line` what is none or lacks the list of rows."""
    rows = f"(SELECT line, object AS json FROM {_objects(address, rest)})"
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


def any_object_has(db: duckdb.DuckDBPyConnection, address: str, rest: str | None, condition: str) -> bool:
    """Whether an object of the file meets a condition over `object`."""
    return db.execute(f"SELECT 1 FROM {_objects(address, rest)} WHERE {condition} LIMIT 1").fetchone() is not None
