"""What costs shows on the page Health, and checks at night."""

from collections.abc import Iterator
from datetime import date, datetime

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs import retention
from costs.models import Delivery, DeliveryFile, ExportPlace, Source
from costs.reconciliation import Check, reconcile
from costs.sources.health import source_health, with_last_delivery
from finops_site.files.product import probe, product_files
from finops_site.lib.periods import Month, day_text, moment_text
from finops_site.ops import audit_health
from finops_site.people.demo_rows import without_demo
from finops_site.registry import HealthState, HealthStatus, NightlyCheckFailed

WHOLE = "whole"
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


def audit_checks(month: Month | None) -> Iterator[Check]:
    """That the audit log is as it was sealed, and written of every table: asked with all months."""
    if month is None:
        problems = "; ".join(audit_health.problems()) or WHOLE
        yield Check("the audit log = as it was sealed", "every entry", problems, WHOLE)


def a_bill_counts() -> bool:
    """Whether a bill of the company itself counts."""
    return without_demo(Delivery.objects.filter(status=Delivery.Status.CURRENT)).exists()


def bill_files(now: datetime) -> list[HealthStatus]:
    """The disk that bills as delivered take, and what of it belongs to bills that no longer count."""
    use, url = retention.disk_use(), reverse("costs:deliveries")
    if problem := _not_there():
        return [HealthStatus(_("As delivered"), HealthState.BROKEN, problem, url)]
    message = _("{stored}, of which {ended} no longer count").format(
        stored=filesizeformat(use["stored"]), ended=filesizeformat(use["ended"])
    )
    if use["removed"]:
        day = day_text(use["last_removed_at"])
        given_up = _("{removed} given up so far, the last on {day}").format(
            removed=filesizeformat(use["removed"]), day=day
        )
        message = f"{message}; {given_up}"
    words = (
        ngettext("{message}. They are kept for {days} day.", "{message}. They are kept for {days} days.", use["days"])
        if use["days"] > 0
        else _("{message}. They are kept for ever.")
    )
    return [
        HealthStatus(
            _("As delivered"),
            HealthState.GOOD,
            words.format(message=message, days=use["days"]),
            url,
        )
    ]


def _not_there() -> str:
    """Why the files of the newest bill that counts cannot be read; empty where they can."""
    newest = Delivery.objects.filter(status=Delivery.Status.CURRENT, files_removed_at=None).order_by("-pk")
    files = list(DeliveryFile.objects.filter(delivery__in=newest.values("pk")[:1]).select_related("delivery"))
    if not files:
        return ""
    delivery = files[0].delivery
    try:
        # Asked in a hurry first: nobody waits long for this page.
        probe()
        names = product_files().list(delivery.place)
    except OSError as error:
        return str(error)
    if all(file.place in names for file in files):
        return ""
    return _("{address} lacks files of {delivery}: is it the place (FINOPS_FILES) where they were put?").format(
        address=product_files().address, delivery=delivery
    )


def export_places(now: datetime) -> list[HealthStatus]:
    """Each place that gets FOCUS files every night."""
    statuses = []
    for place in ExportPlace.objects.filter(is_enabled=True):
        state = (
            HealthState.BROKEN if place.problem else HealthState.GOOD if place.written_at else HealthState.NOTHING_YET
        )
        written = (
            _("written {written_at}").format(written_at=moment_text(place.written_at))
            if place.written_at
            else _("nothing written yet")
        )
        words = (
            _("{problem} Before: {written}.").format(problem=place.problem, written=written)
            if place.problem
            else written
        )
        statuses.append(HealthStatus(place.name, state, words, reverse("costs:exports")))
    return statuses


def prune_nightly(as_of: date) -> str:
    """Gives up files of bills that stopped counting long ago; fails where the archive cannot take them."""
    try:
        pruning = retention.prune_files(timezone.now())
    except OSError as error:
        raise NightlyCheckFailed(_("Nothing was given up: {error}").format(error=error)) from None
    if pruning.problems:
        raise NightlyCheckFailed(
            _("Some files could not be given up: {names}").format(names="; ".join(pruning.problems.values()))
        )
    return retention.pruning_words(pruning)


def reconcile_nightly(as_of: date) -> str:
    """Every invariant of the cost data; raises RuntimeError naming those that do not hold."""
    checks = reconcile()
    broken = [f"{check.invariant} ({check.about})" for check in checks if not check.holds]
    if broken:
        raise RuntimeError(
            _("{broken} of {checks} checks of the books do not hold: {names}").format(
                broken=len(broken), checks=len(checks), names="; ".join(broken[:5])
            )
        )
    return _("All {checks} checks of the books hold.").format(checks=len(checks))
