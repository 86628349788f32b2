"""Applying the ownership rules and virtual tags in force to the open billing months."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.ingest.reallocate import CostMove, Decision, preview_moves, reallocate_month
from costs.models import Delivery, DeliveryMonth
from finops_site.celery import task
from finops_site.lib.periods import Month
from finops_site.models import User
from finops_site.ops.heartbeats import is_silent
from tagging.models import Application, ChargebackPeriod, OwnershipRule, VirtualTag
from tagging.models.ownership import rules_with_aliases


def rules_and_tags_in_force() -> Decision:
    """The rules in force, in their order, and the virtual tags."""
    return OwnershipRule.objects.as_rules(), VirtualTag.objects.as_virtual_tags()


@dataclass(frozen=True, slots=True)
class ReallocatedMonth:
    """A current publication that was reallocated, and how many of its lines changed."""

    row: DeliveryMonth
    lines: int


def open_delivery_months(months: Iterable[Month] | None = None) -> QuerySet[DeliveryMonth]:
    """The current publications of these billing months (None: of all) that are not closed, the latest month first."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source").order_by("-billing_month", "-pk")
    rows = rows.exclude(billing_month__in=[month.start for month in ChargebackPeriod.objects.closed_months()])
    return rows if months is None else rows.filter(billing_month__in=[month.start for month in months])


def reallocate_open_months(months: Iterable[Month] | None = None) -> Iterator[ReallocatedMonth]:
    """Applies the virtual tags and rules in force to the open months (all, or these), and yields each when it is done.

    Each publication changes in a transaction of its own; closed billing months are left as they are. A second run
    changes nothing more, so a run that was interrupted is simply done again.
    """
    for row in list(open_delivery_months(months)):
        lines = reallocate_month(row, rules_and_tags_in_force)
        if lines is not None:
            yield ReallocatedMonth(row, lines)


@transaction.atomic
def queue_application(user: User | None = None, reason: str = "") -> Application:
    """Has the rules and tags applied to the open months in the background, once the transaction is committed.

    An application that is queued already is enough: it reads the rules when it starts.
    """
    application = Application.objects.select_for_update().filter(state=Application.State.QUEUED).first()
    if application is None:
        application = Application.objects.create(requested_by=user, reason=reason[:300])
    task("tagging.tasks.apply_ownership").delay_on_commit(application.pk)
    return application


def run_application(pk: int) -> None:
    """Runs a queued application to its end; one that another worker runs, or that is done, is left alone."""
    queued = Application.objects.filter(pk=pk, state=Application.State.QUEUED)
    if not queued.update(state=Application.State.RUNNING, heartbeat_at=timezone.now(), progress=0, lines=0, message=""):
        return
    running = Application.objects.filter(pk=pk, state=Application.State.RUNNING)
    try:
        total, lines = open_delivery_months().count(), 0
        for number, month in enumerate(reallocate_open_months(), 1):
            lines += month.lines
            stage = _("{of} of {source}").format(
                of=Month.of(month.row.billing_month), source=month.row.delivery.source
            )[:100]
            progress = min(number / max(total, 1), 1)
            running.update(progress=progress, stage=stage, lines=lines, heartbeat_at=timezone.now())
    except Exception as error:
        running.update(state=Application.State.FAILED, ended_at=timezone.now(), message=str(error)[:1000])
        raise
    running.update(state=Application.State.DONE, ended_at=timezone.now(), progress=1, stage="", lines=lines)


def stalled_applications(now: datetime) -> list[int]:
    """Applications whose worker died, which are queued again, and those whose task was lost."""
    after = timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    running = Application.objects.filter(is_silent("heartbeat_at", now, after), state=Application.State.RUNNING)
    running.update(state=Application.State.QUEUED)
    stalled = Application.objects.filter(is_silent("requested_at", now, after), state=Application.State.QUEUED)
    return list(stalled.values_list("pk", flat=True))


def rules_changed_during_load(rows: Iterable[DeliveryMonth]) -> bool:
    """Whether rules changed between the arrival of a bill and now: it may have been allocated by the old ones."""
    # Asked of the database and not of the rows: a bill may be removed by now, as those of the demo company are.
    new_ids = [row.delivery_id for row in rows if not row.revision]
    first = Delivery.objects.filter(pk__in=new_ids).aggregate(first=Min("received_at"))["first"]
    return first is not None and Application.objects.filter(requested_at__gt=first).exists()


def preview_rule_change(rule: OwnershipRule | None, removed: int | None = None) -> list[CostMove]:
    """What the open months would move if `rule` were saved (or the rule `removed` deleted), the latest first.

    Changes nothing.
    """
    replaced = removed if rule is None else rule.pk
    rules = [other for other in OwnershipRule.objects.filter(is_active=True) if other.pk != replaced]
    if rule and rule.is_active:
        rules.append(rule)
    # A new rule stands behind those of the same order, where its id will put it.
    rules.sort(key=lambda other: (other.order, other.pk or sys.maxsize))
    decision = rules_with_aliases(rules), VirtualTag.objects.as_virtual_tags()
    moves = preview_moves(list(open_delivery_months()), decision)
    return sorted(moves, key=lambda move: (move.billing_month, abs(move.billed_cost or 0)), reverse=True)
