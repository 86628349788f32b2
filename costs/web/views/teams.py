"""Teams: what each spent, and why it changed."""

from functools import cached_property
from typing import Any

from django.utils import timezone
from django.views.generic import TemplateView

from costs.query import latest_month, trends
from costs.query.known_until import known_in
from costs.query.pivots import build_pivots
from costs.query.question import Question
from costs.web.comparisons import change_block, month_stats
from costs.web.links import group_filters, lines_url
from costs.web.tables import TeamTable
from costs.web.team_rows import team_spend_rows, team_totals
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.ui.pages import DetailPage, Empty, Page
from finops_site.ui.tables import total_rows


class TeamsPage(Page, TemplateView):
    permission_required = "costs.view_costline"
    title = "Teams"
    template_name = "costs/teams.html"
    empty = Empty("No team yet", "An administrator makes teams and puts people into them.", "users-group")

    @cached_property
    def comparison(self) -> trends.Comparison:
        today = timezone.now().date()
        return trends.compare(self.person, latest_month.month(self.person, today), today)

    def get_subtitle(self) -> str:
        metric = self.comparison.metric_label.lower()
        return f"{self.comparison.title}, {self.comparison.against}. Each team's own {metric}, by charge day."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = team_spend_rows(self.person, self.comparison)
        table = TeamTable(rows, totals=total_rows(team_totals(rows)), request=None)
        comparison = self.comparison
        known = known_in(self.person, comparison.both_months, timezone.now().date(), metric=comparison.metric)
        return super().get_context_data(
            table=table, is_empty=not rows, empty=self.empty.for_user(self.person), known=known, **kwargs
        )


class TeamPage(DetailPage):
    parameters = ("month",)
    permission_required = "costs.view_costline"
    model = Team
    template_name = "costs/team.html"
    breadcrumbs = (("Teams", "costs:teams"),)

    @cached_property
    def month(self) -> Month:
        """The month asked for; else the latest that has cost."""
        try:
            return Month.parse(self.request.GET.get("month", ""))
        except ValueError:
            return latest_month.month(self.person, timezone.now().date())

    @cached_property
    def comparison(self) -> trends.Comparison:
        return trends.compare(self.person, self.month, timezone.now().date(), self.filters)

    @property
    def filters(self) -> dict[str, list[str]]:
        return {"team": [str(self.object.pk)]}

    def get_subtitle(self) -> str:
        below = self.object.children.exists()
        centre = f"Cost centre {self.object.cost_center}. " if self.object.cost_center else ""
        metric = f"{self.comparison.metric_label}, by charge day"
        return f"{centre}{self.comparison.title}{', teams below included' if below else ''}. {metric}."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, month = self.person, self.month
        context = {
            "month": month,
            "months": [month.plus(-back) for back in range(-1, 13)],
            "comparison": self.comparison,
            "stats": month_stats(user, self.comparison, self.filters),
            "history": trends.monthly_history(user, self.comparison, "service", self.filters),
            "by_service": self.changes_by("service"),
            "by_resource": self.changes_by("resource"),
            "top": self.top_resources(),
            "known": known_in(
                user,
                self.comparison.year,
                timezone.now().date(),
                filters=self.filters,
                metric=self.comparison.metric,
            ),
        }
        return super().get_context_data(**{**context, **kwargs})

    def changes_by(self, name: str) -> list[dict[str, Any]]:
        """New, gone, more and less by a dimension, a block for each currency."""
        changes = trends.cost_drivers(self.person, self.comparison, name, self.filters, self.comparison.metric)
        return [
            change_block(of_currency, name, code, self.filters, self.comparison)
            for code, of_currency in changes.items()
        ]

    def top_resources(self) -> list[dict[str, Any]]:
        rows, period = [], self.comparison.now
        question = Question(period, ("resource",), "", self.comparison.metric, self.filters)
        for pivot in build_pivots(self.person, question, top=10):
            for group in pivot.groups:
                billed_in = {"currency": pivot.currency}
                chosen = {**self.filters, **group_filters(("resource",), group.keys), **billed_in}
                url = lines_url(period, chosen) if group.keys else ""
                rows.append({"label": group.label, "amount": group.total, "currency": pivot.currency, "url": url})
        return rows
