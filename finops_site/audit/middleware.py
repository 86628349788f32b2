"""The door of requests: who acts while one is answered, and that a file left."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from finops_site.audit.context import LONGEST_THROUGH, address_of, as_acting
from finops_site.audit.events import record_safely
from finops_site.lib import log_lines
from finops_site.models import AuditEntry

# What is no page and no answer to a program, but something to keep.
FILES = (
    *("text/csv", "application/pdf", "application/zip", "application/gzip", "application/x-tar"),
    *("application/vnd.openxmlformats", "application/octet-stream", "application/vnd.apache.parquet"),
)
# Parts of an address that let in whoever knows them.
LETS_IN = ("token", "key", "signature", "signed", "uidb36", "uidb64", "code")


class AuditMiddleware:
    """Behind the one that knows the person. What is written while the answer is made is hers; so is a file she gets."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        door = _door(request.path)
        # The same as in the lines of the log (ops/request_log.py).
        known = {"request_id": name} if (name := log_lines.request_id.get()) else {}
        with as_acting(door, request=request, address=address_of(request), person=None, **known):
            response = self.get_response(request)
            if is_file(response):
                record_safely(AuditEntry.Action.DOWNLOAD, name=file_name(response), through=what_was_asked(request))
            return response


def _door(path: str) -> str:
    if path.startswith(("/api/", "/scim/")):
        return AuditEntry.Door.API
    return AuditEntry.Door.ADMIN if path.startswith("/admin/") else AuditEntry.Door.PAGE


def is_file(response: HttpResponseBase) -> bool:
    """Whether an answer is a file: one to be saved, or of a kind that is no page."""
    if response.status_code not in (200, 206):
        return False
    disposition = str(response.headers.get("Content-Disposition", "")).lower()
    kind = str(response.headers.get("Content-Type", "")).lower()
    return disposition.startswith("attachment") or kind.startswith(FILES)


def file_name(response: HttpResponseBase) -> str:
    name = str(response.headers.get("Content-Disposition", "")).partition("filename=")[2].strip('"; ')
    return name or str(response.headers.get("Content-Type", "")).partition(";")[0]


def what_was_asked(request: HttpRequest) -> str:
    """The address with its filters, without what lets in whoever knows it."""
    path, match = request.path, getattr(request, "resolver_match", None)
    for name, value in (match.kwargs if match else {}).items():
        if name in LETS_IN:
            path = path.replace(str(value), "…")
    query = request.GET.copy()
    for name in [name for name in query if name in LETS_IN]:
        query[name] = "…"
    return (f"{path}?{query.urlencode()}" if query else path)[:LONGEST_THROUGH]
