"""The methods that a forecast combines, with what the calendar adds, and the simple ways beside them. Pure.

Exponential smoothing runs at several speeds over a weekday profile, one of them with a damped trend as in the Theta
method. A day far outside of what is usual is a one-off and leaves the level alone, until it lasts. All series are
worked side by side in NumPy, and every origin of the past is known at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from budgets.calc.calendar_effects import TINY, CalendarEffects, Flags, learn_effects
from budgets.calc.cost_history import Columns, CostHistory, Floats
from budgets.calc.simple_ways import BY_DATE, BY_END, LAST_YEAR, SIMPLE_WAYS, simple_sums
from finops_site.lib.language import gettext_noop

SPEEDS = (0.06, 0.2, 0.4, 0.7)
# The fast ones follow every day: where jumps are the rule they are no one-offs.
FOLLOWS_ONE_OFFS = np.array([0.0, 0.0, 1.0, 1.0])
TREND_ON = 1
LEVELLED = (
    gettext_noop("last week without one-offs"),
    *(f"level {speed}" for speed in SPEEDS),
    gettext_noop("trend"),
    gettext_noop("ramp"),
)
SCALED = (gettext_noop("last month at today's level"), gettext_noop("last year at today's level"))
METHOD_NAMES = (*LEVELLED, *SIMPLE_WAYS, *SCALED)
METHODS = len(METHOD_NAMES)
# These repeat days of long ago: what happened once then is no reason to expect it again.
CALM_WAYS = [SIMPLE_WAYS.index(way) for way in (BY_DATE, BY_END, LAST_YEAR)]
RAMP, FASTEST = LEVELLED.index("ramp"), LEVELLED.index(f"level {SPEEDS[-1]}")
PROFILE_WEEKS = 8
# A day's ratio to the week around it is known when the three days after it are.
HALF_WEEK = 3
TREND_DAYS = 28
TREND_SHRINK = 0.5
TREND_LIMIT = 0.004
DAMPING = 0.97
# A day this many usual deviations and this share of its level off is a one-off, until so many follow each other.
ONE_OFF_DEVIATIONS, ONE_OFF_SHARE, ONE_OFF_DAYS = 5.0, 0.1, 3
# So few of the days of the last year are rare.
ONE_OFFS_OF, RARE_SHARE = 365, 0.025
# So many days after that it may be over: a day like those before brings the old level back at once.
MAY_RETURN_DAYS = 14
# A ramp is a line through the logarithms of so many days, as clear and as steep as this; no steeper one is believed.
RAMP_DAYS, RAMP_ERRORS, RAMP_LEAST, RAMP_MOST = 13, 3.0, 0.006, 0.04
RAMP_LASTS = 45
# Errors are measured by the last four weeks, or this share of the year where that is more.
LEAST_SHARE_OF_YEAR = 0.1
# So many days after their beginning the levels of days that are all one week are where they stay.
LEVELLED_AFTER = 210
# Fewer days than this allow a run rate only.
SHORTEST = 28


@dataclass(frozen=True, slots=True)
class FittedSeries:
    """What is known of every series before each day: index t holds what columns 0 to t - 1 show."""

    history: CostHistory
    # The column of each series' first cost.
    begun: Columns
    effects: CalendarEffects
    without: Floats
    plain: Floats
    ratios: Floats
    levels: Floats
    slope: Floats
    # How much more than now a day cost before the level changed, for MAY_RETURN_DAYS; and for how many it has lasted.
    before_change: Floats
    changed_for: Floats
    # The sums of the days before each column, and the errors that were asked for.
    sums: Floats
    errors: dict[tuple[int, int], Floats] = field(default_factory=dict)

    def forecast_sums(self, origin: int, days: int) -> Floats:
        """The sum of the `days` days from column `origin` on, forecast before it: a row for each of METHOD_NAMES."""
        week = np.arange(days) % 7
        shape = _weekday_profile(self.ratios, origin)[:, week]
        added = self.effects.of_days(origin, days).sum(axis=1)
        total, levels = shape.sum(axis=1), self.levels[origin]
        drift = (shape * np.cumsum(DAMPING ** np.arange(1, days + 1))[None, :]).sum(axis=1) * self.slope[origin]
        rate = self._ramp(origin)
        steps = np.minimum(np.arange(1, days + 1), RAMP_LASTS)
        climb = (shape * np.exp(rate[:, None] * steps[None, :])).sum(axis=1)
        smooth = [levels[:, number] * total for number in range(len(SPEEDS))]
        simple = simple_sums(self.history, origin, days)
        calm = simple_sums(self.history, origin, days, self.plain)
        calm = np.where(self._one_offs_are_rare(origin), calm + added, simple)
        simple[CALM_WAYS] = calm[CALM_WAYS]
        before = max(origin - 30, 0), max(origin - 365, 0)
        now = levels[:, TREND_ON]
        scaled = [
            calm[SIMPLE_WAYS.index(way)] * _growth(now, self.levels[column, :, TREND_ON])
            for way, column in zip((BY_END, LAST_YEAR), before, strict=True)
        ]
        plain = self.plain[:, origin - 7 : origin][:, week].sum(axis=1)
        own = np.stack([plain, *smooth, smooth[TREND_ON] + drift, levels[:, -1] * climb]) + added
        return np.concatenate([own, simple, np.stack(scaled)])

    def _one_offs_are_rare(self, origin: int) -> Flags:
        """Whether a series had few one-offs in the year before a column; what comes often is to be expected."""
        first = max(0, origin - ONE_OFFS_OF)
        one_offs = np.abs(self.plain - self.without)[:, first:origin] > TINY
        rare: Flags = one_offs.sum(axis=1) <= RARE_SHARE * (origin - first)
        return rare

    def error_of(self, origin: int, days: int) -> Floats:
        """(actual - forecast) / scale of the days from a column on: a row for each method."""
        if (origin, days) not in self.errors:
            known = origin - self.begun >= SHORTEST
            error = np.full((METHODS, len(known)), np.nan)
            # Where all series are young most columns lie before them.
            if known.any():
                actual = self.sums[:, origin + days] - self.sums[:, origin]
                every = (actual - self.forecast_sums(origin, days)) / self.scale(origin, days)
                error = np.where(known, every, error)
            self.errors[origin, days] = error
        return self.errors[origin, days]

    def _ramp(self, origin: int) -> Floats:
        """The logarithm of how much dearer each day is than the one before, where the last days climb or fall steadily.

        Zero where they do not, or where one step between two levels fits them better.
        """
        if origin < SHORTEST:
            return np.zeros(len(self.plain))
        factors = np.roll(_weekday_profile(self.ratios, origin), RAMP_DAYS % 7, axis=1)[:, np.arange(RAMP_DAYS) % 7]
        days = self.plain[:, origin - RAMP_DAYS : origin] / np.where(factors > 0.05, factors, 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.where((days > TINY) & (factors > 0.05), np.log(days), np.nan)
        logs = np.where(np.isnan(logs), np.nanmean(np.where(np.isnan(logs), 0.0, logs), axis=1, keepdims=True), logs)
        time = np.arange(RAMP_DAYS) - (RAMP_DAYS - 1) / 2
        around = logs - logs.mean(axis=1, keepdims=True)
        slope = (around * time).sum(axis=1) / (time**2).sum()
        total = (around**2).sum(axis=1)
        left = np.maximum(total - slope**2 * (time**2).sum(), 0.0)
        # What the best step explains: of two levels, each the mean of its side.
        sums, count = np.cumsum(around, axis=1)[:, :-1], np.arange(1, RAMP_DAYS)
        step = (sums**2 * (1 / count + 1 / (RAMP_DAYS - count))).max(axis=1)
        error = np.sqrt(left / (RAMP_DAYS - 2) / (time**2).sum())
        clear = (np.abs(slope) > RAMP_ERRORS * error + RAMP_LEAST) & (left < total - step)
        rate: Floats = np.where(clear, np.clip(slope, -RAMP_MOST, RAMP_MOST), 0.0)
        return rate

    def scale(self, origin: int, days: int) -> Floats:
        """What an error over `days` days is measured by: the recent level's cost of as many days."""
        size = np.abs(self.history.daily[:, max(0, origin - 365) : origin])
        # After days that cost next to nothing an error is measured by what the year before cost.
        daily = np.maximum(size[:, -28:].mean(axis=1), LEAST_SHARE_OF_YEAR * size.mean(axis=1))
        scale: Floats = np.maximum(daily * days, TINY)
        return scale


