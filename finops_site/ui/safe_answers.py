"""What an answer says to browsers beside what Django says: who may keep it, what it may load, and who may load it."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

# Programs ask these, and send their token with the first request: over http it has been read by then.
OF_PROGRAMS = ("/api/v1/", "/scim/")
SIGNS_OUT = "/accounts/logout/"
# The admin's Alpine needs eval, and its pages style themselves inline.
POLICY_OF_THE_ADMIN = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
USES_NONE_OF = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"


class SafeAnswersMiddleware:
    """Around all that makes answers of ours. Files of the product itself are answered before, and may be kept."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.HTTPS and request.path.startswith(OF_PROGRAMS) and not request.is_secure():
            # Leading it to https would hide that its token travels in the open.
            reason = "This is for https only: end the token that was sent in the open, and make a new one."
            return JsonResponse({"detail": reason}, status=403)
        response = self.get_response(request)
        # What stands on a page is somebody's own; whoever comes after her at that computer finds nothing of it.
        response.headers.setdefault("Cache-Control", "no-store, private")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", USES_NONE_OF)
        if request.path.startswith("/admin/"):
            response.headers.setdefault("Content-Security-Policy", POLICY_OF_THE_ADMIN)
        if request.path == SIGNS_OUT and request.method == "POST":
            # Browsers take it over https alone.
            response["Clear-Site-Data"] = '"cache"'
        return response
