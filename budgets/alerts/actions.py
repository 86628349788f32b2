"""Verbs of alerts: acknowledge and snooze."""

from datetime import date, datetime
from typing import Any

from django.db import transaction

from budgets.models import Alert

LONGEST_SNOOZE_DAYS = 92
OPEN = (Alert.State.OPEN, Alert.State.REOPENED)


class TooLate(ValueError):
    """The alert is over, or somebody has it already; the message says which."""


@transaction.atomic
def acknowledge(alert: Alert, *, by: Any = None, address: str = "", now: datetime) -> Alert:
    """Somebody takes it: `by` a person, or `address` of somebody without a login. The first one counts.

    What else is open of the same budget and period has the same cause: it is taken with it.
    """
    found = Alert.objects.select_for_update(of=("self",)).select_related("acknowledged_by").get(pk=alert.pk)
    if found.state == Alert.State.RESOLVED:
        raise TooLate("It is resolved already: there is nothing to acknowledge.")
    if found.state == Alert.State.ACKNOWLEDGED:
        raise TooLate(f"{found.acknowledged_by or found.acknowledged_as or 'Somebody'} acknowledged it already.")
    _take(found, "acknowledged", by, address, now)
    same_cause = Alert.objects.filter(budget=found.budget_id, period=found.period_id, state__in=OPEN)
    for each in same_cause.select_for_update(of=("self",)).order_by("pk"):
        _take(each, f"acknowledged with {found.threshold}", by, address, now)
    return found


def _take(alert: Alert, what: str, by: Any, address: str, now: datetime) -> None:
    alert.state, alert.acknowledged_at = Alert.State.ACKNOWLEDGED, alert.acknowledged_at or now
    alert.acknowledged_by, alert.acknowledged_as, alert.snoozed_until = by, address, None
    alert.remember(what, now, by or address)
    alert.save()


@transaction.atomic
def snooze(alert: Alert, *, until: date, by: Any, now: datetime) -> Alert:
    """Silent until a day: if it is crossed then still, it opens again and says so. Counts as acknowledged."""
    found = Alert.objects.select_for_update().get(pk=alert.pk)
    if found.state == Alert.State.RESOLVED:
        raise TooLate("It is resolved already: there is nothing to snooze.")
    if not (0 < (until - now.date()).days <= LONGEST_SNOOZE_DAYS):
        raise TooLate(f"Choose a day after today, {LONGEST_SNOOZE_DAYS} days ahead at the most.")
    found.state, found.snoozed_until = Alert.State.SNOOZED, until
    found.acknowledged_at = found.acknowledged_at or now
    found.acknowledged_by = found.acknowledged_by or by
    found.remember(f"snoozed until {until}", now, by)
    found.save()
    return found
