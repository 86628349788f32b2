"""How good the forecast would have been: tested at 7, 14 and 21 days before each month's end. Pure.

Rolling origin: every forecast, its weights and its interval know only what lay before it. The rivals are a straight
line (spent so far / days so far x days) and the last week again (seasonal naive).
"""

from dataclasses import dataclass

import numpy as np

from budgets.calc.cost_history import Columns, CostHistory, Floats
from budgets.calc.forecast import ERROR_DAYS, ERROR_STEP, error_quantiles, method_weights
from budgets.calc.forecast_methods import SHORTEST, FittedSeries, fit, forecast_errors
from finops_site.lib.periods import Month

BEFORE_THE_END = (7, 14, 21)
MONTHS = 12
RIVALS = ("forecast", "straight line", "seasonal naive")


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Of each series: errors and actual totals, summed over the tested months, and how often the interval held.

    `missed[rival]` has a row for each of BEFORE_THE_END, `inside` and `tested` count months x days before the end.
    """

    missed: dict[str, Floats]
    actual: Floats
    inside: Floats
    tested: Floats

    def wape(self, rival: str = "forecast") -> Floats:
        """Weighted absolute percentage error of the month's total; not a number where nothing was tested."""
        with np.errstate(invalid="ignore", divide="ignore"):
            wape: Floats = self.missed[rival] / self.actual
        return wape

    def coverage(self) -> Floats:
        """How often the 80 % interval held the month's total."""
        with np.errstate(invalid="ignore", divide="ignore"):
            coverage: Floats = self.inside / self.tested
        return coverage

    def pooled_wape(self, rival: str = "forecast") -> list[float]:
        """WAPE over all series, for each of BEFORE_THE_END."""
        return [float(self.missed[rival][n].sum() / self.actual[n].sum()) for n in range(len(BEFORE_THE_END))]

    def pooled_coverage(self) -> float:
        return float(self.inside.sum() / self.tested.sum())


def run_backtest(history: CostHistory, fitted: FittedSeries | None = None, *, months: int = MONTHS) -> BacktestResult:
    """Tests the last complete `months` of every series."""
    fitted = fitted or fit(history)
    many, shape = history.daily.shape[0], (len(BEFORE_THE_END), history.daily.shape[0])
    missed = {rival: np.zeros(shape) for rival in RIVALS}
    result = BacktestResult(missed, np.zeros(shape), np.zeros(many), np.zeros(many))
    spans = _complete_months(history)[-months:]
    for place, horizon in enumerate(BEFORE_THE_END if spans else ()):
        # The origins that any of the months needs: those of the year before the first, up to the last.
        oldest, newest = max(SHORTEST, spans[0][1] - horizon - ERROR_DAYS), spans[-1][1] - 2 * horizon
        columns = np.array(range(oldest, newest + 1, ERROR_STEP), dtype=np.intp)
        errors = forecast_errors(fitted, horizon, columns.tolist())
        for first, end in spans:
            _test_month(result, fitted, place, (first, end - horizon, end), columns, errors)
    return result


def _complete_months(history: CostHistory) -> list[tuple[int, int]]:
    """(first column, column after the last) of each month with enough history before it."""
    spans, month = [], Month.of(history.first)
    while month.next.start <= history.end:
        first = (month.start - history.first).days
        if first >= SHORTEST:
            spans.append((first, first + month.days))
        month = month.next
    return spans


def _test_month(
    result: BacktestResult,
    fitted: FittedSeries,
    place: int,
    span: tuple[int, int, int],
    columns: Columns,
    all_errors: Floats,
) -> None:
    first, origin, end = span
    daily, horizon = fitted.history.daily, end - origin
    # What was known then: origins of the year before whose days were over.
    errors = all_errors[:, :, (columns + horizon <= origin) & (columns >= origin - horizon - ERROR_DAYS)]
    weights = method_weights(errors)
    spent, actual = daily[:, first:origin].sum(axis=1), daily[:, first:end].sum(axis=1)
    forecast = spent + (fitted.forecast_sums(origin, horizon) * weights).sum(axis=0)
    line = spent / (origin - first) * (end - first)
    naive = spent + daily[:, origin - 7 : origin][:, np.arange(horizon) % 7].sum(axis=1)
    # A month counts where the series had history before it and cost in it.
    counts = (origin - fitted.history.first_columns() >= SHORTEST) & (np.abs(actual) > 0)
    for rival, total in zip(RIVALS, (forecast, line, naive), strict=True):
        result.missed[rival][place] += np.where(counts, np.abs(total - actual), 0)
    result.actual[place] += np.where(counts, np.abs(actual), 0)
    # Whether the 80 % interval held what the month ended at.
    scale = fitted.scale(origin, horizon)
    likely = error_quantiles((errors * weights[:, :, None]).sum(axis=0))
    low, high = forecast + likely[:, 9] * scale, forecast + likely[:, 89] * scale
    slack = 1e-9 * np.abs(actual)
    result.inside[:] += np.where(counts, (actual >= low - slack) & (actual <= high + slack), 0)
    result.tested[:] += np.where(counts, 1, 0)
