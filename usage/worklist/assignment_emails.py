"""The mail to somebody who is given findings: one for each time, whatever their number."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse

from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from usage.models import Finding
from usage.worklist.finding_texts import explanation, headline

NAMED = 10


def queue(
    rows: Sequence[Finding], assignee: User, *, by: User, due_day: date | None, event: int, now: datetime
) -> bool:
    """Queues the mail to who was given `rows`; `event` is the first entry in their histories, and names the mail."""
    one = rows[0].get_absolute_url() if len(rows) == 1 else ""
    url = absolute_url(one or f"{reverse('usage:findings')}?assignee=me")

    def context() -> dict[str, Any]:
        listed = sorted(rows, key=lambda row: -(row.counted_saving or 0))[:NAMED]
        return {
            "by": by,
            "count": len(rows),
            "due_day": due_day,
            "headline": headline(rows[0]) if one else "",
            "rows": [(row, headline(row), explanation(row)) for row in listed],
            "more": len(rows) - len(listed),
            "sums": sums_of(rows),
            "unknown": sum(row.counted_saving is None for row in rows),
            "url": url,
        }

    message = make_message("finding-assigned", assignee.email, context, url=url)
    return outbox.queue_email(f"findings of event {event} to {assignee.email}", message, now=now)


def sums_of(rows: Sequence[Finding]) -> list[tuple[str, Decimal]]:
    """(currency, sum of what is counted), of those whose saving is known."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.counted_saving is not None:
            sums[row.currency] += row.counted_saving
    return sorted(sums.items())
