"""A file that is too large to wait for becomes a job, whichever page it is of."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from finops_site.exports import jobs
from finops_site.people.signed_in import signed_in_user
from finops_site.ui.answer_time import is_too_slow
from finops_site.ui.one_export import LargeExport, may_be_a_job


class LargeExportMiddleware:
    """Answers with the page of the job where a file has many rows, or its question takes as long as a page may."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        is_large = isinstance(error, LargeExport) or is_too_slow(error)
        if not is_large or not may_be_a_job(request) or not request.user.is_authenticated:
            return None
        try:
            return redirect(jobs.ask(signed_in_user(request), request.get_full_path(), timezone.now()))
        except jobs.CannotExport as reason:
            messages.error(request, str(reason))
            return redirect("my_exports")
