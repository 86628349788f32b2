"""The outbox as a queue of messages: how it is, what it could not send, and another try."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Case, Count, F, Min, Q, QuerySet, When
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext

from finops_site.celery import task
from finops_site.lib.person import Person
from finops_site.lib.words import number_text
from finops_site.models import OutgoingEmail
from finops_site.registry import OutgoingEmailCheck, PendingDecision, QueueState, UnsentMessage, registry

WEEK = timedelta(days=7)
# A message that has waited longer than this is stuck.
LONG_WAIT = timedelta(hours=1)
MOST = 1000
Outcome = OutgoingEmail.Outcome
# A failure moves the hour of the next try; what failed has been due since it was written.
DUE_SINCE = Case(When(attempts=0, then=F("send_after")), default=F("created_at"))


def _is_due(now: datetime) -> Q:
    return Q(outcome=Outcome.WAITING) & (Q(send_after__lte=now) | Q(attempts__gt=0))


def _due(now: datetime) -> QuerySet:
    return OutgoingEmail.objects.filter(_is_due(now)).annotate(since=DUE_SINCE)


def state(now: datetime) -> QueueState:
    counts = OutgoingEmail.objects.aggregate(
        waiting=Count("pk", filter=Q(outcome=Outcome.WAITING)),
        oldest=Min(DUE_SINCE, filter=_is_due(now)),
        failed=Count("pk", filter=Q(outcome__in=[Outcome.REFUSED, Outcome.UNKNOWN], created_at__gt=now - WEEK)),
    )
    return QueueState(counts["waiting"], counts["oldest"], counts["failed"])


def may_look(user: Person) -> bool:
    """Whoever runs the system: e-mails of all people are named here."""
    return user.has_perm("finops_site.view_outgoingemail")


def unsent(user: Person) -> list[UnsentMessage]:
    """What was refused, what has an unknown outcome and what waits for another try; the newest first.

    What another queue wrote is shown by that queue once it has ended.
    """
    if not may_look(user):
        return []
    ended = Q(outcome__in=[Outcome.REFUSED, Outcome.UNKNOWN])
    for check in (one for one in registry.of(OutgoingEmailCheck) if one.is_listed_elsewhere):
        ended &= ~Q(key__startswith=check.prefix)
    tried = ended | Q(outcome=Outcome.WAITING, attempts__gt=0)
    words = {Outcome.REFUSED: "failed", Outcome.UNKNOWN: "sent, or not", Outcome.WAITING: "waits for another try"}
    return [
        UnsentMessage(
            "emails",
            email.pk,
            email.created_at,
            email.to,
            email.subject,
            words[Outcome(email.outcome)],
            email.attempts,
            email.server_reply,
        )
        for email in OutgoingEmail.objects.filter(tried).defer("content").order_by("-created_at", "-pk")[:MOST]
    ]


def retry(user: Person, pks: Sequence[int], now: datetime) -> int:
    """They wait again, and are sent at once; one whose content was cleared by age stays as it is."""
    if not may_look(user):
        return 0
    again = OutgoingEmail.objects.filter(pk__in=pks, claimed_until=None).exclude(content=b"")
    tried = again.filter(outcome__in=[Outcome.REFUSED, Outcome.UNKNOWN, Outcome.WAITING])
    count = tried.update(
        outcome=Outcome.WAITING, send_after=now, created_at=now, attempts=0, handed_over_at=None, may_be_duplicate=False
    )
    task("finops_site.tasks.send_outgoing_emails").delay_on_commit()
    return count


def stuck_for(user: Person) -> QuerySet:
    """The e-mails that have waited for too long, for home; an e-mail about it may be stuck itself."""
    now = timezone.now()
    return _due(now).filter(since__lt=now - LONG_WAIT)


def stuck_decisions(user: Person, rows: QuerySet) -> list[PendingDecision]:
    count = rows.count()
    text = ngettext(
        "{count} e-mail waits for more than an hour: look at Health",
        "{count} e-mails wait for more than an hour: look at Health",
        count,
    )
    return [PendingDecision(text.format(count=number_text(count)), reverse("health"))]
