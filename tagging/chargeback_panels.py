"""What chargeback has to say on the home page."""

from typing import Any

from django.http import HttpRequest

from finops_site.models import Membership
from tagging.models import ChargebackPeriod, Statement


def statement(request: HttpRequest) -> dict[str, Any] | None:
    """A lead's latest statements; for those who see the company the latest months."""
    user = request.user
    if user.sees_whole_company:
        periods = list(ChargebackPeriod.objects.exclude(totals=None).prefetch_related("totals").distinct()[:3])
        return {"periods": periods} if periods else None
    teams = Membership.objects.filter(user=user).values("team")
    rows = Statement.objects.filter(team__in=teams).select_related("period", "team")
    found = list(rows.order_by("-period__billing_month", "team_name", "currency")[:4])
    return {"statements": found} if found else None
