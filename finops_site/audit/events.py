"""What the log keeps and no row shows: who came in or did not, what left as a file, which commands ran."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.cache import cache
from django.db import Error, connection, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from finops_site.audit.context import LONGEST_NAME, current_facts, token_name
from finops_site.models import AuditEntry

logger = logging.getLogger(__name__)

TOKEN_AGAIN_SECONDS = 3600
LONGEST_TEXT = 300
Changes = Mapping[str, tuple[Any, Any] | list[Any]]


def record(
    action: str, about: Model | None = None, *, name: str = "", changes: Changes | None = None, **who: Any
) -> None:
    """Writes one entry of what somebody did, beside those that the triggers write.

    `about` is the row it was done with, `changes` {field: (before, after)}. `who` names columns of who acts where that
    is not the one of the request: `actor`, `who`, `through`.
    """
    facts = {"door": AuditEntry.Door.DATABASE, **current_facts(), **who}
    actor = facts.pop("actor", None)
    model = about._meta.label_lower if about is not None else ""
    AuditEntry.objects.create(
        at=timezone.now(),
        action=action,
        model=model,
        object_pk="" if about is None else str(about.pk),
        name=(name or ("" if about is None else str(about)))[:LONGEST_TEXT],
        changes={field: list(both) for field, both in (changes or {}).items()},
        actor_id=actor,
        **facts,
    )


def record_safely(action: str, *args: Any, **kwargs: Any) -> None:
    """The same where what was done is done already, and cannot be refused for the log's sake: it is shouted instead."""
    try:
        with transaction.atomic(savepoint=connection.in_atomic_block):
            record(action, *args, **kwargs)
    except Error:
        logger.exception("the audit log could not be written: %s %s", action, kwargs.get("name", ""))


def _signed_in(sender: Any, request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    record(AuditEntry.Action.SIGN_IN, user, actor=user.pk, who=user.email[:LONGEST_NAME])


def _signed_out(sender: Any, request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    if user is not None and user.pk:
        record(AuditEntry.Action.SIGN_OUT, user, actor=user.pk, who=user.email[:LONGEST_NAME])


def _sign_in_failed(sender: Any, credentials: Mapping[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    given = str(credentials.get("email") or credentials.get("username") or credentials.get("login") or "")
    # Some type the password into the wrong field: only what can be an address is kept.
    record_safely(AuditEntry.Action.SIGN_IN_FAILED, name=given[:LONGEST_NAME] if "@" in given else "(no address)")


def _locked_out(sender: Any, request: HttpRequest, username: str = "", **_: Any) -> None:
    record_safely(AuditEntry.Action.LOCKED_OUT, name=str(username or "")[:LONGEST_NAME])


def token_used(token: Any, user: Any) -> None:
    """Notes that a token was shown: once an hour for each, and not for each request. `user` may be nobody's account."""
    key = "audit-token:" + hashlib.sha256(f"{type(token).__name__} {token.pk}".encode()).hexdigest()
    try:
        if not cache.add(key, 1, TOKEN_AGAIN_SECONDS):
            return
    except Exception:
        # Without the cache there are more entries, and never fewer.
        logger.warning("the cache is away: every use of a token is noted", exc_info=True)
    name = token_name(token)
    record_safely(AuditEntry.Action.TOKEN_USED, name=name, actor=user.pk, who=getattr(user, "email", "")[:LONGEST_NAME])


def connect() -> None:
    """Listens to sign-ins; the doors call the rest."""
    from axes.signals import user_locked_out

    user_logged_in.connect(_signed_in, dispatch_uid="finops_site.audit.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="finops_site.audit.signed_out")
    user_login_failed.connect(_sign_in_failed, dispatch_uid="finops_site.audit.failed")
    user_locked_out.connect(_locked_out, dispatch_uid="finops_site.audit.locked_out")
