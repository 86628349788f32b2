"""Bills of one JSON object a line, nested objects flattened to dotted names. Pure: no Django.

Every number is read as the text it is: JSON's own numbers would lose digits.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from costs.formats.base import BadBill, Sheet, literal, quoted

# The line itself where it is no JSON object.
UNREAD = '"unread line"'

# "key": 0.1 becomes "key": "0.1". A quote inside a text is escaped, so that no text can look like this.
NUMBER = """'"([A-Za-z_][A-Za-z0-9_.]*)" *: *(-?[0-9][0-9.eE+-]*)'"""
ROW = "parsed"


def _lines(address: str, rest: str) -> str:
    """Every line as one text; a byte that no text has keeps it whole."""
    options = (
        "auto_detect = false, header = false, columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = ''"
    )
    return f"read_csv({literal(address)}, {options}, {rest})"


def _objects(address: str, rest: str) -> str:
    """Every line and the JSON object it is, null where it is none; each worked out once."""
    parsed = f"TRY_CAST(regexp_replace(line, {NUMBER}, '\"\\1\":\"\\2\"', 'g') AS JSON)"
    each = f"(SELECT line, {parsed} AS json FROM {_lines(address, rest)})"
    return f"(SELECT line, CASE WHEN json_type(json) = 'OBJECT' THEN json END AS object FROM {each})"


def columns(db: duckdb.DuckDBPyConnection, address: str, name: str, as_text: str) -> dict[str, str]:
    """{dotted name: SQL} over all lines: exports leave out what is empty, so the first lines do not tell all."""
    rest = f"ignore_errors = true, {as_text}, store_rejects = false"
    try:
        found = db.execute(f"SELECT json_group_structure(object) FROM {_objects(address, rest)}").fetchone()
    except duckdb.Error as error:
        raise BadBill(f"{name}: not readable as JSON lines ({str(error).splitlines()[0][:200]}).") from None
    shape = json.loads(found[0]) if found and found[0] else {}
    if not isinstance(shape, dict):
        raise BadBill(f"{name}: its lines are no JSON objects.")
    return {".".join(path_): _reads(path_) for path_ in _leaves(shape)}


def _leaves(shape: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths to what is no object; a struct wants every name once, whatever its case, and none that is empty."""
    seen: set[str] = set()
    for key, inner in shape.items():
        if not key or key.lower() in seen:
            continue
        seen.add(key.lower())
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, (*above, key))
        else:
            yield (*above, key)


def _reads(path: tuple[str, ...]) -> str:
    return f"{ROW}." + ".".join(map(quoted, path))


def source(address: str, sheet: Sheet, rest: str) -> str:
    """The SQL of its rows: `parsed` holds the object, `unread line` what is none."""
    shape: dict[str, Any] = {}
    for sql in sheet.columns.values():
        _put(shape, [part.strip('"') for part in sql.removeprefix(f"{ROW}.").split('"."')])
    return (
        f"(SELECT json_transform(object, {literal(json.dumps(shape))}) AS {ROW}, "
        f"CASE WHEN trim(line) <> '' AND object IS NULL THEN line END AS {UNREAD} FROM {_objects(address, rest)})"
    )


def _put(shape: dict[str, Any], path: list[str]) -> None:
    for key in path[:-1]:
        shape = shape.setdefault(key.replace('""', '"'), {})
    shape[path[-1].replace('""', '"')] = "VARCHAR"
