"""Days that cost far more, or less, than was to be expected, in many series at once. Pure: no Django, no clock.

Four patterns. A **jump** is above what was expected the evening before (`usual_days`) by some robust deviations, by a
share, by what such a series does again and again anyway, and by a floor of money; it is one as long as the days after
it stand out against the days before it. From a week on it is a **shift**, and after two weeks it is what things cost.
A **drop** is the same below, on three days at least. A **creep**, and a shift too small for a single day to show it, is
found by a cumulative sum (`slow_changes`), which says since when.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from budgets.calc.cost_history import CostHistory, Floats
from budgets.calc.slow_changes import SlowCourse, slow_course
from budgets.calc.usual_days import UsualDays, usual_days

JUMP, SHIFT, CREEP, DROP = "jump", "shift", "creep", "drop"
# From so many days on a jump is a shift; a change that lasts longer than LONGEST_DAYS is what things cost now.
SHIFT_DAYS, LONGEST_DAYS, LONGEST_SLOW_DAYS = 7, 14, 56
# Days between, such as a weekend, that do not end a change.
MOST_GAP = 3
DROP_DAYS = 3
# A slow change costs so many floors by now, and half of one a day.
SLOW_FLOORS, SLOW_SHARE_OF_FLOOR = 5.0, 0.5
# A slow change that begins so near to one known already is that one.
SAME_CAUSE_DAYS = 10
# A slow change may have begun so many days before its cumulative sum did.
BEFORE_DAYS = 10
# An answer "expected" holds for changes up to so much larger.
# What it costs a day by now: of so many days.
LATEST_DAYS = 7
LEARNT_FACTOR = Decimal("1.5")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a day must be above or below to stand out: by robust deviations, by a share of what was expected, and by a
    part of the floor of money; `weeks`: the cumulative sum of a slow change, and `slow_share` its least share."""

    deviations: float
    share: float
    floor: float
    weeks: float
    slow_share: float


SENSITIVITIES = {
    "high": Sensitivity(3.0, 0.15, 0.4, 3.0, 0.06),
    "normal": Sensitivity(4.0, 0.25, 1.0, 4.0, 0.10),
    "low": Sensitivity(6.0, 0.5, 3.0, 6.0, 0.25),
}
NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class CostChange:
    """Row `row` cost `expected` + `excess` from column `first` to `last`; both are of all these days.

    A drop's excess is below zero.
    """

    row: int
    first: int
    last: int
    expected: float
    excess: float
    pattern: str
    # The column on which it stood out clearly enough.
    noticed: int
    # How much more a day on its last seven days.
    latest: float = 0.0
    # Known before: `expected` and `excess` are of the days since then.
    is_known: bool = False

    @property
    def days(self) -> int:
        return self.last - self.first + 1

    @property
    def is_drop(self) -> bool:
        return self.pattern == DROP


@dataclass(frozen=True, slots=True)
class _Series:
    """One row with what is usual of it."""

    row: int
    daily: Floats
    usual: UsualDays
    slow: SlowCourse
    floor: float
    sensitivity: Sensitivity

    def tolerance(self, column: int, level: float) -> float:
        """What a day at `column` may be off a level without standing out, bursts not counted."""
        noise = self.sensitivity.deviations * float(self.usual.deviation[self.row, column])
        return max(noise, self.sensitivity.share * abs(level), self.floor)

    def stands_out(self, column: int, sign: int) -> bool:
        """Whether a day is above all that is no news (`sign` 1), or below (-1)."""
        side, burst = (self.usual.high, self.usual.burst_high) if sign > 0 else (self.usual.low, self.usual.burst_low)
        level = float(side[self.row, column])
        beyond = max(self.tolerance(column, level), float(burst[self.row, column]))
        return sign * (float(self.daily[column]) - level) > beyond

    def undisturbed(self, column: int, first: int) -> float:
        """What a day was to cost by the same weekday before the change that began at `first`."""
        before = column_before_jump(column, first)
        plain = float(self.usual.cleaned[self.row, before]) if before >= 0 else np.nan
        if not np.isfinite(plain):
            plain = float(self.usual.expected[self.row, first])
        return max(plain + float(self.usual.monthly[self.row, column]), min(plain, 0.0))

    def off(self, column: int, first: int) -> tuple[float, float]:
        """(what the day was to cost, how much more it did)."""
        expected = self.undisturbed(column, first) if column > first else float(self.usual.expected[self.row, column])
        more = float(self.daily[column]) - expected
        # A day that no bill covers is nothing, neither more nor less.
        return (expected, more) if np.isfinite(more) else (0.0, 0.0)


