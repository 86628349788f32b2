"""Teams: what each spent, and why it changed."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from costs.query import latest_month, trends
from costs.query.known_until import KnownDays, known_in
from costs.query.pivots import build_pivots
from costs.query.question import Question
from costs.web.comparisons import change_block, month_stats, waterfall_charts
from costs.web.links import group_filters, lines_url
from costs.web.tables import TeamTable
from costs.web.team_rows import team_spend_rows, team_totals
from finops_site.lib.periods import Month
from finops_site.lib.words import in_sentence
from finops_site.models import Team
from finops_site.registry import registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.pages import DetailPage, Empty, Page
from finops_site.ui.tables import total_rows


class TeamsPage(Page, TemplateView):
    permission_required = "costs.view_costline"
    title = _lazy("Teams")
    template_name = "costs/teams.html"
    empty = Empty(_lazy("No team yet"), _lazy("An administrator makes teams and puts people into them."), "users-group")

    @cached_property
    def comparison(self) -> trends.Comparison:
        today = timezone.now().date()
        return trends.compare(self.person, latest_month.month(self.person, today), today)

    def get_subtitle(self) -> str:
        metric = in_sentence(self.comparison.metric_label)
        return _("{comparison}, {against}. Each team's own {metric}, by charge day.").format(
            comparison=self.comparison.title, against=self.comparison.against, metric=metric
        )

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
    exports = ("csv",)
    permission_required = "costs.view_costline"
    model = Team
    template_name = "costs/team.html"
    breadcrumbs = ((_lazy("Teams"), "costs:teams"),)

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
        days = self.comparison.title
        below = _("{days}, teams below included.") if self.object.children.exists() else "{days}."
        metric = _("{metric}, by charge day.").format(metric=self.comparison.metric_label)
        centre = self.object.cost_center
        parts = [_("Cost centre {centre}.").format(centre=centre)] if centre else []
        return " ".join([*parts, below.format(days=days), metric])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, month = self.person, self.month
        context = {
            "month": month,
            "months": [month.plus(-back) for back in range(-1, 13)],
            "comparison": self.comparison,
            "stats": month_stats(user, self.comparison, self.filters),
            "history": trends.monthly_history(user, self.comparison, "service", self.filters),
            "waterfalls": self.waterfalls(),
            "by_resource": self.changes_by("resource"),
            "top": self.top_resources(),
            "budgets": registry.budgets_of(user, self.object.pk, month),
            "panels": self.panels(),
            "advice": registry.advice(user, self.filters, timezone.now().date()),
            "today": timezone.now().date(),
            "known": self.known,
        }
        return super().get_context_data(**{**context, **kwargs})

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            self.object = self.get_object()
            return self.csv()
        return super().get(request, *args, **kwargs)

    def csv(self) -> HttpResponseBase:
        """Every change by service, with every digit; the differences sum to the change of the total."""
        rows: list[list[Any]] = [["Service", "Change", "Before", "After", "Difference", "Currency"]]
        for code, changes in self.changes_by_service.items():
            rows += [
                [row.label, row.change.kind, row.change.before, row.change.after, row.change.difference, code]
                for row in changes
            ]
        return csv_download(rows, f"changes-{self.object.pk}-{self.month}", notes=self.known.notes)

    @cached_property
    def known(self) -> KnownDays:
        comparison, today = self.comparison, timezone.now().date()
        return known_in(self.person, comparison.year, today, filters=self.filters, metric=comparison.metric)

    @cached_property
    def changes_by_service(self) -> dict[str, list[trends.LabelledChange]]:
        return trends.cost_drivers(self.person, self.comparison, "service", self.filters, self.comparison.metric)

    def waterfalls(self) -> list[dict[str, Any]]:
        """What changed by service, a chart for each currency."""
        csv_url = f"{self.request.path}?{urlencode({'month': self.month, '_export': 'csv'})}"
        return waterfall_charts(self.person, self.changes_by_service, self.filters, self.comparison, csv_url)

    def panels(self) -> list[str]:
        """What the other pillars say of the team in the month, drawn."""
        panels = registry.team_panels(self.person, self.object.pk, self.month)
        return [
            render_to_string(panel.template, {"team": self.object, "month": self.month, **context}, self.request)
            for panel, context in panels
        ]

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
                url = ""
                if group.keys:
                    chosen = {**self.filters, **group_filters(("resource",), group.keys), "currency": pivot.currency}
                    url = lines_url(period, chosen)
                rows.append({"label": group.label, "amount": group.total, "currency": pivot.currency, "url": url})
        return rows
