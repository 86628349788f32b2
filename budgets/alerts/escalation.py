"""Unacknowledged alerts are escalated: after a day to the team's leads, then to the leads above, then to finance."""

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from budgets.alerts.alert_summary import alert_severity
from budgets.alerts.recipients import Address, ResponsiblePeople
from budgets.calc.headlines import INFORMATION
from budgets.models import Alert, AlertDelivery
from finops_site.models import User
from finops_site.translation import gettext_lazy as _lazy

logger = logging.getLogger(__name__)

PATIENCE = timedelta(hours=24)
STEPS = (_lazy("leads of the team"), _lazy("leads of the team above"), _lazy("finance"))


@transaction.atomic
def escalate_unacknowledged(now: datetime) -> int:
    """Escalates every alert that is due by one step and queues its messages; returns how many alerts these are.

    An alert that only informs (half of the amount is spent) needs no answer; those of a budget that is not in force
    any more wait for nobody. A step without anybody who was not notified by an escalation before is skipped; the first
    message is repeated to those who did not answer it.
    """
    last = Coalesce(F("escalated_at"), F("opened_at"))
    open_alerts = Q(state__in=[Alert.State.OPEN, Alert.State.REOPENED], escalated__lt=len(STEPS))
    rows = (
        Alert.objects.filter(open_alerts, budget__state="active").annotate(last=last).filter(last__lte=now - PATIENCE)
    )
    rows = rows.select_related("budget", "period", "threshold").select_for_update(of=("self",)).order_by("pk")
    due = [alert for alert in rows if _needs_an_answer(alert)]
    people, notified = ResponsiblePeople(), notified_by_escalation(due)
    messages: list[AlertDelivery] = []
    for alert in due:
        messages += next_step(alert, people, notified[alert.pk], now)
    AlertDelivery.objects.bulk_create(messages, ignore_conflicts=True)
    Alert.objects.bulk_update(due, ["escalated", "escalated_at", "history"], batch_size=500)
    return len({message.alert_id for message in messages})


def notified_by_escalation(alerts: Sequence[Alert]) -> dict[int, set[str]]:
    """{alert: the addresses that one of its escalations went to}; one that was cancelled went to nobody."""
    notified: dict[int, set[str]] = defaultdict(set)
    rows = AlertDelivery.objects.filter(alert__in=alerts, occasion__startswith="escalated")
    for pk, address in rows.exclude(outcome="cancelled").values_list("alert", "address"):
        notified[pk].add(address)
    return notified


def next_step(alert: Alert, people: ResponsiblePeople, notified: Collection[str], now: datetime) -> list[AlertDelivery]:
    """Goes up to the next step that has somebody new; the caller saves the alert and its messages."""
    while alert.escalated < len(STEPS):
        step = alert.escalated
        alert.escalated, alert.escalated_at = step + 1, now
        users = [user for user in on_step(people, alert.budget.team_id, step) if user.email.lower() not in notified]
        if users:
            alert.add_history(_("escalated to {whom}").format(whom=STEPS[step]), now)
            occasion = f"escalated:{alert.reopened}.{alert.escalated}"
            return [Address(user.email.lower(), user=user.pk).message(alert, occasion, now) for user in users]
    return []


def on_step(people: ResponsiblePeople, team: int | None, step: int) -> list[User]:
    """Who stands on which of STEPS today."""
    return (people.leads_of(team), people.leads_above(team), people.finance)[step]


def step_of(occasion: str) -> int:
    """The step that an escalation's occasion names (``escalated:0.1`` is the first, 0)."""
    return int(occasion.rpartition(".")[2]) - 1


def _needs_an_answer(alert: Alert) -> bool:
    """An alert whose figures cannot be read is escalated like any other: silence would be worse."""
    try:
        return alert_severity(alert) != INFORMATION
    except (ArithmeticError, TypeError, ValueError, AttributeError):
        logger.exception("the figures of alert %s cannot be read", alert.pk)
        return True
