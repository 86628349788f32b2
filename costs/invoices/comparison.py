"""Invoices beside the books, for rows of the database: two queries, however many invoices there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Max, Q, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.calc.invoices import (
    UNSETTLED,
    AccountMonth,
    Comparison,
    InvoicedCost,
    InvoiceFigures,
    InvoiceState,
    compare_invoices,
)
from costs.models import Invoice, InvoiceCost
from finops_site.lib.periods import Month
from finops_site.lib.person import Person


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Invoices with their comparisons, and the cost of the same months that no invoice names."""

    invoices: Sequence[Invoice]
    comparisons: dict[int, Comparison]
    not_invoiced: Sequence[InvoicedCost]

    def count(self, *states: InvoiceState) -> int:
        """How many of the invoices are in one of these states."""
        return sum(self.comparisons[invoice.pk].state in states for invoice in self.invoices)


def reconcile_invoices(
    invoices: QuerySet[Invoice], *, month: Month | None = None, account: str | None = None, every_month: bool = False
) -> Reconciliation:
    """Compares these invoices; what no invoice names is listed of `month`, else of the months that have an invoice.

    `every_month`: of all months that have a bill. `account` leaves only that billing account.
    """
    chosen = list(invoices.select_related("signed_by"))
    months = {month.start} if month else {invoice.billing_month for invoice in chosen}
    in_months = Q() if every_month and not month else Q(billing_month__in=months)
    of_account = Q() if account is None else Q(billing_account=account)
    comparisons, rest = _compare(in_months & of_account)
    return Reconciliation(chosen, comparisons, rest)


def compare(invoices: Iterable[Invoice]) -> dict[int, Comparison]:
    """{id: comparison} of these invoices, and of those of the same months that they are compared with."""
    months = {invoice.billing_month for invoice in invoices}
    return _compare(Q(billing_month__in=months))[0] if months else {}


def _compare(which: Q) -> tuple[dict[int, Comparison], list[InvoicedCost]]:
    figures = [_figures(invoice) for invoice in Invoice.objects.filter(which).order_by()]
    return compare_invoices(figures, books(which))


def books(which: Q) -> list[InvoicedCost]:
    """What the bills that count sum to, by billing account, month, currency and the invoice that charges name."""
    key = ("billing_account", "billing_month", "currency", "invoice_id")
    rows = InvoiceCost.objects.filter(which, delivery_month__is_current=True).order_by()
    sums = rows.values_list(*key).annotate(Sum("billed_cost"), Sum("tax"), Max("last_day"), Max("issuer"))
    return [
        InvoicedCost(AccountMonth(account, month, currency), invoice_id, billed, tax, last_day, issuer)
        for account, month, currency, invoice_id, billed, tax, last_day, issuer in sums
    ]


def _figures(invoice: Invoice) -> InvoiceFigures:
    return InvoiceFigures(
        key=invoice.pk,
        account=invoice.account_month,
        invoice_id=invoice.invoice_id,
        total=invoice.total,
        tax=invoice.tax,
        tolerance=invoice.tolerance,
        is_explained=bool(invoice.explanation.strip()),
        signed=invoice.signed_figures,
    )


def in_state(invoices: QuerySet[Invoice], *states: str) -> QuerySet[Invoice]:
    """Those of the invoices that stand so to the books now."""
    comparisons = compare(invoices)
    return invoices.filter(pk__in=[pk for pk, comparison in comparisons.items() if comparison.state in states])


def list_unsettled(user: Person) -> list[Invoice]:
    """Invoices that differ and are not explained, or whose books changed since they were signed off; in their order."""
    invoices = list(Invoice.objects.visible_to(user))
    comparisons = compare(invoices)
    return [invoice for invoice in invoices if comparisons[invoice.pk].state in UNSETTLED]


def incomplete_until(comparison: Comparison, month: date) -> date | None:
    """The last day that the bill has charges of, where that is before the end of its month; None: it has the last day.

    A bill that ends earlier may be complete all the same; nobody has said that it is final.
    """
    last = comparison.last_day
    return last if last and last < Month.of(month).period.last_day else None


@dataclass(frozen=True, slots=True)
class MonthOfInvoices:
    """How the invoices of a month stand: how many there are, agree or are explained, and have no bill yet."""

    total: int
    settled: int
    unknown: int

    def __str__(self) -> str:
        text = ngettext(
            "{settled} of {total} invoice agrees with the bills or is explained",
            "{settled} of {total} invoices agree with the bills or are explained",
            self.total,
        ).format(settled=self.settled, total=self.total)
        return (
            _("{text}; the bill of {unknown} is not delivered.").format(text=text, unknown=self.unknown)
            if self.unknown
            else f"{text}."
        )


def month_of_invoices(month: Month) -> MonthOfInvoices:
    """The invoices of a billing month, counted, for somebody who sees the whole company."""
    result = reconcile_invoices(Invoice.objects.filter(billing_month=month.start), month=month)
    settled = result.count(InvoiceState.AGREES, InvoiceState.EXPLAINED)
    return MonthOfInvoices(len(result.invoices), settled, result.count(InvoiceState.UNKNOWN))
