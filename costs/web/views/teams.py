"""Teams: what each spent, and why it changed."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import django_tables2
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.generic import TemplateView

from costs.calc.period_changes import KINDS
from costs.query import latest_month, spend, trends
from costs.query.spend import Question
from finops_site.lib import charts
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.ui.figures import month_text
from finops_site.ui.pages import DetailPage, Empty, Page
from finops_site.ui.tables import BaseTable, ChangeColumn, MoneyColumn, total_rows

METRIC = "billed_cost"
SHOWN = 8
NOBODYS = {spend.POOLED: spend.SHARED, spend.NOBODY: spend.UNOWNED}
LAST = ["", *NOBODYS]


class TeamTable(BaseTable):
    """Teams with this month so far, the same days before, and the last whole month."""

    team = django_tables2.Column()
    cost_center = django_tables2.Column("Cost centre")
    now = MoneyColumn("Month so far")
    change = ChangeColumn("Change", before="before")
    last = MoneyColumn("Last month")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = "Teams"

    def render_team(self, value: str, record: dict[str, Any]) -> Any:
        return format_html('<a href="{}">{}</a>', record["url"], value)


class TeamsPage(Page, TemplateView):
    permission_required = "costs.view_costline"
    title = "Teams"
    template_name = "costs/teams.html"
    empty = Empty("No team yet", "An administrator makes teams and puts people into them.", "users-group")

    @cached_property
    def comparison(self) -> trends.Comparison:
        today = timezone.now().date()
        return trends.compare(self.request.user, latest_month.month(self.request.user, today), today)

    def get_subtitle(self) -> str:
        return f"{self.comparison.said}, {self.comparison.against}. Each team's own cost, by charge day."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = team_rows(self.request.user, self.comparison)
        table = TeamTable(rows, totals=total_rows(_sums(rows)), request=None)
        return super().get_context_data(
            table=table, is_empty=not rows, empty=self.empty.for_user(self.request.user), **kwargs
        )


def team_rows(user: Person, comparison: trends.Comparison) -> list[dict[str, Any]]:
    """A row for each team and currency, then the shared and the unowned; teams without cost have a row too."""
    month = comparison.month
    now = _by_team(user, comparison.now, comparison.shown_in)
    before = _by_team(user, comparison.before, comparison.shown_in)
    last = _by_team(user, month.previous.period, comparison.shown_in)
    known = {str(team.pk): team for team in Team.objects.visible_to(user)}
    currencies = sorted({currency for _, currency in {**now, **before, **last}}) or ["USD"]
    nobodys = {key for key, _ in {**now, **last}} & {spend.POOLED, spend.NOBODY}
    keys = [*known, *nobodys]
    rows = [_team_row(known.get(key), key, code, now, before, last, comparison) for key in keys for code in currencies]
    return sorted(rows, key=lambda row: (LAST.index(row["side"]), -(row["now"] or 0)))


def _by_team(user: Person, period: Period, shown_in: str) -> dict[tuple[str, str], Any]:
    found = trends.rows(user, Question(period, ("team",)), shown_in)
    return {(row.group[0], row.currency): row.amount for row in found}


def _team_row(
    team: Team | None, key: str, code: str, now: Any, before: Any, last: Any, comparison: Any
) -> dict[str, Any]:
    place = (key, code)
    query = urlencode({"team": key, "from": comparison.now.start, "to": comparison.now.last_day})
    return {
        "team": team.name if team else NOBODYS[key],
        "side": "" if team else key,
        "cost_center": team.cost_center if team else "",
        "url": reverse("costs:team", args=[team.pk]) if team else f"{reverse('costs:lines')}?{query}",
        "currency": code,
        "now": now.get(place),
        "before": before.get(place),
        "change": trends.difference(now.get(place), before.get(place)),
        "last": last.get(place),
    }


def _sums(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for code in sorted({row["currency"] for row in rows}):
        mine = [row for row in rows if row["currency"] == code]
        sums = {name: spend.add(row[name] for row in mine) for name in ("now", "before", "last", "change")}
        found[code] = sums
    return found


class TeamPage(DetailPage):
    permission_required = "costs.view_costline"
    model = Team
    template_name = "costs/team.html"
    breadcrumbs = (("Teams", "costs:teams"),)

    @cached_property
    def month(self) -> Month:
        """The month asked for; else the latest that has cost. A month nobody can read is the latest, too."""
        try:
            return Month.parse(self.request.GET.get("month", ""))
        except ValueError:
            return latest_month.month(self.request.user, timezone.now().date())

    @cached_property
    def comparison(self) -> trends.Comparison:
        return trends.compare(self.request.user, self.month, timezone.now().date())

    @property
    def filters(self) -> dict[str, list[str]]:
        return {"team": [str(self.object.pk)]}

    def get_subtitle(self) -> str:
        below = self.object.children.exists()
        centre = f"Cost centre {self.object.cost_center}. " if self.object.cost_center else ""
        return f"{centre}{self.comparison.said}{', teams below included' if below else ''}, by charge day."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, month = self.request.user, self.month
        context = {
            "month": month,
            "months": [month.plus(-back) for back in range(-1, 13)],
            "comparison": self.comparison,
            "stats": stats(user, self.comparison, self.filters),
            "course": trends.course(user, month, "service", self.filters, METRIC, self.comparison.shown_in),
            "by_service": self._changes("service"),
            "by_resource": self._changes("resource"),
            "top": self._top(),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _changes(self, by: str) -> list[dict[str, Any]]:
        found = trends.drivers(self.request.user, self.comparison, by, self.filters, METRIC)
        return [change_block(named, by, code, self.filters, self.comparison) for code, named in found.items()]

    def _top(self) -> list[dict[str, Any]]:
        question = Question(self.comparison.now, ("resource",), "", METRIC, self.filters)
        return [
            {"label": group.label, "amount": group.total, "currency": pivot.currency, "url": self._lines(group.keys)}
            for pivot in spend.pivots(self.request.user, question, top=10)
            for group in pivot.groups
        ]

    def _lines(self, keys: tuple[str, ...]) -> str:
        extra = {"resource": keys[0]} if keys and keys[0] else {}
        return lines_url(self.comparison.now, {**self.filters, **extra}) if keys else ""


def my_filters(user: Person) -> dict[str, list[str]]:
    """The teams a person leads or works in; the whole company for those who see it."""
    return {} if user.sees_whole_company else {"team": [str(pk) for pk in user.visible_team_ids]}


def lines_url(period: Period, filters: dict[str, Any]) -> str:
    query = {**filters, "from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"


def stats(user: Person, comparison: trends.Comparison, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Stat cards: the month so far with its change, the last whole month; per currency."""
    previous = comparison.month.previous
    twelve = Period(comparison.month.plus(-11).start, comparison.month.next.start)
    compared, shown_in = (comparison.now, comparison.before), comparison.shown_in
    now, before = (trends.sums_of_services(user, each, filters, METRIC, shown_in) for each in compared)
    last, year = (trends.totals(user, each, filters, METRIC, shown_in) for each in (previous.period, twelve))
    cards = []
    for code in sorted({*now, *before, *last}):
        billed_in = {} if code == shown_in else {"currency": code}
        cards += [
            {
                "label": comparison.said,
                "amount": now.get(code),
                "currency": code,
                "before": before.get(code),
                "against": comparison.against,
                "url": lines_url(comparison.now, {**filters, **billed_in}),
                "icon": "calendar-month",
            },
            {
                "label": month_text(previous, "long"),
                "amount": last.get(code),
                "currency": code,
                "note": "the whole month",
                "url": lines_url(previous.period, {**filters, **billed_in}),
                "icon": "calendar",
            },
            {
                "label": "Last 12 months",
                "amount": year.get(code),
                "currency": code,
                "note": "this month so far included",
                "icon": "calendar-stats",
            },
        ]
    return cards


