"""What many periods have spent and what they will end at: exact sums and forecasts side by side."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from budgets.calc import known_changes
from budgets.calc.backtest import BEFORE_THE_END, RIVALS, BacktestResult, can_be_tested, run_backtest
from budgets.calc.breaches import PeriodStatus
from budgets.calc.cost_history import CostHistory
from budgets.calc.forecast import STEPS, Distribution, combine, forecast_days, method_weights
from budgets.calc.forecast_methods import SHORTEST, FittedSeries, fit, forecast_errors
from budgets.calc.quiet_scopes import quiet_since
from budgets.forecast.announced_changes import announced_changes, known_charges
from budgets.forecast.complete_days import ScopePart, complete_day, scope_parts
from budgets.forecast.spending import (
    DailyCost,
    bills_of_budgets,
    cost_matrix,
    daily_costs,
    daily_costs_by_bill,
    day_after,
)
from budgets.models import Budget, BudgetPeriod, Forecast
from finops_site.lib.money import exact_sum, formatted, rounded
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange

# Two years and a month: what comes back every year is learnt when it came twice.
HISTORY_DAYS = 790
# How far ahead charges that people entered are compared with those that come back.
NEAR_AHEAD = 62
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
    quiet_since: date | None = None
    announced: Decimal = Decimal(0)
    # The same period of each part of the scope, where some of its bills are late.
    parts: list["PeriodForecast"] = field(default_factory=list)

    @property
    def currency(self) -> str:
        return self.period.budget.currency

    @property
    def method(self) -> str:
        return self.ahead.method if self.ahead else Forecast.Method.DONE

    def at_period_end(self, share: float) -> Decimal:
        """The quantile of the period's cost at its end, in whole cents; never less than is spent already.

        What is spent can shrink only by a credit: one that comes back, or that is announced, within the days ahead.
        """
        if self.ahead is None:
            return self.spent
        end = rounded(self.spent_on_complete_days + Decimal(repr(self.ahead.quantile(share))), self.currency)
        return max(end, self.spent) if self.spent > 0 and not self.credits_ahead else end

    @property
    def credits_ahead(self) -> Decimal:
        """What credits will take off before the period ends, as far as that is known: zero or less."""
        if self.ahead is None:
            return Decimal(0)
        learnt = rounded(Decimal(repr(self.ahead.credits)), self.currency)
        return learnt + min(self.announced, Decimal(0))

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
        texts = known_changes.describe_changes(
            [change for change in self.changes if last < change.first < end], self.currency
        )
        if self.ahead and (learnt := rounded(Decimal(repr(-self.ahead.credits)), self.currency)) > 0:
            texts.append(
                _("credits of {learnt} {currency} that come back are expected before the period ends").format(
                    learnt=formatted(learnt, self.currency), currency=self.currency
                )
            )
        return texts

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

    `delivered`: the last day in any bill; a scope of which a bill is behind is known as far as that one is delivered,
    and forecast in parts, each from the last day that its own bills know.
    `backtests`: those that need not be run again, by budget.
    """
    if not periods:
        return []
    first = min(as_of - timedelta(days=HISTORY_DAYS), *(period.start for period in periods))
    budgets = list({period.budget_id: period.budget for period in periods}.values())
    bills = bills_of_budgets(budgets, as_of)
    complete = {pk: complete_day(own, delivered, as_of) if delivered else None for pk, own in bills.items()}
    parts = scope_parts(bills, delivered, as_of) if delivered else {}
    span = Period(first, day_after(as_of))
    costs = daily_costs([budget for budget in budgets if budget.pk not in parts], span)
    costs_of_parts = _costs_of_parts([budget for budget in budgets if budget.pk in parts], span, parts)
    costs |= {pk: _added(own) for pk, own in costs_of_parts.items()}
    quiet = {
        # Where every bill was switched off on purpose, silence is what somebody wanted.
        pk: None if bills[pk] and all(bill.is_off for bill in bills[pk]) else quiet_since(costs[pk].amounts, day)
        for pk, day in complete.items()
    }
    earliest = min((day for day in complete.values() if day), default=as_of)
    start = min(earliest, as_of) - timedelta(days=known_changes.LIFTED_DAYS)
    last_end = max(period.end for period in periods)
    changes = announced_changes(budgets, Period(start, max(start, last_end)))
    charges = known_charges(budgets, Period(start, max(start, last_end)))
    forecasts = []
    for period in periods:
        daily = costs[period.budget_id]
        spent = daily.total(Period(period.start, max(period.start, min(period.end, day_after(as_of)))))
        forecast = PeriodForecast(period, as_of, spent, complete[period.budget_id], daily)
        forecast.changes = [*changes.get(period.budget_id, []), *charges.get(period.budget_id, [])]
        since = quiet[period.budget_id]
        forecast.quiet_since = since if since and since < period.period.last_day else None
        forecasts.append(forecast)
    # All that end on the same day are forecast together.
    alike: dict[date, list[PeriodForecast]] = defaultdict(list)
    for forecast in forecasts:
        if forecast.complete_until is None:
            forecast.ahead = Distribution(np.zeros(STEPS), "none")
        elif forecast.complete_until < forecast.period.period.last_day:
            alike[forecast.complete_until].append(forecast)
            pk = forecast.period.budget_id
            if pk in costs_of_parts:
                forecast.parts = _parts_of_forecast(forecast, parts[pk], costs_of_parts[pk])
    for complete_until, group in alike.items():
        _forecast_group(group, complete_until, backtests or {}, with_backtest=with_backtest)
    _forecast_in_parts([forecast for forecast in forecasts if forecast.parts])
    return forecasts


