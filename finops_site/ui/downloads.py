"""Every file that leaves a page: one way to name it, and to say that it is a download."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from finops_site.people.reader_language import in_english
from finops_site.ui import spreadsheets
from finops_site.ui.one_export import begin_export, few_enough
from finops_site.ui.table_export import csv_text, with_notes

CSV = "text/csv; charset=utf-8"
JSON = "application/json"
PDF = "application/pdf"


def download(
    content: str | bytes | Iterable[str], name: str, extension: str, content_type: str, *, inline: bool = False
) -> HttpResponseBase:
    """`content` as ``<name>.<extension>``, whatever the name holds; an iterable is streamed.

    `inline`: the browser may show it, as it does a PDF.
    """
    response: HttpResponse | StreamingHttpResponse
    if isinstance(content, str | bytes):
        response = HttpResponse(content, content_type=content_type)
    else:
        response = StreamingHttpResponse(content, content_type=content_type)
    filename = f"{slugify(name) or 'export'}.{extension}"
    response["Content-Disposition"] = content_disposition_header(not inline, filename) or ""
    return response


def refused_file(reasons: Sequence[str]) -> HttpResponse:
    """Why there is no file, as text: an empty one would look like an answer."""
    return HttpResponse("\n".join(reasons), status=400, content_type="text/plain; charset=utf-8")


def csv_download(
    rows: Iterable[Iterable[Any]], name: str, notes: Sequence[str] = (), *, for_excel: bool = True
) -> HttpResponseBase:
    """Any rows, the header first; streamed, amounts with every digit, and safe to open in a spreadsheet.

    Rows are in English whoever takes them, so that formulas and scripts go on; notes are for the reader. `for_excel`
    begins it with the mark by which Excel knows UTF-8: our own readers, and others, pass over it.

    `notes` are what the rows lack, in sentences: rows of one cell at the end. Raises LargeExport where a job makes it.
    """
    begin_export()
    text = csv_text(with_notes(few_enough(in_english(rows)), notes))
    return download(chain(["\ufeff"], text) if for_excel else text, name, "csv", CSV)


def xlsx_download(rows: Iterable[Iterable[Any]], name: str, notes: Sequence[str] = ()) -> HttpResponseBase:
    """The same as a workbook, the notes on a sheet of their own. Raises TooManyRows."""
    begin_export()
    book = spreadsheets.xlsx(few_enough(in_english(rows)), title=name, notes=notes)
    return download(book, name, "xlsx", spreadsheets.CONTENT_TYPE)
