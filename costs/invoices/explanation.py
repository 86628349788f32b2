"""What an invoice's side of the books is made of, so that a person can say why the two differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from costs.calc.dimensions import DIMENSIONS
from costs.calc.invoices import Comparison
from costs.models import DeliveryMonth, Invoice, InvoiceCost, MonthRollup
from costs.query.query_backends import charges_in
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period

BREAKDOWNS = ("service", "account", "charge_category")
MOST_ROWS = 25


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """Cost of the books by one value of a dimension; `is_the_difference`: the amount is what the two differ by."""

    value: str
    billed_cost: Decimal | None
    charges: int
    is_the_difference: bool


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The books by one dimension, the largest amounts first; `others` is how many more values there are."""

    name: str
    label: str
    rows: Sequence[BreakdownRow]
    others: int


@dataclass(frozen=True, slots=True)
class BooksOfInvoice:
    """The bills that were compared: which, what they are made of, and how many of their rows could not be read."""

    months: Sequence[DeliveryMonth]
    breakdowns: Sequence[Breakdown]
    rows_rejected: int
    period: Period | None


def explain_books(invoice: Invoice, comparison: Comparison) -> BooksOfInvoice:
    """What was compared with an invoice, by service, account and category.

    Out of the rollups where the bill is all about one invoice; otherwise out of the charges, which know the invoice.
    """
    months = list(_publications(invoice).select_related("delivery__source"))
    if not months or comparison.books is None:
        return BooksOfInvoice(months, [], sum(_rejected(months)), None)
    sums = _rollup_sums if comparison.is_all_of_account else _charge_sums
    by_dimension = sums(invoice, comparison, months)
    breakdowns = [_breakdown(name, rows, comparison) for name, rows in by_dimension.items()]
    days = [date.fromisoformat(day) for month in months for day in month.charge_months]
    period = Period(min(days), Month.of(max(days)).next.start) if days else None
    return BooksOfInvoice(months, breakdowns, sum(_rejected(months)), period)


def _publications(invoice: Invoice) -> QuerySet[DeliveryMonth]:
    costs = InvoiceCost.objects.filter(
        billing_month=invoice.billing_month, billing_account=invoice.billing_account, currency=invoice.currency
    )
    return DeliveryMonth.objects.current().filter(pk__in=costs.values("delivery_month")).order_by("pk")


def _rejected(months: Sequence[DeliveryMonth]) -> list[int]:
    return list({month.delivery_id: month.delivery.rows_rejected for month in months}.values())


Sums = dict[str, list[dict[str, Any]]]


def _rollup_sums(invoice: Invoice, comparison: Comparison, months: Sequence[DeliveryMonth]) -> Sums:
    rows = MonthRollup.objects.current().filter(
        delivery_month__in=months, billing_account=invoice.billing_account, currency=invoice.currency
    )
    result: Sums = {}
    for name in BREAKDOWNS:
        amounts = rows.order_by().values_list(DIMENSIONS[name].field).annotate(Sum("billed_cost"), Sum("charges"))
        result[name] = [
            {"value": value, "billed_cost": billed, "charges": charges} for value, billed, charges in amounts
        ]
    return result


def _charge_sums(invoice: Invoice, comparison: Comparison, months: Sequence[DeliveryMonth]) -> Sums:
    from costs.charges.charge_queries import billed_by, charges_of_invoices

    rows = charges_of_invoices(invoice.billing_account, invoice.currency, comparison.invoice_ids)
    with charges_in(*(month.charges_glob for month in months)) as charges:
        return {name: charges.ask(billed_by(rows, DIMENSIONS[name].charge_column)) for name in BREAKDOWNS}


def _breakdown(name: str, rows: Sequence[dict[str, Any]], comparison: Comparison) -> Breakdown:
    largest = sorted(rows, key=lambda row: (-abs(row["billed_cost"] or 0), row["value"]))
    drawn = [
        BreakdownRow(
            row["value"], row["billed_cost"], row["charges"], _is_the_difference(row["billed_cost"], comparison)
        )
        for row in largest
    ]
    # The amount that explains the difference is shown however small it is.
    shown = [row for place, row in enumerate(drawn) if place < MOST_ROWS or row.is_the_difference]
    return Breakdown(name, DIMENSIONS[name].label, shown, len(drawn) - len(shown))


def _is_the_difference(amount: Decimal | None, comparison: Comparison) -> bool:
    """Whether an amount that is on one side only would be the whole difference, as far as the tolerance lets it."""
    if not amount or comparison.difference is None or comparison.is_within:
        return False
    return EXACT.subtract(abs(comparison.difference), abs(amount)).copy_abs() <= comparison.tolerance
