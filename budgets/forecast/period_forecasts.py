"""What many periods have spent and what they will end at: exact sums and forecasts side by side."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from budgets.calc import known_changes
from budgets.calc.backtest import BEFORE_THE_END, RIVALS, BacktestResult, run_backtest
from budgets.calc.breaches import PeriodStatus
from budgets.calc.cost_history import CostHistory
from budgets.calc.forecast import STEPS, Distribution, forecast_days, method_weights
from budgets.calc.forecast_methods import SHORTEST, FittedSeries, fit, forecast_errors
from budgets.forecast.announced_changes import announced_changes
from budgets.forecast.spending import DailyCost, bills_of_budgets, cost_matrix, daily_costs, day_after
from budgets.models import Budget, BudgetPeriod, Forecast
from costs.query.known_until import last_known_day
from finops_site.lib.money import rounded
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange

HISTORY_DAYS = 400
# A cloud's bill of the last two days is never complete.
LAG_DAYS = 2
# What was delivered of days so long ago is all there will be.
SETTLED_DAYS = 4
UNUSUAL_DAYS = 60
UNUSUAL_DEVIATIONS = 4.0
MAD = 1.4826
# A backtest as JSON stores it.
Backtest = dict[str, Any]


@dataclass(slots=True)
class PeriodForecast:
    """A period as of a day: what was spent, what it will end at, and how good such forecasts were before."""

    period: BudgetPeriod
    as_of: date
    spent: Decimal
    complete_until: date | None
    daily: DailyCost
    ahead: Distribution | None = None
    spent_on_complete_days: Decimal = Decimal(0)
    backtest: Backtest = field(default_factory=dict)
    days_of_history: int = 0
    unusual: Decimal | None = None
    changes: list[KnownChange] = field(default_factory=list)

    @property
    def currency(self) -> str:
        return self.period.budget.currency

    @property
    def method(self) -> str:
        return self.ahead.method if self.ahead else Forecast.Method.DONE

    def at_period_end(self, share: float) -> Decimal:
        """The quantile of the period's cost at its end, in whole cents; never less than is spent already.

        What is spent can shrink only by a credit, which no forecast promises.
        """
        if self.ahead is None:
            return self.spent
        ahead = self.ahead.likeliest if share == 0.5 else self.ahead.quantile(share)
        low, high = self.ahead.quantile(0.1), self.ahead.quantile(0.9)
        end = self.spent_on_complete_days + Decimal(repr(float(np.clip(ahead, low, high))))
        return max(rounded(end, self.currency), self.spent) if self.spent > 0 else rounded(end, self.currency)

    def chance_above(self, limit: Decimal) -> Decimal:
        """How likely the period ends above `limit`, 0 to 1."""
        if self.spent > limit:
            return Decimal(1)
        if self.ahead is None or self.ahead.method == "none":
            return Decimal(0)
        return Decimal(str(round(self.ahead.chance_above(float(limit - self.spent_on_complete_days)), 4)))

    @property
    def change_texts(self) -> list[str]:
        """What is known to change before the period ends, in words."""
        last, end = self.complete_until or self.as_of, self.period.end
        return known_changes.describe_changes(
            [change for change in self.changes if last < change.first < end], self.currency
        )

    def status(self) -> PeriodStatus:
        """What thresholds are compared with."""
        days: list[Decimal] = []
        if self.complete_until is not None:
            span = self.period.period
            last = min(self.complete_until, span.last_day)
            complete = Period(span.start, max(day_after(last), span.start))
            days = [self.daily.amounts.get(day, Decimal(0)) for day in complete.each_day()]
        return PeriodStatus(
            budgeted=self.period.budgeted,
            spent=self.spent,
            forecast=self.at_period_end(0.5),
            days=self.period.period.days,
            chance_above=self.chance_above,
            rate=sum(days[-3:], Decimal(0)) / 3 if len(days) >= 3 else None,
            dearest=max(days, default=None),
            unusual=self.unusual,
        )


def forecast_periods(
    periods: Sequence[BudgetPeriod],
    as_of: date,
    *,
    delivered: date | None,
    backtests: Mapping[int, Backtest] | None = None,
    with_backtest: bool = True,
) -> list[PeriodForecast]:
    """Forecasts many periods (with their budgets loaded) as of a day.

    `delivered`: the last day in any bill; a scope of which a bill is behind is known as far as that one is delivered.
    `backtests`: those that need not be run again, by budget.
    """
    if not periods:
        return []
    first = min(as_of - timedelta(days=HISTORY_DAYS), *(period.start for period in periods))
    budgets = list({period.budget_id: period.budget for period in periods}.values())
    costs = daily_costs(budgets, Period(first, day_after(as_of)))
    complete = _complete_days(budgets, delivered, as_of)
    earliest = min((day for day in complete.values() if day), default=as_of)
    start = min(earliest, as_of) - timedelta(days=known_changes.LIFTED_DAYS)
    last_end = max(period.end for period in periods)
    changes = announced_changes(budgets, Period(start, max(start, last_end)))
    forecasts = []
    for period in periods:
        daily = costs[period.budget_id]
        spent = daily.total(Period(period.start, max(period.start, min(period.end, day_after(as_of)))))
        forecast = PeriodForecast(period, as_of, spent, complete[period.budget_id], daily)
        forecast.changes = changes.get(period.budget_id, [])
        forecasts.append(forecast)
    # All that end on the same day are forecast together.
    alike: dict[date, list[PeriodForecast]] = defaultdict(list)
    for forecast in forecasts:
        if forecast.complete_until is None:
            forecast.ahead = Distribution(0.0, np.zeros(STEPS), "none")
        elif forecast.complete_until < forecast.period.period.last_day:
            alike[forecast.complete_until].append(forecast)
    for complete_until, group in alike.items():
        _forecast_group(group, complete_until, backtests or {}, with_backtest=with_backtest)
    return forecasts


def _complete_days(budgets: Sequence[Budget], delivered: date | None, as_of: date) -> dict[int, date | None]:
    """{budget id: the last day whose cost is taken as complete}; None where there is no bill at all."""
    if delivered is None:
        return {budget.pk: None for budget in budgets}
    bills = bills_of_budgets(budgets, as_of)
    known = {pk: last_known_day(own, as_of) for pk, own in bills.items()}
    return {pk: last_complete_day(min(day or delivered, delivered), as_of) for pk, day in known.items()}


def last_complete_day(delivered: date, as_of: date) -> date:
    """The last day whose cost is taken as complete, of what is delivered until a day."""
    return max(delivered - timedelta(days=LAG_DAYS), min(delivered, as_of - timedelta(days=SETTLED_DAYS)))


def _forecast_group(
    group: Sequence[PeriodForecast], complete_until: date, backtests: Mapping[int, Backtest], *, with_backtest: bool
) -> None:
    span = Period(complete_until - timedelta(days=HISTORY_DAYS - 1), day_after(complete_until))
    history = CostHistory(span.start, cost_matrix([forecast.daily for forecast in group], span))
    lifted = known_changes.lift_history(history, [forecast.changes for forecast in group])
    fitted = fit(lifted)
    begun = history.first_columns()
    rows_by_span: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, forecast in enumerate(group):
        forecast.days_of_history = history.days - int(begun[row])
        period = forecast.period.period
        rows_by_span[((period.end - span.end).days, max(0, (period.start - span.end).days))].append(row)
        if period.start < span.end:
            forecast.spent_on_complete_days = forecast.daily.total(Period(period.start, span.end))
    for (days, skip), rows in rows_by_span.items():
        distributions = forecast_days(fitted, days, skip)
        for row in rows:
            forecast = group[row]
            ahead = known_changes.amount_ahead(forecast.changes, complete_until, forecast.period.period)
            forecast.ahead = known_changes.shift(distributions[row], ahead)
    _set_unusual(group, fitted)
    if with_backtest and any(forecast.period.budget_id not in backtests for forecast in group):
        # No backtest tests what contracts announce: it looks at the days as they were.
        result = run_backtest(history, fitted if lifted is history else None)
        for row, forecast in enumerate(group):
            forecast.backtest = _backtest_as_json(result, row, forecast.as_of)
    else:
        for forecast in group:
            forecast.backtest = backtests.get(forecast.period.budget_id, {})


def _set_unusual(group: Sequence[PeriodForecast], fitted: FittedSeries) -> None:
    """By how much the last complete day is above its forecast, where that is far outside of the usual errors."""
    days = fitted.history.days
    errors = forecast_errors(fitted, 1, list(range(max(SHORTEST, days - UNUSUAL_DAYS), days)))
    combined = np.nan_to_num((errors * method_weights(errors)[:, :, None]).sum(axis=0))
    scale = fitted.scale(days - 1, 1)
    usual = np.maximum(MAD * np.median(np.abs(combined), axis=1), 0.02)
    for row, forecast in enumerate(group):
        last = combined[row, -1]
        if last > UNUSUAL_DEVIATIONS * usual[row]:
            forecast.unusual = rounded(Decimal(repr(float(last * scale[row]))), forecast.currency)


def _backtest_as_json(result: BacktestResult, row: int, as_of: date) -> Backtest:
    """The backtest of one series; nothing where no month could be tested."""
    if not result.tested[row]:
        return {}
    wape = {rival: result.wape(rival)[:, row] for rival in RIVALS}
    return {
        "wape": {
            rival: {str(days): round(float(ratio), 4) for days, ratio in zip(BEFORE_THE_END, ratios, strict=True)}
            for rival, ratios in wape.items()
            if np.isfinite(ratios).all()
        },
        "coverage": round(float(result.coverage()[row]), 4),
        "judged": int(result.tested[row]),
        "month": as_of.strftime("%Y-%m"),
    }
