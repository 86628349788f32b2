"""What costs shows on the page Health, and checks at night."""

from datetime import date, datetime

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from costs import retention
from costs.models import Delivery, ExportPlace, Source
from costs.reconciliation import reconcile
from costs.sources.health import source_health, with_last_delivery
from finops_site.lib.periods import day_text, moment_text
from finops_site.people.demo_rows import without_demo
from finops_site.registry import HealthState, HealthStatus, NightlyCheckFailed

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


def a_bill_counts() -> bool:
    """Whether a bill of the company itself counts."""
    return without_demo(Delivery.objects.filter(status=Delivery.Status.CURRENT)).exists()


def bill_files(now: datetime) -> list[HealthStatus]:
    """The disk that bills as delivered take, and what of it belongs to bills that no longer count."""
    use = retention.disk_use()
    message = f"{filesizeformat(use['stored'])}, of which {filesizeformat(use['ended'])} no longer count"
    if use["removed"]:
        day = day_text(use["last_removed_at"])
        message += f"; {filesizeformat(use['removed'])} given up so far, the last on {day}"
    duration = f"kept for {use['days']} days" if use["days"] > 0 else "kept for ever"
    url = reverse("costs:deliveries")
    return [HealthStatus("As delivered", HealthState.GOOD, f"{message}. They are {duration}.", url)]


def export_places(now: datetime) -> list[HealthStatus]:
    """Each place that gets FOCUS files every night."""
    statuses = []
    for place in ExportPlace.objects.filter(is_enabled=True):
        state = (
            HealthState.BROKEN if place.problem else HealthState.GOOD if place.written_at else HealthState.NOTHING_YET
        )
        written = f"written {moment_text(place.written_at)}" if place.written_at else "nothing written yet"
        words = f"{place.problem} Before: {written}." if place.problem else written
        statuses.append(HealthStatus(place.name, state, words, reverse("costs:exports")))
    return statuses


def prune_nightly(as_of: date) -> str:
    """Gives up files of bills that stopped counting long ago; fails where the archive cannot take them."""
    try:
        pruning = retention.prune_files(timezone.now())
    except OSError as error:
        raise NightlyCheckFailed(f"Nothing was given up: {error}") from None
    if pruning.problems:
        raise NightlyCheckFailed(f"Some files could not be given up: {'; '.join(pruning.problems.values())}")
    return retention.pruning_words(pruning)


def reconcile_nightly(as_of: date) -> str:
    """Every invariant of the cost data; raises RuntimeError naming those that do not hold."""
    checks = reconcile()
    broken = [f"{check.invariant} ({check.about})" for check in checks if not check.holds]
    if broken:
        raise RuntimeError(f"{len(broken)} of {len(checks)} checks of the books do not hold: {'; '.join(broken[:5])}")
    return f"All {len(checks)} checks of the books hold."
