"""Chargeback on the home page and in the monthly report."""

from typing import Any

from django.http import HttpRequest

from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Membership
from finops_site.people.signed_in import signed_in_user
from tagging.models import ChargebackPeriod, Statement


def statement_panel(request: HttpRequest) -> dict[str, Any] | None:
    """A lead's latest statements; for those who see the company the latest months."""
    user = signed_in_user(request)
    if user.sees_whole_company:
        periods = list(ChargebackPeriod.objects.exclude(totals=None).prefetch_related("totals").distinct()[:3])
        return {"periods": periods} if periods else None
    teams = Membership.objects.filter(user=user).values("team")
    rows = Statement.objects.filter(team__in=teams).select_related("period", "team")
    statements = list(rows.order_by("-period__billing_month", "team_name", "currency")[:4])
    return {"statements": statements} if statements else None


def report_section(user: Person, month: Month) -> dict[str, Any] | None:
    """The month's statements that a person may see, for the monthly report."""
    rows = Statement.objects.visible_to(user).filter(period__billing_month=month.start).select_related("period")
    statements = list(rows.order_by("currency", "-total"))
    if not statements:
        return None
    first = statements[0]
    state = "closed" if first.is_closed else "a draft: it changes until finance closes the month"
    table = [
        [
            statement.team_name,
            statement.number or "draft",
            {"amount": statement.total, "currency": statement.currency, "url": statement.get_absolute_url()},
        ]
        for statement in statements
    ]
    text = [f"By billing month, {first.period.get_basis_display().lower()}; {state}."]
    tables = [{"head": ["Team", "Statement", "Charged"], "rows": table}]
    return {"text": text, "tables": tables, "statements": statements}
