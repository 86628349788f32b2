"""What will be needed while a commitment runs, from what was: demand looks forward. Pure: no Django.

For each pool, from all the history there is (a year and a month):

- **Level**: the hours of the lookback where they are steady; where they are not, those of the last week, which has
  every weekday once and is over quickest.
- **Gone**: machines that stand still for longer, by half, than they ever did before are not counted; nor are those that
  stand still for three days when there are no two weeks yet to compare with.
- **New**: machines that did not run before the last week do not count yet, where there is more than that to look at.
- **Season**: where last year ended at the level it began with, its months come again.
- **Trend**: a straight line through all the history, of which three quarters are believed; only where the line tells
  the weeks better than one step does (a machine more since May is no growth), only what grows still, and no more than
  another of each machine there is; of growth as much less as the history is shorter than a year, which may be half a
  season. What falls now goes on falling.
- **Ends**: a commitment that ends within the time leaves its machines as demand from that day on.

Growth counts for a year and no longer: a commitment of three years is not justified by one year's growth, so that the
demand of a longer time has none. The three quarters were chosen on the first part of four real series and tested on the
rest (benchmarks/backtest.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.periods import day_text
from finops_site.lib.words import some_of
from reservations.optimizer.demand import HOUR, NOTHING, Demand
from reservations.optimizer.held_capacity import HeldCapacity, left_to_cover
from reservations.optimizer.optimum import Hours

WEEK: Final = 7 * 24
DAYS_A_YEAR: Final = 365
MONTH: Final = timedelta(days=DAYS_A_YEAR) / 12
# The share of a trend that is believed.
BELIEVED: Final = 0.75
GROWTH_MONTHS: Final = 12
# A level that moves by less is steady, a trend that brings less in a year is none.
STEADY_WITHIN: Final = 0.05
# So many weeks make a trend; of a fall four do.
TREND_WEEKS, FALL_WEEKS, QUARTER_WEEKS = 8, 4, 13
# A line that explains less of what the weeks differ by is none.
LEAST_FIT: Final = 0.5
# A fall that is over within months is one of more than this share in four weeks.
FAST_FALL: Final = 0.25
# A season moves the level by more than this, and comes back to within that of where it was.
SEASON_MOVES, SEASON_RETURNS = 0.2, 0.1
# No more hours than a year has, for the program's sake.
MOST_COLUMNS: Final = 8_760
LEVELS: Final = 64

Days = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Course:
    """How a pool goes on: the highest level that still runs, and its factor in each month to come, in `words`."""

    highest: float
    is_steady: bool
    factors: NDArray[np.float64]
    words: str = ""


def expected_demand(
    gross: Demand, held: Sequence[HeldCapacity], *, months: int, days: int, with_held: bool = False
) -> Demand:
    """The demand to expect in the `months` from the end of `gross` on, less what is `held` until it ends.

    `gross` is all use of the history, what commitments cover included. `days` of it are the lookback. Where nothing
    changes the columns are the lookback's own hours; else each month to come has as many columns as the others, so that
    every column stands for the same time. `even` goes the same way as `machines`. The notes say what was assumed.
    `with_held` takes nothing off: it is all use, in the same columns.
    """
    window = gross.last_days(days)
    if not window.pools or gross.until is None:
        return window
    index = {pool: i for i, pool in enumerate(gross.pools)}
    rows = [index[pool] for pool in window.pools]
    daily = _Daily(gross.machines[rows] if gross.even is None else gross.even[rows], gross.machines[rows], gross)
    courses = [_course(daily, row, window.machines[row], months) for row in range(len(rows))]
    machines = _level(window.machines, window, courses)
    even = None if window.even is None else _level(window.even, window, courses)
    names = [course.words.format(pool=pool) for pool, course in zip(window.pools, courses, strict=True) if course.words]
    notes = [*window.notes, *_in_words(names, months)]
    factors = np.array([course.factors for course in courses])
    ends = [capacity for capacity in held if capacity.until and capacity.until < gross.until + months * MONTH]
    taken = () if with_held else held
    if (factors == 1.0).all() and not ends:
        left = left_to_cover(window.pools, machines, taken)
        even = None if even is None else left_to_cover(window.pools, even, taken)
        return replace(window, notes=notes).with_machines(left, even)
    columns = _columns_a_month(window.hours, months)
    moments = (np.arange(months * columns) + 0.5) / columns * (MONTH / HOUR)

    def ahead(hours: Hours) -> Hours:
        tiled = np.tile(hours[:, -columns:], months) * np.repeat(factors, columns, axis=1)
        return left_to_cover(window.pools, tiled, taken, moments, gross.until)

    notes += _ends_in_words(ends)
    start = gross.until
    future = Demand(window.pools, machines, start, window.grain, notes, None, None, start + months * MONTH, None)
    return future.with_machines(ahead(machines), None if even is None else ahead(even))


def expected_hours(history: Hours, *, days: int) -> Hours:
    """The same for one series of hours, a year ahead: what the replay of the past decides by."""
    from reservations.calc.terms import MachinePool

    start = datetime(2000, 1, 1)
    full_days = history[len(history) % 24 :]
    gross = Demand([MachinePool("", "", "")], full_days[None, :], start, "", until=start + len(full_days) * HOUR)
    expected = expected_demand(gross, (), months=GROWTH_MONTHS, days=days)
    return expected.machines[0] if expected.pools else np.zeros(1)


class _Daily:
    """Means and highest hours of the days that are known entirely, and of the weeks, counted back from the end."""

    def __init__(self, mean_of: Hours, highest_of: Hours, gross: Demand) -> None:
        day = gross.hours_after_start // 24
        firsts = np.flatnonzero(np.diff(day, prepend=-1))
        sizes = np.diff([*firsts, len(day)])
        full = sizes == 24
        if not full.any():
            full = sizes > 0
        self.day: NDArray[np.int64] = day[firsts][full]
        self.means: Days = (np.add.reduceat(mean_of, firsts, axis=1) / sizes)[:, full]
        self.highest: Days = np.maximum.reduceat(highest_of, firsts, axis=1)[:, full]
        week = (self.day[-1] - self.day) // 7
        firsts = np.flatnonzero(np.diff(week, prepend=-1))
        sizes = np.diff([*firsts, len(week)])
        # The first week may lack days, and then its weekends weigh too much.
        firsts, sizes = (firsts[1:], sizes[1:]) if len(sizes) > 1 and sizes[0] < 7 else (firsts, sizes)
        self.week: NDArray[np.int64] = -week[firsts]
        self.weeks: Days = np.add.reduceat(self.means, firsts, axis=1) / sizes


def _course(daily: _Daily, row: int, window: Hours, months: int) -> Course:
    running = _still_running(daily.highest[row], daily.day)
    highest = min(running, _older_than_a_week(daily.highest[row], daily.day))
    level = min(float(daily.weeks[row, -1]), highest)
    mean = float(window.mean())
    steady = highest >= float(window.max()) - NOTHING and abs(level - mean) <= STEADY_WITHIN * max(level, mean)
    factors, words = np.ones(months), ""
    if running < float(window.max()) - NOTHING:
        words = _("{{pool}}: {ran} ran, of which {running} still do").format(
            ran=_number(float(window.max())), running=_number(running)
        )
    if highest < running - NOTHING:
        words = _("{{pool}}: of {running} only {count} run for a week or longer, and count").format(
            running=_number(running), count=_number(highest)
        )
    if level <= NOTHING or highest <= NOTHING:
        return Course(highest, steady, factors, words)
    season = _season(daily, row, months)
    if season is not None:
        return Course(highest, False, season, _("{pool}: the months of last year come again"))
    slope = _trend(daily, row, months)
    if slope:
        middle = (np.arange(months) + 0.5) * (DAYS_A_YEAR / 12)
        # The last week's level is that of its middle.
        factors = np.clip(1 + slope * (middle + 3.5) / level, 0.0, 2.0)
        words = _("{{pool}}: grows from {first} to {last} machines")
        if slope < 0:
            words = _("{{pool}}: falls from {first} to {last} machines")
        words = words.format(first=_number(level), last=_number(level * float(factors[-1])))
    return Course(highest, steady and not slope, factors, words)


def _still_running(highest: Days, day: NDArray[np.int64]) -> float:
    """The highest level that still runs: a machine that never stood still for as long before is gone."""
    levels = np.unique(highest[highest > NOTHING])
    if len(levels) > LEVELS:
        levels = np.unique(np.quantile(levels, np.linspace(0, 1, LEVELS), method="nearest"))
    alive = 0.0
    for level in levels:
        ran = day[highest >= level - NOTHING]
        idle = int(day[-1] - ran[-1])
        longest = int(np.diff(ran).max(initial=1)) - 1
        has_history = ran[-1] - ran[0] >= 2 * 7 - 1
        if idle > (1.5 * longest if has_history else max(2.0, 1.5 * longest)):
            break
        alive = float(level)
    return alive


def _older_than_a_week(highest: Days, day: NDArray[np.int64]) -> float:
    """The highest level of the four weeks before the last; no limit where the last is no higher, or is all there is."""
    ago = day[-1] - day
    before = highest[(ago >= 7) & (ago < 35)]
    if len(before) < 7 or highest[ago < 7].max() <= before.max() * (1 + STEADY_WITHIN):
        return np.inf
    return float(before.max())


def _trend(daily: _Daily, row: int, months: int) -> float:
    """Machines more a day that are believed, or fewer; 0 where there is no trend."""
    weeks, week = daily.weeks[row], daily.week
    level = float(weeks[-1])
    fall = _slope(weeks[-FALL_WEEKS:], week[-FALL_WEEKS:]) if len(weeks) >= FALL_WEEKS else 0.0
    last = daily.highest[row, -7:]
    falls_still = len(last) == 7 and last[4:].max() < last[:4].max() * (1 - STEADY_WITHIN)
    if falls_still and fall * 7 * FALL_WEEKS < -FAST_FALL * float(weeks[-FALL_WEEKS:].max()):
        return fall
    if len(weeks) < TREND_WEEKS:
        return 0.0
    slope = _slope(weeks, week)
    if abs(slope) * DAYS_A_YEAR < STEADY_WITHIN * level:
        return 0.0
    if slope < 0:
        return BELIEVED * slope
    if months > GROWTH_MONTHS or not _grows_still(weeks, slope * 7):
        return 0.0
    # What rose for half a year may be half a season.
    return BELIEVED * slope * min(1.0, float(daily.day[-1] - daily.day[0] + 1) / DAYS_A_YEAR)


def _grows_still(weeks: Days, a_week: float) -> bool:
    """Whether the last quarter lies above the one before, and its weeks have not come to rest."""
    half = min(QUARTER_WEEKS, len(weeks) // 2)
    last, before = weeks[-half:], weeks[-2 * half : -half]
    return bool(last.mean() > before.mean() and np.ptp(weeks[-TREND_WEEKS:]) > a_week * (TREND_WEEKS - 1) / 2)


def _slope(weeks: Days, week: NDArray[np.int64]) -> float:
    """A day's change by the least squares line; 0 where one step tells the weeks as well, or the line tells little."""
    at = week.astype(float)
    centred = at - at.mean()
    slope = float(centred @ weeks / (centred @ centred))
    total = float(((weeks - weeks.mean()) ** 2).sum())
    line = total - slope * slope * float(centred @ centred)
    if total <= NOTHING or line > (1 - LEAST_FIT) * total or line >= _best_step(weeks):
        return 0.0
    return slope / 7


