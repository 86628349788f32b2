"""Who is notified of an alert: the recipients of a budget turned into addresses, each once."""

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


def queue_notifications(occasions: Sequence[tuple[Alert, str]], now: datetime) -> int:
    """Queues a message for everybody whom (alert, occasion) concerns; one queued before stays one.

    Returns how many are new.
    """
    book = AddressBook([alert for alert, _ in occasions])
    messages = [
        AlertDelivery(
            alert=alert,
            recipient_id=to.recipient,
            user_id=to.user,
            channel=to.channel,
            address=to.address,
            occasion=occasion,
            queued_at=now,
        )
        for alert, occasion in occasions
        for to in book.addresses_of(alert)
    ]
    if not messages:
        return 0
    deliveries = AlertDelivery.objects.filter(alert__in=[alert.pk for alert, _ in occasions])
    before = deliveries.count()
    AlertDelivery.objects.bulk_create(messages, ignore_conflicts=True, batch_size=2000)
    return deliveries.count() - before


class AddressBook:
    """The addresses of many budgets, out of a handful of queries."""

    def __init__(self, alerts: Sequence[Alert]) -> None:
        budgets = {alert.budget_id: alert.budget for alert in alerts}
        self.recipients: dict[int, list[Recipient]] = defaultdict(list)
        for recipient in Recipient.objects.filter(budget__in=budgets).select_related("user"):
            self.recipients[recipient.budget_id].append(recipient)
        self.teams = {
            team.pk: team for team in Team.objects.filter(pk__in={budget.team_id for budget in budgets.values()})
        }
        self.leads: dict[int, list[User]] = defaultdict(list)
        leads = Membership.objects.filter(team__in=self.teams, role=Membership.Role.LEAD, user__is_active=True)
        for membership in leads.select_related("user"):
            self.leads[membership.team_id].append(membership.user)
        self.roles: dict[str, list[User]] = {}

    def addresses_of(self, alert: Alert) -> list[Address]:
        """Everybody once, by address; without any recipient the team's leads, or finance for the company's."""
        recipients: list[Recipient | None] = list(self.recipients[alert.budget_id]) or [None]
        addresses: dict[str, Address] = {}
        for recipient in recipients:
            for to in self._addresses_of_recipient(recipient, alert.budget.team_id):
                addresses.setdefault(to.address, to)
        return list(addresses.values())

    def _addresses_of_recipient(self, recipient: Recipient | None, team: int | None) -> Iterator[Address]:
        kind, pk = (recipient.kind, recipient.pk) if recipient else (Recipient.Kind.LEADS, None)
        if recipient and kind in Recipient.CHANNELS:
            yield Address(f"{kind}:{pk}", kind, None, pk)
        elif recipient and kind == Recipient.Kind.ADDRESS:
            yield Address(recipient.address.lower(), recipient=pk)
        elif recipient and kind == Recipient.Kind.USER:
            yield from self._mail_to([recipient.user] if recipient.user and recipient.user.is_active else [], pk)
        elif recipient and kind == Recipient.Kind.ROLE:
            yield from self._mail_to(self._in_role(recipient.role), pk)
        elif team is not None and self.leads[team]:
            yield from self._mail_to(self.leads[team], pk)
        elif team is not None and self.teams[team].email:
            # A team without a lead has an address of its own.
            yield Address(self.teams[team].email.lower(), recipient=pk)
        else:
            yield from self._mail_to(self._in_role(FINANCE), pk)

    def _mail_to(self, users: Sequence[User], recipient: int | None) -> Iterator[Address]:
        for user in users:
            yield Address(user.email.lower(), "mail", user.pk, recipient)

    def _in_role(self, role: str) -> list[User]:
        if role not in self.roles:
            self.roles[role] = list(User.objects.in_role(role))
        return self.roles[role]
