"""What the database refuses because it is there already: two people at one moment, or a name that cannot be seen.

A form checks first, so that this is rare; but only the database knows what was saved a moment before. No door answers
it by an error of the server: forms show the reason, other pages and the API answer 409 with it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.db import IntegrityError
from django.db.models import UniqueConstraint
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from psycopg.errors import UniqueViolation

from finops_site.ui.typed_text import page_of


def reason_of(error: BaseException) -> str:
    """Why a row was refused as being there already, in words for a reader; empty for any other error."""
    cause = error.__cause__
    if not isinstance(error, IntegrityError) or not isinstance(cause, UniqueViolation):
        return ""
    message = _messages().get(cause.diag.constraint_name or "")
    return str(message or _("There is one like it already: somebody made it meanwhile. Look, and choose another."))


@cache
def _messages() -> dict[str, Any]:
    """The messages of unique constraints that have one of their own, by the name of the constraint."""
    constraints = (row for model in apps.get_models() for row in model._meta.constraints)
    usual = UniqueConstraint.default_violation_error_message
    return {
        row.name: row.violation_error_message
        for row in constraints
        if isinstance(row, UniqueConstraint) and row.violation_error_message != usual
    }


class UniqueViolationMiddleware:
    """Leads back to the page with the reason, where a view that is no FormPage met what is there already."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        reason = reason_of(error)
        if not reason or request.path.startswith(("/api/", "/admin/")):
            return None
        messages.error(request, reason)
        return HttpResponseRedirect(page_of(request))
