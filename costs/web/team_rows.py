"""What each team spent, this month so far against the same days of the month before."""

from decimal import Decimal
from typing import Any

from django.urls import reverse

from costs.query import trends
from costs.query.question import Question
from costs.query.scope import WITHOUT_TEAM
from costs.query.spend import add
from costs.web.links import lines_url
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.models import Team

# {(team, currency): amount}.
TeamSums = dict[tuple[str, str], Decimal | None]


def team_spend_rows(user: Person, comparison: trends.Comparison) -> list[dict[str, Any]]:
    """A row for each team and currency, then the shared and the unowned; teams without cost have a row too."""
    now, before, last = (
        _sums_by_team(user, period, comparison)
        for period in (comparison.now, comparison.before, comparison.month.previous.period)
    )
    teams = {str(team.pk): team for team in Team.objects.visible_to(user)}
    currencies = sorted({currency for _, currency in {**now, **before, **last}}) or ["USD"]
    without_team = {key for key, _ in {**now, **last}} & set(WITHOUT_TEAM)
    rows = []
    for key in [*teams, *without_team]:
        described = _describe(key, teams.get(key), comparison.now)
        for code in currencies:
            sums = {"now": now.get((key, code)), "before": before.get((key, code)), "last": last.get((key, code))}
            change = trends.cost_difference(sums["now"], sums["before"])
            rows.append({**described, "currency": code, **sums, "change": change})
    order = ["", *WITHOUT_TEAM]
    return sorted(rows, key=lambda row: (order.index(row["side"]), -(row["now"] or 0)))


def _sums_by_team(user: Person, period: Period, comparison: trends.Comparison) -> TeamSums:
    rows = trends.find_spend_in(user, Question(period, ("team",), "", comparison.metric), comparison.shown_in)
    return {(row.group[0], row.currency): row.amount for row in rows}


def _describe(key: str, team: Team | None, period: Period) -> dict[str, str]:
    if team:
        url = reverse("costs:team", args=[team.pk])
        return {"team": team.name, "side": "", "cost_center": team.cost_center, "url": url}
    return {"team": str(WITHOUT_TEAM[key]), "side": key, "cost_center": "", "url": lines_url(period, {"team": key})}


def team_totals(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """{currency: {column: exact sum}}."""
    totals = {}
    for code in sorted({row["currency"] for row in rows}):
        of_currency = [row for row in rows if row["currency"] == code]
        totals[code] = {name: add(row[name] for row in of_currency) for name in ("now", "before", "last", "change")}
    return totals
