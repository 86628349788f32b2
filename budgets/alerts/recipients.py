"""Who is told of an alert: rules of a budget turned into addresses, each once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from budgets.models import Alert, AlertDelivery, Recipient
from finops_site.models import Membership, Team, User
from finops_site.people.roles import FINANCE


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes: an e-mail address, or the kind and number of a channel."""

    address: str
    channel: str = "mail"
    user: int | None = None
    recipient: int | None = None


def queue(told: Sequence[tuple[Alert, str]], now: datetime) -> int:
    """Queues a message for everybody who is to hear of (alert, occasion); one queued before stays one. Returns how many
    are new."""
    book = _Book([alert for alert, _ in told])
    wanted = [
        AlertDelivery(
            alert=alert,
            recipient_id=to.recipient,
            user_id=to.user,
            channel=to.channel,
            address=to.address,
            occasion=occasion,
            queued_at=now,
        )
        for alert, occasion in told
        for to in book.of(alert)
    ]
    known = AlertDelivery.objects.filter(alert__in=[alert.pk for alert, _ in told])
    before = known.count() if wanted else 0
    AlertDelivery.objects.bulk_create(wanted, ignore_conflicts=True, batch_size=2000)
    return known.count() - before if wanted else 0


class _Book:
    """The addresses of many budgets, out of a handful of queries."""

    def __init__(self, alerts: Sequence[Alert]) -> None:
        budgets = {alert.budget_id: alert.budget for alert in alerts}
        self.rules: dict[int, list[Recipient]] = defaultdict(list)
        for rule in Recipient.objects.filter(budget__in=budgets).select_related("user"):
            self.rules[rule.budget_id].append(rule)
        self.teams = {
            team.pk: team for team in Team.objects.filter(pk__in={budget.team_id for budget in budgets.values()})
        }
        self.leads: dict[int, list[User]] = defaultdict(list)
        leads = Membership.objects.filter(team__in=self.teams, role=Membership.Role.LEAD, user__is_active=True)
        for each in leads.select_related("user"):
            self.leads[each.team_id].append(each.user)
        self.roles: dict[str, list[User]] = {}

    def of(self, alert: Alert) -> list[Address]:
        """Everybody once, by address; without any rule the team's leads, or finance for the company's."""
        rules: list[Recipient | None] = list(self.rules[alert.budget_id]) or [None]
        found: dict[str, Address] = {}
        for rule in rules:
            for to in self._of(rule, alert):
                found.setdefault(to.address, to)
        return list(found.values())

    def _of(self, rule: Recipient | None, alert: Alert) -> Iterator[Address]:
        kind, pk = (rule.kind, rule.pk) if rule else (Recipient.Kind.LEADS, None)
        if rule and kind in Recipient.CHANNELS:
            yield Address(f"{kind}:{pk}", kind, None, pk)
        elif rule and kind == Recipient.Kind.ADDRESS:
            yield Address(rule.address.lower(), recipient=pk)
        else:
            yield from (Address(user.email.lower(), "mail", user.pk, pk) for user in self._users(rule, alert))
            if kind == Recipient.Kind.LEADS:
                yield from self._team_mail(alert, pk)

    def _users(self, rule: Recipient | None, alert: Alert) -> list[User]:
        if rule and rule.kind == Recipient.Kind.USER:
            return [rule.user] if rule.user and rule.user.is_active else []
        if rule and rule.kind == Recipient.Kind.ROLE:
            return self._in_role(rule.role)
        if alert.budget.team_id is None:
            return self._in_role(FINANCE)
        return self.leads[alert.budget.team_id]

    def _team_mail(self, alert: Alert, rule: int | None) -> Iterator[Address]:
        """A team without a lead is told at its own address, and one without that has finance told."""
        team_id = alert.budget.team_id
        if team_id is None or self.leads[team_id]:
            return
        team = self.teams[team_id]
        if team.email:
            yield Address(team.email.lower(), recipient=rule)
        else:
            yield from (Address(user.email.lower(), "mail", user.pk, rule) for user in self._in_role(FINANCE))

    def _in_role(self, role: str) -> list[User]:
        if role not in self.roles:
            self.roles[role] = list(User.objects.in_role(role))
        return self.roles[role]
