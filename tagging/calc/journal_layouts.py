"""The journal as ledgers read it: our own columns, and those that two ERPs document. Pure: no Django.

Microsoft Dynamics 365 Finance: the data entity "General journal" (LedgerJournalEntity), by Microsoft's documentation
"General journal entity" and "Best practices for importing vouchers by using the General journal entity".
Oracle NetSuite: the CSV import of journal entries, by NetSuite's help "Importing a Journal Entry" and "Journal Entry
and Intercompany Journal Entry Line-Level Fields Table".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import places
from tagging.calc.journal import CannotBook, JournalEntry, amount_text

Rows = Iterator[tuple[object, ...]]
PLAIN = ("Document", "Month", "Posting date", "Account", "Cost centre", "Debit", "Credit", "Currency", "Text")
DYNAMICS = (
    "JOURNALBATCHNUMBER",
    "JOURNALNAME",
    "DESCRIPTION",
    "LINENUMBER",
    "TRANSDATE",
    "VOUCHER",
    "ACCOUNTTYPE",
    "ACCOUNTDISPLAYVALUE",
    "CURRENCYCODE",
    "DEBITAMOUNT",
    "CREDITAMOUNT",
)
NETSUITE = (
    "External ID",
    "Date",
    "Currency",
    "Memo",
    "Account",
    "Debit",
    "Credit",
    "Line Memo",
    "Department",
)
# NetSuite takes ten digits before the decimal mark and two after it.
NETSUITE_MOST, NETSUITE_PLACES = Decimal(10) ** 10, 2


@dataclass(frozen=True, slots=True)
class LayoutSettings:
    """What a ledger wants beside the entries: `journal` names them, Dynamics' journal name and order of dimensions."""

    month: str
    journal: str
    dynamics_journal: str = "GenJrn"
    dynamics_account: str = "{account}-{cost_center}"


def plain_rows(entries: Sequence[JournalEntry], settings: LayoutSettings) -> Rows:
    yield PLAIN
    for entry in entries:
        yield (
            entry.document,
            settings.month,
            entry.posted,
            entry.account,
            entry.cost_center,
            entry.debit_text,
            entry.credit_text,
            entry.currency,
            entry.text,
        )


def dynamics_rows(entries: Sequence[JournalEntry], settings: LayoutSettings) -> Rows:
    """A journal batch: each document is a voucher of one date; a line has both amounts, one of them zero.

    Raises CannotBook where an account or a cost centre holds what divides them.
    """
    yield DYNAMICS
    for number, entry in enumerate(entries, 1):
        yield (
            settings.journal,
            settings.dynamics_journal,
            f"Cloud cost, {settings.journal}",
            number,
            entry.posted,
            entry.document,
            "Ledger",
            dynamics_account(settings.dynamics_account, entry.account, entry.cost_center),
            entry.currency,
            amount_text(entry.debit, entry.currency),
            amount_text(entry.credit, entry.currency),
        )


def check_dynamics_account(pattern: str) -> None:
    """Raises CannotBook unless the pattern names the account and the cost centre once each, and nothing else."""
    if (
        pattern.count("{account}") != 1
        or pattern.count("{cost_center}") != 1
        or not _between(pattern).strip()
        or _between(pattern).strip("-_|.~ ") != ""
    ):
        raise CannotBook(
            _("Write {account} and {cost_center} once each, with what divides them, like {account}-{cost_center}.")
        )


def _between(pattern: str) -> str:
    return pattern.replace("{account}", "").replace("{cost_center}", "")


def dynamics_account(pattern: str, account: str, cost_center: str) -> str:
    """The account with its dimensions, in the order of the ledger dimension format. Raises CannotBook."""
    dividers = set(_between(pattern))
    for value in (account, cost_center):
        if divider := next((sign for sign in value if sign in dividers), ""):
            raise CannotBook(
                _(
                    "{value} holds {divider!r}, which divides account and cost centre in Dynamics 365: choose "
                    "another delimiter in its chart of accounts and in the journal's accounts here, or another "
                    "code."
                ).format(value=value, divider=divider)
            )
    return pattern.replace("{account}", account).replace("{cost_center}", cost_center)


def netsuite_rows(entries: Sequence[JournalEntry], settings: LayoutSettings) -> Rows:
    """A journal entry for each document, by its External ID; the cost centre is the department of its line.

    Raises CannotBook for an amount that NetSuite does not take.
    """
    yield NETSUITE
    for entry in entries:
        if max(entry.debit, entry.credit) >= NETSUITE_MOST or places(entry.currency) > NETSUITE_PLACES:
            amount = entry.debit_text or entry.credit_text
            raise CannotBook(
                _("{document}: NetSuite takes ten digits and two decimals, not {amount} {currency}.").format(
                    document=entry.document, amount=amount, currency=entry.currency
                )
            )
        yield (
            entry.document,
            entry.posted,
            entry.currency,
            f"Cloud cost, {settings.journal}",
            entry.account,
            entry.debit_text,
            entry.credit_text,
            entry.text,
            entry.cost_center,
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to write the journal: what people call it, its columns, and its rows, the header first."""

    label: str
    columns: tuple[str, ...]
    rows: Callable[[Sequence[JournalEntry], LayoutSettings], Rows]


LAYOUTS = {
    "plain": Layout(gettext_noop("Our columns"), PLAIN, plain_rows),
    "dynamics": Layout(gettext_noop("Dynamics 365 Finance, general journal"), DYNAMICS, dynamics_rows),
    "netsuite": Layout(gettext_noop("NetSuite, journal entries"), NETSUITE, netsuite_rows),
}
