"""Forms and filters of invoices: one by hand, many by CSV, and what somebody says about a difference."""

from decimal import Decimal
from typing import Any, cast

import django_filters
from django import forms
from django.db.models import QuerySet
from django.template.defaultfilters import filesizeformat
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from costs.calc import invoice_csv
from costs.calc.invoices import NOT_INVOICED, UNSETTLED
from costs.invoices.comparison import in_state
from costs.models import Dimension, Invoice, InvoiceFile, Source
from costs.web.forms import currency_code
from costs.web.invoice_tables import INVOICE_STATES
from finops_site.lib.money import BadAmount, parse_amount, typed_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.filters import MonthField, MonthFilter

ANY_UNSETTLED = "unsettled"


class AmountField(forms.CharField):
    """An amount as people write it, to the last digit; cleans to a Decimal, or None where it is empty."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 60, **options})
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        return typed_text(value) if isinstance(value, Decimal) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            amount = parse_amount(text)
        except BadAmount as error:
            raise forms.ValidationError(str(error)) from None
        if problem := invoice_csv.amount_problem(amount):
            raise forms.ValidationError(problem)
        return amount


class InvoiceForm(forms.ModelForm):
    """An invoice that somebody writes down."""

    billing_month = MonthField(label=_lazy("Billing month"))
    total = AmountField(label=_lazy("Total"), help_text=_lazy("What is to be paid, tax included."))
    tax = AmountField(
        label=_lazy("Tax"),
        required=False,
        help_text=_lazy("The part that is tax: it is left out where the bill has no tax."),
    )
    tolerance_amount = AmountField(
        required=False,
        label=_lazy("Tolerance"),
        help_text=_lazy("How far it may be from the books; empty: as the site is set."),
    )
    tolerance_percent = AmountField(
        required=False,
        label=_lazy("Tolerance, per cent"),
        help_text=_lazy("Of the invoice; the larger of the two counts."),
    )
    document = forms.FileField(
        required=False,
        label=_lazy("The invoice"),
        help_text=format_lazy(
            _lazy("A PDF, say; it is kept. {size} at most."), size=filesizeformat(InvoiceFile.MOST_BYTES)
        ),
    )

    class Meta:
        model = Invoice
        fields = [
            *("issuer", "billing_account", "billing_month", "currency", "invoice_id", "total", "tax", "issued_on"),
            *("source", "tolerance_amount", "tolerance_percent", "explanation"),
        ]
        labels = {
            "issuer": _lazy("Issuer"),
            "billing_account": _lazy("Billing account"),
            "currency": _lazy("Currency"),
            "issued_on": _lazy("Issued on"),
            "source": _lazy("Source"),
            "explanation": _lazy("Explanation"),
        }
        widgets = {
            "issued_on": forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
            "billing_account": forms.TextInput({"list": "billing-accounts", "autocomplete": "off"}),
            "currency": forms.TextInput({"placeholder": "USD", "autocomplete": "off", "maxlength": 3}),
            "explanation": forms.Textarea({"rows": 3}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].validators.append(currency_code)
        cast(forms.ModelChoiceField, self.fields["source"]).empty_label = _("none")
        if self.instance.pk:
            self.initial["billing_month"] = f"{self.instance.billing_month:%Y-%m}"

    def clean_billing_month(self) -> Any:
        month = self.cleaned_data["billing_month"]
        return month and month.start

    def clean_currency(self) -> str:
        return self.cleaned_data["currency"].upper()

    def clean_document(self) -> Any:
        document = self.cleaned_data["document"]
        if document and document.size > InvoiceFile.MOST_BYTES:
            raise forms.ValidationError(
                _("That is more than {size}.").format(size=filesizeformat(InvoiceFile.MOST_BYTES))
            )
        return document

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in ("tolerance_amount", "tolerance_percent"):
            if (cleaned.get(name) or 0) < 0:
                self.add_error(name, _("A tolerance is not less than zero."))
        return cleaned

    @property
    def known_accounts(self) -> list[tuple[str, str]]:
        """(billing account, its name) of all bills."""
        return list(Dimension.objects.filter(name="billing_account").values_list("value", "label")[:500])


class InvoiceUploadForm(forms.Form):
    """A CSV of invoices; all of them are saved, or none."""

    file = forms.FileField(
        help_text=_lazy("CSV: billing_account, billing_month, currency, total, and what else you have.")
    )
    decimal_mark = forms.ChoiceField(
        label=_lazy("Decimals are written"),
        required=False,
        choices=[
            ("", _lazy("as the file shows")),
            (".", _lazy("with a point: 1,234.56")),
            (",", _lazy("with a comma: 1.234,56")),
        ],
    )
    source = forms.ModelChoiceField(
        Source.objects.all(),
        required=False,
        empty_label=_lazy("none"),
        help_text=_lazy("Which source brings their bills."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("file"):
            try:
                text = invoice_csv.decode_csv(cleaned["file"].read(invoice_csv.MOST_BYTES + 1))
            except ValueError as error:
                self.add_error("file", str(error))
            else:
                cleaned["invoices"] = invoice_csv.read_invoices(text, decimal_mark=cleaned.get("decimal_mark") or "")
        return cleaned


class ExplanationForm(forms.Form):
    """Why an invoice differs."""

    explanation = forms.CharField(
        label=_lazy("Explanation"), required=False, max_length=2000, widget=forms.Textarea({"rows": 3})
    )


def account_choices() -> list[tuple[str, str]]:
    """Billing accounts of bills and invoices, by their name where they have one."""
    named = dict(Dimension.objects.filter(name="billing_account").values_list("value", "label")[:500])
    written = Invoice.objects.order_by().values_list("billing_account", flat=True).distinct()
    accounts = sorted({*named, *filter(None, written)})
    return [(account, f"{named[account]} ({account})" if named.get(account) else account) for account in accounts]


class InvoiceFilter(django_filters.FilterSet):
    month = MonthFilter(label=_lazy("Billing month"), field_name="billing_month")
    account = django_filters.ChoiceFilter(
        label=_lazy("Billing account"), field_name="billing_account", choices=account_choices, empty_label=_lazy("any")
    )
    state = django_filters.ChoiceFilter(
        label=_lazy("State"),
        method="filter_state",
        empty_label=_lazy("any"),
        choices=[
            (ANY_UNSETTLED, _lazy("To be explained")),
            *((state, text) for state, (text, _ignored, _ignored) in INVOICE_STATES.items()),
        ],
    )

    class Meta:
        model = Invoice
        fields: list[str] = []

    def filter_state(self, invoices: QuerySet[Invoice], name: str, value: str) -> QuerySet[Invoice]:
        if value == NOT_INVOICED:
            return invoices.none()
        return in_state(invoices, *(UNSETTLED if value == ANY_UNSETTLED else (value,)))
