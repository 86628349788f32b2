"""Who is notified of an alert: the recipients of a budget turned into addresses, each once.

This is asked when a message is queued, and again when it is written and before it is sent (`readers.py`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _

from budgets.models import Alert, AlertDelivery, Budget, Recipient
from finops_site.lib.trees import all_above
from finops_site.lib.words import some_of
from finops_site.models import Membership, Team, User
from finops_site.people.roles import ADMINISTRATOR, FINANCE


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes: an e-mail address, or the kind and number of a channel."""

    address: str
    channel: str = "mail"
    user: int | None = None
    recipient: int | None = None

    def message(self, alert: Alert, occasion: str, now: datetime) -> AlertDelivery:
        return AlertDelivery(
            alert=alert,
            recipient_id=self.recipient,
            user_id=self.user,
            channel=self.channel,
            address=self.address,
            occasion=occasion,
            queued_at=now,
        )


def queue_notifications(occasions: Sequence[tuple[Alert, str]], now: datetime) -> int:
    """Queues a message for everybody whom (alert, occasion) concerns; one queued before stays one.

    Returns how many are new.
    """
    book = AddressBook([alert.budget for alert, _ignored in occasions])
    messages = [
        to.message(alert, occasion, now) for alert, occasion in occasions for to in book.addresses_of(alert.budget)
    ]
    return queue_messages(messages)


def queue_messages(messages: Sequence[AlertDelivery]) -> int:
    """Stores messages, of which those that were stored before stay as they are; returns how many are new."""
    if not messages:
        return 0
    deliveries = AlertDelivery.objects.filter(alert__in={message.alert_id for message in messages})
    before = deliveries.count()
    AlertDelivery.objects.bulk_create(messages, ignore_conflicts=True, batch_size=2000)
    return deliveries.count() - before


class ResponsiblePeople:
    """The active leads of every team and their place in the tree: two queries, however many teams are asked about."""

    def __init__(self) -> None:
        self.teams = {team.pk: team for team in Team.objects.all()}
        self.parents = {pk: team.parent_id for pk, team in self.teams.items()}
        self.leads: dict[int, list[User]] = defaultdict(list)
        rows = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True).select_related("user")
        for membership in rows.order_by("user__email"):
            self.leads[membership.team_id].append(membership.user)

    @cached_property
    def finance(self) -> list[User]:
        return list(User.objects.in_role(FINANCE))

    @cached_property
    def administrators(self) -> list[User]:
        return list(User.objects.in_role(ADMINISTRATOR))

    def leads_of(self, team: int | None) -> list[User]:
        return self.leads.get(team or 0, [])

    def leads_above(self, team: int | None) -> list[User]:
        """The leads of the nearest team above that has any."""
        return next((leads for above in all_above(team or 0, self.parents) if (leads := self.leads_of(above))), [])

    def email_of(self, team: int | None) -> str:
        """Where mail for the whole team goes; empty where it has no address."""
        return self.teams[team].email.lower() if team in self.teams else ""