def fit(history: CostHistory) -> FittedSeries:
    """Everything the methods stand on, for each origin at once."""
    effects = learn_effects(history)
    expected = effects.of_past()
    without = history.with_usual_days_before().daily - expected
    ratios = _weekday_ratios(without)
    begun = history.first_columns()
    levels, plain, before_change, changed_for = _smoothed_levels(without, ratios, begun)
    # A day's rise, from the mean levels of the last four weeks and the four before; shrunk, and bounded.
    level = levels[:, :, TREND_ON]
    sums = np.cumsum(np.pad(level, ((1, 0), (0, 0))), axis=0)
    means = (sums[TREND_DAYS:] - sums[:-TREND_DAYS]) / TREND_DAYS
    slope = np.zeros_like(level)
    if len(means) > TREND_DAYS:
        rise = (means[TREND_DAYS:] - means[:-TREND_DAYS]) / TREND_DAYS * TREND_SHRINK
        limit = TREND_LIMIT * np.abs(level[2 * TREND_DAYS - 1 :])
        slope[2 * TREND_DAYS - 1 :] = np.clip(rise, -limit, limit)
    total = np.cumsum(np.pad(history.daily, ((0, 0), (1, 0))), axis=1)
    return FittedSeries(
        history, begun, effects, without, plain, ratios, levels, slope, before_change, changed_for, total
    )


