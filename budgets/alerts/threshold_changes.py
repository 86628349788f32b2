"""Changing thresholds and switching them off and on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from budgets.alerts.cancellation import cancel_queued
from budgets.models import Alert, Budget, Threshold

# The fields that decide when a threshold warns.
CONDITION = ("kind", "percent", "amount", "probability")


@transaction.atomic
def change_threshold(threshold: Threshold, values: Mapping[str, Any], now: datetime) -> Threshold:
    """Changes when a threshold warns. One that has warned stays as it was: it is switched off, and a new one begins."""
    _lock_budget(threshold)
    new = {name: values.get(name, getattr(threshold, name)) for name in CONDITION}
    current = Threshold.objects.get(pk=threshold.pk)
    if all(getattr(current, name) == value for name, value in new.items()):
        return current
    if current.alerts.exists():
        switch_off_threshold(current, now)
        successor = Threshold.objects.create(budget=current.budget, **new)
        # What it proposes is proposed by the new one; armed for the old one, a control only proposes.
        current.controls.update(threshold=successor)
        return successor
    for name, value in new.items():
        setattr(current, name, value)
    current.save()
    return current


@transaction.atomic
def switch_off_threshold(threshold: Threshold, now: datetime) -> None:
    """It warns no more: its open alerts are resolved, and their queued messages are cancelled."""
    _lock_budget(threshold)
    threshold.is_active = False
    threshold.save(update_fields=["is_active"])
    alerts = list(threshold.alerts.unresolved().select_for_update())
    note = _("resolved: the threshold was switched off")
    for alert in alerts:
        alert.state, alert.resolved_at, alert.resolved_as_of, alert.note = "resolved", now, alert.evaluated_as_of, note
        alert.add_history(note, now)
    Alert.objects.bulk_update(alerts, ["state", "resolved_at", "resolved_as_of", "note", "history"])
    cancel_queued(alerts, _("The threshold was switched off before it was sent."))


def switch_on_threshold(threshold: Threshold) -> None:
    """It warns again, from the next night on."""
    threshold.is_active = True
    threshold.save(update_fields=["is_active"])


def _lock_budget(threshold: Threshold) -> None:
    """Waits for a night that evaluates the budget, and makes the next one wait."""
    Budget.objects.select_for_update(no_key=True).get(pk=threshold.budget_id)