def find_changes(
    history: CostHistory,
    floors: Floats,
    since: Sequence[int],
    until: Sequence[int],
    running: Mapping[int, Sequence[CostChange]] | None = None,
    *,
    sensitivities: Sequence[str] | None = None,
) -> list[CostChange]:
    """Changes that begin, are noticed, or go on, on the days from column `since` to `until` of each row.

    `floors`: the least difference a day worth reporting, of each row. `running`: the changes of each row that are known
    already; those that go on are returned with their new last column, `expected` and `excess` of the new days only.
    `sensitivities`: a key of SENSITIVITIES for each row. Days that no bill covers are not a number in `history`.
    """
    if not len(since) or not history.days:
        return []
    usual = usual_days(history)
    slow, running = slow_course(usual, history.first), running or {}
    names = sensitivities or [NORMAL] * len(since)
    changes: list[CostChange] = []
    for row in sorted({*running, *_candidates(history, usual, slow, floors, names, since, until)}):
        sensitivity = SENSITIVITIES[names[row]]
        series = _Series(row, history.daily[row], usual, slow, floors[row] * sensitivity.floor, sensitivity)
        days = (max(since[row], 0), min(until[row], history.days - 1))
        known = list(running.get(row, ()))
        outstanding = [*_standing_out(series, days, known, 1), *_standing_out(series, days, known, -1)]
        slow_changes = _slow(series, days, known, outstanding)
        creeps = [change for change in [*known, *slow_changes] if change.pattern == CREEP]
        changes += [change for change in outstanding if not any(_is_of_creep(change, creep) for creep in creeps)]
        changes += slow_changes
    return changes


def usual_band(history: CostHistory, level: str = NORMAL) -> tuple[Floats, Floats, Floats]:
    """(low, expected, high) of every day: what does not stand out, at a sensitivity; not a number where unknown."""
    usual, limits = usual_days(history), SENSITIVITIES[level]
    noise = limits.deviations * usual.deviation
    high = usual.high + np.maximum(np.maximum(noise, limits.share * np.abs(usual.high)), usual.burst_high)
    low = usual.low - np.maximum(np.maximum(noise, limits.share * np.abs(usual.low)), usual.burst_low)
    return np.where(usual.expected >= 0, np.maximum(low, 0.0), low), usual.expected, high


def _candidates(
    history: CostHistory,
    usual: UsualDays,
    slow: SlowCourse,
    floors: Floats,
    names: Sequence[str],
    since: Sequence[int],
    until: Sequence[int],
) -> list[int]:
    """The rows that may have something: all at once, so that the quiet thousands cost nothing."""
    chosen = [SENSITIVITIES[name] for name in names]
    deviations, share, floor, weeks = (
        np.array([getattr(one, field) for one in chosen])[:, None]
        for field in ("deviations", "share", "floor", "weeks")
    )
    columns = np.arange(history.days)[None, :]
    checked = (columns >= np.array(since)[:, None] - LONGEST_DAYS) & (columns <= np.array(until)[:, None])
    least = np.maximum(deviations * usual.deviation, floor * floors[:, None])
    with np.errstate(invalid="ignore"):
        above = history.daily - usual.high > np.maximum(np.maximum(least, share * np.abs(usual.high)), usual.burst_high)
        below = usual.low - history.daily > np.maximum(np.maximum(least, share * np.abs(usual.low)), usual.burst_low)
    rows = ((above | below | (slow.rising > weeks) | (slow.falling > weeks)) & checked).any(axis=1)
    return [int(row) for row in np.nonzero(rows)[0]]


