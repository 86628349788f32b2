"""How well the forecast would have done: judged at 7, 14 and 21 days before each month's end. Pure.

Rolling origin: every forecast, its weights and its interval know only what lay before it. The rivals are the product's
first straight line (spent so far / days so far x days) and the last week again (seasonal naive).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from budgets.calc.forecast import (
    RESIDUAL_DAYS,
    RESIDUAL_STEP,
    SHORTEST,
    Floats,
    History,
    States,
    beginnings,
    learn,
    quantiles_of,
    residuals,
    weights,
)
from finops_site.lib.periods import Month

Columns = npt.NDArray[np.intp]

BEFORE_THE_END = (7, 14, 21)
MONTHS = 12
RIVALS = ("forecast", "straight line", "seasonal naive")


@dataclass(frozen=True, slots=True)
class Result:
    """Of each series: absolute errors and actual totals, summed over the months judged, and how often it was inside.

    `missed[rival]` has a row for each of BEFORE_THE_END, `inside` and `judged` count months x days before the end.
    """

    missed: dict[str, Floats]
    actual: Floats
    inside: Floats
    judged: Floats

    def wape(self, rival: str = "forecast") -> Floats:
        """Weighted absolute percentage error of the month's total; not a number where nothing was judged."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = self.missed[rival] / self.actual
        return found

    def coverage(self) -> Floats:
        """How often the 80 % interval held the month's total."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = self.inside / self.judged
        return found

    def pooled(self, rival: str = "forecast") -> list[float]:
        """WAPE over all series, for each of BEFORE_THE_END."""
        return [float(self.missed[rival][n].sum() / self.actual[n].sum()) for n in range(len(BEFORE_THE_END))]

    def pooled_coverage(self) -> float:
        return float(self.inside.sum() / self.judged.sum())


def run(history: History, states: States | None = None, *, months: int = MONTHS) -> Result:
    """Judges the last whole `months` of every series."""
    states = states or learn(history)
    many, shape = history.daily.shape[0], (len(BEFORE_THE_END), history.daily.shape[0])
    missed = {rival: np.zeros(shape) for rival in RIVALS}
    result = Result(missed, np.zeros(shape), np.zeros(many), np.zeros(many))
    spans = list(_whole_months(history))[-months:]
    for place, horizon in enumerate(BEFORE_THE_END):
        columns = np.array(_origins(spans, horizon), dtype=np.intp)
        known = residuals(states, horizon, columns.tolist())
        for first, end in spans:
            _judge(result, states, place, (first, end - horizon, end), columns, known)
    return result


def _whole_months(history: History) -> Iterator[tuple[int, int]]:
    """(first column, column after the last) of each month with enough history before it."""
    month = Month.of(history.first)
    while month.next.start <= history.end:
        first = (month.start - history.first).days
        if first >= SHORTEST:
            yield first, first + month.days
        month = month.next


def _origins(spans: Sequence[tuple[int, int]], horizon: int) -> list[int]:
    """The origins that any of the months needs: those of the year before the first, up to the last."""
    if not spans:
        return []
    newest = spans[-1][1] - 2 * horizon
    return list(range(max(SHORTEST, spans[0][1] - horizon - RESIDUAL_DAYS), newest + 1, RESIDUAL_STEP))


def _judge(
    result: Result, states: States, place: int, span: tuple[int, int, int], columns: Columns, known: Floats
) -> None:
    first, origin, end = span
    daily, horizon = states.history.daily, end - origin
    # What was known then: origins of the year before whose days were over.
    errors = known[:, :, (columns + horizon <= origin) & (columns >= origin - horizon - RESIDUAL_DAYS)]
    share = weights(errors)
    spent, actual = daily[:, first:origin].sum(axis=1), daily[:, first:end].sum(axis=1)
    ahead = (states.candidates(origin, horizon) * share).sum(axis=0)
    line = spent / (origin - first) * (end - first)
    naive = spent + daily[:, origin - 7 : origin][:, np.arange(horizon) % 7].sum(axis=1)
    # A month counts where the series had history before it and cost in it.
    counts = (origin - beginnings(states.history) >= SHORTEST) & (np.abs(actual) > 0)
    for rival, total in zip(RIVALS, (spent + ahead, line, naive), strict=True):
        result.missed[rival][place] += np.where(counts, np.abs(total - actual), 0)
    result.actual[place] += np.where(counts, np.abs(actual), 0)
    _judge_interval(result, (errors * share[:, :, None]).sum(axis=0), (spent + ahead, actual, counts), states, span)


def _judge_interval(
    result: Result, errors: Floats, sums: tuple[Floats, Floats, Floats], states: States, span: tuple[int, int, int]
) -> None:
    total, actual, counts = sums
    _, origin, end = span
    scale = states.scale(origin, end - origin)
    likely = quantiles_of(errors)
    low, high = total + likely[:, 9] * scale, total + likely[:, 89] * scale
    slack = 1e-9 * np.abs(actual)
    result.inside[:] += np.where(counts, (actual >= low - slack) & (actual <= high + slack), 0)
    result.judged[:] += np.where(counts, 1, 0)
