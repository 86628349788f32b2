"""Chargeback on the home page and in the monthly report."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from finops_site.lib.money import exact_sum
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence
from finops_site.models import Membership
from finops_site.people.signed_in import signed_in_user
from tagging.chargeback.links import CostLineLinks
from tagging.models import ChargebackPeriod, Statement


def statement_panel(request: HttpRequest) -> dict[str, Any] | None:
    """A lead's latest statements; for those who see the company the latest months."""
    user = signed_in_user(request)
    if user.sees_whole_company:
        periods = list(ChargebackPeriod.objects.exclude(totals=None).prefetch_related("totals").distinct()[:3])
        return {"periods": periods, "latest": _company_parts(periods[0])} if periods else None
    teams = Membership.objects.filter(user=user).values("team")
    rows = Statement.objects.filter(team__in=teams).select_related("period", "team")
    statements = list(rows.order_by("-period__billing_month", "team_name", "currency")[:4])
    return {"statements": statements, "latest": _team_parts(statements)} if statements else None


def team_statement_panel(user: Person, team: int, month: Month) -> dict[str, Any] | None:
    """A team's statements of a billing month, one for each currency; None where it has none."""
    rows = Statement.objects.visible_to(user).filter(team=team, period__billing_month=month.start)
    statements = list(rows.select_related("period", "team").order_by("currency"))
    if not statements:
        return None
    return {"period": statements[0].period, "statements": statements, "latest": _team_parts(statements)}


def _company_parts(period: ChargebackPeriod) -> list[dict[str, Any]]:
    """direct + shared + what nobody is charged = bill, in each currency; each part with where it opens."""
    links, url = CostLineLinks(), period.get_absolute_url()
    return [
        {
            "currency": total.currency,
            "parts": [
                (_("direct"), total.document_direct, url),
                (_("shared"), total.document_shared, url),
                *(
                    [(_("in pools nobody can take"), total.document_unallocated, "")]
                    if total.document_unallocated
                    else []
                ),
                (
                    _("unowned"),
                    total.document_unowned,
                    links.month(period.month, team="none", currency=total.currency),
                ),
                *([(_("rounding"), total.document_rounding, "")] if total.document_rounding else []),
            ],
            "label": _("bill"),
            "total": total.document_bill,
            "url": links.month(period.month, currency=total.currency),
            "month": period.billing_month,
        }
        for total in period.totals.all()
    ]


def _team_parts(statements: Sequence[Statement]) -> list[dict[str, Any]]:
    """direct + shared (+ spread discounts + what is booked) = statement, of each statement of the latest month."""
    links, latest = CostLineLinks(), statements[0].period
    shown = []
    for statement in statements:
        if statement.period_id != latest.pk:
            continue
        url, code = statement.get_absolute_url(), statement.currency
        booked = exact_sum([statement.document_corrections, statement.document_adjustments])
        rest = (
            (_("spread discounts"), statement.document_spread, url),
            (_("corrections and adjustments"), booked, url),
        )
        direct_url = links.month(latest.month, own_team=statement.team_id, currency=code)
        parts = [(_("direct"), statement.document_direct, direct_url), (_("shared"), statement.document_shared, url)]
        shown.append(
            {
                "currency": code,
                "parts": [*parts, *(part for part in rest if part[1])],
                "label": _("statement"),
                "total": statement.document_total,
                "url": url,
                "month": latest.billing_month,
            }
        )
    return shown


def report_section(user: Person, month: Month) -> dict[str, Any] | None:
    """The month's statements that a person may see, for the monthly report."""
    rows = Statement.objects.visible_to(user).filter(period__billing_month=month.start).select_related("period")
    statements = list(rows.order_by("currency", "-total"))
    if not statements:
        return None
    first = statements[0]
    states = {
        "closed": _("closed"),
        "aside": _("set aside: nobody is charged"),
        "draft": _("a draft: it changes until finance closes the month"),
    }
    state = states[first.period.state]
    table = [
        [
            statement.team_name,
            statement.number or _("draft"),
            {"amount": statement.document_total, "currency": statement.currency, "url": statement.get_absolute_url()},
        ]
        for statement in statements
    ]
    text = [
        _("By billing month, {basis}; {state}.").format(
            basis=in_sentence(first.period.get_basis_display()), state=state
        )
    ]
    tables = [{"head": [_("Team"), _("Statement"), _("Charged")], "rows": table}]
    return {"text": text, "tables": tables, "statements": statements}


def count_closed_months(since: date, as_of: date) -> int:
    """Months that were closed, and so charged to teams, from the day `since` to the end of the day `as_of`."""
    return ChargebackPeriod.objects.closed().filter(closed_at__date__gte=since, closed_at__date__lte=as_of).count()