class AddressBook:
    """The addresses of many budgets, out of a handful of queries."""

    def __init__(self, budgets: Iterable[Budget]) -> None:
        pks = {budget.pk for budget in budgets}
        self.recipients: dict[int, list[Recipient]] = defaultdict(list)
        for recipient in Recipient.objects.filter(budget__in=pks).select_related("user"):
            self.recipients[recipient.budget_id].append(recipient)
        self.people = ResponsiblePeople()
        self.roles: dict[str, list[User]] = {}
        rules = [recipient for rows in self.recipients.values() for recipient in rows]
        named = {recipient.address.lower() for recipient in rules if recipient.kind == Recipient.Kind.ADDRESS}
        gone = User.objects.filter(is_active=False, email__in=named).values_list("email", flat=True) if named else ()
        self.gone = {email.lower() for email in gone}

    def addresses_of(self, budget: Budget) -> list[Address]:
        """Everybody once, by address. Recipients that yield nobody fall back at once (`fallback`)."""
        addresses: dict[str, Address] = {}
        for recipient in self.recipients[budget.pk]:
            for to in self.addresses_of_recipient(recipient, budget):
                addresses.setdefault(to.address, to)
        return list(addresses.values()) or self.fallback(budget)

    def fallback(self, budget: Budget, without: Collection[str] = ()) -> list[Address]:
        """The leads of its team, else the leads above, finance, or administrators, besides the team's own address.

        `without`: addresses that cannot be reached.
        """
        return self._next_in_line(budget.team_id, None, without)

    def addresses_of_recipient(self, recipient: Recipient, budget: Budget) -> list[Address]:
        """Whom one recipient of a budget means today; nobody where that person, role or address has gone."""
        kind, pk = recipient.kind, recipient.pk
        if kind in Recipient.CHANNELS:
            return [Address(f"{kind}:{pk}", kind, None, pk)] if recipient.url else []
        if kind == Recipient.Kind.ADDRESS:
            address = recipient.address.lower()
            return [Address(address, recipient=pk)] if address and address not in self.gone else []
        if kind == Recipient.Kind.USER:
            return list(_mail_to([recipient.user] if recipient.user and recipient.user.is_active else [], pk))
        if kind == Recipient.Kind.ROLE:
            return list(_mail_to(self._in_role(recipient.role), pk))
        return self._next_in_line(budget.team_id, pk)

    def _next_in_line(self, team: int | None, recipient: int | None, without: Collection[str] = ()) -> list[Address]:
        """A team without a lead may have an address; nobody knows whether it is read, so a person is notified too."""
        people = self.people
        leads = [to for to in _mail_to(people.leads_of(team), recipient) if to.address not in without]
        if leads:
            return leads
        email = people.email_of(team)
        addresses = [Address(email, recipient=recipient)] if email and email not in without else []
        for users in (people.leads_above(team), people.finance, people.administrators):
            group = [to for to in _mail_to(users, recipient) if to.address not in without]
            if group:
                return [*addresses, *group]
        return addresses

    def problems_of(self, budget: Budget) -> list[str]:
        """What is wrong with whom a budget notifies, in sentences: who has left, and where nobody is reached."""
        rules = self.recipients[budget.pk]
        empty = [rule for rule in rules if not self.addresses_of_recipient(rule, budget)]
        problems = [f"{_why_nobody(rule)}." for rule in empty]
        named = [to for rule in rules if rule not in empty for to in self.addresses_of_recipient(rule, budget)]
        is_chosen = any(rule.kind != Recipient.Kind.LEADS for rule in rules if rule not in empty)
        if is_chosen or any(to.user not in self._administrators for to in named):
            return problems
        fallback = self.fallback(budget)
        if not fallback:
            return [*problems, _("Nobody at all can be notified of its alerts: it has no recipient, lead or finance.")]
        addresses = some_of([to.address for to in fallback])
        if all(to.user in self._administrators for to in fallback):
            return [
                *problems,
                _("Nobody answers for it: its alerts go to administrators ({addresses}).").format(addresses=addresses),
            ]
        return (
            [
                *problems,
                _("None of its recipients can be notified: its alerts go to {addresses}.").format(addresses=addresses),
            ]
            if rules
            else []
        )

    @cached_property
    def _administrators(self) -> set[int]:
        return {user.pk for user in self.people.administrators}

    def _in_role(self, role: str) -> list[User]:
        if role not in self.roles:
            self.roles[role] = list(User.objects.in_role(role))
        return self.roles[role]


def _why_nobody(rule: Recipient) -> str:
    if rule.kind == Recipient.Kind.ROLE:
        return _("Nobody has the role {role}").format(role=_(rule.role))
    if rule.kind in Recipient.CHANNELS:
        return _("The {rule} has no address").format(rule=rule)
    if rule.kind == Recipient.Kind.LEADS:
        return _("Its team has no lead")
    return _("{rule} is switched off").format(rule=rule)


def _mail_to(users: Sequence[User], recipient: int | None = None) -> Iterator[Address]:
    for user in users:
        yield Address(user.email.lower(), "mail", user.pk, recipient)
