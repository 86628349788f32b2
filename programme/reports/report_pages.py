"""The pages of reports: what there is, one as it stands now, one as it was made, and one being made."""

from collections.abc import Sequence
from datetime import date
from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from finops_site.lib.periods import Month, day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui import spreadsheets
from finops_site.ui.downloads import PDF, csv_download, download, refused_file
from finops_site.ui.pages import Action, DetailPage, Empty, FollowedPage, FormPage, ListPage, Page
from programme.calc.due_moments import days_of
from programme.models import MadeReport, ReportKind, ReportRun
from programme.reports import archive, files, paper, runs
from programme.reports.compose import NothingToReport, compose, title_of
from programme.reports.composed import ComposedReport
from programme.reports.forms import MakeForm
from programme.reports.readers import NoAccess, scope_of
from programme.reports.tables import MadeReportFilters, MadeReportTable

SEE = "programme.view_madereport"
# Kinds with a page of their own; the monthly report has its own addresses.
LIVE = (ReportKind.QUARTERLY, ReportKind.UPDATE)


class ReportsPage(ListPage):
    """What can be made, and all that was made of what she may see."""

    permission_required = SEE
    model = MadeReport
    title = _lazy("Reviews and updates")
    subtitle = _lazy("Reports as they stand now, and every one that was made, as it was.")
    template_name = "programme/reports.html"
    filterset_class = MadeReportFilters
    table_class = MadeReportTable
    orderings = ("-made_at",)
    export_name = "made-reports"
    can_be_saved = False
    actions = (Action(_lazy("Make a report"), "programme:make_report", "plus", SEE, primary=True),)
    empty = Empty(
        _lazy("No report was made yet"),
        _lazy("Reports that are made or sent are kept here, as they were."),
        "report-analytics",
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().defer("content", "figures")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = timezone.now().date()
        kinds = [
            {
                "label": ReportKind(kind).label,
                "title": title_of(kind, days_of(kind, today)),
                "url": reverse("programme:report", args=[kind.value, today]),
                "text": _TEXTS[kind],
            }
            for kind in LIVE
        ]
        months = reverse("reports")
        monthly = {"label": ReportKind.MONTHLY.label, "title": _("Every month"), "url": months}
        kinds.append({**monthly, "text": _TEXTS[ReportKind.MONTHLY]})
        return super().get_context_data(kinds=kinds, **kwargs)


_TEXTS = {
    ReportKind.QUARTERLY: _lazy("What was promised, what was achieved and proved, what comes and what is asked."),
    ReportKind.UPDATE: _lazy("One screen: what the last two weeks cost, why, and what waits."),
    ReportKind.MONTHLY: _lazy("The month on one page, with everything behind it."),
}


class DayConverter:
    """A day in an address, ``2025-11-03``; what is none leads nowhere."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        day = date.fromisoformat(value)
        Month.parse(value[:7])
        return day

    def to_url(self, value: date) -> str:
        return value.isoformat()


class _ComposedPage(Page):
    """A report on a page, and its tables as files."""

    kwargs: dict[str, Any]
    exports: Sequence[str] = ("csv", "xlsx")

    @property
    def report(self) -> ComposedReport:
        raise NotImplementedError

    def file_of(self, kind: str) -> HttpResponseBase:
        report, name = self.report, self.report.title
        if kind == "csv":
            return csv_download(files.csv_rows(report), name, files.notes(report))
        return download(files.workbook(report), name, "xlsx", spreadsheets.CONTENT_TYPE)


class LiveReport(_ComposedPage, TemplateView):
    """A report of a kind as it would be made on a day: nothing is kept."""

    permission_required = "costs.view_costline"
    template_name = "programme/report.html"

    @cached_property
    def report(self) -> ComposedReport:
        kind, day = self.kwargs["kind"], self.kwargs["day"]
        if kind not in LIVE or day > timezone.now().date():
            raise Http404
        try:
            scope = scope_of(self.person)
            return compose(kind, scope, days_of(kind, day), timezone.now().date())
        except (NothingToReport, NoAccess) as reason:
            raise Http404(str(reason)) from None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if kind := request.GET.get("_export"):
            return self.file_of(kind)
        return super().get(request, *args, **kwargs)

    def get_title(self) -> str:
        return self.report.title

    def get_subtitle(self) -> str:
        return f"{self.report.scope}. {self.report.known}"

    def get_actions(self) -> list[Action]:
        here = self.request.path
        return [
            Action(_("PDF"), f"{here}pdf/", "download", primary=True),
            Action("CSV", f"{here}?_export=csv", "download"),
            Action("Excel", f"{here}?_export=xlsx", "file-spreadsheet"),
        ]

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [(_("Reviews and updates"), "programme:reports")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        about = paper.about_lines(self.report, is_kept=False)
        return super().get_context_data(report=self.report, about=about, **kwargs)


class LivePdf(LiveReport):
    """The same on paper."""

    exports = ()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            content = paper.render(self.report)
        except paper.ReportTooLong as reason:
            return refused_file([str(reason)])
        return download(content, self.report.title, "pdf", PDF, inline=True)


class MadeReportPage(_ComposedPage, DetailPage):
    """A report as it was made: what it said then, whatever bills say now."""

    permission_required = SEE
    model = MadeReport
    template_name = "programme/report.html"
    object: MadeReport

    @cached_property
    def report(self) -> ComposedReport:
        composed = archive.report_of(self.object)
        if composed is None:
            raise Http404
        return composed

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        if archive.report_of(self.object) is None:
            # A statement is its PDF.
            return redirect("programme:made_report_pdf", self.object.pk)
        if kind := request.GET.get("_export"):
            return self.file_of(kind)
        return super().get(request, *args, **kwargs)

    def get_title(self) -> str:
        return self.object.title

    def get_subtitle(self) -> str:
        text = _("{scope}. As it was on {day}. {known}")
        return text.format(scope=self.object.scope, day=day_text(self.object.as_of), known=self.object.known)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [(_("Reviews and updates"), "programme:reports")]

    def get_actions(self) -> list[Action]:
        here = self.object.get_absolute_url()
        return [
            Action(_("PDF"), "programme:made_report_pdf", "download", primary=True, args=(self.object.pk,)),
            Action("CSV", f"{here}?_export=csv", "download"),
            Action("Excel", f"{here}?_export=xlsx", "file-spreadsheet"),
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            report=self.report, about=paper.about_lines(self.report, is_kept=True), made=self.object, **kwargs
        )


class MadeReportPdf(DetailPage):
    """The PDF of a report, byte by byte as it was made."""

    permission_required = SEE
    model = MadeReport

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        made: MadeReport = self.get_object()
        return download(bytes(made.content), made.file_name, "pdf", PDF, inline=True)


class MakeReport(FormPage):
    """Makes a report now: a worker does it, and it is kept."""

    permission_required = SEE
    title = _lazy("Make a report")
    subtitle = _lazy("It is kept as it is made, with what you may see.")
    form_class = MakeForm
    submit_label = _lazy("Make it")
    cancel_url_name = "programme:reports"

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [(_("Reviews and updates"), "programme:reports")]

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person}

    def form_valid(self, form: MakeForm) -> HttpResponse:
        now, chosen = timezone.now(), form.cleaned_data
        period = days_of(chosen["kind"], chosen["day"] or now.date())
        try:
            run = runs.ask_for(chosen["kind"], self.person, period, now, chosen["team"])
        except NoAccess as reason:
            form.add_error(None, str(reason))
            return self.form_invalid(form)
        return redirect("programme:report_run", run.pk)


class RunPage(FollowedPage):
    """A report that is being made for whoever asked for it."""

    permission_required = SEE
    template_name = "programme/run.html"
    object: ReportRun

    def get_queryset(self) -> Any:
        return ReportRun.objects.filter(asked_by=self.person)

    def get_title(self) -> str:
        return title_of(self.object.kind, self.object.period)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [(_("Reviews and updates"), "programme:reports")]

    def progress(self) -> dict[str, Any] | None:
        run = self.object
        if run.is_over:
            return None
        return {
            "url": f"{reverse('programme:report_run', args=[run.pk])}?progress=1",
            "percent": run.percent if run.stage else None,
            "label": run.stage or _("Waits for a worker"),
            "detail": run.problem,
        }

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        run = self.get_object()
        made = run.reports.first() if run.state == ReportRun.State.DONE and run.schedule_id is None else None
        if made and not self.asks_progress:
            return redirect(made)
        return super().get(request, *args, **kwargs)
