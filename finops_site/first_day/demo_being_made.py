"""While the demo company is being made people look around in it and change nothing: it would be noted as the demo's."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from finops_site.people.demo_rows import demo_steps
from finops_site.translation import gettext_lazy as _lazy

READS = ("GET", "HEAD", "OPTIONS")
# Signing in and out changes nothing that is noted.
ALLOWED = "/accounts/"
REASON = _lazy("The demo is still being made: look around, and change things when it is whole, in about a minute.")


class DemoBeingMade:
    """Refuses what would change something until the demo company is whole: 503, in words."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in READS or request.path.startswith(ALLOWED) or not demo_steps().exists():
            return self.get_response(request)
        if request.path.startswith("/api/"):
            response: HttpResponse = JsonResponse({"detail": REASON}, status=503)
        else:
            response = render(request, "first_day/demo_being_made.html", {"reason": REASON}, status=503)
        response["Retry-After"] = "30"
        return response
