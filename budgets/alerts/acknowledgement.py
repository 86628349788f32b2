"""Acknowledging and snoozing alerts."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from budgets.models import Alert, Budget
from finops_site.lib.periods import day_text
from finops_site.models import User

LONGEST_SNOOZE_DAYS = 92
OPEN = (Alert.State.OPEN, Alert.State.REOPENED)


class TooLate(ValueError):
    """It is resolved or acknowledged already, or its budget is archived; the message explains which."""


@transaction.atomic
def acknowledge(alert: Alert, *, by: User | None = None, address: str = "", comment: str = "", now: datetime) -> Alert:
    """Somebody acknowledges it: `by` a person, or `address` of somebody without a login. The first one counts.

    Her comment stands in the alert's history.

    What else is open of the same budget and period has the same cause: it is acknowledged with it.
    """
    alerts = Alert.objects.select_for_update(of=("self",)).select_related("acknowledged_by", "budget")
    current = alerts.get(pk=alert.pk)
    _check_in_force(current)
    if current.state == Alert.State.RESOLVED:
        raise TooLate(_("It is resolved already: there is nothing to acknowledge."))
    if current.state == Alert.State.ACKNOWLEDGED:
        raise TooLate(
            _("{person} acknowledged it already.").format(
                person=current.acknowledged_by or current.acknowledged_as or _("Somebody")
            )
        )
    same_cause = Alert.objects.filter(budget=current.budget_id, period=current.period_id, state__in=OPEN)
    others = same_cause.exclude(pk=current.pk).select_for_update(of=("self",)).order_by("pk")
    for row, what in [
        (current, _("acknowledged")),
        *((row, _("acknowledged with {threshold}").format(threshold=current.threshold)) for row in others),
    ]:
        row.state, row.acknowledged_at = Alert.State.ACKNOWLEDGED, row.acknowledged_at or now
        row.acknowledged_by, row.acknowledged_as, row.snoozed_until = by, address, None
        row.add_history(what, now, by or address, comment)
        row.save()
    return current


@transaction.atomic
def snooze(alert: Alert, *, until: date, by: User, now: datetime) -> Alert:
    """Silent until a day: if it is still breached then, it opens again and notifies. Counts as acknowledged."""
    current = Alert.objects.select_for_update(of=("self",)).select_related("budget").get(pk=alert.pk)
    _check_in_force(current)
    if current.state == Alert.State.RESOLVED:
        raise TooLate(_("It is resolved already: there is nothing to snooze."))
    if not (0 < (until - now.date()).days <= LONGEST_SNOOZE_DAYS):
        raise TooLate(_("Choose a day after today, {days} days ahead at the most.").format(days=LONGEST_SNOOZE_DAYS))
    current.state, current.snoozed_until = Alert.State.SNOOZED, until
    current.acknowledged_at = current.acknowledged_at or now
    current.acknowledged_by = current.acknowledged_by or by
    current.add_history(_("snoozed until {until}").format(until=day_text(until)), now, by)
    current.save()
    return current


def _check_in_force(alert: Alert) -> None:
    if alert.budget.state == Budget.State.ARCHIVED:
        raise TooLate(_("Its budget is archived: there is nothing to acknowledge any more."))
