"""Pages of KPIs: all of them by area, and one with its definition, its past and what people say about it."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from finops_site.lib import charts
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month, day_text
from finops_site.registry import Better, KpiArea, Measure, Unit
from finops_site.reports.monthly_report import shown_value
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import limit_text, measure_text, month_text
from finops_site.ui.pages import Action, FormPage, Page
from programme.calc.kpi_progress import Progress
from programme.kpis import kpi_figures, targets
from programme.kpis.forms import CommentForm, KpiForm
from programme.kpis.kpi_figures import History, KpiFigure, PastValue
from programme.models import KpiComment

STATES = {
    Progress.MET: (_lazy("met"), "good", "circle-check"),
    Progress.ON_TRACK: (_lazy("on track"), "good", "trending-up"),
    Progress.BEHIND: (_lazy("behind"), "warn", "alert-triangle"),
    Progress.NOT_MET: (_lazy("not met"), "bad", "circle-x"),
    Progress.UNKNOWN: (_lazy("not known"), "calm", "circle-dashed"),
    Progress.NO_TARGET: (_lazy("no target"), "calm", "point"),
}
FEW_DAYS = 62


class KpiList(Page, TemplateView):
    template_name = "programme/kpis.html"
    permission_required = "programme.view_kpi"
    title = _lazy("KPIs")
    exports = ("csv",)

    def get_subtitle(self) -> str:
        if not self.person.sees_whole_company:
            return _("How your teams stand against the programme's targets, as of now.")
        if not self.figures or not self.figures[0].is_stored:
            return _("Where the FinOps programme stands against its targets, as of now.")
        day = day_text(self.figures[0].day)
        return _("Where the FinOps programme stands against its targets, as of the night of {day}.").format(day=day)

    @cached_property
    def figures(self) -> list[KpiFigure]:
        return kpi_figures.list_figures(self.person, timezone.now().date())

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            return csv_download(self._rows(), "kpis")
        return super().get(request, *args, **kwargs)

    def _rows(self) -> Iterator[list[Any]]:
        # The figures are asked for where the file is written, for what they say is in its language.
        yield from list_rows(self.figures)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = {area: [list_row(one) for one in self.figures if one.kpi.area == area] for area in KpiArea}
        areas = {_(area.value): of_area for area, of_area in rows.items() if of_area}
        with_target = [one for one in self.figures if one.progress not in (Progress.UNKNOWN, Progress.NO_TARGET)]
        counts = {
            "met": sum(one.progress == Progress.MET for one in with_target),
            "on_track": sum(one.progress == Progress.ON_TRACK for one in with_target),
            "of": len(with_target),
            "unknown": sum(one.progress == Progress.UNKNOWN for one in self.figures),
        }
        return super().get_context_data(areas=areas, counts=counts, **kwargs)


def list_row(figure: KpiFigure) -> dict[str, Any]:
    """What the list shows of a KPI; a course needs two stored values."""
    known = [value for _day, value in figure.course if value is not None]
    return {
        "figure": figure,
        "value": shown_value(figure.measure),
        "target": target_text(figure.measure),
        "state": STATES[figure.progress],
        "course": course_chart(figure) if len(known) > 1 else None,
    }


def target_text(measure: Measure) -> str:
    """``at least 70%``; empty where there is no target."""
    if measure.target is None:
        return ""
    value = limit_text(measure.target, measure.unit, measure.currency)
    return (_("at most {value}") if measure.better == Better.LOWER else _("at least {value}")).format(value=value)


def course_chart(figure: KpiFigure) -> dict[str, Any]:
    measure = figure.measure
    values = [value for _day, value in figure.course]
    labels = [value_text(value, measure.unit, measure.currency) for value in values]
    title = _("Course of {name}").format(name=figure.kpi.label)
    return {
        "id": f"course-{figure.kpi.name}",
        "kind": "sparkline",
        "title": title,
        "categories": [day_text(day) for day, _value in figure.course],
        "series": [charts.series(str(figure.kpi.label), values, labels=labels)],
    }


def value_text(value: Decimal | None, unit: Unit, currency: str) -> str:
    return charts.ABSENT if value is None else measure_text(value, unit, currency)


def set_text(value: Decimal | None, unit: Unit, currency: str) -> str:
    """The same of what somebody set by hand: it keeps digits that rounding would lose."""
    return charts.ABSENT if value is None else limit_text(value, unit, currency)


def list_rows(figures: list[KpiFigure]) -> Iterator[list[Any]]:
    yield [
        *("name", "label", "as of", "value", "unit", "currency", "target", "target_day", "better", "state"),
        *("baseline", "baseline_day", "owner", "description"),
    ]
    for one in figures:
        measure, row = one.measure, one.settings
        yield [
            *(one.kpi.name, str(one.kpi.label), one.day, exact_text(measure.value), str(measure.unit)),
            *(measure.currency, exact_text(measure.target), one.target_day, str(measure.better), str(one.progress)),
            *(exact_text(one.baseline), one.baseline_day, row.owner and row.owner.email, str(measure.description)),
        ]


class _OfKpi(Page):
    """A page about the KPI in its address, as far as the person may see it."""

    kwargs: dict[str, Any]
    breadcrumbs = ((_lazy("KPIs"), "programme:kpis"),)

    @cached_property
    def figure(self) -> KpiFigure:
        figure = kpi_figures.find_figure(self.person, self.kwargs["name"], timezone.now().date())
        if figure is None:
            raise Http404("no such KPI, or it is not hers to see")
        return figure


class KpiPage(_OfKpi, TemplateView):
    """One KPI; whoever may comment on it does so here."""

    template_name = "programme/kpi.html"
    permission_required = "programme.view_kpi"
    parameters = ("by",)
    parameter_values = {"by": ("day", "month")}
    exports = ("csv",)

    def get_title(self) -> str:
        return str(self.figure.kpi.label)

    def get_subtitle(self) -> str:
        return str(self.figure.kpi.definition)

    def get_actions(self) -> list[Action]:
        edit = Action(
            _("Edit target and owner"),
            "programme:kpi_edit",
            "pencil",
            "programme.change_kpi",
            args=(self.kwargs["name"],),
        )
        return [edit] if self.person.has_perm(edit.permission) and self.person.sees_whole_company else []

    @cached_property
    def history(self) -> History:
        return History(self.person, self.figure.kpi.name)

    @cached_property
    def grain(self) -> str:
        """By day as long as these fit on a page."""
        return self.request.GET.get("by") or ("day" if len(self.history.days) <= FEW_DAYS else "month")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        figure = self.figure
        if request.GET.get("_export") == "csv":
            past = self.history.by(request.GET.get("by") or "day")
            return csv_download(history_rows(past, figure.measure.unit), f"kpi-{figure.kpi.name}")
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        figure = self.figure
        if not may_comment(self.person):
            return self.handle_no_permission()
        form = CommentForm(request.POST)
        if form.is_valid():
            targets.add_comment(figure.kpi, form.cleaned_data["text"], by=self.person, now=timezone.now())
            messages.success(request, _("Your comment stands below."))
            return redirect(f"{reverse('programme:kpi', args=[figure.kpi.name])}#comments")
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        figure = self.figure
        past = self.history.by(self.grain)
        context = {
            "figure": figure,
            "value": shown_value(figure.measure),
            "target": target_text(figure.measure),
            "state": STATES[figure.progress],
            "baseline": set_text(figure.baseline, figure.measure.unit, figure.measure.currency),
            "due_today": due_text(figure),
            "inputs": [
                {"input": one, "text": value_text(one.value, one.unit, one.currency)} for one in figure.measure.inputs
            ],
            "grain": self.grain,
            "past": [past_row(one, figure.measure) for one in reversed(past)],
            "chart": history_chart(past, figure, self.grain),
            "differing": [past_row(one, figure.measure) for one in self.history.months if one.differs],
            "comments": KpiComment.objects.visible_to(self.person).filter(name=figure.kpi.name),
            "form": CommentForm() if may_comment(self.person) else None,
        }
        return super().get_context_data(**{**context, **kwargs})


def may_comment(person: Any) -> bool:
    return bool(person.sees_whole_company and person.has_perm("programme.add_kpicomment"))


def due_text(figure: KpiFigure) -> str:
    """Where a straight line to the target is today, in a sentence; empty where nothing is on its way."""
    if figure.due_today is None or figure.progress not in (Progress.ON_TRACK, Progress.BEHIND):
        return ""
    due = measure_text(figure.due_today, figure.measure.unit, figure.measure.currency)
    return _("A straight line from the baseline to the target stands at {value} today.").format(value=due)


def when_text(when: date | Month) -> str:
    return month_text(when) if isinstance(when, Month) else day_text(when)


def past_row(one: PastValue, measure: Measure) -> dict[str, Any]:
    unit = measure.unit
    return {
        "past": one,
        "when": when_text(one.when),
        "value": value_text(one.value, unit, one.currency),
        "target": set_text(one.target, unit, one.currency or measure.currency),
        "today": value_text(one.today, unit, one.today_currency) if one.differs else "",
    }


def history_chart(past: Any, figure: KpiFigure, grain: str) -> dict[str, Any] | None:
    """Values as they were stored, of the currency that it has now, with the line of the target; None without two."""
    measure = figure.measure
    values = [one.value if one.currency == measure.currency else None for one in past]
    if sum(value is not None for value in values) < 2:
        return None
    labels = [value_text(value, measure.unit, measure.currency) for value in values]
    series = [charts.series(str(figure.kpi.label), values, labels=labels, kind="line")]
    if measure.target is not None:
        line = charts.threshold(_("Target"), measure.target, len(values), tone="good")
        line["labels"] = [set_text(measure.target, measure.unit, measure.currency)] * len(values)
        series.append(line)
    return {
        "id": "kpi-history",
        "kind": "line",
        "title": _("{name} by month").format(name=figure.kpi.label)
        if grain == "month"
        else _("{name} by day").format(name=figure.kpi.label),
        "categories": [when_text(one.when) for one in past],
        "series": series,
        "unit": str(measure.unit) if measure.unit in (Unit.PERCENT, Unit.HOURS) else "",
        "currency": measure.currency,
        "table_id": "kpi-past",
    }


def history_rows(past: Any, unit: Unit) -> Iterator[list[Any]]:
    yield [
        *("period", "day", "value", "unit", "currency", "target", "why_unknown", "stored_at"),
        *("with_todays_bills", "with_todays_bills_currency", "counted_at"),
    ]
    for one in past:
        yield [
            *(str(one.when), one.day, exact_text(one.value), str(unit), one.currency, exact_text(one.target)),
            *(one.reason, one.made_at and one.made_at.isoformat(timespec="seconds")),
            *(exact_text(one.today), one.today_currency),
            one.counted_at and one.counted_at.isoformat(timespec="seconds"),
        ]


class EditKpi(_OfKpi, FormPage):
    permission_required = "programme.change_kpi"
    form_class = KpiForm
    success_message = _lazy("Saved. The past keeps the target that it had.")

    def get_title(self) -> str:
        return str(self.figure.kpi.label)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*self.breadcrumbs, (str(self.figure.kpi.label), reverse("programme:kpi", args=[self.kwargs["name"]]))]

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": targets.load_settings(self.figure.kpi)}

    def form_valid(self, form: BaseForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except targets.BadTarget as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)

    def save(self, form: BaseForm) -> Any:
        values = {name: form.cleaned_data[name] for name in targets.EDITABLE}
        return targets.save_settings(self.figure.kpi, values, by=self.person, now=timezone.now())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(cancel_url=reverse("programme:kpi", args=[self.kwargs["name"]]), **kwargs)
