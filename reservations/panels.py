"""What commitments show on the pages of others: decisions that wait, and advice."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import cast

from django.urls import reverse

from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.registry import AdviceItem, PendingDecision
from finops_site.ui.pending_decisions import decision_items
from reservations.calc import purchase_rules
from reservations.models import Plan, PurchaseRequest
from reservations.purchases import approvals
from reservations.querysets import PurchaseQuerySet


def purchases_to_decide(user: Person) -> PurchaseQuerySet:
    """The purchases that wait for approval, and those that are approved and not bought yet."""
    return PurchaseRequest.objects.visible_to(user).filter(state__in=(purchase_rules.WAITING, purchase_rules.APPROVED))


def purchases_waiting(user: Person, rows: PurchaseQuerySet) -> list[PendingDecision]:
    """Of those that wait for approval, the ones that she may approve."""
    url = reverse("reservations:purchases")
    waiting = rows.waiting_for(approvals.approver_for(cast(User, user)))
    approved = rows.filter(state=purchase_rules.APPROVED)
    return [
        *decision_items(waiting, "A purchase waits for your approval", "purchases wait for your approval", url),
        *decision_items(
            approved, "An approved purchase is not bought yet", "approved purchases are not bought yet", url
        ),
    ]


def commitment_advice(user: Person | None, filters: Mapping[str, Sequence[str]], as_of: date) -> list[AdviceItem]:
    """The newest recommendation, where it saves anything; nothing for somebody without a login."""
    if user is None or not user.has_perm("reservations.view_plan"):
        return []
    plan = Plan.objects.visible_to(user).filter(state=Plan.State.READY).first()
    if plan is None or not plan.saving or plan.saving <= 0:
        return []
    note = " (indicative prices)" if plan.is_indicative else ""
    count = plan.item_count()
    what = f"{count} purchase{'s' if count != 1 else ''}{note}"
    if plan.team is None and set(filters) - {"currency"}:
        # What the company saves is no figure for a part of it.
        return [AdviceItem(f"Commit to what runs all the time, for the whole company: {what}", plan.get_absolute_url())]
    text = f"Commit to what runs all the time: {what}"
    return [AdviceItem(text, plan.get_absolute_url(), plan.saving / 12, plan.currency)]
