"""Alerts nobody answers go up: after a day to the team's leads, then to the leads above it, then to finance."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from budgets.alerts.emails import gravity_of
from budgets.calc.headlines import INFORMATION
from budgets.models import Alert, AlertDelivery
from finops_site.models import Membership, Team, User
from finops_site.people.roles import FINANCE

PATIENCE = timedelta(hours=24)
STEPS = ("leads of the team", "leads of the team above", "finance")


@transaction.atomic
def escalate_unanswered(now: datetime) -> int:
    """Takes every alert that is due one step up and queues its messages; returns how many alerts went up.

    An alert that only informs (half of the amount is spent) asks for no answer. A step that has nobody who was not told
    before is passed over.
    """
    due = list(_due(now))
    ladder, told = _Ladder([each.budget.team_id for each in due]), _told(due)
    queued: list[AlertDelivery] = []
    for alert in due:
        queued += _step(alert, ladder, told[alert.pk], now)
    AlertDelivery.objects.bulk_create(queued, ignore_conflicts=True)
    Alert.objects.bulk_update(due, ["escalated", "escalated_at", "history"], batch_size=500)
    return len({each.alert_id for each in queued})


def _due(now: datetime) -> Iterator[Alert]:
    last = Coalesce(F("escalated_at"), F("opened_at"))
    waiting = Q(state__in=[Alert.State.OPEN, Alert.State.REOPENED], escalated__lt=len(STEPS))
    found = Alert.objects.filter(waiting).annotate(last=last).filter(last__lte=now - PATIENCE)
    for alert in found.select_related("budget", "period", "threshold").select_for_update(of=("self",)).order_by("pk"):
        if gravity_of(alert) != INFORMATION:
            yield alert


def _told(alerts: Sequence[Alert]) -> dict[int, set[str]]:
    """{alert: the addresses that were told by an escalation before}; the first message is repeated to who sat on it."""
    found: dict[int, set[str]] = defaultdict(set)
    rows = AlertDelivery.objects.filter(alert__in=alerts, occasion__startswith="escalated")
    for alert, address in rows.values_list("alert", "address"):
        found[alert].add(address)
    return found


def _step(alert: Alert, ladder: "_Ladder", told: set[str], now: datetime) -> list[AlertDelivery]:
    """Goes up to the next step that has somebody new."""
    while alert.escalated < len(STEPS):
        step = alert.escalated
        alert.escalated, alert.escalated_at = step + 1, now
        people = [user for user in ladder.people(alert.budget.team_id, step) if user.email.lower() not in told]
        if people:
            alert.remember(f"passed on to {STEPS[step]}", now)
            return [_message(alert, user, now) for user in people]
    return []


def _message(alert: Alert, user: User, now: datetime) -> AlertDelivery:
    occasion = f"escalated:{alert.reopened}.{alert.escalated}"
    return AlertDelivery(alert=alert, user=user, address=user.email.lower(), occasion=occasion, queued_at=now)


class _Ladder:
    """Who stands on which step, for many teams at once."""

    def __init__(self, teams: Sequence[int | None]) -> None:
        self.parents = dict(Team.objects.values_list("pk", "parent")) if any(teams) else {}
        self.leads: dict[int, list[User]] = defaultdict(list)
        rows = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True).select_related("user")
        for each in rows.order_by("user__email") if any(teams) else ():
            self.leads[each.team_id].append(each.user)
        self.finance = list(User.objects.in_role(FINANCE))

    def people(self, team: int | None, step: int) -> list[User]:
        if step == 2:
            return self.finance
        place = team if step == 0 else self.parents.get(team or 0)
        return self.leads[place] if place else []
