"""Pages of invoices: the list beside the books, one with its difference, writing them down and signing them off."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from costs.calc.filters import filter_value
from costs.calc.invoice_csv import template_rows
from costs.calc.invoices import NOT_INVOICED, Basis, InvoiceState
from costs.invoices import records
from costs.invoices.comparison import Reconciliation, compare, reconcile_invoices
from costs.invoices.explanation import explain_books
from costs.invoices.records import CannotSign
from costs.models import Invoice, InvoiceFile
from costs.web.invoice_forms import ExplanationForm, InvoiceFilter, InvoiceForm, InvoiceUploadForm
from costs.web.invoice_tables import (
    INVOICE_STATES,
    InvoiceTable,
    comparison_notes,
    difference_text,
    invoice_rows,
    short_difference,
)
from costs.web.links import lines_url
from finops_site.lib.money import exact_figure
from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download, download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page

SHOWN_PROBLEMS = 50
ADD, CHANGE, SIGN = "costs.add_invoice", "costs.change_invoice", "costs.sign_off_invoice"
CRUMBS = ((_lazy("Invoices"), "costs:invoices"),)
RECORD = Action(_lazy("Add an invoice"), "costs:invoice_add", "plus", ADD, primary=True)
UPLOAD = Action(_lazy("Upload invoices"), "costs:invoices_upload", "upload", ADD)


class InvoicesPage(ListPage):
    permission_required = "costs.view_invoice"
    model = Invoice
    title = _lazy("Invoices")
    subtitle = _lazy("What providers ask, beside what their bills sum to: the difference to the last digit.")
    actions = (UPLOAD, RECORD)
    table_class = InvoiceTable
    filterset_class = InvoiceFilter
    empty = Empty(
        _lazy("No invoice is recorded yet"),
        _lazy(
            "Write down what a provider's invoice asks, or upload a list, and see whether the bill sums to the same."
        ),
        "file-invoice",
        RECORD,
    )

    @cached_property
    def reconciliation(self) -> Reconciliation:
        chosen = self.filterset.form.cleaned_data if self.filterset.is_valid() else {}
        return reconcile_invoices(
            super().rows,
            month=chosen.get("month"),
            account=chosen.get("account") or None,
            every_month=chosen.get("state") == NOT_INVOICED,
        )

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        state = self.request.GET.get("state", "")
        return invoice_rows(self.reconciliation, with_rest=state in ("", NOT_INVOICED))


class InvoicePage(DetailPage):
    permission_required = "costs.view_invoice"
    model = Invoice
    template_name = "costs/invoice.html"
    breadcrumbs = CRUMBS

    def get_queryset(self) -> QuerySet[Invoice]:
        people = ("signed_by", "reopened_by", "received_by", "source")
        return super().get_queryset().select_related(*people)

    def get_subtitle(self) -> str:
        invoice = self.object
        account = invoice.billing_account or _("no billing account")
        return _("{issuer} for {account}, {month}.").format(
            issuer=invoice.issuer or _("An invoice"),
            account=account,
            month=month_text(invoice.billing_month, "long"),
        )

    def get_actions(self) -> list[Action]:
        if self.object.is_signed or not self.person.has_perm(CHANGE):
            return []
        return [Action(_("Edit"), "costs:invoice_edit", "pencil", CHANGE, args=(self.object.pk,))]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        invoice = self.object
        comparison = compare([invoice])[invoice.pk]
        books = explain_books(invoice, comparison)
        others = [pk for pk in comparison.together if pk != invoice.pk]
        signable = comparison.books is not None and (not invoice.is_signed or comparison.state == InvoiceState.CHANGED)
        by_id = {name for name in comparison.invoice_ids if name}
        context = {
            "invoice": invoice,
            "comparison": comparison,
            "state": INVOICE_STATES[comparison.state],
            "difference": None if comparison.difference is None else difference_text(comparison.difference),
            "short": comparison.difference and short_difference(comparison.difference, invoice.currency),
            "notes": list(comparison_notes(invoice, comparison)),
            "is_by_id": comparison.basis == Basis.INVOICE_ID,
            "named": sorted(by_id),
            "others": Invoice.objects.filter(pk__in=others),
            "books": books,
            "breakdowns": [
                (breakdown, [(row, self._lines_url(breakdown.name, row.value, books)) for row in breakdown.rows])
                for breakdown in books.breakdowns
            ],
            "file": InvoiceFile.objects.filter(invoice=invoice).defer("content").first(),
            "form": ExplanationForm({"explanation": invoice.explanation}),
            "may_explain": self.person.has_perm(CHANGE) and not invoice.is_signed,
            "may_sign": self.person.has_perm(SIGN) and signable,
            "may_reopen": self.person.has_perm(SIGN) and invoice.is_signed,
            "may_remove": self.person.has_perm("costs.delete_invoice") and not invoice.is_signed,
        }
        return super().get_context_data(**{**context, **kwargs})

    def _lines_url(self, dimension: str, value: str, books: Any) -> str:
        """The cost lines behind an amount; they know no invoice, so that those of the account's month are shown."""
        invoice = self.object
        if books.period is None:
            return ""
        filters = {
            "billing_account": filter_value("billing_account", invoice.billing_account),
            "billing_month": str(Month.of(invoice.billing_month)),
            "currency": invoice.currency,
            dimension: filter_value(dimension, value),
        }
        return lines_url(books.period, filters)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        invoice = self.get_object()
        verb = request.POST.get("verb", "")
        if verb not in VERBS:
            raise Http404
        permission, act = VERBS[verb]
        if not request.user.has_perm(permission):
            raise PermissionDenied
        try:
            text = act(self, invoice)
        except CannotSign as problem:
            messages.error(request, str(problem))
            return redirect(invoice)
        messages.success(request, text)
        return redirect("costs:invoices" if verb == "remove" else invoice.get_absolute_url())

    def sign_off(self, invoice: Invoice) -> str:
        signed = records.sign_off(
            invoice.pk, user=self.person, explanation=self.request.POST.get("explanation"), now=timezone.now()
        )
        books = f"{exact_figure(signed.signed_books)} {signed.currency}"
        return _(
            "Signed off, with {books} in the books. If that changes, it is shown here and on the home page."
        ).format(books=books)

    def explain(self, invoice: Invoice) -> str:
        form = ExplanationForm(self.request.POST)
        if not form.is_valid():
            raise CannotSign(_("An explanation has 2,000 characters at most."))
        if invoice.is_signed:
            raise CannotSign(_("It is signed off: open it again first."))
        invoice.explanation = form.cleaned_data["explanation"].strip()
        records.save_invoice(invoice, user=self.person)
        return _("The explanation is saved.")

    def reopen(self, invoice: Invoice) -> str:
        records.reopen(invoice.pk, user=self.person)
        return _("It is open again.")

    def remove(self, invoice: Invoice) -> str:
        records.remove(invoice.pk)
        return _("{invoice} is removed.").format(invoice=invoice)


