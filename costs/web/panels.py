"""What costs has to say on the home page, for a team and for the whole company."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from costs.models import Delivery
from costs.query import latest_month, trends
from costs.web.views import teams
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.ui.request_memo import request_memo


def _comparison(request: HttpRequest) -> trends.Comparison | None:
    """One for the whole page: the panels share what they compare."""
    return request_memo(request.user, "cost comparison", lambda: _compare(request.user, timezone.now().date()))


def _compare(user: Person, today: date) -> trends.Comparison | None:
    day = latest_month.day(user, today)
    return trends.compare(user, Month.of(day), today) if day else None


def spending(request: HttpRequest) -> dict[str, Any] | None:
    """Month so far, last month, last year."""
    comparison = _comparison(request)
    if not comparison:
        return None
    return {"stats": teams.stats(request.user, comparison, teams.my_filters(request.user)), "comparison": comparison}


def course(request: HttpRequest) -> dict[str, Any] | None:
    """Thirteen months: by team for the company, by service for a team."""
    comparison = _comparison(request)
    if not comparison:
        return None
    by = "team" if request.user.sees_whole_company else "service"
    filters = teams.my_filters(request.user)
    found = trends.course(request.user, comparison.month, by, filters, teams.METRIC, comparison.shown_in)
    query = {"group_by": by, "period": "12-months"} | ({"show_in": found.target} if found.rates else {})
    return {"course": found, "by": by, "explorer_url": f"{reverse('costs:explorer')}?{urlencode(query)}"}


def changed(request: HttpRequest) -> dict[str, Any] | None:
    """The largest changes by service."""
    comparison = _comparison(request)
    if not comparison:
        return None
    filters = teams.my_filters(request.user)
    found = trends.drivers(request.user, comparison, "service", filters, teams.METRIC)
    blocks = [_changed(named, code, filters, comparison) for code, named in found.items()]
    return {"blocks": blocks, "comparison": comparison}


def _changed(named: list[trends.Named], code: str, filters: Any, comparison: trends.Comparison) -> dict[str, Any]:
    rows = [
        {
            "label": each.label,
            "kind": each.change.kind,
            "difference": each.change.difference,
            "before": each.change.before,
            "url": teams.lines_url(comparison.now, {**filters, "service": each.change.key}),
        }
        for each in named[:6]
    ]
    return {"currency": code, "rows": rows}


def by_team(request: HttpRequest) -> dict[str, Any] | None:
    """The company's teams, the unowned among them; a person's own teams when she has more than one."""
    comparison = _comparison(request)
    if not comparison or (not request.user.sees_whole_company and len(request.user.visible_team_ids) < 2):
        return None
    rows = [row for row in teams.team_rows(request.user, comparison) if row["now"] is not None]
    return {"rows": rows, "comparison": comparison}


def my_teams(request: HttpRequest) -> dict[str, Any] | None:
    """Links to her teams, for somebody who does not see the company."""
    if request.user.sees_whole_company or not _comparison(request):
        return None
    found = list(Team.objects.visible_to(request.user))
    return {"teams": found} if found else None


def deliveries(request: HttpRequest) -> dict[str, Any] | None:
    """The newest bills: did they come, and was everything read?"""
    found = Delivery.objects.visible_to(request.user).select_related("source").prefetch_related("months")[:5]
    return {"deliveries": found} if found else None
