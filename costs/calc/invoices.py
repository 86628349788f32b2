"""Invoices beside the books: what each is compared with, by how much it differs, and what no invoice names. Pure: no
Django.

    difference = what the invoice asks - what the charges of the bill sum to

Where charges name the invoice they belong to (FOCUS InvoiceId), an invoice is compared with the charges that name it.
Otherwise the invoices of a billing account, month and currency are compared together with the cost of that account
that no other invoice names: a provider may send several, and the bill does not say which charge is on which.

What the bill does not hold is unknown, never zero. Providers that bill tax beside their export (Azure) leave it out of
the charges: the tax that an invoice states is then left out of the comparison, too.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT, exact_sum, places


class InvoiceState(StrEnum):
    """How an invoice stands to the books."""

    DIFFERS = "differs"
    CHANGED = "changed"
    UNKNOWN = "unknown"
    EXPLAINED = "explained"
    AGREES = "agrees"


# Cost of a bill that no invoice names; the state of a row without an invoice.
NOT_INVOICED = "not-invoiced"
# What somebody has to look at.
UNSETTLED = (InvoiceState.DIFFERS, InvoiceState.CHANGED)


class Basis(StrEnum):
    """Which charges an invoice is compared with."""

    INVOICE_ID = "invoice_id"
    ACCOUNT = "account"


class AccountMonth(NamedTuple):
    """What an invoice is about: a billing account, a billing month (its first day) and a currency."""

    billing_account: str
    billing_month: date
    currency: str


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an invoice may be from the books: an amount of its currency, or per cent of it where that is more."""

    amount: Decimal
    percent: Decimal = Decimal(0)

    def of(self, invoiced: Decimal) -> Decimal:
        """The most that the two may differ."""
        share = EXACT.divide(EXACT.multiply(abs(invoiced), self.percent), Decimal(100))
        return max(self.amount, share)


def rounding_tolerance(units: int, currency: str) -> Decimal:
    """So many smallest units of a currency: 5 are 0.05 USD, 5 JPY or 0.005 KWD."""
    return Decimal(units).scaleb(-places(currency))


@dataclass(frozen=True, slots=True)
class SignedFigures:
    """The two sides as they were when somebody signed; books of None: the bill did not have it."""

    invoiced: Decimal
    books: Decimal | None


@dataclass(frozen=True, slots=True)
class InvoiceFigures:
    """What an invoice states. `tax` is the part of `total` that is tax; None where it is not stated."""

    key: int
    account: AccountMonth
    invoice_id: str
    total: Decimal
    tax: Decimal | None
    tolerance: Tolerance
    is_explained: bool = False
    signed: SignedFigures | None = None