def _costs_of_parts(
    budgets: Sequence[Budget], period: Period, parts: Mapping[int, Sequence[ScopePart]]
) -> dict[int, list[DailyCost]]:
    """{budget id: the cost of each part of its scope}; what no late bill brings is in the last part."""
    if not budgets:
        return {}
    late = [part for budget in budgets for part in parts[budget.pk][:-1]]
    in_order = sorted(late, key=lambda part: part.complete_until)
    bills = list({id(bill): bill for part in in_order for bill in part.bills}.values())
    places = {id(bill): place for place, bill in enumerate(bills)}
    by_budget = {}
    for pk, by_bill in daily_costs_by_bill(budgets, period, bills).items():
        own = [[places[id(bill)] for bill in part.bills] for part in parts[pk][:-1]]
        rest = set(by_bill).difference(*own)
        by_budget[pk] = [_added([by_bill[place] for place in sorted(own_places)]) for own_places in (*own, rest)]
    return by_budget


def _added(costs: Iterable[DailyCost]) -> DailyCost:
    together = DailyCost()
    for cost in costs:
        for day, amount in cost.amounts.items():
            together.add(day, amount)
    return together


def _parts_of_forecast(
    forecast: PeriodForecast, parts: Sequence[ScopePart], costs: Sequence[DailyCost]
) -> list[PeriodForecast]:
    """The parts of a period's scope, each with the changes of its own accounts.

    What names no account is known as far as the whole is, and so counts in the first part.
    """
    period = forecast.period
    span = Period(period.start, max(period.start, min(period.end, day_after(forecast.as_of))))
    split = [
        PeriodForecast(period, forecast.as_of, cost.total(span), part.complete_until, cost)
        for part, cost in zip(parts, costs, strict=True)
    ]
    for change in forecast.changes:
        account = change.filters.get("account")
        of_account = (place for place, part in enumerate(parts) if account and part.brings(account))
        split[next(of_account, -1 if account else 0)].changes.append(change)
    return split


def _forecast_in_parts(forecasts: Sequence[PeriodForecast]) -> None:
    """Forecasts each part from its own last complete day, and adds them up."""
    alike: dict[date, list[PeriodForecast]] = defaultdict(list)
    for forecast in forecasts:
        for part in forecast.parts:
            if part.complete_until and part.complete_until < part.period.period.last_day:
                alike[part.complete_until].append(part)
            else:
                part.spent_on_complete_days = part.spent
    for complete_until, group in alike.items():
        _forecast_ahead(group, complete_until)
    for forecast in forecasts:
        parts = forecast.parts
        forecast.spent_on_complete_days = exact_sum(part.spent_on_complete_days for part in parts)
        forecast.announced = exact_sum(part.announced for part in parts)
        forecast.changes = [
            change
            for part in parts
            for change in part.changes
            if part.complete_until and change.first > part.complete_until
        ]
        forecast.ahead = add_independent([part.ahead for part in parts if part.ahead])


def add_independent(distributions: Sequence[Distribution]) -> Distribution:
    """What costs that do not depend on each other come to: their middles add, and the squares of how far off they are.

    That is exact for normal errors, and never nearer to the middle than the unsurest part alone.
    """
    off = np.stack([own.likely - own.likeliest for own in distributions])
    spread = np.sign(off.sum(axis=0)) * np.sqrt((off**2).sum(axis=0))
    dearest = max(distributions, key=lambda own: (own.method != "none", abs(own.likeliest)))
    middle = sum(own.likeliest for own in distributions)
    return Distribution(middle + spread, dearest.method, sum(own.credits for own in distributions))


def _forecast_group(
    group: Sequence[PeriodForecast], complete_until: date, backtests: Mapping[int, Backtest], *, with_backtest: bool
) -> None:
    history, fitted = _forecast_ahead(group, complete_until)
    _set_unusual(group, fitted)
    is_new = [forecast.period.budget_id not in backtests for forecast in group]
    if with_backtest and (can_be_tested(history) & is_new).any():
        # No backtest tests what contracts announce: it looks at the days as they were.
        result = run_backtest(history, fitted if fitted.history is history else None)
        for row, forecast in enumerate(group):
            forecast.backtest = _backtest_as_json(result, row, forecast.as_of)
    else:
        for forecast in group:
            forecast.backtest = backtests.get(forecast.period.budget_id, {})


def _forecast_ahead(group: Sequence[PeriodForecast], complete_until: date) -> tuple[CostHistory, FittedSeries]:
    """Sets what the days ahead will cost; returns the history and what is fitted to it, a row for each of `group`."""
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
    added = fitted.effects.of_days(history.days, NEAR_AHEAD)
    came = (fitted.without - fitted.plain)[:, -known_changes.NEAR_DAYS :]
    for row, forecast in enumerate(group):
        forecast.changes = known_changes.not_yet_expected(forecast.changes, span.end, added[row], came[row])
    for (days, skip), rows in rows_by_span.items():
        distributions = forecast_days(fitted, days, skip)
        for row in rows:
            forecast = group[row]
            forecast.announced = known_changes.amount_ahead(forecast.changes, complete_until, forecast.period.period)
            forecast.ahead = known_changes.shift(distributions[row], forecast.announced)
    return history, fitted


def _set_unusual(group: Sequence[PeriodForecast], fitted: FittedSeries) -> None:
    """By how much the last complete day is above its forecast, where that is far outside of the usual errors."""
    days = fitted.history.days
    errors = forecast_errors(fitted, 1, list(range(max(SHORTEST, days - UNUSUAL_DAYS), days)))
    combined = np.nan_to_num(combine(errors, method_weights(errors)))
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
