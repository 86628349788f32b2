"""Amounts that follow the last months: written when a month begins, and not moved afterwards."""

from collections.abc import Sequence
from datetime import date

from auditlog.models import LogEntry

from budgets.calc.amounts import automatic_amount
from budgets.forecast.spending import monthly_costs
from budgets.models import Budget, BudgetPeriod
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month, Period


def create_automatic_periods(as_of: date, budgets: Sequence[int] | None = None) -> int:
    """Creates this month's period of the budgets that follow the last months; returns how many were created.

    The amount of a month that has one stays, so that a budget never moves while it is evaluated.
    """
    month = Month.of(as_of)
    following = Budget.objects.active().filter(auto_months__isnull=False, start__lte=as_of)
    if budgets is not None:
        following = following.filter(pk__in=budgets)
    missing = list(following.exclude(periods__start=month.start))
    if not missing:
        return 0
    most = max(budget.auto_months or 0 for budget in missing)
    costs = monthly_costs(missing, Period(month.plus(-most).start, month.start))
    rows = []
    for budget in missing:
        last = [costs[budget.pk][month.plus(-back).start] for back in range(1, (budget.auto_months or 0) + 1)]
        amount = automatic_amount([cost for cost in last if cost], budget.auto_factor, budget.currency)
        if amount is not None and not (budget.end and budget.end <= month.start):
            period = BudgetPeriod(budget=budget, start=month.start, end=month.next.start, amount=amount)
            period.is_automatic = True
            rows.append(period)
    BudgetPeriod.objects.bulk_create(rows, ignore_conflicts=True)
    # The audit log does not see what is created in bulk: its entries are written here.
    created = [row.budget_id for row in rows]
    for row in BudgetPeriod.objects.filter(budget__in=created, start=month.start, is_automatic=True):
        changes = {"amount": ["None", str(exact_text(row.amount))]}
        LogEntry.objects.log_create(row, force_log=True, changes=changes, action=LogEntry.Action.CREATE)
    return len(rows)
