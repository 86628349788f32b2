"""Each request has an id, which every line of the log about it carries, and is counted for /metrics.

The id comes from a proxy (X-Request-Id, where it has the shape of one) or is made here, and goes back with the answer.
A line names the view and not the address: addresses have tokens in them.
"""

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from finops_site.lib import log_lines
from finops_site.ops import metrics

HEADER = "X-Request-Id"
logger = logging.getLogger("finops.requests")
# Asked by programs inside of the network, by whatever address a host or a pod has.
REFUSED = (401, 403, 429)
ASKED_BY_ANY_NAME = ("/healthz", "/readyz", "/metrics")


class RequestLogMiddleware:
    """Around all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        name = log_lines.new_request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        token = log_lines.request_id.set(name)
        if request.path in ASKED_BY_ANY_NAME:
            request.META["HTTP_HOST"] = "localhost"
        try:
            response = self.get_response(request)
            response[HEADER] = name
            self._note(request, response, time.perf_counter() - began)
            return response
        finally:
            log_lines.request_id.reset(token)

    def _note(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        view = request.resolver_match.view_name if request.resolver_match else "none"
        metrics.note_request(view, request.method or "", response.status_code, seconds)
        # Whether she was asked for at all: nobody is looked up for a line of a log.
        user = request.__dict__.get("_cached_user")
        is_refused = response.status_code in REFUSED
        # Who was refused what stands in a log of plain lines too.
        logger.log(
            logging.WARNING if is_refused else logging.INFO,
            "refused %s of %s to person %s with %s" if is_refused else "answered",
            *((request.method, view, getattr(user, "pk", None), response.status_code) if is_refused else ()),
            extra={
                "method": request.method,
                "view": view,
                "status": response.status_code,
                "milliseconds": round(seconds * 1000),
                "person": getattr(user, "pk", None),
            },
        )
