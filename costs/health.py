"""What costs shows on the page Health, and checks at night."""

from datetime import date, datetime

from django.urls import reverse

from costs.models import Source
from costs.reconciliation import reconcile
from costs.sources.health import source_health, with_last_delivery
from finops_site.registry import HealthState, HealthStatus

# A source's state as the pages of health show it.
STATES = {
    "good": HealthState.GOOD,
    "late": HealthState.BROKEN,
    "failing": HealthState.BROKEN,
    "new": HealthState.NOTHING_YET,
}


def sources(now: datetime) -> list[HealthStatus]:
    """Each source in use, as its list shows it."""
    statuses = []
    for source in with_last_delivery(Source.objects.filter(is_enabled=True)).order_by("name"):
        health = source_health(source, source.last_delivery, now)
        statuses.append(HealthStatus(source.name, STATES[health.state], health.words, reverse("costs:sources")))
    return statuses


def reconcile_nightly(as_of: date) -> str:
    """Every invariant of the cost data; raises RuntimeError naming those that do not hold."""
    checks = reconcile()
    broken = [f"{check.invariant} ({check.about})" for check in checks if not check.holds]
    if broken:
        raise RuntimeError(f"{len(broken)} of {len(checks)} checks of the books do not hold: {'; '.join(broken[:5])}")
    return f"All {len(checks)} checks of the books hold."
