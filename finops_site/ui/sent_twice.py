"""A form that is sent twice, by a double click or a browser that tries again, does its work once.

Every form that is drawn has a CSRF token of its own: the same person, address, token and fields are the same sending.
The second waits for the first and leads where that led. A form that was refused, or failed, may be sent again as it is.
Where the cache is away, services alone see to what there may be only one of.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from finops_site.ui.typed_text import NEVER, page_of

logger = logging.getLogger(__name__)

RUNS, RUNS_FOR_SECONDS = "", 120
REMEMBERED_FOR_SECONDS = 30
WAITS_FOR_SECONDS, PAUSE_SECONDS = 20.0, 0.1


class SentTwiceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key = getattr(request, "sending_key", "")
        if key:
            url = response.get("Location", "") if response.status_code in (301, 302, 303) else ""
            _remember(key, url)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """After the check of the CSRF token: what is refused is not counted."""
        key = _key(request)
        if not key:
            return None
        try:
            is_first = cache.add(key, RUNS, RUNS_FOR_SECONDS)
            url = "" if is_first else _where_the_first_led(key)
        except Exception:
            logger.warning("the cache is away: a form that is sent twice is not recognised", exc_info=True)
            return None
        if is_first or url is None:
            request.sending_key = key  # type: ignore[attr-defined]
            return None
        messages.info(request, _("The form was sent twice; it was done once."))
        return HttpResponseRedirect(url or page_of(request))


def _key(request: HttpRequest) -> str:
    """What names this sending of this form; empty where it is no form of a page."""
    if request.method != "POST" or request.path.startswith(NEVER) or not request.user.is_authenticated:
        return ""
    if "csrfmiddlewaretoken" not in request.POST or request.headers.get("HX-Request"):
        return ""
    fields = sorted((name, values) for name, values in request.POST.lists())
    files = sorted((name, file.name, file.size) for name, several in request.FILES.lists() for file in several)
    text = repr((request.user.pk, request.get_full_path(), fields, files))
    return f"sent:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"


def _where_the_first_led(key: str) -> str | None:
    """Where the first sending led; empty where it still runs, None where it was refused or failed."""
    end = time.monotonic() + WAITS_FOR_SECONDS
    while (url := cache.get(key)) == RUNS and time.monotonic() < end:
        time.sleep(PAUSE_SECONDS)
    return None if url is None else str(url)


def _remember(key: str, url: str) -> None:
    try:
        if url:
            cache.set(key, url, REMEMBERED_FOR_SECONDS)
        else:
            cache.delete(key)
    except Exception:
        logger.warning("the cache is away: a form that is sent twice is not recognised", exc_info=True)
