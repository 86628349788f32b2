"""Days that cost far more than was to be expected, found in many series at once. Pure: no Django, no clock.

What is expected of a day is the forecast of budgets made the evening before (weekdays, fees of the first and the ends
of months are in it); a series too young for that has the median of its last days. A day stands out when it is above by
four robust deviations of its own series' errors (median absolute deviation x 1.4826), by a quarter of what was expected
and by a floor. The days after it are held against the same weekday before the jump, because by then the forecast has
learnt the jump: so a job that runs away for five days is one jump of five days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from budgets.calc import forecast
from budgets.calc.forecast import Floats, History

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
class Jump:
    """Row `row` cost `expected` + `excess` from column `first` to `last`; both are of all these days."""

    row: int
    first: int
    last: int
    expected: float
    excess: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What was expected of each row on each of some columns, and the excess that makes it stand out."""

    columns: Sequence[int]
    expected: Floats
    least: Floats


def jumps(
    history: History,
    floors: Floats,
    since: Sequence[int],
    until: Sequence[int],
    running: Mapping[int, tuple[int, int]] | None = None,
) -> list[Jump]:
    """Jumps that begin, or go on, on the days from column `since` to `until` of each row.

    `floors`: the least excess worth telling, of each row. `running`: {row: (first, last)} of jumps known before; they
    are returned longer if they go on on the day after.
    """
    start = max(forecast.SHORTEST, min(since, default=0))
    columns = range(start, history.days)
    if not len(columns) or not len(since):
        return []
    limits = _limits(history, floors, columns)
    plain = forecast.month_effects(history).plain
    found: list[Jump] = []
    for row in _may_jump(history, limits, running or {}):
        found += _of_row(history, plain, limits, row, (since[row], until[row]), (running or {}).get(row))
    return found


def _may_jump(history: History, limits: Limits, running: Mapping[int, tuple[int, int]]) -> list[int]:
    """The rows worth a look, day by day."""
    above = history.daily[:, limits.columns[0] :] - limits.expected > limits.least
    return sorted({*running, *(int(row) for row in np.nonzero(above)[0])})


def _limits(history: History, floors: Floats, columns: range) -> Limits:
    """By the errors of the sixty days before the newest."""
    states = forecast.learn(history)
    back = range(max(forecast.SHORTEST, columns[0] - LOOKED_AT_DAYS), history.days)
    errors = forecast.residuals(states, 1, list(back))
    combined = (errors * forecast.weights(errors)[:, :, None]).sum(axis=0)
    usual = MAD * _median_of_known(np.abs(combined))
    scales = np.stack([states.scale(column, 1) for column in columns], axis=1)
    skipped = columns[0] - back[0]
    expected = history.daily[:, columns[0] :] - combined[:, skipped:] * scales
    deviation = np.maximum(usual, LEAST_ERROR)[:, None] * scales
    medians, spreads = _of_young(history, columns)
    young = ~np.isfinite(expected)
    expected = np.where(young, medians, expected)
    deviation = np.where(young, spreads, deviation)
    least = np.maximum(DEVIATIONS * deviation, LEAST_SHARE * np.abs(expected))
    return Limits(columns, expected, np.maximum(least, floors[:, None]))


def _median_of_known(errors: Floats) -> Floats:
    known = np.asarray(np.isfinite(errors).any(axis=1))
    found: Floats = np.where(known, np.nanmedian(np.where(known[:, None], errors, 0), axis=1), 0)
    return found


def _of_young(history: History, columns: range) -> tuple[Floats, Floats]:
    """The median of the four weeks before each column, and the robust deviation around it."""
    windows = [history.daily[:, column - forecast.SHORTEST : column] for column in columns]
    medians = np.stack([np.median(window, axis=1) for window in windows], axis=1)
    spreads = np.stack([np.median(np.abs(w - np.median(w, axis=1, keepdims=True)), axis=1) for w in windows], axis=1)
    return medians, MAD * spreads


def _of_row(
    history: History,
    plain: Floats,
    limits: Limits,
    row: int,
    days: tuple[int, int],
    running: tuple[int, int] | None,
) -> list[Jump]:
    found: list[Jump] = []
    going_on: Jump | None = Jump(row, *running, 0.0, 0.0) if running else None
    settled = _settled(going_on)
    for column in range(max(days[0], limits.columns[0]), min(days[1] + 1, history.days)):
        place = column - limits.columns[0]
        actual, least = float(history.daily[row, column]), float(limits.least[row, place])
        expected = float(limits.expected[row, place])
        if going_on and column == going_on.last + 1 and column - going_on.first < LONGEST_DAYS:
            expected = float(plain[row, undisturbed(column, going_on.first)])
            if actual - expected > least:
                going_on = _longer(going_on, expected, actual)
                found = [*[each for each in found if each.first != going_on.first], going_on]
                continue
        settled = max(settled, _settled(going_on))
        going_on = None
        if column - settled <= forecast.SHORTEST:
            # What it costs now: the forecast needs some weeks to learn its weekdays.
            expected = max(expected, float(history.daily[row, column - 7]))
        if actual - expected > least:
            going_on = Jump(row, column, column, expected, actual - expected)
            found.append(going_on)
    return found


def _settled(jump: Jump | None) -> int:
    """The last column of a step so long that it is what things cost now; far back where there is none."""
    return jump.last if jump and jump.last - jump.first + 1 >= LONGEST_DAYS else -forecast.SHORTEST - 1


def _longer(jump: Jump, expected: float, actual: float) -> Jump:
    return Jump(jump.row, jump.first, jump.last + 1, jump.expected + expected, jump.excess + actual - expected)


def undisturbed(column: int, first: int) -> int:
    """The last column of the same weekday before a jump that begins at `first`."""
    return column - 7 * ((column - first) // 7 + 1)


def undisturbed_day(day: date, first: date) -> date:
    """The same of days."""
    return day - timedelta(days=7 * ((day - first).days // 7 + 1))


def parts(
    excess: Decimal, differences: Mapping[tuple[str, ...], Decimal], most: int = 5
) -> list[tuple[tuple[str, ...], Decimal]]:
    """What explains a jump, the largest first; the empty key is all the rest, so that the parts sum to the jump.

    `differences`: what each thing cost more than on the undisturbed days. What is expected to differ from these days
    (a trend, the turn of a month) is in the rest.
    """
    grown = sorted(((key, each) for key, each in differences.items() if each > 0), key=lambda pair: (-pair[1], pair[0]))
    named = grown[:most]
    rest = excess - sum((each for _, each in named), ZERO)
    return [*named, *([((), rest)] if rest else [])]


def is_learnt(excess_a_day: Decimal, expected_before: Sequence[Decimal]) -> bool:
    """Whether a jump is of the kind that somebody has called expected: not much larger, a day, than one of those."""
    return any(excess_a_day <= each * LEARNT_FACTOR for each in expected_before)
