"""Virtual tags applied to the cost lines of the open months."""

from collections.abc import Iterable
from datetime import date, datetime

from finops_site.lib.periods import Month
from tagging.models import ChargebackPeriod, VirtualTag, VirtualTagBatch
from tagging.ownership import rule_application
from tagging.policy import compliance
from tagging.remediation import suggestions


def apply_batch(batch: VirtualTagBatch, now: datetime) -> int:
    """Lays a batch's tags over the open months; compliance and suggestions follow. Returns how many lines changed.

    Doing it again changes nothing more, so that one that was killed is simply done again.
    """
    first = _first_day(batch.tags.all())
    billing_months = rule_application.open_delivery_months().values_list("billing_month", flat=True)
    # A charge day is billed in its own month, or in a later one.
    touched = {Month.of(day) for day in billing_months if first and Month.of(day) >= Month.of(first)}
    changes = list(rule_application.reallocate_open_months(touched))
    days = (day for change in changes if change.lines for day in change.row.charge_months)
    compliance.refresh_compliance(only={Month.of(date.fromisoformat(day)) for day in days})
    suggestions.rebuild_suggestions(now.date())
    VirtualTagBatch.objects.filter(pk=batch.pk).update(applied_at=now)
    return sum(change.lines for change in changes)


def closed_months_touched(tags: Iterable[VirtualTag]) -> list[Month]:
    """Closed billing months that the tags would have changed: named to the person, and left as they are."""
    first = _first_day(tags)
    return sorted(month for month in ChargebackPeriod.objects.closed_months() if first and month >= Month.of(first))


def _first_day(tags: Iterable[VirtualTag]) -> date | None:
    return min((tag.start for tag in tags), default=None)
