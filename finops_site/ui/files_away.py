"""What needs a file that cannot be reached now says so, at every door: never an error of the server, never zero."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from finops_site.files.places import FilesUnreachable
from finops_site.ui.unreadable_requests import refuse

logger = logging.getLogger(__name__)

SERVICE_UNAVAILABLE = 503


class FilesAwayMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        problem = error if isinstance(error, FilesUnreachable) else error.__cause__
        if not isinstance(problem, FilesUnreachable):
            return None
        logger.warning("%s %s: %s", request.method, request.path, problem)
        if request.path.startswith("/api/"):
            return refuse(request, str(problem), SERVICE_UNAVAILABLE)
        return render(request, "files_away.html", {"reason": str(problem)}, status=SERVICE_UNAVAILABLE)
