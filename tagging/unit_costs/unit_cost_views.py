"""Pages of unit costs: what one order or customer costs a team over time, and where the counts come from."""

from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import django_tables2
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.generic import TemplateView

from finops_site.lib import charts
from finops_site.lib.money import exact_text, formatted
from finops_site.lib.periods import Month, Period, last_months
from finops_site.models import Team
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty, FormPage, Page
from finops_site.ui.table_export import export_rows
from finops_site.ui.tables import BaseTable, MoneyColumn, NumberColumn
from tagging.calc import unit_costs
from tagging.models import Metric
from tagging.unit_costs import business_metrics

UPLOAD = "tagging.change_metric"
MOST_TEAMS = 12
SHOWN_PROBLEMS = 50
DAYS_SHOWN = 62
PRICE_PLACES = Decimal("0.0001")


def price(amount: Decimal | None) -> Decimal | None:
    """A cost per unit to four decimals: a cent is too coarse for one order."""
    return None if amount is None else amount.quantize(PRICE_PLACES)


class UnitCostTable(BaseTable):
    day = django_tables2.Column("When")
    team = django_tables2.Column()
    cost = MoneyColumn("Cost")
    units = NumberColumn("Units", default="missing")
    per_unit = django_tables2.Column(
        "Cost per unit", default="—", attrs={"td": {"class": "number"}, "th": {"class": "number"}}
    )
    currency = django_tables2.Column()
    why = django_tables2.Column("Note", default="")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = "Unit costs"

    def render_cost(self, value: Any, record: dict[str, Any]) -> Any:
        text = formatted(value, record["currency"])
        return format_html('<a href="{}">{}</a>', record["url"], text) if record["url"] else text

    def value_cost(self, value: Any) -> Any:
        return value

    def render_units(self, value: Decimal) -> str:
        return f"{exact_text(value)}"

    def value_units(self, value: Decimal) -> Decimal:
        return value

    def render_per_unit(self, value: Decimal) -> str:
        return f"{price(value):,f}"

    def value_per_unit(self, value: Decimal) -> Decimal:
        return value


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
            return csv_download(export_rows(UnitCostTable(self.rows, request=None)), f"unit-costs-{self.metric}")
        return super().get(request, *args, **kwargs)

    @cached_property
    def metric(self) -> Metric | None:
        asked = self.request.GET.get("metric", "")
        known = Metric.objects.visible_to(self.request.user)
        found = known.filter(pk=asked).first() if asked.isdecimal() and len(asked) < 18 else None
        return found or known.first()

    @cached_property
    def basis(self) -> str:
        asked = self.request.GET.get("basis", "")
        return asked if asked in business_metrics.BASES else "effective_cost"

    @cached_property
    def shared(self) -> bool:
        """Whether shares of pools are part of the cost: as open months have them now, and closed ones charged them."""
        return self.request.GET.get("cost") == "shared"

    @cached_property
    def period(self) -> Period:
        """From the first month asked for to the last; else the last three that have counts."""
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
        asked = [each for each in self.request.GET.getlist("team") if each.isdecimal() and len(each) < 18]
        mine = Team.objects.visible_to(self.request.user).order_by("name")
        return list((mine.filter(pk__in=asked) if asked else mine)[:MOST_TEAMS])

    @cached_property
    def by_month(self) -> bool:
        if self.metric and self.metric.grain == Metric.Grain.MONTH:
            return True
        return self.request.GET.get("by") == "month" or self.period.days > DAYS_SHOWN

    @cached_property
    def found(self) -> dict[tuple[Team, str], list[unit_costs.Point]]:
        if self.metric is None:
            return {}
        points = business_metrics.points(
            self.request.user, self.metric, self.teams, self.period, self.basis, shared=self.shared
        )
        counted = {key: many for key, many in points.items() if any(each.units is not None for each in many)}
        if not self.by_month or self.metric.grain == Metric.Grain.MONTH:
            return counted
        return {key: unit_costs.by_month(many) for key, many in counted.items()}

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
            for (team, code), many in self.found.items()
            for point in many
        ]

    def _lines_url(self, team: Team, code: str, point: unit_costs.Point) -> str:
        """Where the team's own cost opens; a share of a pool is no single team's lines."""
        if self.shared:
            return ""
        last = Month.of(point.day).period.last_day if self.by_month else point.day
        query = {"own_team": team.pk, "currency": code, "from": point.day, "to": last}
        return f"{reverse('costs:lines')}?{urlencode(query)}"

    def _chart(self, code: str) -> dict[str, Any]:
        mine = {team: many for (team, currency), many in self.found.items() if currency == code}
        days = next(iter(mine.values()))
        words = [month_text(Month.of(p.day)) if self.by_month else f"{p.day:%d %b}" for p in days]
        series = [
            charts.series(
                team.name,
                [price(point.per_unit) for point in many],
                labels=[f"{price(p.per_unit):,f}" if p.per_unit is not None else charts.ABSENT for p in many],
            )
            for team, many in mine.items()
        ]
        return {
            "id": f"unit-{code.lower()}",
            "kind": "line",
            "title": f"{code} per unit: {self.metric}",
            "categories": words,
            "series": series,
            "unit": code,
            "table_id": "unit-table",
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        codes = sorted({code for _, code in self.found})
        stats = [
            {
                "label": f"{team}: {code} per unit",
                "value": f"{price(whole):,f}" if whole is not None else charts.ABSENT,
                "note": self._missing(many),
            }
            for (team, code), many in self.found.items()
            for whole in [unit_costs.whole(many)]
        ]
        query = self.request.GET.copy()
        query["_export"] = "csv"
        extra = {
            "metric": self.metric,
            "metrics": Metric.objects.visible_to(self.request.user),
            "basis": self.basis,
            "shared": self.shared,
            "bases": business_metrics.BASES.items(),
            "first": Month.of(self.period.start),
            "last": Month.of(self.period.last_day),
            "by_month": self.by_month,
            "stats": stats,
            "charts": [self._chart(code) for code in codes],
            "table": UnitCostTable(self.rows, request=None) if self.rows else None,
            "csv_url": f"?{query.urlencode()}",
            "empty": self.empty.for_user(self.request.user),
        }
        return super().get_context_data(**{**extra, **kwargs})

    def _missing(self, many: list[unit_costs.Point]) -> str:
        missing = sum(point.units is None for point in many)
        return f"{missing} of {len(many)} {'months' if self.by_month else 'days'} not counted" if missing else ""


class UploadForm(forms.Form):
    name = forms.CharField(
        label="Metric",
        max_length=100,
        widget=forms.TextInput({"list": "metrics", "autocomplete": "off"}),
        help_text="A known one, or a new name: what is counted, in the plural.",
    )
    grain = forms.ChoiceField(label="Counted", choices=Metric.Grain.choices, initial=Metric.Grain.DAY)
    file = forms.FileField(
        required=False,
        allow_empty_file=True,
        help_text="CSV with the columns team, day (2026-03-31) or month (2026-03), value.",
    )
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput())

    def clean_name(self) -> str:
        return self.cleaned_data["name"].strip()

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        try:
            if said.get("file") is not None:
                said["text"] = unit_costs.decoded(said["file"].read(unit_costs.MOST_BYTES + 1))
            elif not said.get("text"):
                self.add_error("file", "Choose a file.")
        except ValueError as error:
            self.add_error("file", str(error))
        known = Metric.objects.filter(name__iexact=said.get("name", "")).first()
        if known and said.get("grain") != known.grain:
            self.add_error("grain", f"{known} is counted {known.get_grain_display()}.")
        said["metric"] = known
        return said