def _best_step(weeks: Days) -> float:
    """The squared errors of the best two levels, the second from some week on."""
    count = np.arange(1, len(weeks))
    sums, squares = weeks.cumsum(), (weeks**2).cumsum()
    before = squares[:-1] - sums[:-1] ** 2 / count
    after = (squares[-1] - squares[:-1]) - (sums[-1] - sums[:-1]) ** 2 / (len(weeks) - count)
    return float((before + after).min(initial=np.inf))


def _season(daily: _Daily, row: int, months: int) -> NDArray[np.float64] | None:
    """The factors of the months to come by last year's; None where there is no year, or it ended elsewhere."""
    ago = daily.day[-1] - daily.day
    means = daily.means[row]
    now, then = means[ago < 28], means[(ago >= DAYS_A_YEAR) & (ago < DAYS_A_YEAR + 28)]
    if len(then) < 21 or not then.mean() or abs(now.mean() / then.mean() - 1) > SEASON_RETURNS:
        return None
    last_year = []
    for month in range(12):
        first = DAYS_A_YEAR - month * DAYS_A_YEAR / 12
        part = means[(ago < first) & (ago >= first - DAYS_A_YEAR / 12)]
        if not len(part):
            return None
        last_year.append(float(part.mean()))
    factors = np.array(last_year) / float(means[ago < 7].mean())
    if np.ptp(factors) <= SEASON_MOVES:
        return None
    return np.resize(factors, months)


