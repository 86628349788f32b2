"""The messages of alerts as a queue: how it is, what could not be sent, and another try."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Case, Count, F, Min, Q, QuerySet, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from budgets.models import AlertDelivery
from budgets.querysets import QUEUED
from finops_site.celery import task
from finops_site.lib.person import Person
from finops_site.models import OutgoingEmail
from finops_site.registry import QueueState, UnsentMessage

WEEK = timedelta(days=7)
MOST = 1000
WORDS = {"failed": "failed", "unknown": "sent, or not", "": "waits for another try"}
# Not due before quiet hours or a digest let it; what failed has been due since it was queued.
DUE_SINCE = Case(When(attempts=0, then=Coalesce("not_before", "queued_at")), default=F("queued_at"))


def state(now: datetime) -> QueueState:
    """Of what is not written yet: what is, waits in the outbox."""
    queued = QUEUED & Q(message_id="")
    due = queued & (Q(not_before=None) | Q(not_before__lte=now) | Q(attempts__gt=0))
    failed = Q(outcome__in=["failed", "unknown"], queued_at__gt=now - WEEK)
    counts = AlertDelivery.objects.aggregate(
        waiting=Count("pk", filter=queued), oldest=Min(DUE_SINCE, filter=due), failed=Count("pk", filter=failed)
    )
    return QueueState(counts["waiting"], counts["oldest"], counts["failed"])


def may_retry(user: Person) -> bool:
    """Who looks after alerts, and who runs the system."""
    return user.has_perm("budgets.change_alert") or user.has_perm("finops_site.view_outgoingemail")


def unsent(user: Person) -> list[UnsentMessage]:
    """What failed, what has an unknown outcome and what waits for another try; the newest first."""
    if not user.has_perm("budgets.view_alert"):
        return []
    rows = _tried(user).select_related("alert__budget", "alert__threshold__budget").order_by("-queued_at", "-pk")
    return [
        UnsentMessage(
            "alerts",
            row.pk,
            row.queued_at,
            row.address,
            f"{row.alert}, {row.occasion_words}",
            WORDS[row.outcome],
            row.attempts,
            row.problem,
            row.alert.get_absolute_url(),
        )
        for row in rows[:MOST]
    ]


def retry(user: Person, pks: Sequence[int], now: datetime) -> int:
    """They are written again, with today's figures and to whoever is to read them today, and sent at once."""
    if not may_retry(user):
        return 0
    rows = _tried(user).filter(pk__in=pks)
    replaced = list(rows.exclude(message_id="").values_list("message_id", flat=True))
    OutgoingEmail.objects.filter(message_id__in=replaced).exclude(outcome="sent").update(
        outcome=OutgoingEmail.Outcome.CANCELLED, server_reply=_("it was written again by hand")
    )
    count = rows.update(
        outcome="",
        message_id="",
        attempts=0,
        not_before=None,
        claimed_at=None,
        claimed_by="",
        sent_at=None,
        queued_at=now,
    )
    task("budgets.tasks.send_notifications").delay_on_commit()
    return count


def _tried(user: Person) -> QuerySet[AlertDelivery]:
    tried = Q(outcome__in=["failed", "unknown"]) | Q(outcome="", message_id="", attempts__gt=0)
    return AlertDelivery.objects.visible_to(user).filter(tried)
