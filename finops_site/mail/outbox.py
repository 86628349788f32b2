"""Mail that goes out once: written down with what it is about, sent after commit, by whoever claims it.

`post` is called in the transaction that decides that somebody must be told; its key says what about and whom, so that
running it again writes nothing. A worker claims one letter at a time for a few minutes and writes down, before the body
leaves, that the server may have it. So a worker that dies leaves a letter that is either certainly unsent, and is sent,
or doubtful.

The rule for doubtful letters (docs/settings.md): they go out once more under the same Message-ID, by which mailboxes
know a letter they have; told twice is better than never told. One that is doubtful again stays so, and says it.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q

from finops_site.mail.smtp import Doubtful, Line, Passing, Ready, Refused
from finops_site.models import OutgoingEmail

CLAIM = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=5)


def post(key: str, message: EmailMessage, *, now: datetime, send_after: datetime | None = None) -> bool:
    """Writes a letter down, to go out after commit and not before `send_after`; False when `key` was posted before.

    `message` has one recipient. The key is for ever: "statement 17 to lea@demo.example".
    """
    (to,) = message.recipients()
    identity = message_id(key)
    message.extra_headers["Message-ID"] = identity
    _letter, is_new = OutgoingEmail.objects.get_or_create(
        key=key,
        defaults={
            "to": to,
            "subject": message.subject,
            "content": message.message().as_bytes(linesep="\r\n"),
            "message_id": identity,
            "created_at": now,
            "send_after": send_after or now,
        },
    )
    if is_new and (send_after or now) <= now:
        transaction.on_commit(_ring, robust=True)
    return is_new


def message_id(key: str) -> str:
    """The same for the same key, so that a letter that arrives twice is seen to be one."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{urlsplit(settings.SITE_URL).hostname}>"


def _ring() -> None:
    """Wakes a worker; without a broker the letter waits for the sweep."""
    current_app.send_task("finops_site.tasks.send_letters", ignore_result=True)


def send_waiting(now: datetime, *, most: int = 1000) -> int:
    """Sends what waits, one claimed letter at a time, over one line; returns how many went out."""
    settle_abandoned(now)
    line, sent = Line(), 0
    try:
        for letter in _claimed(now, most):
            sent += _send(line, letter, now)
    finally:
        line.close()
    return sent


def _claimed(now: datetime, most: int) -> Iterator[OutgoingEmail]:
    for _ in range(most):
        letter = _claim(now)
        if letter is None:
            return
        yield letter


def _claim(now: datetime) -> OutgoingEmail | None:
    """The letter that waits longest and that nobody else holds."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    with transaction.atomic():
        waiting = OutgoingEmail.objects.filter(
            free, outcome=OutgoingEmail.Outcome.WAITING, handed_over_at=None, send_after__lte=now
        )
        letter = waiting.order_by("send_after", "pk").select_for_update(skip_locked=True).first()
        if letter:
            letter.claimed_until = now + CLAIM
            letter.attempts += 1
            letter.save(update_fields=["claimed_until", "attempts"])
        return letter


def _send(line: Line, letter: OutgoingEmail, now: datetime) -> int:
    """Hands one letter over and writes down what became of it; 1 when it went out."""
    mine = OutgoingEmail.objects.filter(pk=letter.pk, attempts=letter.attempts)
    try:
        line.hand_over(Ready(bytes(letter.content), letter.to), lambda: mine.update(handed_over_at=now))
    except Passing as reason:
        _put_back(letter, str(reason), now)
    except Refused as reason:
        mine.update(outcome=OutgoingEmail.Outcome.REFUSED, server_reply=str(reason), claimed_until=None)
    except Doubtful as reason:
        _settle(letter, str(reason), now)
    else:
        mine.update(outcome=OutgoingEmail.Outcome.SENT, sent_at=now, server_reply="", claimed_until=None)
        return 1
    return 0


def _put_back(letter: OutgoingEmail, reason: str, now: datetime) -> None:
    """It waits longer after every failure, and is given up after five days."""
    pause = min(timedelta(minutes=2 ** min(letter.attempts, 10)), LONGEST_PAUSE)
    given_up = now - letter.created_at > GIVE_UP_AFTER
    OutgoingEmail.objects.filter(pk=letter.pk).update(
        outcome=OutgoingEmail.Outcome.REFUSED if given_up else OutgoingEmail.Outcome.WAITING,
        send_after=now + pause,
        claimed_until=None,
        handed_over_at=None,
        server_reply=reason,
    )


def _settle(letter: OutgoingEmail, reason: str, now: datetime) -> None:
    """The rule for a doubtful letter: once more under the same Message-ID; doubtful again, it stays so."""
    again = not letter.may_be_duplicate
    OutgoingEmail.objects.filter(pk=letter.pk, outcome=OutgoingEmail.Outcome.WAITING).update(
        outcome=OutgoingEmail.Outcome.WAITING if again else OutgoingEmail.Outcome.UNKNOWN,
        may_be_duplicate=True,
        handed_over_at=None if again else F("handed_over_at"),
        claimed_until=None,
        send_after=now + timedelta(minutes=2),
        server_reply=f"sent, or not: {reason}",
    )


def settle_abandoned(now: datetime) -> int:
    """Letters whose sender died after the body began to leave; returns how many."""
    left = OutgoingEmail.objects.filter(
        outcome=OutgoingEmail.Outcome.WAITING, handed_over_at__isnull=False, claimed_until__lt=now
    ).order_by("pk")
    found = list(left)
    for letter in found:
        _settle(letter, "the sender died before the server's answer was written down", now)
    return len(found)


def tidy_up(now: datetime) -> int:
    """Forgets what old letters said; that they were sent is kept."""
    old = OutgoingEmail.objects.filter(created_at__lt=now - timedelta(days=90)).exclude(
        outcome=OutgoingEmail.Outcome.WAITING
    )
    return old.exclude(content=b"").update(content=b"")
