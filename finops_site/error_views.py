"""Pages for what is not there or not allowed: in the frame of the site for who is signed in, and never failing."""

import logging
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from psycopg.errors import ReadOnlySqlTransaction

from finops_site.ui import typed_text
from finops_site.ui.filters import without
from finops_site.ui.pages import NoSuchPage

logger = logging.getLogger(__name__)
ASK_AGAIN_SECONDS = 30


def not_allowed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, "403.html", 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if request.path.startswith("/api/"):
        # Who asks here is a program.
        return JsonResponse({"detail": "There is nothing at this address of the API."}, status=404)
    if isinstance(exception, NoSuchPage):
        first = request.path + without(request.GET, ["page"])
        return error_page(request, "404.html", 404, reason=str(exception), first=first)
    return error_page(request, "404.html", 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 with a word where the database is what fails: it is not there, or takes no changes at the moment."""
    reason = why_no_database(sys.exc_info()[1])
    if not reason:
        return HttpResponse(render_to_string("500.html", {}), status=500)
    if request.path.startswith("/api/"):
        answer: HttpResponse = JsonResponse({"detail": reason}, status=503)
    else:
        answer = HttpResponse(render_to_string("bare_error.html", {"status": 503, "reason": reason}), status=503)
    answer["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return answer


def why_no_database(error: BaseException | None) -> str:
    """In words for a reader, why the database did not do it; empty where something else failed."""
    if error is None:
        return ""
    if isinstance(error.__cause__, ReadOnlySqlTransaction):
        return _("The database only reads at the moment. Nothing was changed: look around, and change things later.")
    if isinstance(error, OperationalError | InterfaceError):
        return _("The database does not answer. Nothing was changed: try again in a minute.")
    return ""


def form_too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a form whose token is not, or no longer, that of the browser (CSRF_FAILURE_VIEW).

    What was typed into it before the same person signed in again is held: see ui/typed_text.py.
    """
    try:
        page = typed_text.hold_refused(request)
    except Exception:
        logger.warning("what was typed is not held", exc_info=True)
        page = ""
    return error_page(request, "403_csrf.html", 403, page=page)


def error_page(request: HttpRequest, template: str, status: int, **context: str) -> HttpResponse:
    """The template in the frame of the site, or alone; who is signed in and what is hers is asked of the database."""
    try:
        frame = "base.html" if request.user.is_authenticated else "allauth/layouts/entrance.html"
        html = render_to_string(template, {"frame": frame, **context}, request)
    except Exception:
        # Without a database, or before anybody is known, the page stands for itself.
        logger.warning("the %s page is shown without its frame", status, exc_info=True)
        html = render_to_string("bare_error.html", {"status": status})
    return HttpResponse(html, status=status)
