"""The methods that a forecast combines: the last week again, and smoothing over a weekday profile. Pure.

Exponential smoothing runs at three speeds over a weekday profile, one of them with a damped trend as in the Theta
method. All series are worked side by side in NumPy, and every origin of the past is known at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgets.calc.cost_history import CostHistory, Floats
from budgets.calc.month_effects import TINY, MonthEffects, cost_ratio, learn_month_effects

SPEEDS = (0.2, 0.4, 0.7)
TREND_ON = 1
# The last week again, one for each speed, and one with a trend.
METHODS = 2 + len(SPEEDS)
PROFILE_WEEKS = 8
# A day's ratio to the week around it is known when the three days after it are.
HALF_WEEK = 3
TREND_DAYS = 28
TREND_SHRINK = 0.5
TREND_LIMIT = 0.004
DAMPING = 0.97
# Fewer days than this allow a run rate only.
SHORTEST = 28


@dataclass(frozen=True, slots=True)
class FittedSeries:
    """What is known of every series before each day: index t holds what columns 0 to t - 1 show."""

    history: CostHistory
    effects: MonthEffects
    ratios: Floats
    levels: Floats
    slope: Floats

    def forecast_sums(self, origin: int, days: int) -> Floats:
        """The sum of the `days` days from column `origin` on, forecast before it: a row for each of METHODS."""
        week = np.arange(days) % 7
        shape = _weekday_profile(self.ratios, origin)[:, week]
        last_week = self.effects.plain[:, origin - 7 : origin][:, week]
        smooth = [self.levels[origin, :, number][:, None] * shape for number in range(len(SPEEDS))]
        drift = self.slope[origin][:, None] * np.cumsum(DAMPING ** np.arange(1, days + 1))[None, :]
        courses = np.stack([last_week, *smooth, smooth[TREND_ON] + drift])
        return self.effects.add_to_sums(origin, self.history.day(origin), courses)

    def scale(self, origin: int, days: int) -> Floats:
        """What an error over `days` days is measured by: the recent level's cost of as many days."""
        recent = self.history.daily[:, max(0, origin - 28) : origin]
        scale: Floats = np.maximum(np.abs(recent).mean(axis=1) * days, TINY)
        return scale


def fit(history: CostHistory) -> FittedSeries:
    """Everything the methods stand on, for each origin at once."""
    effects = learn_month_effects(history)
    ratios = _weekday_ratios(effects.plain)
    levels = _smoothed_levels(effects.plain, ratios)
    # A day's rise, from the mean levels of the last four weeks and the four before; shrunk, and bounded.
    level = levels[:, :, TREND_ON]
    sums = np.cumsum(np.pad(level, ((1, 0), (0, 0))), axis=0)
    means = (sums[TREND_DAYS:] - sums[:-TREND_DAYS]) / TREND_DAYS
    slope = np.zeros_like(level)
    if len(means) > TREND_DAYS:
        rise = (means[TREND_DAYS:] - means[:-TREND_DAYS]) / TREND_DAYS * TREND_SHRINK
        limit = TREND_LIMIT * np.abs(level[2 * TREND_DAYS - 1 :])
        slope[2 * TREND_DAYS - 1 :] = np.clip(rise, -limit, limit)
    return FittedSeries(history, effects, ratios, levels, slope)


def forecast_errors(fitted: FittedSeries, horizon: int, columns: Sequence[int]) -> Floats:
    """(actual - forecast) / scale over `horizon` days: for each method, each series, each of `columns`.

    Not a number where a series had not begun for SHORTEST days by then.
    """
    sums = np.cumsum(np.pad(fitted.history.daily, ((0, 0), (1, 0))), axis=1)
    begun = fitted.history.first_columns()
    errors = np.full((METHODS, fitted.history.daily.shape[0], len(columns)), np.nan)
    for place, origin in enumerate(columns):
        actual = sums[:, origin + horizon] - sums[:, origin]
        error = (actual - fitted.forecast_sums(origin, horizon)) / fitted.scale(origin, horizon)
        errors[:, :, place] = np.where(origin - begun >= SHORTEST, error, np.nan)
    return errors


def _weekday_ratios(plain: Floats) -> Floats:
    """Each day by the mean of the seven days around it; 1 where these are not all known."""
    sums = np.cumsum(np.pad(plain, ((0, 0), (1, 0))), axis=1)
    ratios = np.ones_like(plain)
    if plain.shape[1] >= 7:
        means = (sums[:, 7:] - sums[:, :-7]) / 7
        ratios[:, HALF_WEEK:-HALF_WEEK] = cost_ratio(plain[:, HALF_WEEK:-HALF_WEEK], means)
    return ratios


def _weekday_profile(ratios: Floats, origin: int) -> Floats:
    """The seven weekday factors for columns `origin` to `origin` + 6, by the last weeks whose ratios are known."""
    weeks = min(PROFILE_WEEKS, (origin - HALF_WEEK) // 7)
    if weeks < 1:
        return np.ones((ratios.shape[0], 7))
    end = origin - HALF_WEEK
    factors = ratios[:, end - 7 * weeks : end].reshape(-1, weeks, 7).mean(axis=1)
    # The first of them is `end` - 7's, so that of `origin` stands HALF_WEEK further.
    factors = np.roll(factors, -HALF_WEEK, axis=1)
    profile: Floats = np.maximum(factors / np.maximum(factors.mean(axis=1, keepdims=True), TINY), 0.02)
    return profile


def _smoothed_levels(plain: Floats, ratios: Floats) -> Floats:
    """The level before each day, smoothed at each speed, weekdays taken out."""
    many, days = plain.shape
    levels = np.zeros((days + 1, many, len(SPEEDS)))
    level = np.repeat(plain[:, :7].mean(axis=1, keepdims=True), len(SPEEDS), axis=1)
    speeds = np.array(SPEEDS)[None, :]
    levels[0] = level
    for column in range(days):
        day = plain[:, column] / _weekday_profile(ratios, column)[:, 0]
        level = level + speeds * (day[:, None] - level)
        levels[column + 1] = level
    return levels