def forecast_errors(fitted: FittedSeries, horizon: int, columns: Sequence[int]) -> Floats:
    """(actual - forecast) / scale over `horizon` days: for each method, each series, each of `columns`."""
    return span_errors(fitted, [(column, horizon) for column in columns])


def span_errors(fitted: FittedSeries, spans: Iterable[tuple[int, int]]) -> Floats:
    """(actual - forecast) / scale of each (column, days): for each method, each series, each span.

    Not a number where a series had not begun for SHORTEST days by then, or not long enough for a simple way.
    """
    errors = [fitted.error_of(column, days) for column, days in spans]
    return np.stack(errors, axis=2) if errors else np.full((METHODS, len(fitted.plain), 0), np.nan)


def _growth(now: Floats, before: Floats) -> Floats:
    safe = np.abs(before) > TINY
    growth: Floats = np.where(safe, np.clip(now / np.where(safe, before, 1.0), 0.5, 2.0), 1.0)
    return growth


def _weekday_ratios(plain: Floats) -> Floats:
    """Each day by the mean of the seven days around it; 1 where these are not all known."""
    sums = np.cumsum(np.pad(plain, ((0, 0), (1, 0))), axis=1)
    ratios = np.ones_like(plain)
    if plain.shape[1] >= 7:
        means = (sums[:, 7:] - sums[:, :-7]) / 7
        safe = np.abs(means) > TINY
        middle = plain[:, HALF_WEEK:-HALF_WEEK] / np.where(safe, means, 1.0)
        ratios[:, HALF_WEEK:-HALF_WEEK] = np.where(safe, np.clip(middle, 0.0, 7.0), 1.0)
    return ratios


