"""Pages of the months of chargeback: the list, one month, closing it or setting it aside, and its files."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView, View

from costs import reconciliation
from finops_site.celery import task
from finops_site.lib.words import in_sentence, number_text
from finops_site.translation import gettext_lazy as _lazy
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
from tagging.chargeback.statement_changes import draft_comparison
from tagging.chargeback.web.forms import PeriodForm
from tagging.chargeback.web.period_pages import PeriodPage
from tagging.chargeback.web.tables import MonthTable, TeamMonthTable, TeamsOfMonthTable
from tagging.models import ChargebackPeriod


class ChargebackPage(Page, TemplateView):
    exports = ("csv",)
    permission_required = "tagging.view_statement"
    title = _lazy("Chargeback")
    subtitle = _lazy("By billing month, so that a month's statements sum to its invoices.")
    template_name = "tagging/chargeback.html"
    empty = Empty(
        _lazy("No month to charge back yet"),
        _lazy("Every billing month that has a bill gets a draft here, a few minutes after the bill was loaded."),
        "receipt-2",
        Action(_lazy("Upload a bill"), "costs:delivery_upload", "upload", "costs.add_delivery"),
    )

    def get_table(self) -> BaseTable:
        user = self.person
        if user.sees_whole_company:
            return MonthTable(month_figures.company_months(), request=None)
        return TeamMonthTable.of(month_figures.months_of_teams(user))

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
        return _("Chargeback of {month_text}").format(month_text=month_text(self.period.billing_month, "long"))

    def get_subtitle(self) -> str:
        return self.period_summary

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, period = self.person, self.period
        is_finance = user.has_perm("tagging.close_chargebackperiod")
        may_close = is_finance and period.is_draft
        items = closing_checklist(period, timezone.now()) if may_close else []
        compared = draft_comparison(period, timezone.now().date())
        rows = month_figures.team_rows(user, period, compared)
        context = {
            "period": period,
            "known": self.known,
            "table": TeamsOfMonthTable.of(rows, period, compared),
            "equations": month_figures.month_equations(period) if user.sees_whole_company else [],
            "is_outdated": is_outdated(period),
            "items": items,
            "is_ready": may_close and not any(item.state == "bad" for item in items),
            "has_spread": any(row.spread for row in rows),
            "may_close": may_close,
            "may_set_aside": may_close and self._may_set_aside,
            "may_take_back": is_finance and period.is_set_aside,
            "form": PeriodForm(instance=period) if may_close else None,
            "has_company": user.sees_whole_company,
        }
        return super().get_context_data(**{**context, **kwargs})

    @property
    def _may_set_aside(self) -> bool:
        try:
            closing.check_can_set_aside(self.period, timezone.now().date())
        except closing.CannotClose:
            return False
        return True


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
            text = _("{month} is closed: no team is charged for it.")
            if statements:
                text = ngettext(
                    "{month} is closed: {count} statement is numbered, and the leads are notified.",
                    "{month} is closed: {count} statements are numbered, and the leads are notified.",
                    len(statements),
                )
            messages.success(
                request, text.format(month=month_text(self.period.month, "long"), count=number_text(len(statements)))
            )
        return redirect(self.period)


class SetMonthAside(PeriodPage, View):
    """Sets a month before chargeback began aside, with the drafts before it or without; or takes it back."""

    permission_required = "tagging.close_chargebackperiod"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, month: str) -> HttpResponse:
        try:
            if request.POST.get("verb") == "take_back":
                closing.take_back(self.period)
                messages.success(
                    request,
                    _("{month} is a draft again: it is being computed.").format(
                        month=month_text(self.period.month, "long")
                    ),
                )
            else:
                and_before = request.POST.get("verb") == "aside_before"
                months = closing.set_aside(self.period, self.person, timezone.now(), and_before=and_before)
                text = ngettext(
                    "{count} month is set aside: nobody is charged for it.",
                    "{count} months are set aside: nobody is charged for it.",
                    len(months),
                )
                messages.success(request, text.format(count=number_text(len(months))))
        except closing.CannotClose as problem:
            messages.warning(request, str(problem))
        return redirect(self.period)


class PeriodSettings(PeriodPage, FormPage):
    """Basis and discounts of a month that is a draft."""

    permission_required = "tagging.close_chargebackperiod"
    form_class = PeriodForm
    title = _lazy("Basis of the month")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": self.period}

    def form_valid(self, form: PeriodForm) -> HttpResponse:
        with transaction.atomic():
            # Somebody may have closed it since this page was asked for: nothing else of the row is written back.
            locked = ChargebackPeriod.objects.select_for_update(of=("self",)).get(pk=self.period.pk)
            if locked.is_draft:
                locked.basis, locked.discounts = form.cleaned_data["basis"], form.cleaned_data["discounts"]
                locked.save(update_fields=["basis", "discounts"])
        if not locked.is_draft:
            text = _("{month} is {state}: its basis stays what it was.")
            state = in_sentence(locked.get_state_display())
            messages.warning(self.request, text.format(month=month_text(locked.month, "long"), state=state))
            return redirect(locked)
        refresh_draft(ChargebackPeriod.objects.get(pk=self.period.pk), timezone.now())
        messages.success(self.request, _("Saved: the draft is computed again on this basis."))
        return redirect(self.period)


class RefreshMonth(PeriodPage, View):
    """Refreshes a draft at once."""

    permission_required = "tagging.close_chargebackperiod"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, month: str) -> HttpResponse:
        if refresh_draft(self.period, timezone.now()):
            messages.success(request, _("The draft is computed again from today's cost data."))
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
