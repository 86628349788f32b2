"""Pages of unit costs: what one order or customer costs over time, and the upload of counts."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from costs.calc.dimensions import named
from costs.query.known_until import KnownDays, known_in
from costs.query.question import company_metric
from finops_site.lib import charts
from finops_site.lib.addresses import BadFilter
from finops_site.lib.money import exact_sum, ratio
from finops_site.lib.periods import Month, Period, day_text, short_day_text
from finops_site.models import Team
from finops_site.people.company import reporting_currency
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text, percent_text
from finops_site.ui.pages import Action, Empty, FormPage, Page
from finops_site.ui.table_export import export_rows
from tagging.calc import unit_costs
from tagging.models import Metric
from tagging.unit_costs import business_metrics
from tagging.unit_costs.business_metrics import UnitCostAnswer, UnitCosts
from tagging.unit_costs.forms import MetricForm, MetricUploadForm
from tagging.unit_costs.tables import UnitCostTable, price, price_text

UPLOAD = "tagging.change_metric"
MOST_LINES = 12
MOST_ROWS = 2000
SHOWN_PROBLEMS = 50
DAYS_SHOWN = 62
MOST_CHARTS = 6


class UnitCostsPage(Page, TemplateView):
    parameters = ("metric", "basis", "cost", "from", "to", "team", "by")
    many_parameters = ("team",)
    exports = ("csv",)
    parameter_values = {"basis": tuple(business_metrics.BASES), "cost": ("direct", "shared"), "by": ("day", "month")}
    permission_required = "tagging.view_metric"
    title = _lazy("Unit costs")
    template_name = "tagging/unit_costs.html"
    actions = (Action(_lazy("Upload counts"), "tagging:metric_upload", "upload", UPLOAD),)
    empty = Empty(
        _lazy("Nothing is counted yet"),
        _lazy(
            "Finance uploads what the business counts (orders, customers) per team and day or month, or feeds the API."
        ),
        "scale",
        Action(_lazy("Upload counts"), "tagging:metric_upload", "upload", UPLOAD, primary=True),
    )

    def get_subtitle(self) -> str:
        counted_for = self.metric.counted_for if self.metric else unit_costs.TEAM
        if counted_for == unit_costs.COMPANY:
            return _(
                "What one unit of business costs the company: its whole bill by charge day, divided by what it counted."
            )
        if counted_for != unit_costs.TEAM:
            label = named(counted_for).label
            return _(
                "What one unit of business costs, by {label}: what its lines cost, divided by what was counted for it."
            ).format(label=label)
        if self.shared:
            return _(
                "What one unit of business costs each team: its direct cost and share of pools by charge day, divided "
                "by what it counted."
            )
        return _(
            "What one unit of business costs each team: its direct cost by charge day, divided by what it counted."
        )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv" and self.metric:
            rows = export_rows(self.table(self.rows))
            return csv_download(rows, f"unit-costs-{self.metric}", self.known.notes)
        return super().get(request, *args, **kwargs)

    def check_address(self) -> None:
        super().check_address()
        _ignored = self.period
        there = {str(team.pk) for team in self.visible_teams}
        for pk in filter(None, self.request.GET.getlist("team")):
            if pk not in there:
                raise BadFilter(_("There is no team {pk!r} here.").format(pk=pk[:80]))

    @cached_property
    def metric(self) -> Metric | None:
        """The one asked for, or the first. Raises BadFilter."""
        pk = self.request.GET.get("metric", "")
        metrics = Metric.objects.visible_to(self.person)
        if not pk:
            return metrics.first()
        chosen = metrics.filter(pk=pk).first() if pk.isdecimal() and len(pk) < 18 else None
        if chosen is None:
            raise BadFilter(_("There is no metric {pk!r} here.").format(pk=pk[:80]))
        return chosen

    @cached_property
    def basis(self) -> str:
        return self.request.GET.get("basis") or company_metric()

    @cached_property
    def shared(self) -> bool:
        """Whether shares of pools are part of the cost: as open months have them now, and closed ones charged them."""
        return self.request.GET.get("cost") == "shared"

    @cached_property
    def period(self) -> Period:
        """From the first month chosen to the last; else the last three that have counts."""
        first, last = (self.request.GET.get(name, "") for name in ("from", "to"))
        return business_metrics.chosen_period(self.metric, first, last, timezone.now().date())

    @cached_property
    def teams(self) -> list[Team]:
        chosen = set(filter(None, self.request.GET.getlist("team")))
        return [team for team in self.visible_teams if not chosen or str(team.pk) in chosen]

    @cached_property
    def visible_teams(self) -> list[Team]:
        return list(Team.objects.visible_to(self.person).order_by("name"))

    @cached_property
    def by_month(self) -> bool:
        if self.metric and self.metric.grain == Metric.Grain.MONTH:
            return True
        return self.request.GET.get("by") == "month" or self.period.days > DAYS_SHOWN

    def find(self, metric: Metric) -> UnitCostAnswer:
        """What one unit of a metric cost, of those that counted any, and what of them has no cost."""
        answer = business_metrics.find_unit_costs(
            self.person, metric, self.teams, self.period, self.basis, timezone.now().date(), shared=self.shared
        )
        series = [one for one in answer.series if any(point.units is not None for point in one.points)]
        return replace(answer, series=series)

    def shown(self, metric: Metric, series: list[UnitCosts]) -> list[UnitCosts]:
        """By day or month as the page shows it."""
        by_day = not self.by_month or metric.grain == Metric.Grain.MONTH
        return series if by_day else business_metrics.by_month(series)

    @cached_property
    def answer(self) -> UnitCostAnswer:
        return self.find(self.metric) if self.metric else UnitCostAnswer()

    def beside(self, metric: Metric, currency: str) -> list[UnitCosts | None]:
        """For each of the answer's series what stands beside it in a currency, by day or month as the page shows it."""
        totals = business_metrics.beside(self.answer.series, currency, metric, self.period)
        return [total and self.shown(metric, [total])[0] for total in totals]

    @cached_property
    def known(self) -> KnownDays:
        """What the bills know of the teams' cost; of all that she sees where shares of pools are in it."""
        of_teams = self.metric is None or self.metric.counted_for == unit_costs.TEAM
        filters = {"own_team": [str(team.pk) for team in self.teams]} if of_teams and not self.shared else {}
        return known_in(self.person, self.period, timezone.now().date(), filters=filters, metric=self.basis)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        if self.metric is None:
            return []
        rows = []
        revenue = self.metric.revenue_currency
        series = self.shown(self.metric, self.answer.series)
        for one, total in zip(series, self.beside(self.metric, revenue), strict=True):
            margins = total.points if total else [None] * len(one.points)
            rows += [
                {
                    "day": month_text(Month.of(point.day)) if self.by_month else day_text(point.day),
                    "when": Month.of(point.day) if self.by_month else point.day,
                    "team": one.name,
                    "cost": point.cost,
                    "units": point.units,
                    "per_unit": point.per_unit,
                    "margin": of_all and of_all.margin,
                    "margin_share": of_all and of_all.margin_share,
                    "margin_currency": revenue,
                    "currency": one.currency,
                    "why": point.why or (of_all.lack if of_all else ""),
                    "url": self._lines_url(one, point),
                }
                for point, of_all in zip(one.points, margins, strict=True)
            ]
        return rows

    def table(self, rows: list[dict[str, Any]]) -> UnitCostTable:
        """The rows as a table, margins in the currency of the revenue."""
        metric = self.metric
        revenue = metric.revenue_currency if metric else ""
        table = UnitCostTable(rows, request=None, exclude=() if revenue else ("margin", "margin_share"))
        if revenue:
            table.columns["margin"].column.verbose_name = _("Margin, {revenue}").format(revenue=revenue)
        if metric and metric.counted_for != unit_costs.TEAM:
            label = _("For") if metric.counted_for == unit_costs.COMPANY else named(metric.counted_for).label
            table.columns["team"].column.verbose_name = label
        return table

    def _lines_url(self, one: UnitCosts, point: unit_costs.UnitCostPoint) -> str:
        """Where the cost opens; a share of a pool is no single team's lines."""
        if self.shared and one.filters:
            return ""
        last = Month.of(point.day).period.last_day if self.by_month else point.day
        query = {**one.filters, "currency": one.currency, "from": point.day, "to": last}
        return f"{reverse('costs:lines')}?{urlencode(query)}"

    def _in_one_currency(self, metric: Metric, series: list[UnitCosts]) -> tuple[list[UnitCosts], str, bool]:
        """The series of one chart, a sentence where it does not show every currency as it was billed, and whether it
        shows all of them.
        """
        sums = {one.currency: exact_sum(point.cost or Decimal(0) for point in one.points) for one in series}
        if len({one.currency for one in series}) < 2:
            return series, "", True
        largest = max(sorted(sums), key=lambda code: abs(sums[code]))
        target = reporting_currency(self.person) or metric.target_currency or largest
        converted, missing = business_metrics.in_one_currency(series, target, metric, self.period)
        if not missing:
            note = (
                _("All currencies, converted to {currency} by the rates of each month.")
                if metric.grain == Metric.Grain.MONTH
                else _("All currencies, converted to {currency} by the rates of each day.")
            )
            return converted, note.format(currency=target), True
        apart = ", ".join(sorted(set(sums) - {largest}))
        shown = [one for one in series if one.currency == largest]
        return (
            shown,
            _("Without {apart}, for which rates are missing; the table has every currency.").format(apart=apart),
            False,
        )

    def _chart(self, metric: Metric, series: list[UnitCosts]) -> dict[str, Any] | None:
        """The one chart of a metric; None where nothing was counted."""
        shown, note, has_all = self._in_one_currency(metric, series)
        shown = self.shown(metric, shown)
        if not shown:
            return None
        drawn = _largest(shown)
        if len(drawn) < len(shown):
            most = _("The {count} of {all} that cost most; the table has all.").format(count=MOST_LINES, all=len(shown))
            note = f"{note} {most}".strip()
        code, days = shown[0].currency, shown[0].points
        is_by_month = self.by_month or metric.grain == Metric.Grain.MONTH
        categories = [month_text(Month.of(p.day)) if is_by_month else short_day_text(p.day) for p in days]
        lines = [
            charts.series(
                one.name,
                [price(point.per_unit) for point in one.points],
                labels=[price_text(point.per_unit, code) for point in one.points],
            )
            for one in drawn
        ]
        if metric.target is not None and metric.target_currency == code and has_all:
            labels = [price_text(metric.target, code)] * len(days)
            lines.append(
                {**charts.threshold(_("Target"), price(metric.target) or metric.target, len(days)), "labels": labels}
            )
        columns = zip(*(one.points for one in drawn), strict=True)
        unfinished = [next((point.lack for point in column if point.lack), "") for column in columns]
        return {
            "id": f"unit-{metric.pk}",
            "kind": "line",
            "title": _("{code} per unit: {metric}").format(code=code, metric=metric),
            "note": note,
            "by": "month" if is_by_month else "day",
            "categories": categories,
            "series": lines,
            "unit": code,
            "unfinished": unfinished if any(unfinished) else [],
            "table_id": "unit-table" if metric == self.metric else "",
        }

    def _stats(self, metric: Metric) -> list[dict[str, Any]]:
        stats = []
        without_cost, not_counted = (
            (_("{count} of {all} months without all of the cost"), _("{count} of {all} months not counted"))
            if self.by_month
            else (_("{count} of {all} days without all of the cost"), _("{count} of {all} days not counted"))
        )
        shown = self.shown(metric, self.answer.series)
        in_target = self.beside(metric, metric.target_currency if metric.target else "")
        in_revenue = self.beside(metric, metric.revenue_currency)
        for one, costs, revenue in zip(shown, in_target, in_revenue, strict=True):
            overall = unit_costs.overall(one.points)
            notes = []
            if revenue and (share := unit_costs.overall(revenue.points).margin_share) is not None:
                notes.append(_("margin {share}").format(share=percent_text(share)))
            elif revenue:
                notes.append(_("margin not known: {reason}").format(reason=_first_lack(revenue) or _("no revenue")))
            if costs and metric.target:
                notes.append(_against_target(costs, metric.target, overall.per_unit))
            for text, number in (
                (without_cost, sum(bool(point.lack) for point in one.points)),
                (not_counted, sum(point.units is None and not point.lack for point in one.points)),
            ):
                if number:
                    notes.append(text.format(count=number, all=len(one.points)))
            label = _("{name}: {currency} per unit").format(name=one.name, currency=one.currency)
            stats.append(
                {
                    "label": label,
                    "value": price_text(overall.per_unit, one.currency),
                    "note": "; ".join(filter(None, notes)),
                }
            )
        return stats

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        metrics = list(Metric.objects.visible_to(self.person))
        shown = [self.metric] if self.metric else []
        shown += [metric for metric in metrics if metric != self.metric][: MOST_CHARTS - 1]
        drawn = [
            self._chart(metric, self.answer.series if metric == self.metric else self.find(metric).series)
            for metric in shown
        ]
        query = self.request.GET.copy()
        query["_export"] = "csv"
        context = {
            "metric": self.metric,
            "metrics": metrics,
            "basis": self.basis,
            "shared": self.shared,
            "bases": business_metrics.BASES.items(),
            "first": Month.of(self.period.start),
            "last": Month.of(self.period.last_day),
            "known": self.known if self.metric else None,
            "stats": self._stats(self.metric) if self.metric else [],
            "charts": [chart for chart in drawn if chart],
            "unmatched": business_metrics.without_cost_words(self.metric, self.answer.without_cost)
            if self.metric
            else [],
            "table": self.table(self.rows[:MOST_ROWS]) if self.rows else None,
            "rows": len(self.rows),
            "most_rows": MOST_ROWS,
            "csv_url": f"?{query.urlencode()}",
            "empty": self.empty.for_user(self.person),
        }
        return super().get_context_data(**{**context, **kwargs})