def _weekday_profile(ratios: Floats, origin: int) -> Floats:
    """The seven weekday factors for columns `origin` to `origin` + 6, by the last weeks whose ratios are known."""
    weeks = min(PROFILE_WEEKS, (origin - HALF_WEEK) // 7)
    if weeks < 1:
        return np.ones((ratios.shape[0], 7))
    end = origin - HALF_WEEK
    factors = _trimmed_mean(ratios[:, end - 7 * weeks : end].reshape(-1, weeks, 7))
    # The first of them is `end` - 7's, so that of `origin` stands HALF_WEEK further.
    factors = np.roll(factors, -HALF_WEEK, axis=1)
    return factors / _safe_mean(factors)[:, None]


def _safe_mean(factors: Floats) -> Floats:
    """The mean factor of a week; where most weeks cost nothing on most days it says nothing, and factors stay small."""
    mean: Floats = np.maximum(factors.mean(axis=1), 0.2)
    return mean


def _trimmed_mean(ratios: Floats) -> Floats:
    """The mean over the second axis without its lowest and highest quarter, which may be one-offs."""
    trimmed = ratios.shape[1] // 4
    mean: Floats = np.sort(ratios, axis=1)[:, trimmed : ratios.shape[1] - trimmed].mean(axis=1)
    return mean


def _smoothed_levels(without: Floats, ratios: Floats, begun: Columns) -> tuple[Floats, Floats, Floats, Floats]:
    """The level before each day, smoothed at each speed, weekdays taken out; the days without one-offs; and where the
    level changed lately, how much more a day cost before that, and for how many days it has lasted.

    Where every series began late, the days long before are looked at no more: they are all one week, `begun` says
    until when, and half a year of them leaves no trace of where the levels began.
    """
    many, days = without.shape
    levels, plain = np.zeros((days + 1, many, len(SPEEDS))), without.copy()
    start = max(0, int(begun.min(initial=days)) - LEVELLED_AFTER) // 7 * 7
    opening = without[:, start:]
    first = np.median(opening[:, :7], axis=1) if days else np.zeros(many)
    level = np.repeat(first[:, None], len(SPEEDS), axis=1)
    deviation = np.abs(opening[:, :14] - first[:, None]).mean(axis=1) if days else np.zeros(many)
    run = np.zeros(many)
    # The levels before the days that stand out, those before the last change, and how many days ago that was.
    calm, old, lasted = level, level, np.full(many, np.inf)
    before_change, changed_for = np.zeros((days + 1, many)), np.full((days + 1, many), np.inf)
    speeds = np.array(SPEEDS)[None, :]
    levels[start] = level
    factors = np.ones((many, 7))
    for column in range(start, days):
        # One more day's ratio is known: that weekday's factor changes.
        latest = column - HALF_WEEK - 1
        if latest >= start + HALF_WEEK:
            factors[:, latest % 7] = _trimmed_mean(ratios[:, latest % 7 : latest + 1 : 7][:, -PROFILE_WEEKS:])
        factor = factors[:, column % 7] / _safe_mean(factors)
        day, expected = without[:, column], level[:, TREND_ON] * factor
        off = day - expected
        bound = ONE_OFF_DEVIATIONS * deviation + ONE_OFF_SHARE * np.abs(level[:, TREND_ON]) + TINY
        sign = np.where(np.abs(off) > bound, np.sign(off), 0.0)
        off_old = np.abs(day - old[:, TREND_ON] * factor)
        old_bound = np.maximum(bound, ONE_OFF_SHARE * np.abs(old[:, TREND_ON]))
        is_back = (sign != 0) & (lasted <= MAY_RETURN_DAYS) & (off_old <= np.minimum(old_bound, np.abs(off)))
        level = np.where(is_back[:, None], old, level)
        sign = np.where(is_back, 0.0, sign)
        run = np.where(sign == 0, 0.0, np.where(np.sign(run) == sign, run + sign, sign))
        is_one_off = (sign != 0) & (np.abs(run) < ONE_OFF_DAYS)
        lasts = np.abs(run) == ONE_OFF_DAYS
        # A day that costs next to nothing by its weekday says nothing of the level.
        weight = np.clip(2 * factor, 0.0, 1.0)[:, None] * np.where(is_one_off[:, None], FOLLOWS_ONE_OFFS, 1.0)
        pure = (day / np.where(factor > 0.05, factor, 1.0))[:, None]
        level = level + np.where(factor > 0.05, 1.0, 0.0)[:, None] * weight * speeds * (pure - level)
        if lasts.any():
            since = without[:, column - ONE_OFF_DAYS + 1 : column + 1].mean(axis=1, keepdims=True)
            level = np.where(lasts[:, None], since, level)
            old, lasted = np.where(lasts[:, None], calm, old), np.where(lasts, ONE_OFF_DAYS - 1, lasted)
        calm = np.where((sign == 0)[:, None] | lasts[:, None], level, calm)
        lasted = np.where(is_back, np.inf, lasted + 1)
        deviation = deviation + 0.05 * (np.minimum(np.abs(off), bound) - deviation)
        plain[:, column] = np.where(is_one_off, expected, day)
        levels[column + 1] = level
        may_return = lasted <= MAY_RETURN_DAYS
        before_change[column + 1] = np.where(may_return, old[:, TREND_ON] - level[:, TREND_ON], 0.0)
        changed_for[column + 1] = np.where(may_return, lasted, np.inf)
    levels[:start] = levels[min(start + LEVELLED_AFTER, days)]
    return levels, plain, before_change, changed_for
