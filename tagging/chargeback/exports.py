"""The rows of chargeback's files: statements of a month line by line, and its journal.

The journal of a closed month is what it charges; that of a draft are its accruals and their reversal.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from finops_site.lib.money import EXACT, AmountWithPlaces, rounded
from finops_site.lib.periods import month_text
from finops_site.lib.person import Person
from tagging.calc import journal
from tagging.calc.journal import AccountAmount, CannotBook, ChargeAccounts, JournalDocument, JournalEntry
from tagging.calc.journal_layouts import LAYOUTS, LayoutSettings
from tagging.models import ChargebackPeriod, JournalAccount, Statement, StatementLine

# (service or pool, amount in whole cents, tax of it).
ChargedLine = tuple[str, Decimal, Decimal | None]
ZERO = Decimal(0)
STATEMENT_HEADER = (
    "Billing month",
    "State",
    "Statement",
    "Team",
    "Cost centre",
    "Kind",
    "What",
    "How",
    "Corrects",
    "Basis",
    "Amount",
    "Currency",
    "Exact amount",
)


def statement_rows(statements: Iterable[Statement]) -> Iterator[Sequence[object]]:
    """Every line of the statements, the header first: its amount in whole cents, and exactly with every digit."""
    yield STATEMENT_HEADER
    lines = StatementLine.objects.filter(statement__in=statements).select_related(
        "statement__period", "statement__team", "corrects"
    )
    for line in lines.order_by("statement__team_name", "statement__currency", "kind", "-amount", "key"):
        statement, period = line.statement, line.statement.period
        yield (
            str(period.month),
            period.state,
            statement.number or "",
            statement.team_name,
            statement.cost_center,
            line.get_kind_display(),
            line.label,
            line.formula,
            line.corrects.number if line.corrects else "",
            period.basis,
            AmountWithPlaces(rounded(line.document_amount, statement.currency)),
            statement.currency,
            line.amount,
        )


def month_rows(user: Person, period: ChargebackPeriod) -> Iterator[Sequence[object]]:
    """Every line of the month's statements that a person may see; for the company with what nobody is charged."""
    yield from statement_rows(Statement.objects.visible_to(user).filter(period=period))
    if not user.sees_whole_company:
        return
    for total in period.totals.all():
        code, start, basis = total.currency, (str(period.month), period.state), period.basis
        rows = (
            ("In pools nobody can take", total.document_unallocated, total.unallocated),
            ("Unowned", total.document_unowned, total.unowned),
            ("Rounding", total.document_rounding, ZERO),
        )
        for label, amount, exact in rows:
            if amount or exact:
                shown = AmountWithPlaces(rounded(amount, code))
                yield (*start, "", "", "", label, label, "", "", basis, shown, code, exact)


@dataclass(frozen=True, slots=True)
class Journal:
    """The entries of a month's journal, when they are posted, and the settings they were made with."""

    name: str
    month: str
    entries: list[JournalEntry]
    posted: date
    reversed_on: date | None
    accounts: JournalAccount

    def sums(self) -> dict[str, tuple[Decimal, Decimal]]:
        """{currency: (debits, credits)}."""
        sums: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
        for entry in self.entries:
            debit, credit = sums[entry.currency]
            sums[entry.currency] = (EXACT.add(debit, entry.debit), EXACT.add(credit, entry.credit))
        return dict(sorted(sums.items()))

    def rows(self, layout: str) -> list[tuple[object, ...]]:
        """The journal as a ledger reads it, the header first. Raises CannotBook."""
        settings = LayoutSettings(self.month, self.name, self.accounts.dynamics_journal, self.accounts.dynamics_account)
        return list(LAYOUTS[layout].rows(self.entries, settings))


def make_journal(period: ChargebackPeriod, posted: date | None = None) -> Journal:
    """The journal of a month. Posted on its last day, or on `posted`; accruals are reversed on the first of the next.

    Raises CannotBook when a cost centre is missing, or the month is set aside.
    """
    if period.is_set_aside:
        raise CannotBook(
            _("{month} is set aside: nobody is charged for it.").format(month=month_text(period.month, "long"))
        )
    accounts = JournalAccount.objects.first() or JournalAccount()
    day = posted or period.month.next.start - timedelta(days=1)
    documents = [*_statement_documents(period, accounts, day), *_documents_of_nobody(period, accounts, day)]
    rounding = accounts.rounding or accounts.expense
    if period.is_closed:
        entries = journal.journal_entries(documents, credited=accounts.clearing, rounding=rounding)
        return Journal(str(period.month), str(period.month), entries, day, None, accounts)
    back = max(period.month.next.start, day + timedelta(days=1))
    reversals = [
        journal.reversal(document, document.number.replace("-accrual-", "-reversal-"), back) for document in documents
    ]
    entries = journal.journal_entries([*documents, *reversals], credited=accounts.accrued, rounding=rounding)
    return Journal(f"{period.month}-accruals", str(period.month), entries, day, back, accounts)


def _statement_documents(period: ChargebackPeriod, accounts: JournalAccount, day: date) -> Iterator[JournalDocument]:
    charge_accounts = ChargeAccounts(accounts.expense, accounts.tax, accounts.services)
    lines = _lines_by_statement(period)
    rows = period.statements.select_related("team").order_by("number", "team_name", "currency", "pk")
    for place, statement in enumerate(rows, 1):
        code = statement.currency
        yield JournalDocument(
            number=statement.number or f"{period.month}-accrual-{place:04}",
            posted=day,
            team=statement.team_name,
            # A cost centre that was given after the month was closed is better than none.
            cost_center=statement.cost_center or statement.team.cost_center,
            amount=statement.document_total,
            currency=code,
            accounts=journal.account_amounts(lines[statement.pk], charge_accounts, code),
            text=_text(period, f"Cloud cost of {statement.team_name}"),
        )


def _lines_by_statement(period: ChargebackPeriod) -> dict[int, list[ChargedLine]]:
    """{statement: its lines}, each by its service, or by its pool where it has none."""
    lines: dict[int, list[ChargedLine]] = defaultdict(list)
    rows = StatementLine.objects.filter(statement__period=period).order_by("statement", "kind", "key")
    for line in rows.only("statement", "kind", "service", "label", "document_amount", "tax"):
        lines[line.statement_id].append((line.booked_as, line.document_amount, line.tax))
    return lines


def _documents_of_nobody(period: ChargebackPeriod, accounts: JournalAccount, day: date) -> Iterator[JournalDocument]:
    """What no team is charged, on the cost centre that finance names for it."""
    if not accounts.unowned_center:
        return
    for total in period.totals.all():
        parts = (
            ("unowned", "unowned", total.document_unowned),
            ("pools", "pools nobody can take", total.document_unallocated),
            ("returned", "what disputes moved back to nobody", total.document_given_back),
            ("rounding", "rounding", total.document_rounding),
        )
        for name, words, amount in parts:
            account = accounts.rounding if name == "rounding" and accounts.rounding else accounts.expense
            kind = "" if period.is_closed else "accrual-"
            yield JournalDocument(
                number=f"{period.month}-{kind}{name}-{total.currency}",
                posted=day,
                team=words,
                cost_center=accounts.unowned_center,
                amount=amount,
                currency=total.currency,
                accounts=[AccountAmount(account, amount)],
                text=_text(period, f"Cloud cost, {words}"),
            )


def _text(period: ChargebackPeriod, text: str) -> str:
    return text if period.is_closed else f"Accrual: {text[0].lower()}{text[1:]}"
