"""The outbox: every email is stored with its reason, and sent after the commit, at least once, under one Message-ID.

`queue_email` is called in the transaction that decides to send something. Its key names the subject and the recipient,
so running the decision again stores nothing. A worker claims one email at a time for a few minutes and records, before
the body leaves, that the server may have it. A worker that dies therefore leaves an email that was certainly not sent,
and is sent by the next one, or one with an unknown outcome.

The rule for unknown outcomes (docs/settings.md): the email goes out once more under the same Message-ID, by which
mail programs recognise a message they have; twice is better than never. If that is unknown too, it stays so and shows
on the page Health.
"""

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.mail import notifications
from finops_site.mail.emails import SiteEmail
from finops_site.mail.smtp import MailConnection, PermanentFailure, StoredEmail, TemporaryFailure, UnknownOutcome
from finops_site.models import OutgoingEmail, User
from finops_site.registry import OutgoingEmailCheck, registry

logger = logging.getLogger(__name__)

CLAIM = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=5)
MOST_ODD_TRIES = 8
Outcome = OutgoingEmail.Outcome


def queue_email(
    key: str, message: EmailMessage, *, now: datetime, send_after: datetime | None = None, occasion: str = ""
) -> bool:
    """Stores an email that goes out after the commit and not before `send_after`; False when `key` was queued before.

    `message` has one recipient. The key is for ever: "statement 17 to lea@demo.example". A reader with a login is
    notified on the site, too, once for each `occasion` (by default the key), however often its email is written anew.
    """
    (to,) = message.recipients()
    identity = message_id(key)
    message.extra_headers["Message-ID"] = identity
    send_after = send_after or now
    # A new one alone asks who reads it.
    reader = cache(lambda: User.objects.filter(email__iexact=to).first())
    of_reader: dict[str, Any] = {"reader": reader, "teams_seen": lambda: notifications.teams_seen_by(reader())}
    email, is_new = OutgoingEmail.objects.get_or_create(
        key=key,
        defaults={
            "to": to,
            **of_reader,
            "kind": getattr(message, "kind", ""),
            "about": notifications.in_this_site(getattr(message, "about", "")),
            "subject": str(message.subject),
            "content": message.message().as_bytes(linesep="\r\n"),  # type: ignore[call-arg]
            "message_id": identity,
            "created_at": now,
            "send_after": send_after,
        },
    )
    if is_new and isinstance(message, SiteEmail):
        notifications.notify(email, message, occasion or key, now)
    if is_new and send_after <= now:
        # Without a broker it waits for the sweep every ten minutes.
        task("finops_site.tasks.send_outgoing_emails").delay_on_commit()
    return is_new


