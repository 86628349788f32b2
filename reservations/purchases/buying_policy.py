"""The buying policy is changed: the switch, what the API may buy, and up to what each approver approves."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.models import User
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import ApproverLimit, BuyingPolicy
from reservations.purchases import buying


@transaction.atomic
def set_buying_switch(*, stop: bool) -> BuyingPolicy:
    """Stops all buying, or resumes it. A purchase that a worker is about to send reads it under the same lock."""
    policy = BuyingPolicy.get(lock=True)
    policy.is_stopped = stop
    policy.save()
    return policy


@transaction.atomic
def set_policy(user: User, **changes: Any) -> BuyingPolicy:
    """Changes the policy. Whoever raises the common limit keeps the old one until somebody else sets hers."""
    policy = BuyingPolicy.get(lock=True)
    before = policy.default_limit
    for name, value in changes.items():
        setattr(policy, name, value)
    policy.save()
    if policy.default_limit > before and not ApproverLimit.objects.filter(user=user).exists():
        ApproverLimit.objects.create(user=user, limit=before, set_by=None)
    return policy


@transaction.atomic
def set_limit(user: User, approver: User, limit: Decimal) -> ApproverLimit:
    """Up to what somebody else approves; raises CannotBuy for one's own."""
    if approver.pk == user.pk:
        raise CannotBuy(_("Somebody else of finance sets your limit."))
    row, _ignored = ApproverLimit.objects.update_or_create(user=approver, defaults={"limit": limit, "set_by": user})
    return row


def ceiling_use(policy: BuyingPolicy, now: datetime) -> dict[str, Any]:
    """What the API committed to in the calendar month of `now`, and the share of the ceiling that it is."""
    spent = buying.spent_by_api(now)
    share = min(int(100 * spent / policy.monthly_ceiling), 100) if policy.monthly_ceiling else None
    left = max(policy.monthly_ceiling - spent, Decimal(0))
    return {"spent": spent, "percent": share, "left": left, "currency": policy.currency}