VERBS: dict[str, tuple[str, Callable[[InvoicePage, Invoice], str]]] = {
    "sign_off": (SIGN, InvoicePage.sign_off),
    "reopen": (SIGN, InvoicePage.reopen),
    "explain": (CHANGE, InvoicePage.explain),
    "remove": ("costs.delete_invoice", InvoicePage.remove),
}


class InvoiceFormPage(FormPage):
    """One invoice, written down or corrected."""

    permission_required = CHANGE
    model = Invoice
    form_class = InvoiceForm
    template_name = "costs/invoice_form.html"
    breadcrumbs = CRUMBS
    cancel_url_name = "costs:invoices"

    def get_permission_required(self) -> str:
        return CHANGE if "pk" in self.kwargs else ADD

    def get_title(self) -> str:
        return _("Edit {object}").format(object=self.object) if self.object else _("Add an invoice")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        may_edit = request.user.is_authenticated and request.user.has_perm(CHANGE)
        if may_edit and self.object and self.object.is_signed:
            messages.warning(request, _("It is signed off: open it again before you edit it."))
            return redirect(self.object)
        return super().dispatch(request, *args, **kwargs)

    def save(self, form: InvoiceForm) -> Invoice:
        return records.save_invoice(form.instance, user=self.person, file=form.cleaned_data["document"])


class UploadInvoices(FormPage):
    """A CSV of invoices: all of it is saved, or nothing and the reasons are shown."""

    permission_required = ADD
    form_class = InvoiceUploadForm
    template_name = "costs/invoices_upload.html"
    title = _lazy("Upload invoices")
    subtitle = _lazy("One that is there already, by account, month, currency and id, gets the new values.")
    breadcrumbs = CRUMBS
    actions = (Action(_lazy("Template"), "costs:invoices_template", "download", ADD),)
    submit_label = _lazy("Upload")
    cancel_url_name = "costs:invoices"

    def form_valid(self, form: InvoiceUploadForm) -> HttpResponse:
        read = form.cleaned_data["invoices"]
        if not read.is_good:
            context = self.get_context_data(
                form=form, problems=read.problems[:SHOWN_PROBLEMS], count=len(read.problems)
            )
            return self.render_to_response(context)
        try:
            result = records.upsert_invoices(
                read.rows, user=self.person, now=timezone.now(), source=form.cleaned_data["source"]
            )
        except records.SignedAlready as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        words = _("Invoices: {result}.").format(result=result)
        if read.ignored:
            words += " " + _("Nothing was read from: {names}.").format(names=", ".join(read.ignored))
        messages.success(self.request, words)
        return redirect("costs:invoices")


class InvoicesTemplate(Page, View):
    """A CSV to fill in."""

    permission_required = ADD

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return csv_download(template_rows(), "invoices")


class InvoiceDocument(Page, View):
    """The invoice as it came."""

    permission_required = "costs.view_invoice"

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        invoice = get_object_or_404(Invoice.objects.visible_to(self.person), pk=pk)
        file = get_object_or_404(InvoiceFile, invoice=invoice)
        name, _ignored, extension = file.name.rpartition(".")
        return download(
            bytes(file.content), name or file.name, extension if name else "bin", "application/octet-stream"
        )