def message_id(key: str) -> str:
    """The same for the same key, so that an email that arrives twice is recognised."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{urlsplit(settings.SITE_URL).hostname}>"


def take_back(message_ids: Sequence[str], why: str) -> list[str]:
    """Cancels waiting emails and keeps `why` with them; returns the Message-IDs of those that will not be sent.

    One that a worker holds at this moment goes out: the server may have it.
    """
    waiting = OutgoingEmail.objects.filter(outcome=Outcome.WAITING, handed_over_at=None, claimed_until=None)
    with transaction.atomic():
        emails = list(waiting.filter(message_id__in=message_ids).select_for_update().order_by("pk"))
        OutgoingEmail.objects.filter(pk__in=[email.pk for email in emails]).update(
            outcome=Outcome.CANCELLED, server_reply=why
        )
        notifications.take_back(emails)
    return [email.message_id for email in emails]


def send_queued_emails(now: datetime, *, most: int = 1000) -> int:
    """Sends what is due, one claimed email at a time, over one connection; returns how many went out."""
    settle_interrupted(now)
    connection, sent = MailConnection(), 0
    try:
        for _ignored in range(most):
            email = _claim(now)
            if email is None:
                break
            sent += _send(connection, email, now)
    finally:
        connection.close()
    return sent


def _claim(now: datetime) -> OutgoingEmail | None:
    """The email that has waited longest and that nobody else has claimed."""
    # One for longer than claims are was made by a clock that was set back since.
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lt=now) | Q(claimed_until__gt=now + 4 * CLAIM)
    due = OutgoingEmail.objects.filter(unclaimed, outcome=Outcome.WAITING, handed_over_at=None, send_after__lte=now)
    with transaction.atomic():
        rows = due.order_by("send_after", "pk").select_related("reader")
        email = rows.select_for_update(skip_locked=True, of=("self",)).first()
        if email:
            email.claimed_until = now + CLAIM
            email.attempts += 1
            email.save(update_fields=["claimed_until", "attempts"])
        return email


def _send(connection: MailConnection, email: OutgoingEmail, now: datetime) -> bool:
    """Hands one email over and records what became of it; whether it went out."""
    # The number of the attempt proves that the claim is still ours.
    ours = OutgoingEmail.objects.filter(pk=email.pk, attempts=email.attempts)
    try:
        if why := _why_not(email, now):
            ours.update(outcome=Outcome.CANCELLED, server_reply=why, claimed_until=None)
            return False
        to = email.reader.email if email.reader else email.to
        connection.send(StoredEmail(bytes(email.content), to), lambda: ours.update(handed_over_at=now))
    except TemporaryFailure as reason:
        _try_again_later(email, str(reason), now)
    except PermanentFailure as reason:
        ours.update(outcome=Outcome.REFUSED, server_reply=str(reason), claimed_until=None)
    except UnknownOutcome as reason:
        _settle_unknown(email, str(reason), now)
    except Exception as error:
        # One odd email, an address that no server can be asked for: the others go out all the same.
        logger.exception("email %s", email.pk)
        connection.close()
        _settle_odd(
            email, _("it could not be handed over: {kind}: {error}").format(kind=type(error).__name__, error=error), now
        )
    else:
        ours.update(outcome=Outcome.SENT, sent_at=now, server_reply="", claimed_until=None)
        return True
    return False


def _why_not(email: OutgoingEmail, now: datetime) -> str:
    """Why an email is not sent although it was queued: its reader has left or may not see it any more, or who queued it
    knows better by now.
    """
    checks = [check for check in registry.of(OutgoingEmailCheck) if email.key.startswith(check.prefix)]
    reader = email.reader
    if checks:
        why = checks[0].why_not(email, now)
    else:
        why = (
            _("{reader} was switched off before it was sent").format(reader=reader)
            if reader and not reader.is_active
            else notifications.why_not_hers(email)
        )
    return why or notifications.why_not_mailed(email)


def _settle_odd(email: OutgoingEmail, reason: str, now: datetime) -> None:
    """What went wrong on our side is tried again a few times, and then given up."""
    email.refresh_from_db(fields=["handed_over_at"])
    if email.handed_over_at:
        _settle_unknown(email, reason, now)
    else:
        _try_again_later(email, reason, now, gives_up=email.attempts >= MOST_ODD_TRIES)


def _try_again_later(email: OutgoingEmail, reason: str, now: datetime, *, gives_up: bool = False) -> None:
    """The pause grows with every failure; after five days the email is given up."""
    given_up = gives_up or now - email.created_at > GIVE_UP_AFTER
    OutgoingEmail.objects.filter(pk=email.pk).update(
        outcome=Outcome.REFUSED if given_up else Outcome.WAITING,
        send_after=now + min(timedelta(minutes=2 ** min(email.attempts, 10)), LONGEST_PAUSE),
        claimed_until=None,
        handed_over_at=None,
        server_reply=reason,
    )


def _settle_unknown(email: OutgoingEmail, reason: str, now: datetime) -> None:
    """Once more under the same Message-ID; when that is unknown too, it stays so."""
    again = not email.may_be_duplicate
    OutgoingEmail.objects.filter(pk=email.pk, outcome=Outcome.WAITING).update(
        outcome=Outcome.WAITING if again else Outcome.UNKNOWN,
        may_be_duplicate=True,
        handed_over_at=None if again else F("handed_over_at"),
        claimed_until=None,
        send_after=now + timedelta(minutes=2),
        server_reply=_("sent, or not: {reason}").format(reason=reason),
    )


def settle_interrupted(now: datetime) -> int:
    """Emails whose worker died after the body began to leave; returns how many."""
    interrupted = OutgoingEmail.objects.filter(
        outcome=Outcome.WAITING, handed_over_at__isnull=False, claimed_until__lt=now
    )
    emails = list(interrupted.order_by("pk"))
    for email in emails:
        _settle_unknown(email, _("the worker died before the server's answer was recorded"), now)
    return len(emails)


def clear_old_contents(now: datetime) -> int:
    """Clears the content of old emails and keeps the record that they were sent; returns how many were cleared."""
    old = OutgoingEmail.objects.filter(created_at__lt=now - timedelta(days=90)).exclude(outcome=Outcome.WAITING)
    return old.exclude(content=b"").update(content=b"")
