"""What was sent and nobody can read is answered as such (400, 404), at every door: never by an error of the server.

Cookies, lengths and encodings that are none are dropped: they are no reason to refuse the rest. Forms and serializers
say first what is wrong with a field; this is for what none of them looks at.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.datastructures import MultiValueDictKeyError
from django.utils.translation import gettext as _
from psycopg.errors import NumericValueOutOfRange

logger = logging.getLogger(__name__)
WsgiApplication = Callable[[dict[str, Any], Any], Any]

# The greatest number of a row that a table can have.
LAST_ID = 2**63 - 1
# A page may be asked for in another; names like "hex" or "undefined" are no encodings of a text.
ENCODINGS = ("utf-8", "utf8", "ascii", "us-ascii", "iso-8859-1", "latin-1", "windows-1252")


def reads_what_it_can(application: WsgiApplication) -> WsgiApplication:
    """The application behind what Django would fail at before any middleware is asked."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        return application(without_odd_headers(environ), start_response)

    return answer


def without_odd_headers(environ: dict[str, Any]) -> dict[str, Any]:
    """What a web server hands over, without an encoding that is none of text and a length that is no number."""
    kind, *parameters = str(environ.get("CONTENT_TYPE") or "").split(";")
    if any(_is_odd_charset(parameter) for parameter in parameters):
        environ["CONTENT_TYPE"] = ";".join([kind, *(text for text in parameters if not _is_odd_charset(text))])
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length and not (length.isascii() and length.isdecimal() and len(length) < 20):
        environ["CONTENT_LENGTH"] = ""
    return environ


def _is_odd_charset(parameter: str) -> bool:
    name, _equals, value = parameter.partition("=")
    # ``charset*`` is the same in the way of RFC 2231.
    is_charset = name.strip().lower().rstrip("*") == "charset"
    return is_charset and value.strip().strip('"').lower() not in ENCODINGS


class UnreadableRequestMiddleware:
    """The first of all: the others read headers, cookies and addresses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        for name in [name for name, value in request.COOKIES.items() if "\0" in value]:
            del request.COOKIES[name]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Raises Http404 for a number that no row has."""
        if any(isinstance(value, int) and value > LAST_ID for value in kwargs.values()):
            raise Http404

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        reason = reason_of(error) or _of_the_admin(request, error)
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


def _of_the_admin(request: HttpRequest, error: Exception) -> str:
    """Why the admin cannot be asked so: Django takes any lookup of a column there, and any text for a row."""
    match = request.resolver_match
    odd = isinstance(error, DatabaseError | IndexError | ValueError | TypeError | ValidationError)
    if not match or match.app_name != "admin" or not odd or isinstance(error, OperationalError):
        return ""
    if request.method == "POST" and "expected a number but got" in str(error):
        return _("What was sent names a row that cannot be.")
    if (match.url_name or "").endswith("_changelist") and any("__" in name for name in request.GET):
        return _("This list cannot be filtered that way.")
    return ""


def refuse(request: HttpRequest, reason: str, status: int = 400) -> HttpResponse:
    """The reason for whoever asked: JSON for a program, else a line of text."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": reason}, status=status)
    return HttpResponse(reason, status=status, content_type="text/plain; charset=utf-8")
