"""Where many periods stand and will end: exact sums and forecasts side by side."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from budgets.calc import backtest, forecast, known_changes
from budgets.calc.breaches import Standing
from budgets.calc.forecast import Outlook
from budgets.evaluation import spending
from budgets.evaluation.spending import Days
from budgets.forecast import announced_changes
from budgets.models import BudgetPeriod, Forecast
from finops_site.lib.money import rounded
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange

HISTORY_DAYS = 400
# A cloud's bill of the last two days is never whole.
LAG_DAYS = 2
# What was delivered of days so long ago is all there will be.
SETTLED_DAYS = 4
# A scope that had cost every day and has none in the last days waits for its bill, and has not stopped.
LATE_DAYS = 10
UNUSUAL_DAYS = 60
UNUSUAL_DEVIATIONS = 4.0
MAD = 1.4826


@dataclass(slots=True)
class Judgement:
    """A period as of a day: what was spent, where it will end, and how well such forecasts did before."""

    period: BudgetPeriod
    as_of: date
    spent: Decimal
    whole_until: date | None
    days: Days
    ahead: Outlook | None = None
    known: Decimal = Decimal(0)
    backtest: dict[str, Any] = field(default_factory=dict)
    days_of_history: int = 0
    unusual: Decimal | None = None
    foreseen: list[KnownChange] = field(default_factory=list)

    @property
    def currency(self) -> str:
        return self.period.budget.currency

    @property
    def method(self) -> str:
        return self.ahead.method if self.ahead else Forecast.Method.DONE

    def landing(self, share: float) -> Decimal:
        """The quantile of what the period ends at, in whole cents; never less than is spent for sure.

        What is known already can shrink only by a credit, which no forecast promises.
        """
        if self.ahead is None:
            return self.spent
        ahead = self.ahead.likeliest if share == 0.5 else self.ahead.quantile(share)
        low, high = self.ahead.quantile(0.1), self.ahead.quantile(0.9)
        end = self.known + Decimal(repr(float(np.clip(ahead, low, high))))
        return max(rounded(end, self.currency), self.spent) if self.spent > 0 else rounded(end, self.currency)

    def chance_above(self, limit: Decimal) -> Decimal:
        """How likely the period ends above `limit`, 0 to 1."""
        if self.spent > limit:
            return Decimal(1)
        if self.ahead is None or self.ahead.method == "none":
            return Decimal(0)
        return Decimal(str(round(self.ahead.chance_above(float(limit - self.known)), 4)))

    @property
    def foreseen_words(self) -> list[str]:
        """What changes before the period ends, as people are told it."""
        last, period = self.whole_until or self.as_of, self.period.period
        return known_changes.told([each for each in self.foreseen if last < each.first < period.end], self.currency)

    @property
    def whole_days(self) -> list[Decimal]:
        """The cost of each wholly delivered day of the period."""
        if self.whole_until is None:
            return []
        period = self.period.period
        last = min(self.whole_until, period.last_day)
        known = Period(period.start, max(spending.day_after(last), period.start)).each_day()
        return [self.days.amounts.get(day, Decimal(0)) for day in known]

    def standing(self) -> Standing:
        days = self.whole_days
        return Standing(
            whole=self.period.whole,
            spent=self.spent,
            landing=self.landing(0.5),
            days=self.period.period.days,
            chance_above=self.chance_above,
            rate=sum(days[-3:], Decimal(0)) / 3 if len(days) >= 3 else None,
            dearest=max(days, default=None),
            unusual=self.unusual,
        )


def judge(
    periods: Sequence[BudgetPeriod],
    as_of: date,
    *,
    delivered: date | None,
    tested: Mapping[int, dict[str, Any]] | None = None,
    with_backtest: bool = True,
) -> list[Judgement]:
    """Judges many periods (with their budgets loaded) as of a day.

    `delivered`: the last day any bill tells of. `tested`: backtests that need not be made again, by budget.
    """
    if not periods:
        return []
    first = min(as_of - timedelta(days=HISTORY_DAYS), *(period.start for period in periods))
    budgets = list({period.budget_id: period.budget for period in periods}.values())
    found = spending.daily(budgets, Period(first, spending.day_after(as_of)))
    judged = [_spent(period, as_of, found[period.budget_id], delivered) for period in periods]
    _foresee(judged, as_of)
    _look_ahead(judged, tested or {}, with_backtest=with_backtest)
    return judged


def _spent(period: BudgetPeriod, as_of: date, days: Days, delivered: date | None) -> Judgement:
    span = period.period
    spent = days.total(Period(span.start, max(span.start, min(span.end, spending.day_after(as_of)))))
    return Judgement(period, as_of, spent, _whole_until(days, delivered, as_of), days)


def _foresee(judged: Sequence[Judgement], as_of: date) -> None:
    """What contracts say of the days ahead, and of the last days."""
    last = max(each.period.end for each in judged)
    start = as_of - timedelta(days=known_changes.LIFTED_DAYS + LATE_DAYS)
    known = announced_changes.of_budgets([each.period.budget for each in judged], Period(start, max(start, last)))
    for each in judged:
        each.foreseen = known.get(each.period.budget_id, [])


def _whole_until(days: Days, delivered: date | None, as_of: date) -> date | None:
    """The last day taken as wholly delivered."""
    if delivered is None:
        return None
    last = days.last()
    if last is not None and last < delivered and (delivered - last).days <= LATE_DAYS and _was_daily(days, last):
        delivered = last
    return max(delivered - timedelta(days=LAG_DAYS), min(delivered, as_of - timedelta(days=SETTLED_DAYS)))


def _was_daily(days: Days, last: date) -> bool:
    return all(days.amounts.get(last - timedelta(days=back)) for back in range(28))


def _look_ahead(judged: Sequence[Judgement], tested: Mapping[int, dict[str, Any]], *, with_backtest: bool) -> None:
    """Forecasts those whose period has days ahead, all that end on the same day together."""
    alike: dict[date, list[Judgement]] = defaultdict(list)
    for each in judged:
        if each.whole_until is not None and each.whole_until < each.period.period.last_day:
            alike[each.whole_until].append(each)
        elif each.whole_until is None:
            each.ahead = Outlook(0.0, np.zeros(forecast.STEPS), "none")
    for whole_until, group in alike.items():
        _forecast(group, whole_until, tested, with_backtest=with_backtest)


def _forecast(
    group: Sequence[Judgement], whole_until: date, tested: Mapping[int, dict[str, Any]], *, with_backtest: bool
) -> None:
    span = Period(whole_until - timedelta(days=HISTORY_DAYS - 1), spending.day_after(whole_until))
    history = forecast.History(span.start, spending.matrix([each.days for each in group], span))
    lifted = known_changes.lifted(history, [each.foreseen for each in group])
    states = forecast.learn(lifted)
    begun = forecast.beginnings(history)
    spans: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, each in enumerate(group):
        each.days_of_history = history.days - int(begun[row])
        period = each.period.period
        spans[((period.end - span.end).days, max(0, (period.start - span.end).days))].append(row)
        each.known = (
            each.days.total(Period(min(period.start, span.end), span.end)) if period.start < span.end else (Decimal(0))
        )
    for (days, skip), rows in spans.items():
        found = forecast.outlooks(states, days, skip)
        for row in rows:
            each = group[row]
            each.ahead = known_changes.moved(
                found[row], known_changes.ahead(each.foreseen, whole_until, each.period.period)
            )
    _note_unusual(group, states)
    # What was foreseen is judged by nothing: the backtest looks at the days as they were.
    _test(group, history, states if lifted is history else None, tested, with_backtest=with_backtest)


def _note_unusual(group: Sequence[Judgement], states: forecast.States) -> None:
    """By how much the last whole day is dearer than its forecast, where that is far outside of the usual errors."""
    days = states.history.days
    columns = list(range(max(forecast.SHORTEST, days - UNUSUAL_DAYS), days))
    errors = forecast.residuals(states, 1, columns)
    share = forecast.weights(errors)
    combined = np.nan_to_num((errors * share[:, :, None]).sum(axis=0))
    scale = states.scale(days - 1, 1)
    usual = np.maximum(MAD * np.median(np.abs(combined), axis=1), 0.02)
    for row, each in enumerate(group):
        last = combined[row, -1]
        if last > UNUSUAL_DEVIATIONS * usual[row]:
            each.unusual = rounded(Decimal(repr(float(last * scale[row]))), each.currency)


def _test(
    group: Sequence[Judgement],
    history: forecast.History,
    states: forecast.States | None,
    tested: Mapping[int, dict[str, Any]],
    *,
    with_backtest: bool,
) -> None:
    if with_backtest and any(each.period.budget_id not in tested for each in group):
        result = backtest.run(history, states)
        for row, each in enumerate(group):
            each.backtest = _in_words(result, row, each.as_of)
    else:
        for each in group:
            each.backtest = tested.get(each.period.budget_id, {})


def _in_words(result: backtest.Result, row: int, as_of: date) -> dict[str, Any]:
    """The backtest of one series as JSON keeps it; nothing where no month could be judged."""
    if not result.judged[row]:
        return {}
    wape = {rival: result.wape(rival)[:, row] for rival in backtest.RIVALS}
    return {
        "wape": {
            rival: {str(days): round(float(each), 4) for days, each in zip(backtest.BEFORE_THE_END, found, strict=True)}
            for rival, found in wape.items()
            if np.isfinite(found).all()
        },
        "coverage": round(float(result.coverage()[row]), 4),
        "judged": int(result.judged[row]),
        "month": as_of.strftime("%Y-%m"),
    }
