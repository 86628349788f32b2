"""Tickets as a queue: how it is, which trackers did not take theirs, and another try."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet

from finops_site.celery import task
from finops_site.lib.person import Person
from finops_site.registry import QueueState, UnsentMessage
from usage.models import Ticket
from usage.worklist.finding_texts import headline
from usage.worklist.tickets import TICKET

WEEK = timedelta(days=7)
MOST = 1000
WORDS = {Ticket.State.FAILED: "failed", Ticket.State.WAITING: "waits for another try"}


def state(now: datetime) -> QueueState:
    waiting, failed = Q(state=Ticket.State.WAITING), Q(state=Ticket.State.FAILED, made_at__gt=now - WEEK)
    # A failure moves the hour of the next try; what failed has been due since it was asked for.
    due = waiting & (Q(send_after__lte=now) | Q(attempts__gt=0))
    counts = Ticket.objects.aggregate(
        waiting=Count("pk", filter=waiting), oldest=Min("made_at", filter=due), failed=Count("pk", filter=failed)
    )
    return QueueState(counts["waiting"], counts["oldest"], counts["failed"])


def may_retry(user: Person) -> bool:
    """Who may ask for tickets."""
    return user.has_perm(TICKET)


def unsent(user: Person) -> list[UnsentMessage]:
    """What was not made, and what waits for another try, of the findings that she sees; the newest first."""
    if not user.has_perm("usage.view_finding"):
        return []
    rows = _tried(user).select_related("finding", "tracker").order_by("-made_at", "-pk")
    return [
        UnsentMessage(
            "tickets",
            row.pk,
            row.made_at,
            row.tracker.name if row.tracker else row.system,
            headline(row.finding),
            WORDS[Ticket.State(row.state)],
            row.attempts,
            row.message,
            row.finding.get_absolute_url(),
        )
        for row in rows[:MOST]
    ]


def retry(user: Person, pks: Sequence[int], now: datetime) -> int:
    """They wait again, and are made at once; one that a worker is making at this moment is left alone."""
    if not may_retry(user):
        return 0
    rows = _tried(user).filter(pk__in=pks, claimed_until=None)
    count = Ticket.objects.filter(pk__in=rows.values("pk")).update(
        state=Ticket.State.WAITING, attempts=0, send_after=now, made_at=now, message=""
    )
    task("usage.worklist.tasks.send_tickets").delay_on_commit()
    return count


def _tried(user: Person) -> QuerySet[Ticket]:
    return Ticket.objects.visible_to(user).filter(
        Q(state=Ticket.State.FAILED) | Q(state=Ticket.State.WAITING, attempts__gt=0)
    )
