"""How long a session lasts: so long without being used, and so long in all, however it is used.

Both are counted in the session itself. A session that is over is ended in the database too: its cookie opens nothing.
"""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.http.response import HttpResponseBase

BEGAN, SEEN = "finops_began", "finops_seen"
# It is written down no oftener, so that reading pages writes nothing.
SEEN_EVERY_SECONDS = 300


def begin_session(sender: Any, request: HttpRequest | None, **_: Any) -> None:
    """Counts from now: somebody signed in."""
    if request is not None and hasattr(request, "session"):
        request.session[BEGAN] = request.session[SEEN] = int(time.time())


user_logged_in.connect(begin_session, dispatch_uid="finops_site.sign_in.session_limits")


def is_over(began: int, seen: int, now: int) -> bool:
    """Whether a session that began and was last used then, in seconds since 1970, opens nothing any more."""
    longest, idle = settings.FINOPS_SESSION_DAYS * 86_400, settings.FINOPS_SESSION_IDLE_HOURS * 3600
    return bool((longest and now - began >= longest) or (idle and now - seen >= idle))


class SessionLimitsMiddleware:
    """Behind the one that knows who is signed in, and before all that asks for her."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            self._count(request)
        return self.get_response(request)

    def _count(self, request: HttpRequest) -> None:
        now, session = int(time.time()), request.session
        # One from before anybody counted begins now.
        began, seen = session.get(BEGAN, now), session.get(SEEN, now)
        if is_over(began, seen, now):
            logout(request)
        elif BEGAN not in session or now - seen >= SEEN_EVERY_SECONDS:
            session[BEGAN], session[SEEN] = began, now
