"""Days that cost far more than was to be expected, in many series at once. Pure: no Django, no clock.

What is expected of a day is the forecast of budgets made the evening before (weekdays, fees of the first and the ends
of months are in it); a series too young for that has the median of its last days. A day stands out when it is above by
four robust deviations of its own series' errors (median absolute deviation x 1.4826), by a quarter of what was expected
and by a floor. The days after it are compared with the same weekday before the jump, because by then the forecast has
learnt the jump: so a job that runs away for five days is one jump of five days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from budgets.calc.cost_history import CostHistory, Floats
from budgets.calc.forecast import method_weights
from budgets.calc.forecast_methods import SHORTEST, fit, forecast_errors
from budgets.calc.month_effects import learn_month_effects

LOOKED_AT_DAYS = 60
DEVIATIONS = 4.0
MAD = 1.4826
LEAST_SHARE = 0.25
# A step that lasts longer is what things cost now.
LONGEST_DAYS = 14
# The error that even a series without any has.
LEAST_ERROR = 0.02
# An answer "expected" holds for jumps up to so much larger.
LEARNT_FACTOR = Decimal("1.5")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CostJump:
    """Row `row` cost `expected` + `excess` from column `first` to `last`; both are of all these days."""

    row: int
    first: int
    last: int
    expected: float
    excess: float

    @property
    def has_settled(self) -> bool:
        """Whether it is a step so long that it is what things cost now."""
        return self.last - self.first + 1 >= LONGEST_DAYS


@dataclass(frozen=True, slots=True)
class DetectionLimits:
    """What was expected of each row on each of some columns, and the excess that makes it stand out."""

    columns: Sequence[int]
    expected: Floats
    least: Floats


def find_jumps(
    history: CostHistory,
    floors: Floats,
    since: Sequence[int],
    until: Sequence[int],
    running: Mapping[int, tuple[int, int]] | None = None,
) -> list[CostJump]:
    """Jumps that begin, or go on, on the days from column `since` to `until` of each row.

    `floors`: the least excess worth reporting, of each row. `running`: {row: (first, last)} of jumps known before; they
    are returned longer if they go on on the day after.
    """
    start = max(SHORTEST, min(since, default=0))
    columns = range(start, history.days)
    if not len(columns) or not len(since):
        return []
    limits, running = _detection_limits(history, floors, columns), running or {}
    plain = learn_month_effects(history).plain
    above = history.daily[:, start:] - limits.expected > limits.least
    jumps: list[CostJump] = []
    for row in sorted({*running, *(int(row) for row in np.nonzero(above)[0])}):
        jumps += _jumps_of_row(history, plain, limits, row, (since[row], until[row]), running.get(row))
    return jumps


def _detection_limits(history: CostHistory, floors: Floats, columns: range) -> DetectionLimits:
    """By the errors of the sixty days before the newest."""
    fitted = fit(history)
    back = range(max(SHORTEST, columns[0] - LOOKED_AT_DAYS), history.days)
    errors = forecast_errors(fitted, 1, list(back))
    combined = (errors * method_weights(errors)[:, :, None]).sum(axis=0)
    absolute = np.abs(combined)
    is_known = np.asarray(np.isfinite(absolute).any(axis=1))
    usual = MAD * np.where(is_known, np.nanmedian(np.where(is_known[:, None], absolute, 0), axis=1), 0)
    scales = np.stack([fitted.scale(column, 1) for column in columns], axis=1)
    skipped = columns[0] - back[0]
    expected = history.daily[:, columns[0] :] - combined[:, skipped:] * scales
    deviation = np.maximum(usual, LEAST_ERROR)[:, None] * scales
    # A series too young for a forecast: the median of the four weeks before, and the robust deviation around it.
    windows = [history.daily[:, column - SHORTEST : column] for column in columns]
    medians = np.stack([np.median(window, axis=1) for window in windows], axis=1)
    spreads = np.stack([np.median(np.abs(w - np.median(w, axis=1, keepdims=True)), axis=1) for w in windows], axis=1)
    young = ~np.isfinite(expected)
    expected = np.where(young, medians, expected)
    deviation = np.where(young, MAD * spreads, deviation)
    least = np.maximum(DEVIATIONS * deviation, LEAST_SHARE * np.abs(expected))
    return DetectionLimits(columns, expected, np.maximum(least, floors[:, None]))


def _jumps_of_row(
    history: CostHistory,
    plain: Floats,
    limits: DetectionLimits,
    row: int,
    days: tuple[int, int],
    running: tuple[int, int] | None,
) -> list[CostJump]:
    jumps: list[CostJump] = []
    jump: CostJump | None = CostJump(row, *running, 0.0, 0.0) if running else None
    # The last column of a step that has settled; far back where there is none.
    settled = jump.last if jump and jump.has_settled else -SHORTEST - 1
    for column in range(max(days[0], limits.columns[0]), min(days[1] + 1, history.days)):
        place = column - limits.columns[0]
        actual, least = float(history.daily[row, column]), float(limits.least[row, place])
        expected = float(limits.expected[row, place])
        if jump and column == jump.last + 1 and column - jump.first < LONGEST_DAYS:
            expected = float(plain[row, column_before_jump(column, jump.first)])
            if actual - expected > least:
                excess = jump.excess + actual - expected
                jump = CostJump(row, jump.first, column, jump.expected + expected, excess)
                jumps = [*[other for other in jumps if other.first != jump.first], jump]
                continue
        settled = max(settled, jump.last) if jump and jump.has_settled else settled
        jump = None
        if column - settled <= SHORTEST:
            # What it costs now: the forecast needs some weeks to learn its weekdays.
            expected = max(expected, float(history.daily[row, column - 7]))
        if actual - expected > least:
            jump = CostJump(row, column, column, expected, actual - expected)
            jumps.append(jump)
    return jumps


def column_before_jump(column: int, first: int) -> int:
    """The last column of the same weekday before a jump that begins at `first`."""
    return column - 7 * ((column - first) // 7 + 1)


def day_before_jump(day: date, first: date) -> date:
    """The same of days."""
    return day - timedelta(days=7 * ((day - first).days // 7 + 1))


def explain_jump(
    excess: Decimal, differences: Mapping[tuple[str, ...], Decimal], most: int = 5
) -> list[tuple[tuple[str, ...], Decimal]]:
    """What makes up a jump, the largest first; the empty key is all the rest, so that the parts sum to the jump.

    `differences`: what each item cost more than on the days before the jump. What is expected to differ from these days
    (a trend, the turn of a month) is in the rest.
    """
    grown = [(key, amount) for key, amount in differences.items() if amount > 0]
    named = sorted(grown, key=lambda pair: (-pair[1], pair[0]))[:most]
    rest = excess - sum((amount for _, amount in named), ZERO)
    return [*named, *([((), rest)] if rest else [])]


def is_learnt(excess_a_day: Decimal, expected_before: Sequence[Decimal]) -> bool:
    """Whether a jump is of the kind that somebody has called expected: not much larger, a day, than one of those."""
    return any(excess_a_day <= before * LEARNT_FACTOR for before in expected_before)
