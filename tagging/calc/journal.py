"""The journal of a month: each statement is a document that debits its cost centre and credits one account. Pure.

A document books what its statement states, in whole cents. Where the amounts of its accounts do not make the
statement's, what is left stands on the rounding account in a line of its own. Each document balances, so that a ledger
can post it by itself. No Django here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT, exact_sum, rounded

ZERO = Decimal(0)


class CannotBook(ValueError):
    """A journal that would not be right; the message says what is missing and where it is given."""


@dataclass(frozen=True, slots=True)
class AccountAmount:
    """What one account is debited with for a cost centre; less than zero is credited."""

    account: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class JournalDocument:
    """A statement as the ledger books it: its amount, and how that divides into accounts."""

    number: str
    posted: date
    team: str
    cost_center: str
    amount: Decimal
    currency: str
    accounts: Sequence[AccountAmount]
    text: str = ""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the journal: one of `debit` and `credit` is not zero, and neither is less than zero."""

    document: str
    posted: date
    account: str
    cost_center: str
    debit: Decimal
    credit: Decimal
    currency: str
    text: str

    @property
    def debit_text(self) -> str:
        """The debit in whole cents, ``15279.20``; empty where the line is a credit."""
        return amount_text(self.debit, self.currency) if self.debit else ""

    @property
    def credit_text(self) -> str:
        return amount_text(self.credit, self.currency) if self.credit else ""


def amount_text(amount: Decimal, currency: str) -> str:
    """An amount with as many decimals as its currency has, always, and no separator: ``15279.20``, ``15279`` yen."""
    return f"{rounded(amount, currency):f}"


def journal_entries(documents: Iterable[JournalDocument], *, credited: str, rounding: str) -> list[JournalEntry]:
    """The entries of each document: its accounts, what rounding leaves, and the credit of its amount.

    Raises CannotBook when a cost centre is missing, naming the teams.
    """
    documents = [document for document in documents if document.amount or any(_merged(document))]
    missing = sorted({document.team for document in documents if not document.cost_center.strip()})
    if missing:
        raise CannotBook(
            _("No cost centre: {names}. Give each of these teams one, then export again.").format(
                names=", ".join(missing)
            )
        )
    return [entry for document in documents for entry in _entries_of(document, credited, rounding)]


def _merged(document: JournalDocument) -> Iterator[AccountAmount]:
    """One amount for each account, in the order in which they come, without zeros."""
    sums: dict[str, Decimal] = {}
    for part in document.accounts:
        sums[part.account] = EXACT.add(sums.get(part.account, ZERO), part.amount)
    return (AccountAmount(account, amount) for account, amount in sums.items() if amount)


def _entries_of(document: JournalDocument, credited: str, rounding: str) -> Iterator[JournalEntry]:
    text = document.text or f"Cloud cost of {document.team}"
    parts = list(_merged(document))
    for part in parts:
        yield _entry(document, part.account, document.cost_center, part.amount, text)
    left = EXACT.subtract(document.amount, exact_sum(part.amount for part in parts))
    if left:
        yield _entry(document, rounding, document.cost_center, left, f"{text}, rounding")
    if document.amount:
        yield _entry(document, credited, "", -document.amount, text)


def _entry(document: JournalDocument, account: str, center: str, amount: Decimal, text: str) -> JournalEntry:
    debit, credit = (amount, ZERO) if amount > 0 else (ZERO, -amount)
    return JournalEntry(document.number, document.posted, account, center, debit, credit, document.currency, text)


def reversal(document: JournalDocument, number: str, posted: date) -> JournalDocument:
    """The document that takes an accrual back: every debit is credited, every credit debited."""
    return replace(
        document,
        number=number,
        posted=posted,
        amount=-document.amount,
        accounts=[AccountAmount(part.account, -part.amount) for part in document.accounts],
        text=f"Reversal of {document.number}",
    )


def account_amounts(
    lines: Iterable[tuple[str, Decimal, Decimal | None]], accounts: "ChargeAccounts", currency: str
) -> list[AccountAmount]:
    """How the lines of a statement, (service or pool, amount in whole cents, tax of it), divide into accounts.

    Tax goes to its own account, in whole cents, where there is one and how much it is is known.
    """
    parts = []
    for name, amount, tax in lines:
        account = accounts.services.get(name, accounts.expense)
        taxed = rounded(tax, currency) if tax and accounts.tax else ZERO
        parts.append(AccountAmount(account, EXACT.subtract(amount, taxed)))
        if taxed:
            parts.append(AccountAmount(accounts.tax, taxed))
    return parts


@dataclass(frozen=True, slots=True)
class ChargeAccounts:
    """The accounts that charges are debited on: one for what has none of its own, one for tax, {service: its own}."""

    expense: str
    tax: str
    services: dict[str, str]
