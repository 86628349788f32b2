"""What connections show on the page Health."""

from datetime import datetime

from django.urls import reverse

from finops_site.registry import HealthState, HealthStatus
from usage.models import Connection

STATES = {
    Connection.State.NEVER: HealthState.NOTHING_YET,
    Connection.State.RUNNING: HealthState.GOOD,
    Connection.State.DONE: HealthState.GOOD,
    Connection.State.PARTLY: HealthState.WARNING,
    Connection.State.FAILED: HealthState.BROKEN,
}


def connections(now: datetime) -> list[HealthStatus]:
    """Each connection that is read every day, as its list shows it."""
    rows = Connection.objects.filter(is_enabled=True).order_by("name")
    return [
        HealthStatus(
            row.name,
            STATES[Connection.State(row.state)],
            row.message or str(row.get_state_display()),
            reverse("usage:connections"),
        )
        for row in rows
    ]
