"""Bills of one JSON object a line, nested objects flattened to dotted names. Pure: no Django.

Every number is read as the text it is: JSON's own numbers would lose digits.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from costs.formats.base import BadBill, Sheet, squeezed
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


def _objects(address: str, rest: str) -> str:
    """Every line and the JSON object it is, null where it is none; parsed once."""
    # A delimiter that no text has keeps a line in one piece.
    options = (
        "auto_detect = false, header = false, columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = ''"
    )
    lines = f"read_csv({literal(address)}, {options}, {rest})"
    parsed = f"TRY_CAST(regexp_replace(line, {NUMBER}, '\"\\1\":\"\\2\"', 'g') AS JSON)"
    parsed_lines = f"(SELECT line, {parsed} AS json FROM {lines})"
    return f"(SELECT line, CASE WHEN json_type(json) = 'OBJECT' THEN json END AS object FROM {parsed_lines})"


def columns(db: duckdb.DuckDBPyConnection, address: str, name: str, as_text: str) -> dict[str, str]:
    """{dotted name: SQL} over all lines: exports leave out what is empty, so the first lines do not show them all."""
    rest = f"ignore_errors = true, {as_text}, store_rejects = false"
    try:
        row = db.execute(f"SELECT json_group_structure(object) FROM {_objects(address, rest)}").fetchone()
    except duckdb.Error as error:
        raise BadBill(f"{name}: not readable as JSON lines ({str(error).splitlines()[0][:200]}).") from None
    shape = json.loads(row[0]) if row and row[0] else {}
    if not isinstance(shape, dict):
        raise BadBill(f"{name}: its lines are no JSON objects.")
    return {".".join(path): f"{ROW}." + ".".join(map(quoted, path)) for path in _leaves(shape)}


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


def source(address: str, sheet: Sheet, rest: str) -> str:
    """The SQL of its rows: `parsed` holds the object, `unread line` what is none."""
    shape: dict[str, Any] = {}
    for sql in sheet.columns.values():
        *above, leaf = [part.strip('"').replace('""', '"') for part in sql.removeprefix(f"{ROW}.").split('"."')]
        inner = shape
        for key in above:
            inner = inner.setdefault(key, {})
        inner[leaf] = "VARCHAR"
    return (
        f"(SELECT json_transform(object, {literal(json.dumps(shape))}) AS {ROW}, "
        f"CASE WHEN trim(line) <> '' AND object IS NULL THEN line END AS {UNREAD} FROM {_objects(address, rest)})"
    )
