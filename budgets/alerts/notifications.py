"""From queued messages to mail and channels: each told once, at the hour its reader wants it.

A message for a mailbox becomes a letter of the outbox (finops_site/mail/outbox.py) in one transaction with the note
of which letter that is; what the mail server says comes back from there. Messages for one address about budgets of
one family are one letter, because they have one cause. A channel is claimed, posted to and marked; a receiver can tell
a second try by X-FinOps-Delivery.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q

from budgets.alerts import channels, emails
from budgets.calc.quiet_hours import may_tell_at, next_digest
from budgets.models import AlertDelivery, Budget, Recipient
from finops_site.lib.http_client import Undeliverable
from finops_site.mail import outbox

AT_A_TIME = 500
CLAIM = timedelta(minutes=5)
MOST_TRIES = 8

# What became of a letter is what became of the messages in it.
SETTLE = """
    UPDATE budgets_alertdelivery delivery
    SET outcome = CASE letter.outcome WHEN 'sent' THEN 'sent' WHEN 'refused' THEN 'failed' ELSE 'unknown' END,
        sent_at = letter.sent_at, attempts = letter.attempts, problem = letter.server_reply
    FROM finops_site_outgoingemail letter
    WHERE letter.message_id = delivery.message_id AND delivery.message_id <> '' AND delivery.outcome = ''
        AND letter.outcome <> 'waiting'
"""


def tell_waiting(now: datetime) -> int:
    """Writes the letters and posts to the channels that are due; returns how many messages that were."""
    settle()
    told = 0
    while batch := _write_letters(now):
        told += batch
    while delivery := _claim_channel(now):
        told += _post(delivery, now)
    return told


def settle() -> int:
    """Takes over what the mail servers have said since; returns of how many messages."""
    with connection.cursor() as cursor:
        cursor.execute(SETTLE)
        return int(cursor.rowcount)


@transaction.atomic
def _write_letters(now: datetime) -> int:
    """Up to AT_A_TIME messages: put off, or written; 0 when none is due."""
    due = Q(not_before=None) | Q(not_before__lte=now)
    waiting = AlertDelivery.objects.waiting().filter(due, channel="mail", message_id="")
    batch = list(_with_all(waiting).order_by("pk").select_for_update(skip_locked=True, of=("self",))[:AT_A_TIME])
    ready = []
    for delivery in batch:
        later = _later(delivery, now)
        if later is None:
            ready.append(delivery)
        delivery.not_before = later
    AlertDelivery.objects.bulk_update([each for each in batch if each.not_before], ["not_before"])
    for group in _groups(ready):
        _write(group, now)
    return len(batch)


def _with_all(rows: Any) -> Any:
    return rows.select_related("alert__budget", "alert__period", "alert__threshold", "recipient", "user")


def _later(delivery: AlertDelivery, now: datetime) -> datetime | None:
    """When it may be told if not now: a digest waits for its morning, everything for the end of quiet hours."""
    rule = delivery.recipient
    zone = (rule and rule.time_zone) or (delivery.user and delivery.user.time_zone) or "UTC"
    if _is_digest(delivery) and delivery.not_before is None:
        return next_digest(now, zone)
    if rule is None:
        return None
    at = may_tell_at(now, rule.quiet_from, rule.quiet_until, zone)
    return at if at > now else None


def _is_digest(delivery: AlertDelivery) -> bool:
    """Who wants a digest hears of what is critical at once all the same."""
    wants = delivery.recipient is not None and delivery.recipient.when == Recipient.When.DIGEST
    return wants and emails.gravity_of(delivery.alert) != emails.CRITICAL


def _groups(ready: Sequence[AlertDelivery]) -> Iterable[list[AlertDelivery]]:
    """What goes into one letter: all of a digest, else what one address hears about one family of budgets."""
    roots = _roots({each.alert.budget_id for each in ready})
    found: dict[tuple[Any, ...], list[AlertDelivery]] = defaultdict(list)
    for each in ready:
        family = "digest" if _is_digest(each) else (roots[each.alert.budget_id], each.occasion.split(":")[0])
        found[(each.address, family)].append(each)
    return found.values()


def _roots(budgets: set[int]) -> dict[int, int]:
    """{budget: the one at the top of its family}."""
    parents = dict(Budget.objects.exclude(parent=None).values_list("pk", "parent"))
    return {pk: _root(pk, parents) for pk in budgets}


def _root(pk: int, parents: dict[int, int]) -> int:
    seen = {pk}
    while (above := parents.get(pk)) is not None and above not in seen:
        pk = above
        seen.add(pk)
    return pk


def _write(group: list[AlertDelivery], now: datetime) -> None:
    first = emails.order(group)[0]
    key = f"alert {first.alert_id} {first.occasion} to {first.address}"
    mail = emails.message(group, digest=_is_digest(first), as_of=now.date())
    outbox.queue_email(key, mail, now=now)
    AlertDelivery.objects.filter(pk__in=[each.pk for each in group]).update(
        message_id=outbox.message_id(key), claimed_at=now, claimed_by="outbox"
    )


def _claim_channel(now: datetime) -> AlertDelivery | None:
    """The next message for a channel that nobody holds, or whose holder has been silent for too long."""
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM)
    due = Q(not_before=None) | Q(not_before__lte=now)
    with transaction.atomic():
        waiting = AlertDelivery.objects.waiting().exclude(channel="mail").filter(free, due)
        rows = _with_all(waiting).order_by("pk").select_for_update(skip_locked=True, of=("self",))
        delivery = rows.first()
        if delivery:
            delivery.claimed_at, delivery.attempts = now, delivery.attempts + 1
            delivery.save(update_fields=["claimed_at", "attempts"])
        return delivery


def _post(delivery: AlertDelivery, now: datetime) -> int:
    later = _later(delivery, now)
    if later:
        return _mark(delivery, not_before=later, claimed_at=None, attempts=delivery.attempts - 1)
    try:
        channels.send(delivery, now)
    except (Undeliverable, ValidationError) as reason:
        return _not_taken(delivery, reason, now)
    return _mark(delivery, outcome=AlertDelivery.Outcome.SENT, sent_at=now, problem="")


def _not_taken(delivery: AlertDelivery, reason: Exception, now: datetime) -> int:
    """What may pass is tried again after 1, 2, 4 … minutes; the rest is written down as failed."""
    words = "; ".join(reason.messages) if isinstance(reason, ValidationError) else str(reason)
    if getattr(reason, "passing", False) and delivery.attempts < MOST_TRIES:
        pause = timedelta(minutes=2 ** (delivery.attempts - 1))
        return _mark(delivery, not_before=now + pause, claimed_at=None, problem=words)
    return _mark(delivery, outcome=AlertDelivery.Outcome.FAILED, problem=words)


def _mark(delivery: AlertDelivery, **fields: Any) -> int:
    return AlertDelivery.objects.filter(pk=delivery.pk, outcome="").update(**fields)
