"""Verbs of ownership."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from costs.ingest.reallocate import CostMove, Decision, preview_moves, reallocate_month
from costs.models import DeliveryMonth
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from tagging.models import Application, ChargebackPeriod, OwnershipRule, VirtualTag


def rules_and_tags_in_force() -> Decision:
    """What decides today: the rules in force, in order, and the virtual tags."""
    return OwnershipRule.objects.as_rules(), VirtualTag.objects.as_virtual_tags()


@dataclass(frozen=True, slots=True)
class ReallocatedMonth:
    """A publication that was owned anew, and how many of its lines that changed."""

    row: DeliveryMonth
    lines: int


def open_delivery_months(months: Iterable[Month] | None = None) -> Any:
    """The publications that count, of these billing months or of all, but for the closed: the latest month first."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source").order_by("-billing_month", "-pk")
    rows = rows.exclude(billing_month__in=[month.start for month in ChargebackPeriod.objects.closed_months()])
    return rows if months is None else rows.filter(billing_month__in=[month.start for month in months])


def reallocate_open_months(months: Iterable[Month] | None = None) -> Iterator[ReallocatedMonth]:
    """Asks today's virtual tags and rules of the open months again (of all, or of these), and yields each when done.

    Each publication changes in a transaction of its own; closed billing months are left as they are. Doing it again
    changes nothing more, so that one that was interrupted is simply done again.
    """
    for row in list(open_delivery_months(months)):
        lines = reallocate_month(row, rules_and_tags_in_force)
        if lines is not None:
            yield ReallocatedMonth(row, lines)


@transaction.atomic
def request_application(user: Person | None = None, reason: str = "") -> Application:
    """Asks for today's rules and tags to be applied to the open months; one that waits already is enough."""
    waiting = Application.objects.select_for_update().filter(state=Application.State.QUEUED).first()
    return waiting or Application.objects.create(requested_by=user, reason=reason[:300])


def run_application(pk: int) -> None:
    """Does a queued application to its end; one that somebody else does, or that is done, is left alone."""
    queued = Application.objects.filter(pk=pk, state=Application.State.QUEUED)
    if not queued.update(state=Application.State.RUNNING, heartbeat_at=timezone.now(), progress=0, lines=0, message=""):
        return
    mine = Application.objects.filter(pk=pk, state=Application.State.RUNNING)
    try:
        lines = _apply(mine)
    except Exception as error:
        mine.update(state=Application.State.FAILED, ended_at=timezone.now(), message=str(error)[:1000])
        raise
    mine.update(state=Application.State.DONE, ended_at=timezone.now(), progress=1, stage="", lines=lines)


def _apply(mine: Any) -> int:
    whole, lines = open_delivery_months().count(), 0
    for number, done in enumerate(reallocate_open_months(), 1):
        lines += done.lines
        stage = f"{Month.of(done.row.billing_month)} of {done.row.delivery.source}"[:100]
        progress = min(number / max(whole, 1), 1)
        mine.update(progress=progress, stage=stage, lines=lines, heartbeat_at=timezone.now())
    return lines


def stalled_applications(now: datetime) -> list[int]:
    """What a dead worker left behind, queued again, and what the broker lost; done twice, nothing changes twice."""
    silent = now - timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    running = Application.objects.filter(state=Application.State.RUNNING, heartbeat_at__lt=silent)
    running.update(state=Application.State.QUEUED)
    return list(
        Application.objects.filter(state=Application.State.QUEUED, requested_at__lt=silent).values_list("pk", flat=True)
    )


def rules_changed_during_load(rows: Iterable[DeliveryMonth]) -> bool:
    """Whether rules changed between a bill's arrival and now: it may have been owned by the rules before."""
    fresh = [row.delivery.received_at for row in rows if not row.revision]
    return bool(fresh) and Application.objects.filter(requested_at__gt=min(fresh)).exists()


def rules_and_tags_with(rule: OwnershipRule | None, without: int | None = None) -> Decision:
    """What would decide if `rule` were saved (or the rule `without` removed)."""
    gone = without if rule is None else rule.pk
    listed = [each for each in OwnershipRule.objects.filter(is_active=True) if each.pk != gone]
    if rule and rule.is_active:
        listed.append(rule)
    # A new rule stands behind those of the same order, where its id will put it.
    listed.sort(key=lambda each: (each.order, each.pk or sys.maxsize))
    return [each.as_rule() for each in listed], VirtualTag.objects.as_virtual_tags()


def preview_rule_change(rule: OwnershipRule | None, without: int | None = None) -> list[CostMove]:
    """What a change of one rule would move in the open months, the latest first; changes nothing."""
    found = preview_moves(list(open_delivery_months()), rules_and_tags_with(rule, without))
    return sorted(found, key=lambda move: (move.billing_month, abs(move.billed_cost or 0)), reverse=True)


@transaction.atomic
def move_rule(rule: OwnershipRule, before: OwnershipRule | None) -> None:
    """Puts a rule in front of another (None: behind all), and numbers the list anew by tens."""
    listed = [each for each in OwnershipRule.objects.select_for_update().order_by("order", "pk") if each != rule]
    at = listed.index(before) if before in listed else len(listed)
    listed.insert(at, rule)
    for order, each in enumerate(listed, 1):
        if each.order != order * 10:
            each.order, each.version = order * 10, each.version + 1
            # Saved one by one: the audit log sees each.
            each.save(update_fields=["order", "version"])
