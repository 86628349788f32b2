"""How often somebody, or an address, may ask for something: counted in the cache, in windows as long as the limit says.

Where the cache is away nothing is counted, and nobody is kept out.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from finops_site.audit.context import address_of

logger = logging.getLogger(__name__)
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def read_limit(text: str) -> tuple[int, int] | None:
    """(how often, in how many seconds) of ``600/minute``; None for none. Raises ImproperlyConfigured for any other."""
    if not text:
        return None
    number, _slash, unit = text.partition("/")
    if not number.isdecimal() or not int(number) or unit not in SECONDS:
        raise ImproperlyConfigured(f"{text!r} is no limit: write it like 600/minute.")
    return int(number), SECONDS[unit]


def seconds_to_wait(name: str, who: object, text: str) -> int:
    """Counts one more; how many seconds `who` waits for the next, 0 while she may go on."""
    limit = read_limit(text)
    if limit is None:
        return 0
    most, seconds = limit
    now = time.time()
    window = int(now // seconds)
    key = f"limit:{name}:{who}:{window}"
    try:
        cache.add(key, 0, seconds + 1)
        count = cache.incr(key)
    except ValueError:
        # The window ended between the two.
        return 0
    except Exception:
        logger.warning("limits are not counted: the cache does not answer")
        return 0
    return max(1, int((window + 1) * seconds - now)) if count > most else 0


class HasLimit:
    """A view that asks before everything else: by person, or by address where nobody is signed in.

    `limit_name` is that of the setting; `limited_methods` are those that count.
    """

    limit_name: str
    limited_methods: tuple[str, ...] = ("GET", "POST")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in self.limited_methods:
            who = f"person {request.user.pk}" if request.user.is_authenticated else address_of(request) or "unknown"
            if wait := seconds_to_wait(self.limit_name, who.replace(" ", "-"), getattr(settings, self.limit_name)):
                return _wait_page(request, wait)
        dispatch: Callable[..., HttpResponseBase] = super().dispatch  # type: ignore[misc]
        return dispatch(request, *args, **kwargs)


def _wait_page(request: HttpRequest, wait: int) -> HttpResponse:
    response = render(request, "too_often.html", {"wait": wait}, status=429)
    response["Retry-After"] = str(wait)
    return response
