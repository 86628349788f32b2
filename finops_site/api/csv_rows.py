"""``format=csv``: the rows of an answer as a CSV, safe to open in a spreadsheet."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from finops_site.ui.table_export import csv_text, with_notes

CSV = "csv"
MOST_ROWS = 50_000
PAGING = ("page", "page_size", "after", "before")


class CsvRenderer(BaseRenderer):
    """The rows of a list, of `results`, or one row of a single thing; lists and maps in a cell are JSON.

    What the rows lack (`unmatched`, `known`) follows as notes, as in the CSV of a page.
    """

    media_type = "text/csv"
    format = CSV
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        return "" if data is None else "".join(csv_text(with_notes(_lines(data), _notes(data))))


def wants_every_row(request: Request) -> bool:
    """Whether a CSV of a whole list is asked for, and not of one of its pages."""
    renderer = getattr(request, "accepted_renderer", None)
    return getattr(renderer, "format", "") == CSV and not any(name in request.query_params for name in PAGING)


def _rows(data: Any) -> Sequence[Any]:
    if isinstance(data, Mapping):
        rows = data.get("results")
        return rows if isinstance(rows, list) else [data]
    return data if isinstance(data, list) else [data]


def _lines(data: Any) -> Iterator[list[Any]]:
    rows = [row if isinstance(row, Mapping) else {"value": row} for row in _rows(data)]
    header = list(dict.fromkeys(name for row in rows for name in row))
    if header:
        yield header
    for row in rows:
        yield [_cell(row.get(name)) for name in header]


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder)
    return value


def _notes(data: Any) -> list[str]:
    known = data.get("known") if isinstance(data, Mapping) else None
    notes = list(data.get("unmatched", ())) if isinstance(data, Mapping) else []
    notes += known.get("notes", ()) if isinstance(known, Mapping) else ()
    return notes if _rows(data) else ["nothing matches.", *notes]
