"""The journal of a closed month out of its statements."""

from collections.abc import Iterator
from typing import Any

from tagging.calc import journal
from tagging.calc.journal import CostCenterCharge
from tagging.models import ChargebackPeriod, JournalAccount

CannotBook = journal.CannotBook


def journal_of_month(period: ChargebackPeriod) -> Iterator[tuple[Any, ...]]:
    """The journal as a table. Raises CannotBook while the month is a draft, or when a cost centre is missing."""
    if not period.is_closed:
        raise CannotBook(f"{period.month} is a draft: the journal is that of a closed month.")
    accounts = JournalAccount.objects.first() or JournalAccount()
    charges = [*_charges(period), *_unowned(period, accounts)]
    booked = journal.journal_entries(charges, expense=accounts.expense, clearing=accounts.clearing)
    return journal.journal_table(booked, str(period.month))


def _charges(period: ChargebackPeriod) -> Iterator[CostCenterCharge]:
    for each in period.statements.select_related("team").order_by("number"):
        # A cost centre that was given after the month was closed is better than none.
        center = each.cost_center or each.team.cost_center
        yield CostCenterCharge(str(each.number), each.team_name, center, each.total, each.currency)


def _unowned(period: ChargebackPeriod, accounts: JournalAccount) -> Iterator[CostCenterCharge]:
    """What nobody is charged, on a cost centre of its own where finance names one."""
    if not accounts.unowned_center:
        return
    for total in period.totals.all():
        for name, amount in (("pools nobody can take", total.unallocated), ("unowned", total.unowned)):
            number = f"{period.month}-{name.split()[0]}"
            yield CostCenterCharge(number, name, accounts.unowned_center, amount, total.currency)
