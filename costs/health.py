"""What costs shows on the page Health, and looks after at night."""

from datetime import date, datetime

from django.urls import reverse

from costs import reconciliation
from costs.models import Source
from costs.sources import sync
from costs.web.source_tables import LIGHTS
from finops_site.registry import HealthState, HealthStatus


def sources(now: datetime) -> list[HealthStatus]:
    """Each source in use, as its list shows it."""
    found = sync.with_last_delivery(Source.objects.filter(is_enabled=True)).order_by("name")
    return [_light(source, now) for source in found]


def _light(source: Source, now: datetime) -> HealthStatus:
    health = sync.health(source, source.last_delivery, now)
    return HealthStatus(source.name, HealthState(LIGHTS[health.state][1]), health.words, reverse("costs:sources"))


def reconcile_nightly(as_of: date) -> str:
    """Every invariant of the books; raises RuntimeError naming those that do not hold."""
    checks = reconciliation.reconcile()
    broken = [f"{check.invariant} ({check.about})" for check in checks if not check.holds]
    if broken:
        raise RuntimeError(f"{len(broken)} of {len(checks)} checks of the books do not hold: {'; '.join(broken[:5])}")
    return f"All {len(checks)} checks of the books hold."
