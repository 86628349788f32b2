"""The journal of a closed month: cost centres are debited, one clearing account is credited. Pure: no Django.

Ledgers book whole cents: the month is rounded once, by the largest remainder, so that debits and credits are equal and
are the rounded sum of the statements.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT, exact_sum, places, rounded, split

HEADER = ("Document", "Month", "Account", "Cost centre", "Debit", "Credit", "Currency", "Text")
ZERO = Decimal(0)
CLEARING = "clearing"


class CannotBook(ValueError):
    """A journal that would not be right; the message names the teams without a cost centre."""


@dataclass(frozen=True, slots=True)
class CostCenterCharge:
    """The amount that a statement charges to a cost centre."""

    number: str
    team: str
    cost_center: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the journal: one of `debit` and `credit` is not zero, and neither is less than zero."""

    document: str
    account: str
    cost_center: str
    debit: Decimal
    credit: Decimal
    currency: str
    text: str


def journal_entries(charges: Iterable[CostCenterCharge], *, expense: str, clearing: str) -> list[JournalEntry]:
    """A debit for each charge (a credit where it is negative) and the clearing entry of each currency.

    Raises CannotBook when a cost centre is missing, naming the teams.
    """
    charges = [charge for charge in charges if charge.amount]
    missing = sorted({charge.team for charge in charges if not charge.cost_center.strip()})
    if missing:
        raise CannotBook(f"No cost centre: {', '.join(missing)}. Give each of these teams one, then export again.")
    entries: list[JournalEntry] = []
    for currency in sorted({charge.currency for charge in charges}):
        booked = list(_entries_in_currency([c for c in charges if c.currency == currency], expense, clearing))
        if exact_sum(entry.debit for entry in booked) != exact_sum(entry.credit for entry in booked):
            raise CannotBook(f"Debits and credits in {currency} differ: this is a defect of ours, nothing was written.")
        entries += booked
    return entries


def _entries_in_currency(charges: Sequence[CostCenterCharge], expense: str, clearing: str) -> Iterator[JournalEntry]:
    currency = charges[0].currency
    amounts = round_to_cents([charge.amount for charge in charges], currency)
    for charge, amount in zip(charges, amounts, strict=True):
        if amount:
            text = f"Cloud cost of {charge.team}"
            yield _entry(charge.number, expense, charge.cost_center, amount, currency, text)
    total = exact_sum(amounts)
    if total:
        yield _entry(CLEARING, clearing, "", -total, currency, "Cloud cost, clearing")


def round_to_cents(amounts: Sequence[Decimal], currency: str) -> list[Decimal]:
    """The amounts in whole smallest units of the currency; their sum is the rounded sum of the exact amounts."""
    unit = Decimal(1).scaleb(-places(currency))
    near = [rounded(amount, currency) for amount in amounts]
    gap = EXACT.subtract(rounded(exact_sum(amounts), currency), exact_sum(near))
    if not gap:
        return near
    # The cents that rounding made or lost go to the largest amounts, where they weigh least.
    weights = [abs(amount) for amount in amounts]
    return [EXACT.add(one, cents) for one, cents in zip(near, split(gap, weights, unit=unit), strict=True)]


def _entry(document: str, account: str, center: str, amount: Decimal, currency: str, text: str) -> JournalEntry:
    debit, credit = (amount, ZERO) if amount > 0 else (ZERO, -amount)
    return JournalEntry(document, account, center, debit, credit, currency, text)


def journal_table(entries: Iterable[JournalEntry], month: str) -> Iterator[tuple[object, ...]]:
    """The journal as a table, its header first."""
    yield HEADER
    for entry in entries:
        yield (
            entry.document if entry.document != CLEARING else f"{month}-clearing",
            month,
            entry.account,
            entry.cost_center,
            entry.debit or "",
            entry.credit or "",
            entry.currency,
            entry.text,
        )