class UploadMetric(FormPage):
    """First what the file would do, then, by a second press of the button, it is done."""

    permission_required = UPLOAD
    form_class = UploadForm
    title = "Upload counts"
    template_name = "tagging/metric_upload.html"
    breadcrumbs = (("Unit costs", "tagging:unit_costs"),)
    submit_label = "Look at it first"
    cancel_url_name = "tagging:unit_costs"

    def form_valid(self, form: UploadForm) -> HttpResponse:
        said = form.cleaned_data
        read = unit_costs.read(said["text"], teams=business_metrics.team_names(), grain=said["grain"])
        if self.request.POST.get("verb") == "save" and read.is_good:
            return self._save(said, read)
        names = dict(Team.objects.values_list("pk", "name"))
        preview = {
            "read": read,
            "problems": read.problems[:SHOWN_PROBLEMS],
            "difference": business_metrics.compared(said["metric"], read.values),
            "gaps": [(names[gap.team], gap) for gap in read.gaps[:SHOWN_PROBLEMS]],
            "teams": len({each.team for each in read.values}),
        }
        return self.render_to_response(self.get_context_data(form=form, preview=preview, text=said["text"]))

    def _save(self, said: dict[str, Any], read: unit_costs.Read) -> HttpResponse:
        metric = said["metric"] or Metric.objects.create(name=said["name"], grain=said["grain"])
        done = business_metrics.save(metric, read.values, user=self.request.user, now=timezone.now())
        messages.success(self.request, f"{metric}: {done.new} new, {done.changed} changed, {done.same} as before.")
        return redirect(metric.get_absolute_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"metrics": Metric.objects.all(), **kwargs})