def _standing_out(series: _Series, days: tuple[int, int], known: Sequence[CostChange], sign: int) -> list[CostChange]:
    """Jumps and the shifts they become (`sign` 1), or drops (-1)."""
    same = [change for change in known if change.is_drop == (sign < 0) and change.pattern != CREEP]
    last = max(same, key=lambda change: change.last, default=None)
    change = replace(last, expected=0.0, excess=0.0) if last and last.last < days[0] else None
    # A drop is noticed some days after it began.
    start = days[0] if sign > 0 or (change and days[0] - change.last <= MOST_GAP + 1) else days[0] - LONGEST_DAYS
    by_first: dict[int, CostChange] = {}
    out = 0
    for column in range(max(start, last.last + 1 if last else 0, 0), days[1] + 1):
        if change and column - change.last <= MOST_GAP + 1 and column - change.first < LONGEST_DAYS:
            expected, excess = series.off(column, change.first)
            if sign * excess > series.tolerance(change.first, expected):
                change, out = _grown(series, change, column), out + 1
                if sign < 0 and out == DROP_DAYS and not change.is_known:
                    change = replace(change, noticed=column)
                if sign > 0 or out >= DROP_DAYS or change.is_known:
                    by_first[change.first] = change
            continue
        change, out = None, 0
        if series.stands_out(column, sign):
            expected, excess = series.off(column, column)
            change, out = (
                CostChange(series.row, column, column, expected, excess, JUMP if sign > 0 else DROP, column),
                1,
            )
            if sign > 0:
                by_first[column] = change
    return [
        replace(change, latest=_latest(series, change))
        for change in by_first.values()
        if max(change.last, change.noticed) >= days[0]
    ]


def _latest(series: _Series, change: CostChange) -> float:
    newest = range(max(change.first, change.last - LATEST_DAYS + 1), change.last + 1)
    return float(np.mean([series.off(day, change.first)[1] for day in newest]))


def _grown(series: _Series, change: CostChange, column: int) -> CostChange:
    """The change up to `column`, with the days between."""
    offs = [series.off(day, change.first) for day in range(change.last + 1, column + 1)]
    expected, excess = change.expected + sum(one for one, _ in offs), change.excess + sum(more for _, more in offs)
    pattern = SHIFT if change.pattern == JUMP and column - change.first + 1 >= SHIFT_DAYS else change.pattern
    return replace(change, last=column, expected=expected, excess=excess, pattern=pattern)


def _is_of_creep(change: CostChange, creep: CostChange) -> bool:
    """Whether a jump is no more than what a creep that is reported already leads to."""
    during = creep.noticed <= change.first <= creep.last + LONGEST_DAYS
    return creep.pattern == CREEP and during and 0 < change.excess < change.expected


def _slow(
    series: _Series, days: tuple[int, int], known: Sequence[CostChange], outstanding: Sequence[CostChange]
) -> list[CostChange]:
    """Changes that the cumulative sums show: new ones, and known ones that go on."""
    changes: list[CostChange] = []
    for sign, sums in ((1, series.slow.rising[series.row]), (-1, series.slow.falling[series.row])):
        same = [change for change in [*outstanding, *known] if change.is_drop == (sign < 0)]
        column = days[0]
        while column <= days[1]:
            if sums[column] <= series.sensitivity.weeks:
                column += 1
                continue
            zeros = np.flatnonzero(sums[: column + 1] <= 0)
            first = int(zeros[-1]) + 1 if zeros.size else 0
            over = np.flatnonzero(sums[column : days[1] + 1] <= series.sensitivity.weeks)
            end = column + int(over[0]) - 1 if over.size else days[1]
            before = next((change for change in same if _is_same_cause(change, first, column)), None)
            if before is None:
                change = next(
                    (new for last in range(column, end + 1) if (new := _slow_change(series, first, last, sign))), None
                )
                if change:
                    same.append(change)
                    changes.append(_slow_longer(series, change, end))
            elif before in known and not any(change.first == before.first for change in outstanding):
                longer = _slow_longer(series, replace(before, expected=0.0, excess=0.0), end)
                changes += [longer] if longer.last > before.last else []
            column = end + 1
    return changes


def _is_same_cause(change: CostChange, first: int, column: int) -> bool:
    """Whether a slow change that begins at `first` is one that is reported already; a spike of a day or two is not."""
    is_near = change.first <= column and first - SAME_CAUSE_DAYS <= change.last
    return is_near and (change.pattern != JUMP or change.days >= SHIFT_DAYS)


