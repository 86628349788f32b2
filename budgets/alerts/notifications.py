"""Sends the queued messages by mail and to channels: each once, at the hour its reader wants it.

Messages for a mailbox become an e-mail of the outbox (finops_site/mail/outbox.py), in one transaction with the note of
which e-mail that is; its outcome is taken over from there. Messages for one address about budgets of one family are one
e-mail, because they have one cause. A channel's message is claimed, posted and marked; the receiver recognises a second
try by X-FinOps-Delivery.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from budgets.alerts import channels, emails
from budgets.alerts.alert_summary import alert_severity
from budgets.calc.headlines import CRITICAL
from budgets.calc.quiet_hours import earliest_sending, next_digest
from budgets.models import AlertDelivery, Budget, Recipient
from finops_site.lib.http_client import Undeliverable
from finops_site.mail import outbox

AT_A_TIME = 500
CLAIM = timedelta(minutes=5)
MOST_TRIES = 8

# The outcome of an e-mail is the outcome of the messages in it.
UPDATE_OUTCOMES = """
    UPDATE budgets_alertdelivery delivery
    SET outcome = CASE email.outcome WHEN 'sent' THEN 'sent' WHEN 'refused' THEN 'failed' ELSE 'unknown' END,
        sent_at = email.sent_at, attempts = email.attempts, problem = email.server_reply
    FROM finops_site_outgoingemail email
    WHERE email.message_id = delivery.message_id AND delivery.message_id <> '' AND delivery.outcome = ''
        AND email.outcome <> 'waiting'
"""


def send_due_notifications(now: datetime) -> int:
    """Writes the e-mails and posts to the channels that are due; returns how many messages that were."""
    update_outcomes()
    count = 0
    while batch := _write_due_emails(now):
        count += batch
    while delivery := _claim_channel_message(now):
        count += _post_to_channel(delivery, now)
    return count


def update_outcomes() -> int:
    """Takes over what the mail servers have answered since; returns of how many messages."""
    with connection.cursor() as cursor:
        cursor.execute(UPDATE_OUTCOMES)
        return int(cursor.rowcount)


def _due_messages(now: datetime) -> QuerySet[AlertDelivery]:
    due = AlertDelivery.objects.queued().filter(Q(not_before=None) | Q(not_before__lte=now)).order_by("pk")
    related = due.select_related("alert__budget", "alert__period", "alert__threshold", "recipient", "user")
    return related.select_for_update(skip_locked=True, of=("self",))


@transaction.atomic
def _write_due_emails(now: datetime) -> int:
    """Up to AT_A_TIME messages: put off, or written; 0 when none is due."""
    batch = list(_due_messages(now).filter(channel="mail", message_id="")[:AT_A_TIME])
    for delivery in batch:
        delivery.not_before = _not_before(delivery, now)
    ready = [delivery for delivery in batch if delivery.not_before is None]
    AlertDelivery.objects.bulk_update([delivery for delivery in batch if delivery.not_before], ["not_before"])
    roots = _root_budgets({delivery.alert.budget_id for delivery in ready})
    # One e-mail for all of a digest, else for what one address hears about one family of budgets.
    groups: dict[tuple[str, object], list[AlertDelivery]] = defaultdict(list)
    for delivery in ready:
        occasion = delivery.occasion.split(":")[0]
        family = "digest" if _waits_for_digest(delivery) else (roots[delivery.alert.budget_id], occasion)
        groups[(delivery.address, family)].append(delivery)
    for group in groups.values():
        first = emails.severest_first(group)[0]
        key = f"alert {first.alert_id} {first.occasion} to {first.address}"
        mail = emails.build_alert_email(group, digest=_waits_for_digest(first), as_of=now.date())
        outbox.queue_email(key, mail, now=now)
        AlertDelivery.objects.filter(pk__in=[delivery.pk for delivery in group]).update(
            message_id=outbox.message_id(key), claimed_at=now, claimed_by="outbox"
        )
    return len(batch)


def _not_before(delivery: AlertDelivery, now: datetime) -> datetime | None:
    """When it may be sent if not now: a digest waits for its morning, everything for the end of quiet hours."""
    recipient = delivery.recipient
    zone = (recipient and recipient.time_zone) or (delivery.user and delivery.user.time_zone) or "UTC"
    if _waits_for_digest(delivery) and delivery.not_before is None:
        return next_digest(now, zone)
    if recipient is None:
        return None
    at = earliest_sending(now, recipient.quiet_from, recipient.quiet_until, zone)
    return at if at > now else None


def _waits_for_digest(delivery: AlertDelivery) -> bool:
    """Whoever wants a digest is notified of what is critical at once all the same."""
    wants = delivery.recipient is not None and delivery.recipient.when == Recipient.When.DIGEST
    return wants and alert_severity(delivery.alert) != CRITICAL


def _root_budgets(budgets: set[int]) -> dict[int, int]:
    """{budget: the one at the top of its family}."""
    parents = dict(Budget.objects.exclude(parent=None).values_list("pk", "parent"))
    roots = {}
    for budget in budgets:
        root, visited = budget, {budget}
        while (parent := parents.get(root)) is not None and parent not in visited:
            root = parent
            visited.add(root)
        roots[budget] = root
    return roots


def _claim_channel_message(now: datetime) -> AlertDelivery | None:
    """The next message for a channel that no worker holds, or whose worker has been silent for too long."""
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM)
    with transaction.atomic():
        delivery = _due_messages(now).exclude(channel="mail").filter(free).first()
        if delivery:
            delivery.claimed_at, delivery.attempts = now, delivery.attempts + 1
            delivery.save(update_fields=["claimed_at", "attempts"])
        return delivery


def _post_to_channel(delivery: AlertDelivery, now: datetime) -> int:
    """Posts it or puts it off; a temporary failure is tried again after 1, 2, 4 … minutes. Returns 1 once written."""
    row = AlertDelivery.objects.filter(pk=delivery.pk, outcome="")
    not_before = _not_before(delivery, now)
    if not_before:
        return row.update(not_before=not_before, claimed_at=None, attempts=delivery.attempts - 1)
    try:
        channels.send_to_channel(delivery, now)
    except (Undeliverable, ValidationError) as reason:
        problem = "; ".join(reason.messages) if isinstance(reason, ValidationError) else str(reason)
        if getattr(reason, "temporary", False) and delivery.attempts < MOST_TRIES:
            pause = timedelta(minutes=2 ** (delivery.attempts - 1))
            return row.update(not_before=now + pause, claimed_at=None, problem=problem)
        return row.update(outcome=AlertDelivery.Outcome.FAILED, problem=problem)
    return row.update(outcome=AlertDelivery.Outcome.SENT, sent_at=now, problem="")
