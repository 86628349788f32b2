"""What home shows of the system to who runs it: what is not well, and the messages that were not sent."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from finops_site.ops import health
from finops_site.ops.health_views import BADGES
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import HealthState, MessageQueue, registry

SHOWN = 5
UNWELL = {state: BADGES[state] for state in (HealthState.BROKEN, HealthState.WARNING)}


def health_panel(request: HttpRequest) -> dict[str, Any]:
    """What is broken, then what one should look at, each with its reason; how much is well."""
    statuses = [(group.title, status) for group in health.groups(timezone.now()) for status in group.statuses]
    unwell = [(title, status, *UNWELL[status.state]) for title, status in statuses if status.state in UNWELL]
    unwell.sort(key=lambda row: row[1].state != HealthState.BROKEN)
    return {"unwell": unwell, "well": len(statuses) - len(unwell)}


def unsent_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The newest messages that could not be sent."""
    user = signed_in_user(request)
    rows = [row for queue in registry.of(MessageQueue) for row in queue.unsent(user)]
    rows.sort(key=lambda row: row.at, reverse=True)
    return {"rows": rows[:SHOWN], "count": len(rows)} if rows else None