def _largest(series: list[UnitCosts]) -> list[UnitCosts]:
    """As many as a chart can show: the company, and those that cost most."""
    sizes = {one.group: abs(exact_sum(point.cost or Decimal(0) for point in one.points)) for one in series}
    largest = set(sorted(sizes, key=lambda group: -sizes[group])[:MOST_LINES])
    return [one for one in series if one.group in largest]


def _first_lack(costs: UnitCosts) -> str:
    return next((point.lack for point in costs.points if point.lack), "")


def _against_target(costs: UnitCosts, target: Decimal, own: Decimal | None) -> str:
    """``target 0.0500 EUR: 12.0% above``; what was judged too where it is not the figure that it stands beside."""
    per_unit, wanted = unit_costs.overall(costs.points).per_unit, price_text(target, costs.currency)
    if per_unit is None:
        lack = _first_lack(costs)
        return _("target {target}: not judged, {reason}").format(target=wanted, reason=lack) if lack else ""
    verdict = _("target {target}: met exactly")
    share = ratio(per_unit - target, target) or Decimal(0)
    if share:
        verdict = _("target {target}: {share} above") if share > 0 else _("target {target}: {share} below")
    words = verdict.format(target=wanted, share=percent_text(abs(share)))
    if per_unit == own:
        return words
    return _("{verdict} with all currencies, {price}").format(verdict=words, price=price_text(per_unit, costs.currency))


