"""A step of a purchase: its row is locked, its event written, and who must know of it gets an email.

Every step asks `purchase_rules.next_state` whether it may happen, and writes its event in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import FINANCE
from reservations.calc import purchase_rules
from reservations.models import PurchaseEvent, PurchaseRequest
from reservations.purchases.purchase_summary import describe_fall


def locked(pk: int) -> PurchaseRequest:
    """The request, locked until the transaction ends."""
    return PurchaseRequest.objects.select_for_update(of=("self",)).select_related("standing_order").get(pk=pk)


def change_state(row: PurchaseRequest, verb: str, user: User | None, comment: str, now: datetime) -> PurchaseRequest:
    """Takes a step that leads to another state. Raises CannotBuy where the state allows no such step."""
    before, row.state = row.state, purchase_rules.next_state(row.state, verb)
    row.message = comment[:2000]
    row.save()
    add_event(row, verb, before, user, comment, now)
    if verb in ("approve", "reject", "expire", "doubt", "record"):
        requester = row.requested_by or (row.standing_order and row.standing_order.made_by)
        addresses = {requester.email} if requester and requester.is_active else set()
        if verb == "doubt":
            addresses |= set(finance_addresses())
        send_emails(row, "purchase-decided", sorted(addresses), now)
    return row


def add_note(row: PurchaseRequest, verb: str, user: User | None, comment: str, now: datetime) -> PurchaseRequest:
    """A step that leaves the state as it is."""
    row.message = comment[:2000]
    row.save()
    add_event(row, verb, row.state, user, comment, now)
    return row


def add_event(row: PurchaseRequest, verb: str, before: str, user: User | None, comment: str, now: datetime) -> None:
    PurchaseEvent.objects.create(
        request=row, at=now, by=user, verb=verb, before=before, after=row.state, comment=comment.strip()[:2000]
    )


def finance_addresses() -> list[str]:
    return [user.email for user in User.objects.in_role(FINANCE)]


def send_emails(row: PurchaseRequest, template: str, addresses: Sequence[str], now: datetime) -> None:
    """One email to each address about the newest step, however often the step is repeated."""

    def context() -> dict[str, Any]:
        return {"request": row, "url": absolute_url(row.get_absolute_url()), "fall": describe_fall(row)}

    step = row.events.count()
    for address in addresses:
        outbox.queue_email(
            f"purchase {row.pk} step {step} to {address}", make_message(template, address, context), now=now
        )
