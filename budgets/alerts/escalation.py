"""Unacknowledged alerts are escalated: after a day to the team's leads, then to the leads above, then to finance."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from budgets.alerts.alert_summary import alert_severity
from budgets.calc.headlines import INFORMATION
from budgets.models import Alert, AlertDelivery
from finops_site.models import Membership, Team, User
from finops_site.people.roles import FINANCE

PATIENCE = timedelta(hours=24)
STEPS = ("leads of the team", "leads of the team above", "finance")


@transaction.atomic
def escalate_unacknowledged(now: datetime) -> int:
    """Escalates every alert that is due by one step and queues its messages; returns how many alerts these are.

    An alert that only informs (half of the amount is spent) needs no answer. A step without anybody who was not
    notified by an escalation before is skipped; the first message is repeated to those who did not answer it.
    """
    last = Coalesce(F("escalated_at"), F("opened_at"))
    open_alerts = Q(state__in=[Alert.State.OPEN, Alert.State.REOPENED], escalated__lt=len(STEPS))
    rows = Alert.objects.filter(open_alerts).annotate(last=last).filter(last__lte=now - PATIENCE)
    rows = rows.select_related("budget", "period", "threshold").select_for_update(of=("self",)).order_by("pk")
    due = [alert for alert in rows if alert_severity(alert) != INFORMATION]
    ladder = EscalationLadder([alert.budget.team_id for alert in due])
    notified: dict[int, set[str]] = defaultdict(set)
    escalations = AlertDelivery.objects.filter(alert__in=due, occasion__startswith="escalated")
    for pk, address in escalations.values_list("alert", "address"):
        notified[pk].add(address)
    messages: list[AlertDelivery] = []
    for alert in due:
        messages += _next_step(alert, ladder, notified[alert.pk], now)
    AlertDelivery.objects.bulk_create(messages, ignore_conflicts=True)
    Alert.objects.bulk_update(due, ["escalated", "escalated_at", "history"], batch_size=500)
    return len({message.alert_id for message in messages})


def _next_step(alert: Alert, ladder: "EscalationLadder", notified: set[str], now: datetime) -> list[AlertDelivery]:
    """Goes up to the next step that has somebody new."""
    while alert.escalated < len(STEPS):
        step = alert.escalated
        alert.escalated, alert.escalated_at = step + 1, now
        people = [user for user in ladder.people(alert.budget.team_id, step) if user.email.lower() not in notified]
        if people:
            alert.add_history(f"escalated to {STEPS[step]}", now)
            occasion = f"escalated:{alert.reopened}.{alert.escalated}"
            return [
                AlertDelivery(alert=alert, user=user, address=user.email.lower(), occasion=occasion, queued_at=now)
                for user in people
            ]
    return []


class EscalationLadder:
    """Who stands on which step, for many teams at once."""

    def __init__(self, teams: Sequence[int | None]) -> None:
        self.parents = dict(Team.objects.values_list("pk", "parent")) if any(teams) else {}
        self.leads: dict[int, list[User]] = defaultdict(list)
        rows = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True).select_related("user")
        for membership in rows.order_by("user__email") if any(teams) else ():
            self.leads[membership.team_id].append(membership.user)
        self.finance = list(User.objects.in_role(FINANCE))

    def people(self, team: int | None, step: int) -> list[User]:
        if step == 2:
            return self.finance
        place = team if step == 0 else self.parents.get(team or 0)
        return self.leads[place] if place else []
