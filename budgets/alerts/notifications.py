"""Sends the queued messages by mail and to channels: each once, at the hour its reader wants it.

Messages for a mailbox become an e-mail of the outbox (finops_site/mail/outbox.py), in one transaction with the note of
which e-mail that is; its outcome is taken over from there. Messages for one address about budgets of one family are one
e-mail, because they have one cause. A channel's message is claimed, posted and marked; the receiver recognises a second
try by X-FinOps-Delivery.

Each letter and each post stands for itself: what fails is noted on its message with the reason, tried again after
growing pauses, and given up after MOST_TRIES; nothing else waits for it. A run looks at each message once.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from budgets.alerts import channels, emails
from budgets.alerts.alert_summary import alert_severity
from budgets.alerts.letter_parts import LetterParts
from budgets.alerts.readers import Readers, why_not_needed
from budgets.alerts.recipients import AddressBook, queue_messages
from budgets.calc.headlines import CRITICAL
from budgets.calc.quiet_hours import earliest_sending, next_digest
from budgets.models import Alert, AlertDelivery, Budget, Recipient
from finops_site.celery import task
from finops_site.lib.http_client import Undeliverable
from finops_site.lib.trees import all_above
from finops_site.mail import outbox
from finops_site.models import OutgoingEmail
from finops_site.people.reader_language import in_language_of, zone_of

logger = logging.getLogger(__name__)

AT_A_TIME = 500
CLAIM = timedelta(minutes=5)
MOST_TRIES = 8
LATELY = timedelta(days=7)
UNWRITABLE = "It could not be written"
OLD_LETTER, GIVE_UP_AFTER = timedelta(days=1), timedelta(days=5)
UNWRITTEN = {"message_id": "", "claimed_at": None, "claimed_by": "", "outcome": "", "sent_at": None}
Messages = Sequence[AlertDelivery]

# The outcome of an e-mail is the outcome of the messages in it: one that is tried again waits again.
UPDATE_OUTCOMES = """
    UPDATE budgets_alertdelivery delivery
    SET outcome = CASE email.outcome WHEN 'refused' THEN 'failed' WHEN 'waiting' THEN '' ELSE email.outcome END,
        sent_at = email.sent_at, attempts = email.attempts,
        problem = CASE email.server_reply WHEN '' THEN delivery.problem ELSE email.server_reply END
    FROM finops_site_outgoingemail email
    WHERE email.message_id = delivery.message_id AND delivery.message_id <> ''
        AND (delivery.outcome = '' AND email.outcome <> 'waiting'
            OR delivery.outcome IN ('failed', 'unknown') AND email.outcome IN ('waiting', 'sent'))
"""


def send_due_notifications(now: datetime) -> int:
    """Writes the e-mails and posts to the channels that are due; returns how many messages that were."""
    update_outcomes()
    _fall_back(now)
    count = _write_due_letters(now) + _post_to_channels(now)
    # Whose only message could not be written at all is told of it by somebody else at once.
    return count + (_write_due_letters(now) if _fall_back(now) else 0)


def _write_due_letters(now: datetime) -> int:
    count, last = 0, 0
    while batch := list(_due(now).filter(channel="mail", message_id="", pk__gt=last)[:AT_A_TIME]):
        last = batch[-1].pk
        count += _write_letters(batch, now)
    return count


def update_outcomes() -> int:
    """Takes over what the mail servers have answered since; returns of how many messages."""
    with connection.cursor() as cursor:
        cursor.execute(UPDATE_OUTCOMES)
        return int(cursor.rowcount)


def _due(now: datetime) -> QuerySet[AlertDelivery]:
    due = AlertDelivery.objects.queued().filter(Q(not_before=None) | Q(not_before__lte=now)).order_by("pk")
    return due.select_related("alert__budget", "alert__period", "alert__threshold__budget", "recipient", "user")


def _write_letters(batch: Messages, now: datetime) -> int:
    """Messages for mailboxes: those of readers who have left cancelled, the others put off or written."""
    ready: list[AlertDelivery] = []
    put_off: list[AlertDelivery] = []
    for delivery in _still_right(batch, now):
        with _noting([delivery], now):
            delivery.not_before = _not_before(delivery, now)
            (put_off if delivery.not_before else ready).append(delivery)
    AlertDelivery.objects.bulk_update(put_off, ["not_before"])
    groups: dict[tuple[str, object], list[AlertDelivery]] = defaultdict(list)
    roots = _root_budgets({delivery.alert.budget_id for delivery in ready})
    # One e-mail for all of a digest, else for what one address hears about one family of budgets.
    for delivery in ready:
        occasion = delivery.occasion.split(":")[0]
        with _noting([delivery], now):
            family = "digest" if _waits_for_digest(delivery) else (roots[delivery.alert.budget_id], occasion)
            groups[(delivery.address, family)].append(delivery)
    parts = _parts([delivery.alert for delivery in ready], now)
    for group in groups.values():
        _write_letter(group, parts, now)
    return len(batch)


def _still_right(batch: Messages, now: datetime) -> Messages:
    """Whose messages still go to the right people; where that cannot be asked for all at once, one by one."""
    try:
        with transaction.atomic():
            return Readers(batch, now).settle()
    except Exception:
        if len(batch) == 1:
            with _noting(batch, now):
                raise
            return []
        logger.exception("who is to read %s messages together", len(batch))
        return [delivery for one in batch for delivery in _still_right([one], now)]


def _parts(alerts: Sequence[Alert], now: datetime) -> Callable[[Alert], LetterParts]:
    """The parts of letters about these alerts; each alert's by itself where they cannot be made together."""
    try:
        with transaction.atomic():
            parts = LetterParts(alerts, now.date())
        return lambda alert: parts
    except Exception:
        logger.exception("the parts of letters about %s alerts together", len(alerts))
        return lambda alert: LetterParts([alert], now.date())


