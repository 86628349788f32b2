"""How each source is: in time, late, failing or new; and the mail to finance about a bill that is overdue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils.translation import gettext as _

from costs.models import Delivery, Source
from finops_site.lib.words import counted
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import FINANCE

# A bill is late after so many times the usual time between two.
GRACE = 1.25


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source's state, ``good``, ``late``, ``failing`` or ``new``, with the sentence beside it."""

    state: str
    words: str


def source_health(source: Source, last: datetime | None, now: datetime) -> SourceHealth:
    """How a source is, from its last delivery and its last synchronisation."""
    expected = source.expected_every_hours
    if source.sync == Source.Sync.FAILED:
        return SourceHealth("failing", _("The last look failed: {problem}").format(problem=source.sync_message))
    if last is None:
        return SourceHealth("new", _("No bill has come yet."))
    hours = int((now - last).total_seconds() // 3600)
    age = f"{hours} h" if hours < 72 else counted(hours // 24, "day")
    words = _("Last delivery {age} ago, expected every {expected} h.") if expected else _("Last delivery {age} ago.")
    words = words.format(age=age, expected=expected)
    return SourceHealth("late" if is_late(source, last, now) else "good", words)


def is_late(source: Source, last: datetime | None, now: datetime) -> bool:
    """Whether the next bill is overdue by more than a quarter of the time between two."""
    if not source.expected_every_hours or not source.is_enabled:
        return False
    since = last or source.created_at
    return now - since > timedelta(hours=source.expected_every_hours * GRACE)


def with_last_delivery(sources: QuerySet) -> QuerySet:
    """Sources with `last_delivery`, when their last good bill was received; one without rows brings nothing."""
    good = ~Q(deliveries__status__in=[Delivery.Status.FAILED, Delivery.Status.EMPTY])
    return sources.annotate(last_delivery=Max("deliveries__received_at", filter=good))


def warn_of_late_bills(now: datetime) -> int:
    """Mails finance about sources whose bill is overdue, once for each time it is; returns how many were new.

    Whoever mails first writes down the last bill that the source is late after.
    """
    sources = with_last_delivery(Source.objects.all())
    late = [source for source in sources if is_late(source, source.last_delivery, now)]
    with transaction.atomic():
        unwarned = []
        for source in late:
            since = source.last_delivery or source.created_at
            if Source.objects.filter(pk=source.pk).exclude(warned_after=since).update(warned_after=since):
                unwarned.append(source)
        if unwarned:
            _mail_finance(unwarned, now)
    return len(unwarned)


def _mail_finance(late: Sequence[Any], now: datetime) -> None:
    """`late`: sources with their last delivery (with_last_delivery)."""

    def context() -> dict[str, Any]:
        rows = [{"source": source, "words": source_health(source, source.last_delivery, now).words} for source in late]
        return {"rows": rows, "url": absolute_url("/sources/")}

    key = ", ".join(
        f"{source.pk} since {source.last_delivery or source.created_at:%Y-%m-%dT%H:%M:%S}" for source in late
    )
    for user in User.objects.in_role(FINANCE):
        message = make_message("source-late", user.email, context)
        outbox.queue_email(f"late bills of {key} to {user.email}"[:300], message, now=now)
