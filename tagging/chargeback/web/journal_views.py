"""Pages of the journal: the entries of a month, its file in the columns of a ledger, and the accounts it books to."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import FormPage
from tagging.calc.journal import CannotBook
from tagging.chargeback.exports import Journal, make_journal
from tagging.chargeback.web.forms import AccountsForm, JournalForm
from tagging.chargeback.web.period_pages import BREADCRUMBS, PeriodPage
from tagging.chargeback.web.tables import JournalTable
from tagging.models import JournalAccount


class JournalOfMonth(PeriodPage):
    """What the page of a journal and its file share: the posting date of the address, and who may read it."""

    permission_required = "tagging.close_chargebackperiod"
    parameters = ("layout", "posted")

    @cached_property
    def form(self) -> JournalForm:
        """The choices in the address; a posting date or a layout that does not exist makes it invalid."""
        return JournalForm({"layout": "plain", **self.request.GET.dict()})

    def make_journal(self) -> Journal:
        """Raises CannotBook, also for an address that is not understood."""
        if not self.form.is_valid():
            raise CannotBook(" ".join(str(problem) for problems in self.form.errors.values() for problem in problems))
        return make_journal(self.period, self.form.cleaned_data["posted"])


class JournalPage(JournalOfMonth, TemplateView):
    template_name = "tagging/journal.html"

    def get_title(self) -> str:
        kind = _("Journal") if self.period.is_closed else _("Accruals")
        return _("{kind} of {month_text}").format(kind=kind, month_text=month_text(self.period.billing_month, "long"))

    def get_subtitle(self) -> str:
        if self.period.is_closed:
            return _("Each statement is a document: its cost centre is debited with what the statement states.")
        return _("What is known of a month that is not closed, and its reversal: both are in the file.")

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*BREADCRUMBS, (month_text(self.period.billing_month), self.period.get_absolute_url())]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = {"period": self.period, "known": self.known, "form": self.form, "problem": ""}
        try:
            made = self.make_journal()
            context |= {"journal": made, "sums": made.sums(), "table": JournalTable.of(made.entries)}
        except CannotBook as problem:
            context["problem"] = str(problem)
        return super().get_context_data(**{**context, **kwargs})


class JournalCsv(JournalOfMonth, View):
    """The journal as a file, in the columns of the ledger that reads it."""

    def get(self, request: HttpRequest, month: str) -> HttpResponseBase:
        try:
            made = self.make_journal()
            rows = made.rows(self.form.cleaned_data["layout"])
        except CannotBook as problem:
            messages.error(request, _("No journal was written. {problem}").format(problem=problem))
            return redirect("tagging:journal", month)
        # A ledger takes it as it comes, and no mark for Excel with it.
        return csv_download(rows, f"journal {made.name}", for_excel=False)


class JournalAccounts(FormPage):
    permission_required = "tagging.change_journalaccount"
    form_class = AccountsForm
    title = _lazy("Journal accounts")
    subtitle = _lazy("The accounts that the journal books to. Cost centres are the teams' own.")
    breadcrumbs = BREADCRUMBS
    cancel_url_name = "tagging:chargeback"
    success_message = "Saved."

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": JournalAccount.objects.first() or JournalAccount()}

    def form_valid(self, form: AccountsForm) -> HttpResponse:
        response = super().form_valid(form)
        if form.not_billed:
            names = ", ".join(form.not_billed)
            messages.warning(
                self.request, _("No bill names {names} yet: is it written as in the cost lines?").format(names=names)
            )
        return response

    def get_success_url(self) -> str:
        return reverse("tagging:chargeback")
