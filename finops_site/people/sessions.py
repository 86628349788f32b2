"""Where somebody is signed in, and ending it: one session, or all of them at once."""

import hashlib
import logging
from collections.abc import Callable

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from finops_site.models import User

logger = logging.getLogger(__name__)
SEEN_AGAIN_SECONDS = 300
# What allauth writes into a session that somebody signed in for.
SIGNED_IN = "account_authentication_methods"


class SeenMiddleware:
    """Notes when a session was last seen: once in five minutes, so that pages do not wait for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SIGNED_IN in request.session:
            _note_seen(request.session.session_key or "")
        return self.get_response(request)


def _note_seen(key: str) -> None:
    name = hashlib.sha256(key.encode()).hexdigest()
    try:
        is_time = cache.add(f"session-seen:{name}", 1, SEEN_AGAIN_SECONDS)
    except Exception:
        logger.warning("the cache is away: when sessions were last seen is not noted")
        return
    if is_time:
        UserSession.objects.filter(session_key=key).update(last_seen_at=timezone.now())


def sessions_of(user: User) -> list[UserSession]:
    """Her sessions that still open something, the newest first."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda one: one.created_at, reverse=True)


def end_session(session: UserSession) -> None:
    """The browser that has it is asked to sign in."""
    session.end()


@transaction.atomic
def end_all_sessions(user: User, *, but: str = "") -> None:
    """Ends every session of a person, those too that nobody wrote down; the one with the key `but` stays where it is.

    That one is for whoever asks: its request writes its hash anew (`django.contrib.auth.update_session_auth_hash`).
    """
    User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)
    user.refresh_from_db(fields=["sessions_ended"])
    for session in UserSession.objects.filter(user=user).exclude(session_key=but):
        session.end()