def _write_letter(group: Messages, parts: Callable[[Alert], LetterParts], now: datetime) -> None:
    """Writes and queues one letter in its own transaction. What spoils it is left out and noted; the rest goes out."""
    good = []
    for delivery in group:
        with _noting([delivery], now):
            _check(delivery, parts(delivery.alert))
            good.append(delivery)
    if not good:
        return
    with _noting(good, now), transaction.atomic():
        # Another worker may have written some of them since, or somebody have cancelled them.
        pks = AlertDelivery.objects.queued().filter(pk__in=[delivery.pk for delivery in good], message_id="")
        free = set(pks.select_for_update(skip_locked=True).values_list("pk", flat=True))
        good = [delivery for delivery in good if delivery.pk in free]
        if not good:
            return
        first = emails.severest_first(good)[0]
        letter_parts = parts(first.alert)
        with in_language_of(first.address):
            mail = emails.build_alert_email(good, digest=_waits_for_digest(first), as_of=now.date(), parts=letter_parts)
        key = _queue_anew(f"alert {first.alert_id} {first.occasion} to {first.address}", mail, now)
        AlertDelivery.objects.filter(pk__in=free).update(
            message_id=outbox.message_id(key),
            claimed_at=now,
            claimed_by="outbox",
            problem=letter_parts.problem([delivery.alert for delivery in good]),
        )


def _check(delivery: AlertDelivery, parts: LetterParts) -> None:
    """Raises what would spoil the letter: an address that is none, or figures that cannot be read."""
    validate_email(delivery.address)
    with transaction.atomic():
        emails.section_of(delivery, parts, repeats=True)
        emails.alert_facts(delivery.alert, parts.forecast(delivery.alert))


def why_not_sent(email: OutgoingEmail, now: datetime) -> str:
    """Why a letter of alerts in the outbox must not go out as it is; then its messages are written again.

    Its readers have changed, or it has waited for more than a day: today's letter has today's figures.
    """
    written = AlertDelivery.objects.filter(message_id=email.message_id).exclude(outcome="sent")
    messages = list(written.select_related("alert__budget", "alert__period", "alert__threshold__budget", "user"))
    needed = [message for message in messages if message.outcome != AlertDelivery.Outcome.CANCELLED]
    if messages and not needed:
        return messages[0].problem or _("Nobody needs it any more.")
    reasons = list(Readers(needed, now).decide().wrong.values())
    if not reasons and needed and now - email.created_at > OLD_LETTER and now - needed[0].queued_at < GIVE_UP_AFTER:
        reasons = [_("It had waited for more than a day: it was written again with today's figures.")]
    if reasons:
        written.filter(pk__in=[message.pk for message in needed]).update(**UNWRITTEN)
        task("budgets.tasks.send_notifications").delay_on_commit()
    return reasons[0] if reasons else ""


@contextmanager
def _noting(messages: Messages, now: datetime) -> Iterator[None]:
    """Notes on messages why they could not be sent, and lets the run go on; only a lost database ends it."""
    try:
        yield
    except Exception as error:
        if not connection.is_usable():
            raise
        logger.exception("messages %s", [message.pk for message in messages])
        for message in messages:
            _note_failure(message, error, now)


def _note_failure(message: AlertDelivery, error: Exception, now: datetime) -> None:
    """Tried again after 1, 2, 4 … minutes, and given up after MOST_TRIES, or at once where no try would help."""
    if isinstance(error, ValidationError):
        problem = (
            f"{message.address!r}: {'; '.join(error.messages)}" if message.channel == "mail" else error.messages[0]
        )
    elif isinstance(error, Undeliverable):
        problem = str(error)
    else:
        problem = f"{UNWRITABLE}: {type(error).__name__}: {error}"
    is_final = isinstance(error, ValidationError) or (isinstance(error, Undeliverable) and not error.temporary)
    attempts = message.attempts if message.claimed_at else message.attempts + 1
    values: dict[str, Any] = {"problem": problem[:1000], "attempts": attempts, "claimed_at": None}
    if is_final or attempts >= MOST_TRIES:
        values["outcome"] = AlertDelivery.Outcome.FAILED
    else:
        values["not_before"] = now + timedelta(minutes=2 ** (attempts - 1))
    AlertDelivery.objects.filter(pk=message.pk, outcome="").update(**values)


