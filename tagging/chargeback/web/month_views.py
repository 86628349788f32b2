"""Pages of the months of chargeback: the list, one month and closing it, its files, and the journal's accounts."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.generic import TemplateView, View

from costs import reconciliation
from finops_site.celery import task
from finops_site.lib.words import counted
from finops_site.ui.downloads import csv_download, xlsx_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty, FormPage, Page
from finops_site.ui.spreadsheets import TooManyRows
from finops_site.ui.table_export import export_rows
from finops_site.ui.tables import BaseTable
from tagging.chargeback import closing, exports, month_figures
from tagging.chargeback.closing_checklist import closing_checklist
from tagging.chargeback.draft_statements import refresh_draft
from tagging.chargeback.periods import is_outdated
from tagging.chargeback.web.forms import AccountsForm, PeriodForm
from tagging.chargeback.web.period_pages import BREADCRUMBS, PeriodPage
from tagging.chargeback.web.tables import MonthTable, TeamMonthTable, TeamsOfMonthTable
from tagging.models import ChargebackPeriod, JournalAccount


class ChargebackPage(Page, TemplateView):
    permission_required = "tagging.view_statement"
    title = "Chargeback"
    subtitle = "By billing month, so that a month's statements sum to its invoices."
    template_name = "tagging/chargeback.html"
    actions = (
        Action("Disputes", "tagging:disputes", "flag", "tagging.view_dispute"),
        Action("Splits of pools", "tagging:splits", "switch-horizontal", "tagging.view_split"),
        Action("Journal accounts", "tagging:journal_accounts", "book", "tagging.change_journalaccount"),
    )
    empty = Empty(
        "No month to charge back yet",
        "Every billing month that has a bill gets a draft here, a few minutes after the bill was loaded.",
        "receipt-2",
        Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery"),
    )

    def get_table(self) -> BaseTable:
        user = self.person
        if user.sees_whole_company:
            return MonthTable(month_figures.company_months(), request=None)
        return TeamMonthTable(month_figures.months_of_teams(user), request=None)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            return csv_download(export_rows(self.get_table()), "chargeback")
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        table = self.get_table()
        context = {"table": table, "is_empty": not len(table.rows), "empty": self.empty.for_user(self.person)}
        return super().get_context_data(**{**context, **kwargs})


class MonthPage(PeriodPage, TemplateView):
    template_name = "tagging/chargeback_month.html"

    def get_title(self) -> str:
        return f"Chargeback of {month_text(self.period.billing_month, 'long')}"

    def get_subtitle(self) -> str:
        return self.period_summary

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, period = self.person, self.period
        may_close = user.has_perm("tagging.close_chargebackperiod") and not period.is_closed
        items = closing_checklist(period, timezone.now()) if may_close else []
        context = {
            "period": period,
            "known": self.known,
            "table": TeamsOfMonthTable.of(month_figures.team_rows(user, period), period),
            "equations": month_figures.month_equations(period) if user.sees_whole_company else [],
            "is_outdated": is_outdated(period),
            "items": items,
            "is_ready": may_close and not any(item.state == "bad" for item in items),
            "may_close": may_close,
            "form": PeriodForm(instance=period) if may_close else None,
            "has_company": user.sees_whole_company,
        }
        return super().get_context_data(**{**context, **kwargs})


class CloseMonth(PeriodPage, View):
    """Closes the month that finance has looked at."""

    permission_required = "tagging.close_chargebackperiod"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, month: str) -> HttpResponse:
        seen = request.POST.get("seen", "")
        try:
            statements = closing.close_month(
                self.period,
                self.person,
                seen=seen,
                now=timezone.now(),
                without_missing="without_missing" in request.POST,
            )
        except closing.CannotClose as problem:
            messages.warning(request, str(problem))
            if isinstance(problem, closing.DraftOutdated):
                task("tagging.tasks.refresh_chargeback").delay_on_commit()
        else:
            numbered = counted(len(statements), "statement is", "statements are")
            text = f"{month} is closed: {numbered} numbered, and the leads are notified."
            messages.success(request, text)
        return redirect(self.period)


class PeriodSettings(PeriodPage, FormPage):
    """Basis and discounts of a month that is a draft."""

    permission_required = "tagging.close_chargebackperiod"
    form_class = PeriodForm
    title = "Basis of the month"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": self.period}

    def form_valid(self, form: PeriodForm) -> HttpResponse:
        if self.period.is_closed:
            messages.warning(self.request, f"{self.period.month} is closed: its basis stays what it was.")
            return redirect(self.period)
        form.save()
        refresh_draft(ChargebackPeriod.objects.get(pk=self.period.pk), timezone.now())
        messages.success(self.request, "Saved: the draft is computed again on this basis.")
        return redirect(self.period)


class RefreshMonth(PeriodPage, View):
    """Refreshes a draft at once."""

    permission_required = "tagging.close_chargebackperiod"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, month: str) -> HttpResponse:
        if refresh_draft(self.period, timezone.now()):
            messages.success(request, "The draft is computed again from today's cost data.")
        return redirect(self.period)


class ReconciledMonth(PeriodPage, View):
    """Whether the sums of every layer of the month are equal: the checklist loads this after the page."""

    permission_required = "tagging.close_chargebackperiod"

    def get(self, request: HttpRequest, month: str) -> HttpResponse:
        checks = reconciliation.reconcile(self.period.month)
        broken = [check for check in checks if not check.holds]
        return render(request, "tagging/books_checked.html", {"checks": checks, "broken": broken})


class StatementsCsv(PeriodPage, View):
    """Every statement of a month that the person may see, line by line."""

    def get(self, request: HttpRequest, month: str) -> HttpResponseBase:
        return csv_download(exports.month_rows(self.person, self.period), f"chargeback {month}", self.known.notes)


class StatementsXlsx(PeriodPage, View):
    """The same as a workbook."""

    def get(self, request: HttpRequest, month: str) -> HttpResponseBase:
        try:
            return xlsx_download(exports.month_rows(self.person, self.period), f"Chargeback {month}", self.known.notes)
        except TooManyRows as problem:
            messages.error(request, str(problem))
            return redirect(self.period)


class JournalCsv(PeriodPage, View):
    """The journal of a closed month."""

    permission_required = "tagging.close_chargebackperiod"

    def get(self, request: HttpRequest, month: str) -> HttpResponseBase:
        try:
            rows = exports.journal_of_month(self.period)
        except exports.CannotBook as problem:
            messages.error(request, f"No journal was written. {problem}")
            return redirect(self.period)
        return csv_download(rows, f"journal {month}")


class JournalAccounts(FormPage):
    permission_required = "tagging.change_journalaccount"
    form_class = AccountsForm
    title = "Journal accounts"
    subtitle = "The accounts that the journal books to. Cost centres are the teams' own."
    breadcrumbs = BREADCRUMBS
    cancel_url_name = "tagging:chargeback"
    success_message = "Saved."

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": JournalAccount.objects.first() or JournalAccount()}

    def get_success_url(self) -> str:
        return reverse("tagging:chargeback")