class UploadMetric(FormPage):
    """First a preview of what the file would do; a second press of the button does it."""

    permission_required = UPLOAD
    form_class = MetricUploadForm
    title = _lazy("Upload counts")
    template_name = "tagging/metric_upload.html"
    breadcrumbs = ((_lazy("Unit costs"), "tagging:unit_costs"),)
    submit_label = _lazy("Look at it first")
    cancel_url_name = "tagging:unit_costs"

    def form_valid(self, form: MetricUploadForm) -> HttpResponse:
        data = form.cleaned_data
        parsed = unit_costs.read_metric_csv(
            data["text"],
            teams=business_metrics.team_ids(),
            grain=data["grain"],
            counted_for=data["counted_for"],
            known=business_metrics.known_groups(data["counted_for"]),
        )
        if self.request.POST.get("verb") == "save" and parsed.is_good:
            fields = {name: data[name] for name in ("name", "grain", "counted_for")}
            metric = data["metric"] or Metric.objects.create(**fields)
            result = business_metrics.save_values(metric, parsed.values, user=self.person, now=timezone.now())
            messages.success(
                self.request,
                _("{metric}: {new} new, {changed} changed, {same} as before.").format(
                    metric=metric, new=result.new, changed=result.changed, same=result.same
                ),
            )
            return redirect(metric.get_absolute_url())
        names = dict(Team.objects.values_list("pk", "name"))
        groups = business_metrics.group_names(data["counted_for"])
        preview = {
            "parsed": parsed,
            "problems": parsed.problems[:SHOWN_PROBLEMS],
            "difference": business_metrics.compare_values(data["metric"], parsed.values),
            "gaps": [(_name_of_gap(gap, names, groups), gap) for gap in parsed.gaps[:SHOWN_PROBLEMS]],
            "groups": len({(entry.team, entry.of) for entry in parsed.values}),
        }
        return self.render_to_response(self.get_context_data(form=form, preview=preview, text=data["text"]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"metrics": Metric.objects.all(), **kwargs})


def _name_of_gap(gap: unit_costs.Gap, teams: dict[int, str], groups: Mapping[str, str]) -> str:
    return groups.get(gap.of, gap.of) or (str(business_metrics.WHOLE_COMPANY) if gap.team is None else teams[gap.team])


class EditMetric(FormPage):
    """What a metric is, its target, and whether it is revenue."""

    permission_required = UPLOAD
    model = Metric
    form_class = MetricForm
    template_name = "form.html"
    title = _lazy("Edit metric")
    breadcrumbs = ((_lazy("Unit costs"), "tagging:unit_costs"),)
    cancel_url_name = "tagging:unit_costs"
    success_message = "Saved."
