"""Pages of unit costs: what one order or customer costs a team over time, and the upload of counts."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.generic import TemplateView

from costs.query.known_until import KnownDays, known_in
from finops_site.lib import charts
from finops_site.lib.periods import Month, Period, last_months, short_day_text
from finops_site.models import Team
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty, FormPage, Page
from finops_site.ui.table_export import export_rows
from tagging.calc import unit_costs
from tagging.models import Metric
from tagging.unit_costs import business_metrics
from tagging.unit_costs.forms import MetricUploadForm
from tagging.unit_costs.tables import UnitCostTable, price

UPLOAD = "tagging.change_metric"
MOST_TEAMS = 12
SHOWN_PROBLEMS = 50
DAYS_SHOWN = 62


class UnitCostsPage(Page, TemplateView):
    permission_required = "tagging.view_metric"
    title = "Unit costs"
    template_name = "tagging/unit_costs.html"
    actions = (Action("Upload counts", "tagging:metric_upload", "upload", UPLOAD),)
    empty = Empty(
        "Nothing is counted yet",
        "Finance uploads what the business counts (orders, customers) per team and day or month, or feeds the API.",
        "scale",
        Action("Upload counts", "tagging:metric_upload", "upload", UPLOAD, primary=True),
    )

    def get_subtitle(self) -> str:
        cost = "direct cost and share of pools" if self.shared else "direct cost"
        return f"What one unit of business costs each team: its {cost} by charge day, divided by what it counted."

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv" and self.metric:
            rows = export_rows(UnitCostTable(self.rows, request=None))
            return csv_download(rows, f"unit-costs-{self.metric}", self.known.notes)
        return super().get(request, *args, **kwargs)

    @cached_property
    def metric(self) -> Metric | None:
        pk = self.request.GET.get("metric", "")
        metrics = Metric.objects.visible_to(self.person)
        chosen = metrics.filter(pk=pk).first() if pk.isdecimal() and len(pk) < 18 else None
        return chosen or metrics.first()

    @cached_property
    def basis(self) -> str:
        basis = self.request.GET.get("basis", "")
        return basis if basis in business_metrics.BASES else "effective_cost"

    @cached_property
    def shared(self) -> bool:
        """Whether shares of pools are part of the cost: as open months have them now, and closed ones charged them."""
        return self.request.GET.get("cost") == "shared"

    @cached_property
    def period(self) -> Period:
        """From the first month chosen to the last; else the last three that have counts."""
        try:
            first, last = (Month.parse(self.request.GET.get(name, "")) for name in ("from", "to"))
            if first <= last and first.plus(36) > last:
                return Period(first.start, last.next.start)
        except ValueError:
            pass
        counted = business_metrics.months_counted(self.metric) if self.metric else []
        if not counted:
            return last_months(3, timezone.now().date())
        return Period(max(counted[0], counted[-1].plus(-2)).start, counted[-1].next.start)

    @cached_property
    def teams(self) -> list[Team]:
        chosen = [pk for pk in self.request.GET.getlist("team") if pk.isdecimal() and len(pk) < 18]
        teams = Team.objects.visible_to(self.person).order_by("name")
        return list((teams.filter(pk__in=chosen) if chosen else teams)[:MOST_TEAMS])

    @cached_property
    def by_month(self) -> bool:
        if self.metric and self.metric.grain == Metric.Grain.MONTH:
            return True
        return self.request.GET.get("by") == "month" or self.period.days > DAYS_SHOWN

    @cached_property
    def points(self) -> dict[tuple[Team, str], list[unit_costs.UnitCostPoint]]:
        if self.metric is None:
            return {}
        points = business_metrics.points_by_team(
            self.person, self.metric, self.teams, self.period, self.basis, shared=self.shared
        )
        counted = {key: series for key, series in points.items() if any(p.units is not None for p in series)}
        if not self.by_month or self.metric.grain == Metric.Grain.MONTH:
            return counted
        return {key: unit_costs.points_by_month(series) for key, series in counted.items()}

    @cached_property
    def known(self) -> KnownDays:
        """What the bills know of the teams' cost; of all that she sees where shares of pools are in it."""
        filters = {} if self.shared else {"own_team": [str(team.pk) for team in self.teams]}
        return known_in(self.person, self.period, timezone.now().date(), filters=filters, metric=self.basis)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "day": month_text(Month.of(point.day)) if self.by_month else str(point.day),
                "team": team.name,
                "cost": point.cost,
                "units": point.units,
                "per_unit": point.per_unit,
                "currency": code,
                "why": point.why,
                "url": self._lines_url(team, code, point),
            }
            for (team, code), series in self.points.items()
            for point in series
        ]

    def _lines_url(self, team: Team, code: str, point: unit_costs.UnitCostPoint) -> str:
        """Where the team's own cost opens; a share of a pool is no single team's lines."""
        if self.shared:
            return ""
        last = Month.of(point.day).period.last_day if self.by_month else point.day
        query = {"own_team": team.pk, "currency": code, "from": point.day, "to": last}
        return f"{reverse('costs:lines')}?{urlencode(query)}"

    def _chart(self, code: str) -> dict[str, Any]:
        by_team = {team: points for (team, currency), points in self.points.items() if currency == code}
        days = next(iter(by_team.values()))
        categories = [month_text(Month.of(p.day)) if self.by_month else short_day_text(p.day) for p in days]
        series = [
            charts.series(
                team.name,
                [price(point.per_unit) for point in points],
                labels=[f"{price(p.per_unit):,f}" if p.per_unit is not None else charts.ABSENT for p in points],
            )
            for team, points in by_team.items()
        ]
        return {
            "id": f"unit-{code.lower()}",
            "kind": "line",
            "title": f"{code} per unit: {self.metric}",
            "categories": categories,
            "series": series,
            "unit": code,
            "table_id": "unit-table",
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        codes = sorted({code for _, code in self.points})
        stats = []
        for (team, code), points in self.points.items():
            overall = unit_costs.overall_per_unit(points)
            missing = sum(point.units is None for point in points)
            note = f"{missing} of {len(points)} {'months' if self.by_month else 'days'} not counted" if missing else ""
            value = charts.ABSENT if overall is None else f"{price(overall):,f}"
            stats.append({"label": f"{team}: {code} per unit", "value": value, "note": note})
        query = self.request.GET.copy()
        query["_export"] = "csv"
        context = {
            "metric": self.metric,
            "metrics": Metric.objects.visible_to(self.person),
            "basis": self.basis,
            "shared": self.shared,
            "bases": business_metrics.BASES.items(),
            "first": Month.of(self.period.start),
            "last": Month.of(self.period.last_day),
            "by_month": self.by_month,
            "known": self.known if self.metric else None,
            "stats": stats,
            "charts": [self._chart(code) for code in codes],
            "table": UnitCostTable(self.rows, request=None) if self.rows else None,
            "csv_url": f"?{query.urlencode()}",
            "empty": self.empty.for_user(self.person),
        }
        return super().get_context_data(**{**context, **kwargs})


class UploadMetric(FormPage):
    """First a preview of what the file would do; a second press of the button does it."""

    permission_required = UPLOAD
    form_class = MetricUploadForm
    title = "Upload counts"
    template_name = "tagging/metric_upload.html"
    breadcrumbs = (("Unit costs", "tagging:unit_costs"),)
    submit_label = "Look at it first"
    cancel_url_name = "tagging:unit_costs"

    def form_valid(self, form: MetricUploadForm) -> HttpResponse:
        data = form.cleaned_data
        parsed = unit_costs.read_metric_csv(
            data["text"], teams=business_metrics.team_ids_by_name(), grain=data["grain"]
        )
        if self.request.POST.get("verb") == "save" and parsed.is_good:
            metric = data["metric"] or Metric.objects.create(name=data["name"], grain=data["grain"])
            result = business_metrics.save_values(metric, parsed.values, user=self.person, now=timezone.now())
            messages.success(
                self.request, f"{metric}: {result.new} new, {result.changed} changed, {result.same} as before."
            )
            return redirect(metric.get_absolute_url())
        names = dict(Team.objects.values_list("pk", "name"))
        preview = {
            "parsed": parsed,
            "problems": parsed.problems[:SHOWN_PROBLEMS],
            "difference": business_metrics.compare_values(data["metric"], parsed.values),
            "gaps": [(names[gap.team], gap) for gap in parsed.gaps[:SHOWN_PROBLEMS]],
            "teams": len({entry.team for entry in parsed.values}),
        }
        return self.render_to_response(self.get_context_data(form=form, preview=preview, text=data["text"]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"metrics": Metric.objects.all(), **kwargs})
