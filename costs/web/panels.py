"""What the home page shows of costs, for a team and for the whole company."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.models import Delivery
from costs.query import latest_month, trends
from costs.query.known_until import known_in
from costs.query.scope import filters_of
from costs.web.comparisons import change_row, month_stats
from costs.web.team_rows import team_spend_rows
from finops_site.lib.money import rounded
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.people.roles import role_of
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import PendingDecision, registry
from finops_site.ui.pending_decisions import decision_items
from finops_site.ui.request_memo import request_memo


def _comparison(request: HttpRequest) -> trends.Comparison | None:
    """One for the whole page: the panels share what they compare."""
    user, today = signed_in_user(request), timezone.now().date()

    def compare() -> trends.Comparison | None:
        day = latest_month.day(user, today)
        return trends.compare(user, Month.of(day), today) if day else None

    return request_memo(user, "cost comparison", compare)


def spending_panel(request: HttpRequest) -> dict[str, Any] | None:
    """Month so far, last month, last year, and beside them what others have for this role; her teams' pages."""
    comparison = _comparison(request)
    if not comparison:
        return None
    user, today = signed_in_user(request), timezone.now().date()
    beside = registry.home_stats(user, role_of(user), today)
    stats = month_stats(user, comparison, filters_of(user), with_year=not beside)
    return {
        "stats": [*stats, *beside],
        "comparison": comparison,
        "known": known_in(user, comparison.year, today, metric=comparison.metric),
        "teams": [] if user.sees_whole_company else Team.objects.visible_to(user),
    }


def history_panel(request: HttpRequest) -> dict[str, Any] | None:
    """Thirteen months: by team for the company, by service for a team."""
    comparison = _comparison(request)
    if not comparison:
        return None
    by = "team" if signed_in_user(request).sees_whole_company else "service"
    user = signed_in_user(request)
    months = trends.monthly_history(user, comparison, by, filters_of(user))
    query = {"group_by": by, "period": "12-months"} | ({"show_in": months.target} if months.rates else {})
    return {
        "history": months,
        "by": _("team") if by == "team" else _("service"),
        "comparison": comparison,
        "explorer_url": f"{reverse('costs:explorer')}?{urlencode(query)}",
    }


def changes_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The largest changes by service."""
    comparison = _comparison(request)
    if not comparison:
        return None
    filters = filters_of(signed_in_user(request))
    changes = trends.cost_drivers(signed_in_user(request), comparison, "service", filters, comparison.metric)
    blocks = [
        {
            "currency": code,
            "rows": [
                change_row(labelled, "service", filters, comparison)
                for labelled in of_currency[:6]
                # What would read as a change of 0.00 says nothing on home.
                if rounded(labelled.change.difference, code)
            ],
        }
        for code, of_currency in changes.items()
    ]
    return {"blocks": blocks, "comparison": comparison}


def teams_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The company's teams, the unowned among them; a person's own teams when she has more than one."""
    comparison = _comparison(request)
    if not comparison or (
        not signed_in_user(request).sees_whole_company and len(signed_in_user(request).visible_team_ids) < 2
    ):
        return None
    rows = [row for row in team_spend_rows(signed_in_user(request), comparison) if row["now"] is not None]
    return {"rows": rows, "comparison": comparison}


def deliveries_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The newest bills: did they come, and was everything read?"""
    rows = Delivery.objects.visible_to(signed_in_user(request)).select_related("source")
    newest = rows.annotate(months_billed=ArrayAgg("months__billing_month", distinct=True, default=[]))
    # Grouped rows have lost the order of their model.
    newest = newest.order_by("-received_at", "-id")[:5]
    return {"deliveries": newest} if newest else None


def deliveries_to_decide(user: Person, rows: QuerySet[Delivery]) -> list[PendingDecision]:
    """Bills that are held: finance decides whether they count."""
    url = f"{reverse('costs:deliveries')}?status=held"
    return decision_items(
        rows, _("A bill is held, for it is not whole"), _("bills are held, for they are not whole"), url
    )
