"""What a period has of the one before it, worked out again when the periods of a budget have changed."""

from collections.abc import Collection
from decimal import Decimal
from itertools import pairwise

from budgets.calc.amounts import carried_over
from budgets.forecast.period_forecasts import forecast_periods
from budgets.forecast.spending import last_delivered_day
from budgets.models import Budget, BudgetPeriod


def carry_over_again(budget: Budget, other: Collection[int], *, all_of_them: bool = False) -> None:
    """Sets what was carried over after periods have come, gone or changed, as the last night would have.

    `other`: ids of the periods that are new or have another amount; what the next one has follows from them, and so on
    to the last. A period with none before it has nothing. `all_of_them`: whatever has changed.
    """
    rows = list(BudgetPeriod.objects.filter(budget=budget).order_by("start"))
    if not budget.rollover:
        for row in rows:
            _set(row, Decimal(0))
        return
    changed, spent = set(other), _spent(budget, rows)
    if rows:
        _set(rows[0], Decimal(0))
    for before, row in pairwise(rows):
        if before.end != row.start:
            left = Decimal(0)
        elif before.pk in changed or all_of_them:
            left = carried_over(before.budgeted, spent[before.pk]) if before.pk in spent else Decimal(0)
        else:
            continue
        if _set(row, left):
            changed.add(row.pk)


def _spent(budget: Budget, rows: list[BudgetPeriod]) -> dict[int, Decimal]:
    """{id of a period: what it cost}, of those that were over and delivered when the budget was evaluated last."""
    as_of = budget.evaluated_as_of
    ended = [row for row in rows if as_of is not None and row.period.last_day <= as_of]
    if not ended or as_of is None:
        return {}
    for row in ended:
        row.budget = budget
    forecasts = forecast_periods(ended, as_of, delivered=last_delivered_day(as_of), with_backtest=False)
    return {forecast.period.pk: forecast.spent for forecast in forecasts if forecast.ahead is None}


def _set(row: BudgetPeriod, left: Decimal) -> bool:
    """Whether it is another amount than before."""
    if row.rolled_over == left:
        return False
    row.rolled_over = left
    row.save(update_fields=["rolled_over"])
    return True
