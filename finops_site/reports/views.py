"""The pages of the monthly report: its months, one month, and the same as a PDF."""

from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from finops_site.lib.periods import Month
from finops_site.registry import registry
from finops_site.reports import monthly_report
from finops_site.reports.report_pdf import render_report
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import PDF, download
from finops_site.ui.pages import Action, Empty, Page


class MonthConverter:
    """A month in an address, ``2025-11``; what is none leads nowhere."""

    regex = r"\d{4}-\d{2}"

    def to_python(self, value: str) -> Month:
        return Month.parse(value)

    def to_url(self, value: Month) -> str:
        return str(value)


class ReportsPage(Page, TemplateView):
    """Every month that has cost this person may see."""

    permission_required = "costs.view_costline"
    template_name = "reports.html"
    title = _lazy("Reports")
    empty = Empty(
        _lazy("No report yet"), _lazy("The first one is there as soon as a bill has been loaded."), "report-analytics"
    )

    def get_subtitle(self) -> str:
        if self.person.sees_whole_company:
            return _("Every month of the whole company on one page, and as a PDF to forward.")
        return _("Every month of your own teams on one page, and as a PDF to forward.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        months = registry.report_months(self.person, timezone.now().date())
        return super().get_context_data(months=months, empty=self.empty.for_user(self.person), **kwargs)


class _OneReport(Page):
    kwargs: dict[str, Any]
    permission_required = "costs.view_costline"

    @cached_property
    def report(self) -> monthly_report.Report:
        """The report asked for; a month without any cost she may see has none."""
        today, month = timezone.now().date(), self.kwargs["month"]
        if month not in {row.month for row in registry.report_months(self.person, today)}:
            raise Http404("no report of that month")
        return monthly_report.make_report(self.person, month, today)


class ReportPage(_OneReport, TemplateView):
    template_name = "report.html"
    breadcrumbs = ((_lazy("Reports"), "reports"),)

    def get_title(self) -> str:
        return self.report.title

    def get_subtitle(self) -> str:
        return self.report.subtitle

    def get_actions(self) -> list[Action]:
        return [Action("PDF", "report_pdf", "download", primary=True, args=(self.report.month,))]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(report=self.report, **kwargs)


class ReportPdf(_OneReport, View):
    def get(self, request: HttpRequest, month: Month) -> HttpResponseBase:
        return download(render_report(self.report), f"report-{month}", "pdf", PDF, inline=True)
