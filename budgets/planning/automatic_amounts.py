"""Amounts that follow the last months: written once those are delivered, and not moved afterwards."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from budgets.calc.amounts import automatic_amount, since_first_cost
from budgets.forecast.spending import DailyCost, bills_of_budgets, daily_costs
from budgets.models import Budget, BudgetPeriod
from costs.calc.known_until import Bill
from costs.query.known_until import is_month_known
from finops_site.lib.periods import Month, Period

# A bill so late still gives its month's budget an amount.
MONTHS_BACK = 2
# Cost so long before the months that are followed shows that an empty one of them is no beginning.
DAYS_BEFORE = timedelta(days=366)


def create_automatic_periods(as_of: date, budgets: Sequence[int] | None = None) -> int:
    """Creates the periods of budgets that follow the last months, up to this one; returns how many were created.

    A month whose own last months are not all delivered waits for them: half of a month is no month to follow. The
    amount of a month that has one stays, so that a budget never moves while it is evaluated.
    """
    following = Budget.objects.active().filter(auto_months__isnull=False, start__lte=as_of)
    if budgets is not None:
        following = following.filter(pk__in=budgets)
    missing = _missing_periods(list(following), as_of)
    if not missing:
        return 0
    waiting = [budget for budget, _ in missing]
    first = min(_months_before(budget, period)[0].start for budget, period in missing)
    costs = daily_costs(list({budget.pk: budget for budget in waiting}.values()), Period(first - DAYS_BEFORE, as_of))
    bills = bills_of_budgets(waiting, as_of)
    rows = []
    for budget, period in missing:
        amount = _amount(budget, period, costs[budget.pk], bills[budget.pk], as_of)
        if amount is not None:
            row = BudgetPeriod(budget=budget, start=period.start, end=period.end, amount=amount)
            row.is_automatic = True
            rows.append(row)
    BudgetPeriod.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _missing_periods(budgets: Sequence[Budget], as_of: date) -> list[tuple[Budget, Period]]:
    """The month of `as_of` where it has no amount, and those shortly before it that still wait for theirs."""
    since = Month.of(as_of).plus(-MONTHS_BACK - 1).start
    rows = BudgetPeriod.objects.filter(budget__in=budgets, end__gt=since).order_by("start")
    existing: dict[int, list[Period]] = defaultdict(list)
    for row in rows:
        existing[row.budget_id].append(row.period)
    missing = []
    for budget in budgets:
        cut, days = budget.cut, existing[budget.pk]
        period = cut.period(as_of)
        # Months before the first amount were never this budget's: it begins with the one in which it was made.
        for _ in range(MONTHS_BACK + 1):
            if period is None or any(period.start < other.end and other.start < period.end for other in days):
                break
            missing.append((budget, period))
            period = cut.period(period.start - date.resolution) if days and period.start > budget.start else None
    return missing


def _months_before(budget: Budget, period: Period) -> list[Period]:
    """The whole months that the amount of `period` follows, the earliest first."""
    calendar, months = budget.cut.calendar, list[Period]()
    start = calendar.holding(budget.kind, period.start).start
    for _ in range(budget.auto_months or 0):
        months.insert(0, calendar.holding(budget.kind, start - date.resolution))
        start = months[0].start
    return months


def _amount(budget: Budget, period: Period, daily: DailyCost, bills: Sequence[Bill], as_of: date) -> Decimal | None:
    """What a period gets; None while one of the months that it follows is not delivered, or none has any cost."""
    months = _months_before(budget, period)
    spent = [daily.total(month) for month in months]
    if not any(amount and day < months[0].start for day, amount in daily.amounts.items()):
        spent = since_first_cost(spent)
    delivered = [
        all(is_month_known(bills, month, as_of, budget.basis) for month in followed.months())
        for followed in months[len(months) - len(spent) :]
    ]
    if not any(spent) or not all(delivered):
        return None
    share = (period.days, budget.cut.calendar.holding(budget.kind, period.start).days)
    return automatic_amount(spent, budget.auto_factor, budget.currency, share)