@dataclass(frozen=True, slots=True)
class InvoicedCost:
    """What charges of a bill that name one invoice sum to; an empty `invoice_id`: they name none.

    `billed_cost` is None where the bill has no billed cost (an amortised view alone), `tax` where no charge is tax.
    """

    account: AccountMonth
    invoice_id: str
    billed_cost: Decimal | None
    tax: Decimal | None = None
    last_day: date | None = None
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An invoice beside the books. `books` and `difference` are None where the bill does not have it.

    `together` are the keys of all invoices that were compared as one, `untaxed` is the tax left out of `invoiced`,
    `last_day` the last day that the bill has a charge of, `reason` why nothing is known. `invoice_ids` are those that
    the summed charges name ("" for none); `is_all_of_account`: the account has no others in this month.
    """

    state: InvoiceState
    basis: Basis
    invoiced: Decimal
    books: Decimal | None
    difference: Decimal | None
    tolerance: Decimal
    together: tuple[int, ...]
    untaxed: Decimal | None = None
    last_day: date | None = None
    reason: str = ""
    invoice_ids: tuple[str, ...] = ()
    is_all_of_account: bool = True

    @property
    def is_within(self) -> bool:
        """Whether the two agree within the tolerance."""
        return self.difference is not None and abs(self.difference) <= self.tolerance


def compare_invoices(
    invoices: Iterable[InvoiceFigures], costs: Iterable[InvoicedCost]
) -> tuple[dict[int, Comparison], list[InvoicedCost]]:
    """({key of an invoice: its comparison}, the cost that no invoice names and that is not zero).

    All invoices of an account's month must be given, or what the others name counts as nobody's.
    """
    by_account: dict[AccountMonth, list[InvoiceFigures]] = defaultdict(list)
    for invoice in invoices:
        by_account[invoice.account].append(invoice)
    costs_of: dict[AccountMonth, dict[str, InvoicedCost]] = defaultdict(dict)
    for cost in costs:
        costs_of[cost.account][cost.invoice_id] = cost
    comparisons: dict[int, Comparison] = {}
    unnamed: list[InvoicedCost] = []
    for account in sorted(by_account.keys() | costs_of.keys()):
        compared, rest = _compare_account(by_account[account], costs_of[account])
        comparisons |= compared
        unnamed += rest
    return comparisons, [cost for cost in unnamed if cost.billed_cost]


def _compare_account(
    invoices: Sequence[InvoiceFigures], costs: dict[str, InvoicedCost]
) -> tuple[dict[int, Comparison], list[InvoicedCost]]:
    named = [invoice for invoice in invoices if invoice.invoice_id and invoice.invoice_id in costs]
    others = [invoice for invoice in invoices if not invoice.invoice_id or invoice.invoice_id not in costs]
    compared = {
        invoice.key: _compare(invoice, [invoice], [costs[invoice.invoice_id]], Basis.INVOICE_ID) for invoice in named
    }
    names = {invoice.invoice_id for invoice in named}
    rest = [cost for name, cost in costs.items() if name not in names]
    # An invoice without an id may be about anything that is left; one with an id is not about charges of another one.
    theirs = rest if any(not invoice.invoice_id for invoice in others) else [c for c in rest if not c.invoice_id]
    for invoice in others:
        compared[invoice.key] = _compare(invoice, others, theirs, Basis.ACCOUNT, _why_unknown(invoice, costs))
    left = [cost for cost in rest if not others or cost not in theirs]
    return {
        key: replace(comparison, is_all_of_account=len(comparison.invoice_ids) == len(costs))
        for key, comparison in compared.items()
    }, left


def _why_unknown(invoice: InvoiceFigures, costs: dict[str, InvoicedCost]) -> str:
    if not costs:
        return _("No bill of this billing account, month and currency is delivered.")
    if invoice.invoice_id:
        others = ", ".join(sorted(name for name in costs if name)[:3])
        return _("The bill is delivered, and no charge names this invoice: it names {others}.").format(others=others)
    return _("Other invoices name everything that the bill holds.")


def _compare(
    invoice: InvoiceFigures,
    together: Sequence[InvoiceFigures],
    costs: Sequence[InvoicedCost],
    basis: Basis,
    why_unknown: str = "",
) -> Comparison:
    amounts = [cost.billed_cost for cost in costs if cost.billed_cost is not None]
    books = exact_sum(amounts) if amounts else None
    if costs and not amounts:
        why_unknown = _("The bill has no billed cost: only its amortised view is delivered.")
    has_tax = any(cost.tax is not None for cost in costs)
    taxes = [other.tax for other in together if other.tax is not None]
    untaxed = exact_sum(taxes) if taxes and books is not None and not has_tax else None
    invoiced = exact_sum(other.total for other in together)
    if untaxed is not None:
        invoiced = EXACT.subtract(invoiced, untaxed)
    difference = None if books is None else EXACT.subtract(invoiced, books)
    tolerance = invoice.tolerance.of(invoiced)
    return Comparison(
        state=_state(invoice, invoiced, books, difference, tolerance),
        basis=basis,
        invoiced=invoiced,
        books=books,
        difference=difference,
        tolerance=tolerance,
        together=tuple(other.key for other in together),
        untaxed=untaxed,
        last_day=max((cost.last_day for cost in costs if cost.last_day), default=None),
        reason=why_unknown if books is None else "",
        invoice_ids=tuple(cost.invoice_id for cost in costs),
    )


def _state(
    invoice: InvoiceFigures,
    invoiced: Decimal,
    books: Decimal | None,
    difference: Decimal | None,
    tolerance: Decimal,
) -> InvoiceState:
    if invoice.signed and invoice.signed != SignedFigures(invoiced, books):
        return InvoiceState.CHANGED
    if difference is None:
        return InvoiceState.UNKNOWN
    if abs(difference) <= tolerance:
        return InvoiceState.AGREES
    return InvoiceState.EXPLAINED if invoice.is_explained else InvoiceState.DIFFERS
