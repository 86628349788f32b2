"""The demo's invoices: some agree with their bills, one differs for a reason that fay wrote down, one waits for her."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Q

from costs.calc.invoice_csv import InvoiceRow
from costs.invoices.comparison import books
from costs.invoices.records import sign_off, upsert_invoices
from costs.models import Invoice
from finops_site.lib.money import rounded
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.models import User

# How many months before the running one have an invoice.
MONTHS = 6
# {months before the running one: (what the invoice asks beyond the bill, why)}.
DIFFERENCES = {
    1: (Decimal("1284.00"), ""),
    3: (Decimal("-412.50"), "A service credit of the last outage, on the invoice already; the bill has it next month."),
}


def make_invoices(say: Callable[[str], object], *, as_of: date) -> None:
    """Writes down what AWS asked for the last months, once; fay signs all off but the last. Call it after the bills."""
    running = Month.of(as_of - timedelta(days=1))
    if Invoice.objects.exists():
        return
    fay = User.objects.filter(email__startswith="fay@").first()
    for back in reversed(range(1, MONTHS + 1)):
        month = running.plus(-back)
        surplus, explanation = DIFFERENCES.get(back, (Decimal(0), ""))
        for cost in books(Q(billing_month=month.start)):
            issued = month.next.start + timedelta(days=2)
            row = InvoiceRow(
                billing_account=cost.account.billing_account,
                billing_month=month.start,
                currency=cost.account.currency,
                invoice_id=f"INV-{month.year}{month.number:02}-4410{back}",
                issuer=cost.issuer,
                total=rounded(cost.billed_cost or Decimal(0), cost.account.currency) + surplus,
                issued_on=issued,
                explanation=explanation or None,
            )
            upsert_invoices([row], user=fay, now=_at(issued, 9))
            if fay and (explanation or not surplus):
                invoice = Invoice.objects.get(billing_month=month.start, invoice_id=row.invoice_id)
                sign_off(invoice.pk, user=fay, now=_at(issued + timedelta(days=2), 14))
    say(f"  {counted(Invoice.objects.count(), 'invoice')}, one of which differs from its bill")


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour, 12), UTC)
