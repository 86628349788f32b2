"""How good the forecast would have been: tested at 7, 14 and 21 days before each month's end. Pure.

Rolling origin: every forecast, its weights and its interval know only what lay before it. The rivals are the simple
ways of `simple_ways`.
"""

from dataclasses import dataclass

import numpy as np

from budgets.calc.calendar_effects import Flags
from budgets.calc.cost_history import Columns, CostHistory, Floats
from budgets.calc.forecast import MIDDLE, STEPS, likely_sums
from budgets.calc.forecast_methods import SHORTEST, FittedSeries, fit
from budgets.calc.simple_ways import SIMPLE_WAYS, simple_sums
from finops_site.lib.periods import Month

BEFORE_THE_END = (7, 14, 21)
MONTHS = 12
OURS = "forecast"
RIVALS = (OURS, *SIMPLE_WAYS)
LOW, HIGH = STEPS // 10, STEPS - 1 - STEPS // 10


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Of each series: errors and actual totals, summed over the tested months, and how often the interval held.

    `missed[rival]` and `actual[rival]` have a row for each of BEFORE_THE_END; rivals know not enough of some months.
    `inside` and `tested` count months x days before the end.
    """

    missed: dict[str, Floats]
    actual: dict[str, Floats]
    inside: Floats
    tested: Floats

    def wape(self, rival: str = OURS) -> Floats:
        """Weighted absolute percentage error of the month's total; not a number where nothing was tested."""
        with np.errstate(invalid="ignore", divide="ignore"):
            wape: Floats = self.missed[rival] / self.actual[rival]
        return wape

    def coverage(self) -> Floats:
        """How often the 80 % interval held the month's total."""
        with np.errstate(invalid="ignore", divide="ignore"):
            coverage: Floats = self.inside / self.tested
        return coverage

    def pooled_wape(self, rival: str = OURS) -> list[float]:
        """WAPE over all series, for each of BEFORE_THE_END."""
        missed, actual = self.missed[rival].sum(axis=1), self.actual[rival].sum(axis=1)
        return [float(off / total) if total else float("nan") for off, total in zip(missed, actual, strict=True)]

    def pooled_coverage(self) -> float:
        return float(self.inside.sum() / self.tested.sum())


def run_backtest(history: CostHistory, fitted: FittedSeries | None = None, *, months: int = MONTHS) -> BacktestResult:
    """Tests the last complete `months` of every series."""
    fitted = fitted or fit(history)
    many, shape = history.daily.shape[0], (len(BEFORE_THE_END), history.daily.shape[0])
    missed, totals = ({rival: np.zeros(shape) for rival in RIVALS} for _ in range(2))
    result = BacktestResult(missed, totals, np.zeros(many), np.zeros(many))
    for first, end in _complete_months(history)[-months:]:
        for place, horizon in enumerate(BEFORE_THE_END):
            _test_month(result, fitted, place, (first, end - horizon, end))
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


def can_be_tested(history: CostHistory, *, months: int = MONTHS) -> Flags:
    """Which series have a month that counts in a backtest: the others have none, however often it is run."""
    begun, can = history.first_columns(), np.zeros(len(history.daily), dtype=bool)
    for first, end in _complete_months(history)[-months:]:
        # What counts on any day before the end counts on the last of them.
        can |= _counts(begun, end - min(BEFORE_THE_END), history.daily[:, first:end].sum(axis=1))
    return can


def _counts(begun: Columns, origin: int, actual: Floats) -> Flags:
    """For which series a month that cost `actual` counts: those with history before column `origin`, and with cost."""
    counts: Flags = (origin - begun >= SHORTEST) & (np.abs(actual) > 0)
    return counts


def _test_month(result: BacktestResult, fitted: FittedSeries, place: int, span: tuple[int, int, int]) -> None:
    first, origin, end = span
    daily = fitted.history.daily
    spent, actual = daily[:, first:origin].sum(axis=1), daily[:, first:end].sum(axis=1)
    counts = _counts(fitted.begun, origin, actual)
    if not counts.any():
        return
    likely = likely_sums(fitted, origin, end - origin)
    simple = simple_sums(fitted.history, origin, end - origin)
    ahead = {OURS: likely[:, MIDDLE], **dict(zip(SIMPLE_WAYS, simple, strict=True))}
    for rival, rest in ahead.items():
        known = counts & np.isfinite(rest)
        result.missed[rival][place] += np.where(known, np.abs(spent + np.nan_to_num(rest) - actual), 0)
        result.actual[rival][place] += np.where(known, np.abs(actual), 0)
    # Whether the 80 % interval held what the month ended at.
    slack, rest = 1e-9 * np.abs(actual), actual - spent
    held = (rest >= likely[:, LOW] - slack) & (rest <= likely[:, HIGH] + slack)
    result.inside[:] += np.where(counts, held, 0)
    result.tested[:] += np.where(counts, 1, 0)