def _slow_change(series: _Series, first: int, last: int, sign: int) -> CostChange | None:
    """The change from `first` to `last`, if it matters by money and by share by then."""
    expected, excess = _slow_sums(series, first, last)
    days, sensitivity = last - first + 1, series.sensitivity
    least = sensitivity.slow_share if sign > 0 else sensitivity.share
    if sign * excess < max(SLOW_FLOORS, SLOW_SHARE_OF_FLOOR * days) * series.floor:
        return None
    if sign * float(series.slow.share[series.row, last]) < least:
        return None
    since, grows = _begins(series, first, last)
    expected, excess = _slow_sums(series, since, last)
    pattern = DROP if sign < 0 else CREEP if grows else SHIFT
    return CostChange(series.row, since, last, expected, excess, pattern, last)


def _slow_longer(series: _Series, change: CostChange, end: int) -> CostChange:
    """The same up to `end`, as long as it is news."""
    longest = LONGEST_SLOW_DAYS if change.pattern == CREEP else LONGEST_DAYS
    last = max(change.last, min(end, change.first + longest - 1))
    expected, excess = _slow_sums(series, change.last + 1, last)
    newest = max(change.first, last - LATEST_DAYS + 1)
    latest = _slow_sums(series, newest, last)[1] / (last - newest + 1)
    expected, excess = change.expected + expected, change.excess + excess
    return replace(change, last=last, latest=latest, expected=expected, excess=excess)


def _slow_sums(series: _Series, first: int, last: int) -> tuple[float, float]:
    """(what the days from `first` to `last` were to cost by the months before, how much more they did)."""
    span = slice(first, last + 1)
    baseline = series.slow.baseline[series.row, span] + series.usual.monthly[series.row, span]
    # Of a young series the first days have no baseline yet.
    baseline = np.where(np.isfinite(baseline), baseline, np.nan_to_num(series.usual.expected[series.row, span]))
    expected = np.maximum(baseline, np.minimum(np.nan_to_num(series.usual.low[series.row, span]), 0.0))
    expected = np.where(np.isfinite(series.daily[span]), expected, 0.0)
    return float(expected.sum()), float((np.nan_to_num(series.daily[span]) - expected).sum())


def _begins(series: _Series, first: int, last: int) -> tuple[int, bool]:
    """(since when, whether it grows from day to day): the step or the ramp, from whichever day, that fits best."""
    start = max(0, first - BEFORE_DAYS)
    span = slice(start, last + 1)
    ordinary = series.slow.baseline[series.row, span] + series.usual.monthly[series.row, span]
    above = np.nan_to_num(series.daily[span] - ordinary)
    best, since, grows = np.inf, first, False
    for begin in range(len(above) - BEFORE_DAYS // 2):
        after = np.arange(len(above)) - begin + 1
        for is_ramp, course in ((False, np.where(after > 0, 1.0, 0.0)), (True, np.maximum(after, 0.0))):
            height = float(course @ above) / float(course @ course)
            error = float(((above - height * course) ** 2).sum())
            if error < best:
                best, since, grows = error, start + begin, is_ramp
    return since, grows


def column_before_jump(column: int, first: int) -> int:
    """The last column of the same weekday before a jump that begins at `first`."""
    return column - 7 * ((column - first) // 7 + 1)


def day_before_jump(day: date, first: date) -> date:
    """The same of days."""
    return day - timedelta(days=7 * ((day - first).days // 7 + 1))


def explain_jump(
    excess: Decimal, differences: Mapping[tuple[str, ...], Decimal], most: int = 5, *, falls: bool = False
) -> list[tuple[tuple[str, ...], Decimal]]:
    """What makes up a change, the largest first; the empty key is all the rest, so that the parts sum to it.

    `differences`: what each item cost more than on the days before the change. What is expected to differ from these
    days (a trend, the turn of a month) is in the rest. `falls`: of a drop, what shrank.
    """
    sign = -1 if falls else 1
    grown = [(key, amount) for key, amount in differences.items() if sign * amount > 0]
    named = sorted(grown, key=lambda pair: (-abs(pair[1]), pair[0]))[:most]
    rest = excess - sum((amount for _, amount in named), ZERO)
    return [*named, *([((), rest)] if rest else [])]


def is_learnt(excess_a_day: Decimal, expected_before: Sequence[Decimal]) -> bool:
    """Whether a change is of the kind that somebody has called expected: not much larger, a day, than one of those, and
    in the same direction."""
    return any(
        excess_a_day * before > 0 and abs(excess_a_day) <= abs(before) * LEARNT_FACTOR for before in expected_before
    )