def change_block(
    named: list[trends.Named], by: str, code: str, filters: dict[str, list[str]], comparison: trends.Comparison
) -> dict[str, Any]:
    """New, gone, more and less of one currency: the largest of each, how many more there are, and their sums."""
    kinds = []
    for kind in KINDS:
        mine = [each for each in named if each.change.kind == kind]
        shown = [_change_row(each, by, filters, comparison) for each in mine[:SHOWN]]
        kinds.append(
            {
                "kind": kind,
                "sum": spend.add(each.change.difference for each in mine),
                "shown": shown,
                "more": len(mine) - len(shown),
            }
        )
    return {
        "currency": code,
        "kinds": kinds,
        "total": spend.add(each.change.difference for each in named),
        "chart": _change_chart(named, by, code),
    }


def _change_row(
    each: trends.Named, by: str, filters: dict[str, list[str]], comparison: trends.Comparison
) -> dict[str, Any]:
    period = comparison.before if each.change.kind == "gone" else comparison.now
    return {
        "label": each.label,
        "before": each.change.before,
        "after": each.change.after,
        "difference": each.change.difference,
        "url": lines_url(period, {**filters, by: each.change.key}) if each.change.key else lines_url(period, filters),
    }


def _change_chart(named: list[trends.Named], by: str, code: str) -> dict[str, Any]:
    top = named[:10]
    return {
        "id": f"changes-{by}-{code.lower()}",
        "kind": "bar",
        "title": f"The largest changes by {by}, {code}",
        "categories": [each.label for each in top],
        "series": [charts.series("Change", [each.change.difference for each in top])],
        "currency": code,
    }
