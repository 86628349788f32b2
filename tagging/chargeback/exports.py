"""The rows of chargeback's files: statements of a month line by line, and the journal of a closed month."""

from collections.abc import Iterable, Iterator, Sequence

from finops_site.lib.person import Person
from tagging.calc import journal
from tagging.calc.journal import CannotBook, CostCenterCharge
from tagging.models import ChargebackPeriod, JournalAccount, Statement, StatementLine

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
)


def statement_rows(statements: Iterable[Statement]) -> Iterator[Sequence[object]]:
    """Every line of the statements, the header first, amounts with every digit."""
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
            line.amount,
            statement.currency,
        )


def month_rows(user: Person, period: ChargebackPeriod) -> Iterator[Sequence[object]]:
    """Every line of the month's statements that a person may see; for the company with what nobody is charged."""
    yield from statement_rows(Statement.objects.visible_to(user).filter(period=period))
    if not user.sees_whole_company:
        return
    for total in period.totals.all():
        for label, amount in (("In pools nobody can take", total.unallocated), ("Unowned", total.unowned)):
            if amount:
                code = total.currency
                yield (str(period.month), period.state, "", "", "", label, label, "", "", period.basis, amount, code)


def journal_of_month(period: ChargebackPeriod) -> Iterator[tuple[object, ...]]:
    """The journal as a table. Raises CannotBook while the month is a draft, or when a cost centre is missing."""
    if not period.is_closed:
        raise CannotBook(f"{period.month} is a draft: the journal is that of a closed month.")
    accounts = JournalAccount.objects.first() or JournalAccount()
    charges = [
        CostCenterCharge(
            str(statement.number),
            statement.team_name,
            # A cost centre that was given after the month was closed is better than none.
            statement.cost_center or statement.team.cost_center,
            statement.total,
            statement.currency,
        )
        for statement in period.statements.select_related("team").order_by("number")
    ]
    if accounts.unowned_center:
        charges += _charges_of_nobody(period, accounts.unowned_center)
    entries = journal.journal_entries(charges, expense=accounts.expense, clearing=accounts.clearing)
    return journal.journal_table(entries, str(period.month))


def _charges_of_nobody(period: ChargebackPeriod, cost_center: str) -> Iterator[CostCenterCharge]:
    """What no team is charged, on the cost centre that finance names for it."""
    for total in period.totals.all():
        for name, amount in (("pools nobody can take", total.unallocated), ("unowned", total.unowned)):
            number = f"{period.month}-{name.split()[0]}"
            yield CostCenterCharge(number, name, cost_center, amount, total.currency)
