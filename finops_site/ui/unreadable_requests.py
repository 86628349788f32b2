"""What was sent and nobody can read is answered as such (400, 404), at every door: never by an error of the server.

Cookies and encodings that are none are dropped: they are no reason to refuse the rest. Forms and serializers say first
what is wrong with a field; this is for what none of them looks at.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.datastructures import MultiValueDictKeyError
from django.utils.translation import gettext as _
from psycopg.errors import NumericValueOutOfRange

logger = logging.getLogger(__name__)

# The greatest number of a row that a table can have.
LAST_ID = 2**63 - 1
# A page may be asked for in another; names like "hex" or "undefined" are no encodings of a text.
ENCODINGS = ("utf-8", "utf8", "ascii", "us-ascii", "iso-8859-1", "latin-1", "windows-1252")


class UnreadableRequestMiddleware:
    """The first of all: the others read headers, cookies and addresses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _drop_odd_headers(request)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Raises Http404 for a number that no row has."""
        if any(isinstance(value, int) and value > LAST_ID for value in kwargs.values()):
            raise Http404

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        reason = reason_of(error)
        if not reason:
            return None
        # It may be a fault of ours all the same: the log shows where it came up.
        logger.warning("%s %s cannot be read", request.method, request.path, exc_info=error)
        return refuse(request, reason)


def reason_of(error: BaseException) -> str:
    """Why what was sent cannot be read; empty for any other error."""
    if isinstance(error, MultiValueDictKeyError):
        return _("What was sent lacks {name}.").format(name=str(error.args[0])[:80] if error.args else "?")
    if isinstance(error, RecursionError):
        return _("What was sent is nested too deeply.")
    if isinstance(error, UnicodeEncodeError):
        return _("What was sent has half a character in it.")
    if isinstance(error, DataError) and isinstance(error.__cause__, NumericValueOutOfRange):
        return _("A number is too large.")
    if isinstance(error, DataError | ValueError) and "NUL (0x00)" in str(error):
        return _("What was sent has a character in it that is none of a text (NUL).")
    return ""


def refuse(request: HttpRequest, reason: str, status: int = 400) -> HttpResponse:
    """The reason for whoever asked: JSON for a program, else a line of text."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": reason}, status=status)
    return HttpResponse(reason, status=status, content_type="text/plain; charset=utf-8")


def _drop_odd_headers(request: HttpRequest) -> None:
    """Leaves out cookies that are none, and the name of an encoding that is none of text."""
    if (request.encoding or "utf-8").lower() not in ENCODINGS:
        # Not by its setter: that reads the address by the old one first.
        request._encoding = None  # type: ignore[attr-defined]
    for name in [name for name, value in request.COOKIES.items() if "\0" in value]:
        del request.COOKIES[name]