def _fall_back(now: datetime) -> int:
    """Where all messages of an occasion failed, the next in line is notified; returns how many messages are new.

    A letter that cannot be written would fail for everybody: it waits for somebody who mends it.
    """
    alive = AlertDelivery.objects.filter(alert=OuterRef("alert"), occasion=OuterRef("occasion"))
    unreachable = AlertDelivery.objects.filter(outcome="failed", queued_at__gt=now - LATELY)
    failed = unreachable.exclude(problem__startswith=UNWRITABLE).exclude(
        Exists(alive.filter(outcome__in=["", "sent", "unknown"]))
    )
    tried: dict[tuple[int, str], list[AlertDelivery]] = defaultdict(list)
    for message in failed.select_related("alert__budget", "alert__period", "alert__threshold"):
        tried[(message.alert_id, message.occasion)].append(message)
    book = AddressBook([messages[0].alert.budget for messages in tried.values()]) if tried else None
    new = []
    for (_ignored, occasion), messages in tried.items():
        alert = messages[0].alert
        if book and not why_not_needed(alert, occasion):
            addresses = book.fallback(alert.budget, without={message.address for message in messages})
            new += [to.message(alert, occasion, now) for to in addresses]
    return queue_messages(new)


def _queue_anew(key: str, mail: EmailMessage, now: datetime) -> str:
    """Queues a letter under its key, or under the next free one where an earlier letter was taken back."""
    name, number = key, 1
    while not outbox.queue_email(name, mail, now=now, occasion=key):
        number += 1
        name = f"{key}, letter {number}"
    return name


def _not_before(delivery: AlertDelivery, now: datetime) -> datetime | None:
    """When it may be sent if not now: a digest waits for its morning, everything for the end of quiet hours."""
    recipient = delivery.recipient
    zone = _known_zone((recipient and recipient.time_zone) or str(zone_of(delivery.user)))
    if _waits_for_digest(delivery) and delivery.not_before is None:
        return next_digest(now, zone)
    if recipient is None:
        return None
    at = earliest_sending(now, recipient.quiet_from, recipient.quiet_until, zone)
    return at if at > now else None


def _known_zone(name: str) -> str:
    """The time zone of that name, UTC where there is none: better at an odd hour than never."""
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        return "UTC"


def _waits_for_digest(delivery: AlertDelivery) -> bool:
    """Whoever wants a digest is notified of what is critical at once all the same."""
    wants = delivery.recipient is not None and delivery.recipient.when == Recipient.When.DIGEST
    return wants and alert_severity(delivery.alert) != CRITICAL


def _root_budgets(budgets: set[int]) -> dict[int, int]:
    """{budget: the one at the top of its family}."""
    parents = dict(Budget.objects.exclude(parent=None).values_list("pk", "parent"))
    return {budget: [budget, *all_above(budget, parents)][-1] for budget in budgets}


def _post_to_channels(now: datetime) -> int:
    """Posts what is due, each message once; a channel that does not answer is not asked again in this run."""
    count, last, silent = 0, 0, set[int]()
    while delivery := _claim_channel_message(now, last, silent):
        last = delivery.pk
        with _noting([delivery], now):
            count += _post_to_channel(delivery, now, silent)
    return count


def _claim_channel_message(now: datetime, last: int, silent: set[int]) -> AlertDelivery | None:
    """The next message for a channel that no worker holds, or whose worker has been silent for too long."""
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM)
    with transaction.atomic():
        due = _due(now).exclude(channel="mail").filter(free, pk__gt=last).exclude(recipient__in=silent)
        delivery = due.select_for_update(skip_locked=True, of=("self",)).first()
        if delivery:
            delivery.claimed_at, delivery.attempts = now, delivery.attempts + 1
            delivery.save(update_fields=["claimed_at", "attempts"])
        return delivery


def _post_to_channel(delivery: AlertDelivery, now: datetime, silent: set[int]) -> int:
    """Posts it or puts it off; 1 once it was posted, put off or refused for good."""
    if not _still_right([delivery], now):
        return 1
    row = AlertDelivery.objects.filter(pk=delivery.pk, outcome="")
    not_before = _not_before(delivery, now)
    if not_before:
        return row.update(not_before=not_before, claimed_at=None, attempts=delivery.attempts - 1)
    try:
        channels.send_to_channel(delivery, now)
    except Undeliverable as reason:
        if reason.temporary and delivery.recipient_id:
            silent.add(delivery.recipient_id)
        _note_failure(delivery, reason, now)
        return 1
    return row.update(outcome=AlertDelivery.Outcome.SENT, sent_at=now, problem="")
