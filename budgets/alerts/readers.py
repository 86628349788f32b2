"""Who is notified is decided when a message is written and before it is sent, not when it was queued.

Whoever left, changed her address, lost her role or was taken off the recipients since then gets nothing; whoever has
taken her place is notified instead, and where nobody is left, the next in line (`recipients.AddressBook.fallback`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _

from budgets.alerts.escalation import next_step, notified_by_escalation, on_step, step_of
from budgets.alerts.recipients import Address, AddressBook, queue_messages
from budgets.calc.alert_lifecycle import TAKEN_BACK
from budgets.models import Alert, AlertDelivery, Budget
from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy

CANCELLED = AlertDelivery.Outcome.CANCELLED
NEVER_NOTIFIED = _lazy("It corrects an alert of which this reader was never notified.")


@dataclass(slots=True)
class Decision:
    """Which messages are still right, which are not and why, and where messages are missing."""

    right: list[AlertDelivery] = field(default_factory=list)
    wrong: dict[int, str] = field(default_factory=dict)
    missing: list[AlertDelivery] = field(default_factory=list)
    # What another recipient of the budget reaches now, and the escalations on whose step nobody is left.
    moved: list[tuple[AlertDelivery, Address]] = field(default_factory=list)
    climbing: list[Sequence[AlertDelivery]] = field(default_factory=list)


class Readers:
    """Who is to read the messages of some alerts, as of now."""

    def __init__(self, deliveries: Sequence[AlertDelivery], now: datetime) -> None:
        self.deliveries, self.now = deliveries, now

    @cached_property
    def book(self) -> AddressBook:
        return AddressBook([delivery.alert.budget for delivery in self.deliveries])

    @cached_property
    def failed(self) -> dict[tuple[int, str], set[str]]:
        """{(alert, occasion): the addresses that could not be reached}."""
        failed: dict[tuple[int, str], set[str]] = defaultdict(set)
        rows = AlertDelivery.objects.filter(alert__in={row.alert_id for row in self.deliveries}, outcome="failed")
        for pk, occasion, address in rows.values_list("alert", "occasion", "address"):
            failed[(pk, occasion)].add(address)
        return failed

    @cached_property
    def notified(self) -> dict[int, set[str | int]]:
        """{alert: the addresses and the people who were notified of it, not counting corrections}."""
        notified: dict[int, set[str | int]] = defaultdict(set)
        rows = AlertDelivery.objects.filter(
            alert__in={row.alert_id for row in self.deliveries}, outcome__in=["sent", "unknown"]
        ).exclude(occasion__startswith=TAKEN_BACK)
        for pk, address, user in rows.values_list("alert", "address", "user"):
            notified[pk] |= {address, user} if user else {address}
        return notified

    def decide(self) -> Decision:
        """Nothing is written: `settle` does that."""
        decision = Decision()
        occasions: dict[tuple[int, str], list[AlertDelivery]] = defaultdict(list)
        for delivery in self.deliveries:
            occasions[(delivery.alert_id, delivery.occasion)].append(delivery)
        for (_ignored, occasion), messages in occasions.items():
            alert = messages[0].alert
            if why := why_not_needed(alert, occasion):
                decision.wrong.update({message.pk: why for message in messages})
            elif occasion.startswith("escalated"):
                self._decide_escalation(decision, messages)
            else:
                self._decide_occasion(decision, alert, messages)
        return decision

    def settle(self) -> list[AlertDelivery]:
        """Cancels what is not right any more and queues what is missing; returns the messages that are still right."""
        decision = self.decide()
        by_reason: dict[str, list[int]] = defaultdict(list)
        for pk, why in decision.wrong.items():
            by_reason[why].append(pk)
        for why, pks in by_reason.items():
            AlertDelivery.objects.queued().filter(pk__in=pks).update(outcome=CANCELLED, problem=why)
        for message, to in decision.moved:
            self._follow_rule(message, to)
        climbed = [new for messages in decision.climbing for new in self._climb(messages)]
        queue_messages([*decision.missing, *climbed])
        return decision.right

    def _decide_occasion(self, decision: Decision, alert: Alert, messages: Sequence[AlertDelivery]) -> None:
        failed = self.failed[(alert.pk, messages[0].occasion)]
        reachable = [to for to in self.book.addresses_of(alert.budget) if to.address not in failed]
        readers = {to.address: to for to in reachable or self.book.fallback(alert.budget, without=failed)}
        addresses = dict(readers)
        if messages[0].occasion.startswith(TAKEN_BACK):
            # Nothing is corrected for somebody who never heard of it.
            notified = self.notified[alert.pk]
            addresses = {address: to for address, to in readers.items() if notified & {address, to.user}}
        for message in messages:
            to = addresses.pop(message.address, None)
            if to is None:
                is_reader = message.address in readers
                decision.wrong[message.pk] = NEVER_NOTIFIED if is_reader else self._why_wrong(message)
                continue
            if (to.recipient, to.user) != (message.recipient_id, message.user_id):
                decision.moved.append((message, to))
            decision.right.append(message)
        decision.missing += [to.message(alert, messages[0].occasion, self.now) for to in addresses.values()]

    def _follow_rule(self, message: AlertDelivery, to: Address) -> None:
        """The rule that reached her is gone and another one does: its hours are the ones that count."""
        rules = {rule.pk: rule for rule in self.book.recipients[message.alert.budget_id]}
        message.recipient, message.user_id = rules.get(to.recipient or 0), to.user
        message.save(update_fields=["recipient", "user"])

    def _decide_escalation(self, decision: Decision, messages: Sequence[AlertDelivery]) -> None:
        """An escalation goes to whoever stands on its step; with nobody left there it goes on to the next one."""
        alert, step = messages[0].alert, step_of(messages[0].occasion)
        on_it = {user.email.lower() for user in on_step(self.book.people, alert.budget.team_id, step)}
        right = [message for message in messages if message.address in on_it]
        decision.right += right
        decision.wrong.update({message.pk: self._why_wrong(message) for message in messages if message not in right})
        if not right:
            decision.climbing.append(messages)

    def _climb(self, messages: Sequence[AlertDelivery]) -> list[AlertDelivery]:
        """The messages to those who stand on the step now, else on the next one that has somebody new."""
        alert = messages[0].alert
        notified = notified_by_escalation([alert])[alert.pk]
        alert.escalated = step_of(messages[0].occasion)
        new = next_step(alert, self.book.people, notified, self.now)
        alert.save(update_fields=["escalated", "escalated_at", "history"])
        return new

    def _why_wrong(self, message: AlertDelivery) -> str:
        user = message.user
        if user and not user.is_active:
            return _("{user} was switched off before it was sent.").format(user=user)
        if user and user.email.lower() != message.address:
            return _("The address of {user} changed before it was sent.").format(user=user)
        if message.channel != "mail":
            return _("The channel was removed before it was sent.")
        return _("{person} was no recipient any more when it was to be sent.").format(person=user or message.address)


def why_not_needed(alert: Alert, occasion: str) -> str:
    """Why nobody needs the message any more; empty where it is needed."""
    if alert.budget.state != Budget.State.ACTIVE:
        return _("The budget was {state} before it was sent.").format(state=alert.budget.get_state_display())
    name = occasion.partition(":")[0]
    if name == TAKEN_BACK:
        return "" if alert.state == Alert.State.RESOLVED else _("The alert was open again before it was sent.")
    if alert.state == Alert.State.RESOLVED:
        return _("It was over before it was sent.")
    if alert.state == Alert.State.SNOOZED:
        return _("Somebody snoozed it until {snoozed_until} before it was sent.").format(
            snoozed_until=day_text(alert.snoozed_until)
        )
    if name == "escalated" and not alert.is_open:
        return _("Somebody acknowledged it before it was sent.")
    return ""