def _level(machines: Hours, window: Demand, courses: Sequence[Course]) -> Hours:
    """The hours that stand for a week or a month to come: the lookback's, or the last week's again and again."""
    if window.hours > WEEK:
        hour = window.hours_after_start % WEEK
        last = np.full(WEEK, -1)
        last[hour[-WEEK:]] = np.arange(window.hours - WEEK, window.hours)
        source = last[hour]
        # An hour of the week that is not delivered: another hour of the last week in its place.
        source = np.where(source < 0, window.hours - WEEK + np.arange(window.hours) % WEEK, source)
        steady = np.array([course.is_steady for course in courses])
        machines = np.where(steady[:, None], machines, machines[:, source])
    highest = np.array([course.highest for course in courses])
    level: Hours = np.minimum(machines, highest[:, None])
    return level


def _columns_a_month(hours: int, months: int) -> int:
    """How many of the last hours stand for each month: whole weeks where there are some."""
    most = min(hours, MOST_COLUMNS // months)
    return most // WEEK * WEEK if most >= WEEK else most


def _in_words(names: Sequence[str], months: int) -> Iterator[str]:
    if names:
        yield ngettext(
            "Expected for the next month: {names}.", "Expected for the next {months} months: {names}.", months
        ).format(months=months, names=some_of(names, between="; "))


def _ends_in_words(ends: Sequence[HeldCapacity]) -> Iterator[str]:
    listed = sorted(
        {_("{words} on {until}").format(words=capacity.words, until=day_text(capacity.until)) for capacity in ends}
    )
    if listed:
        yield (
            _("Commitments that end in that time leave their machines as demand from that day on: {listed}.").format(
                listed=some_of(listed, between="; ")
            )
        )


def _number(machines: float) -> str:
    return f"{machines:.3g}"
