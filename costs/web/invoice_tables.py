"""Tables of invoices and of what the books are made of."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import django_tables2
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.calc.invoices import NOT_INVOICED, Comparison, InvoicedCost, InvoiceState
from costs.invoices.comparison import Reconciliation, incomplete_until
from costs.models import Invoice
from costs.web.tables import WHOLE_WORDS
from finops_site.lib.money import exact_figure, formatted, rounded
from finops_site.lib.periods import day_text, moment_text
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable, MoneyColumn, MonthColumn, NumberColumn, status_html

INVOICE_STATES: dict[str, tuple[str, str, str]] = {
    InvoiceState.DIFFERS: (_lazy("Differs"), "bad", "alert-circle"),
    InvoiceState.CHANGED: (_lazy("Changed since signed off"), "bad", "history"),
    InvoiceState.UNKNOWN: (_lazy("Bill not delivered"), "warn", "help"),
    NOT_INVOICED: (_lazy("No invoice"), "warn", "file-invoice"),
    InvoiceState.EXPLAINED: (_lazy("Explained"), "calm", "checks"),
    InvoiceState.AGREES: (_lazy("Agrees"), "good", "circle-check"),
}


def difference_text(value: Decimal) -> str:
    """A difference to its last digit, with its sign: ``+0.004``, ``-12.5``."""
    return f"{'+' if value > 0 else ''}{exact_figure(value)}"


def short_difference(value: Decimal, currency: str) -> str:
    """A difference as people say it, rounded; one that would round to nothing stays exact."""
    if not rounded(value, currency):
        return difference_text(value)
    return f"{'+' if value > 0 else '-'}{formatted(abs(value), currency)}"


def invoice_rows(result: Reconciliation, *, with_rest: bool = True) -> list[dict[str, Any]]:
    """The rows of the list: invoices beside the books, then the cost that no invoice names."""
    rows = [_invoice_row(invoice, result.comparisons[invoice.pk]) for invoice in result.invoices]
    return rows + [_rest_row(cost) for cost in result.not_invoiced] if with_rest else rows


def _invoice_row(invoice: Invoice, comparison: Comparison) -> dict[str, Any]:
    signer = str(invoice.signed_by or "somebody")
    return {
        "invoice_id": invoice.invoice_id,
        "issuer": invoice.issuer,
        "url": invoice.get_absolute_url(),
        "billing_account": invoice.billing_account,
        "billing_month": invoice.billing_month,
        "total": invoice.total,
        "invoiced": comparison.invoiced,
        "books": comparison.books,
        "difference": comparison.difference,
        "currency": invoice.currency,
        "tolerance": comparison.tolerance,
        "state": str(comparison.state),
        "note": " ".join(comparison_notes(invoice, comparison)),
        "explanation": invoice.explanation,
        "signed": _("{signed_at} by {signer}").format(signed_at=moment_text(invoice.signed_at), signer=signer)
        if invoice.signed_at
        else "",
        "signed_at": invoice.signed_at,
        "signer": signer,
    }


def comparison_notes(invoice: Invoice, comparison: Comparison) -> Iterator[str]:
    """What a reader must know of a comparison, in sentences."""
    others = len(comparison.together) - 1
    if comparison.reason:
        yield comparison.reason
    if invoice.is_signed and comparison.state == InvoiceState.CHANGED:
        was = exact_figure(invoice.signed_books) or _("not delivered")
        now = exact_figure(comparison.books) or _("not delivered")
        if was != now:
            yield _("The books were {was} when it was signed off, and are {now}.").format(was=was, now=now)
        if invoice.signed_invoiced != comparison.invoiced:
            yield _("The invoice was {signed_invoiced}, and is {invoiced}.").format(
                signed_invoiced=exact_figure(invoice.signed_invoiced), invoiced=exact_figure(comparison.invoiced)
            )
    if others:
        yield ngettext(
            "Compared together with {count} other invoice of this account and month.",
            "Compared together with {count} other invoices of this account and month.",
            others,
        ).format(count=number_text(others))
    if comparison.untaxed:
        yield _("Without its tax of {untaxed}: the bill has none.").format(untaxed=exact_figure(comparison.untaxed))
    if day := incomplete_until(comparison, invoice.billing_month):
        yield _("The bill has charges until {day} only.").format(day=day_text(day))


def _rest_row(cost: InvoicedCost) -> dict[str, Any]:
    account, month, currency = cost.account
    return {
        "invoice_id": cost.invoice_id,
        "issuer": cost.issuer,
        "url": "",
        "billing_account": account,
        "billing_month": month,
        "total": None,
        "invoiced": None,
        "books": cost.billed_cost,
        "difference": None,
        "currency": currency,
        "tolerance": None,
        "state": NOT_INVOICED,
        "note": _("The charges name this invoice; it is not recorded.")
        if cost.invoice_id
        else _("No invoice is recorded."),
        "explanation": "",
        "signed": "",
    }


class InvoiceTable(BaseTable):
    """Invoices beside the books. The CSV has every digit."""

    invoice_id = django_tables2.Column(_lazy("Invoice"), empty_values=())
    issuer = django_tables2.Column(visible=False)
    billing_account = django_tables2.Column(_lazy("Billing account"), attrs=WHOLE_WORDS)
    billing_month = MonthColumn(_lazy("Billing month"))
    total = MoneyColumn(_lazy("Invoice total"), default="—")
    invoiced = MoneyColumn(_lazy("Compared"), visible=False)
    books = MoneyColumn(_lazy("Books"), default=_lazy("not delivered"))
    difference = NumberColumn(_lazy("Difference"))
    currency = django_tables2.Column(visible=False)
    tolerance = NumberColumn(_lazy("Tolerance"), visible=False)
    state = django_tables2.Column(_lazy("State"))
    note = django_tables2.Column(_lazy("Note"), visible=False)
    explanation = django_tables2.Column(_lazy("Explanation"), visible=False)
    signed = django_tables2.Column(_lazy("Signed off"))

    caption = _lazy("Invoices beside the books")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_invoice_id(self, value: str, record: Mapping[str, Any]) -> SafeString:
        name = value or record["issuer"] or _("without an id")
        second = format_html('<span class="second-line">{}</span>', record["issuer"]) if value else ""
        if not record["url"]:
            return format_html("{}{}", name, second)
        return format_html('<a href="{}">{}</a>{}', record["url"], name, second)

    def value_invoice_id(self, value: str) -> str:
        return value or ""

    def render_difference(self, value: Decimal, record: Mapping[str, Any]) -> SafeString:
        return format_html('{} <span class="currency">{}</span>', difference_text(value), record["currency"])

    def value_difference(self, value: Decimal) -> Decimal:
        return value

    def render_state(self, value: str, record: Mapping[str, Any]) -> SafeString:
        badge = status_html(*INVOICE_STATES[value])
        return format_html('{}<span class="second-line">{}</span>', badge, record["note"])

    def render_signed(self, record: Mapping[str, Any]) -> SafeString:
        day = day_text(record["signed_at"])
        return format_html('<span class="nowrap">{}</span><span class="second-line">{}</span>', record["signer"], day)

    def value_signed(self, value: str) -> str:
        return value

    def value_state(self, value: str) -> str:
        return INVOICE_STATES[value][0]
