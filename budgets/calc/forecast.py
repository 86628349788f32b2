"""Where a period will end: a distribution out of daily cost. Pure: no Django, no clock.

Several light ways to forecast (the last week again, exponential smoothing at three speeds over a weekday profile, one
of them with a damped trend as in the Theta method) are combined for each series by how little
each erred at earlier origins over as many days. What falls on the first of a month is a fee of its own, and the last
three days of a month have factors where they differ month after month. The interval is not assumed: it is the spread
of the errors that the same combination made at earlier origins. All series are worked side by side in NumPy.

Money comes in and goes out as Decimal; floats live in here only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from finops_site.lib.periods import Month

Floats = npt.NDArray[np.float64]

SPEEDS = (0.2, 0.4, 0.7)
TREND_ON = 1
# The last week again, one for each speed, and one with a trend.
WAYS = 2 + len(SPEEDS)
PROFILE_WEEKS = 8
# A day's ratio to the week around it is known when the three days after it are.
HALF_WEEK = 3
FEE_SPEED = 0.5
# An excess on the first of a month is a fee from this many usual deviations on.
FEE_DEVIATIONS = 4.0
MONTH_END_DAYS = 3
MONTH_ENDS = 6
TREND_DAYS = 28
TREND_SHRINK = 0.5
TREND_LIMIT = 0.004
DAMPING = 0.97
# Fewer days than this and a run rate is all there is to say.
SHORTEST = 28
# How far back errors are taken from, and how many days lie between two origins.
RESIDUAL_DAYS = 365
RESIDUAL_STEP = 3
LONGEST_HORIZON = 92
# How strongly the ways that erred less are preferred.
SHARPNESS = 4.0
FEWEST_ERRORS = 12
# The weights are chosen by the same errors, which makes these a little small; measured by the shipped backtest.
WIDENED = 1.12
STEPS = 99
LIKELY = np.arange(1, STEPS + 1) / (STEPS + 1)
# Where nothing is known of a forecast's errors: a normal spread of a quarter of what is ahead.
GUESSED: npt.NDArray[np.float64] = 0.25 * np.array([NormalDist().inv_cdf(float(share)) for share in LIKELY])
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class History:
    """Daily cost of many series, a row each; column 0 is the day `first`, the last column the last whole day."""

    first: date
    daily: Floats

    @property
    def days(self) -> int:
        return int(self.daily.shape[1])

    @property
    def end(self) -> date:
        """The first day that is not known."""
        return self.first + timedelta(days=self.days)

    def day(self, column: int) -> date:
        return self.first + timedelta(days=column)


@dataclass(frozen=True, slots=True)
class MonthEffects:
    """What the turn of a month does to each series, as known before each column.

    `plain` are the days as they would have been without it; fees and factors stand at the columns they hold from on.
    """

    plain: Floats
    known_from: list[int]
    fees: list[Floats]
    factors: list[Floats]

    def before(self, origin: int) -> tuple[Floats, Floats]:
        """(the fee that falls on the next first, the factors of a month's last, last but one and last but two day)."""
        place = int(np.searchsorted(self.known_from, origin, side="right")) - 1
        return self.fees[place], self.factors[place]


@dataclass(frozen=True, slots=True)
class States:
    """What can be said of every series before each day: index t holds what columns 0 to t - 1 say."""

    history: History
    effects: MonthEffects
    ratios: Floats
    levels: Floats
    slope: Floats

    def candidates(self, origin: int, days: int) -> Floats:
        """The sum of the `days` days from column `origin` on, forecast before it in each of WAYS: a row for a way."""
        shape = self._profile(origin, days)
        smooth = [self.levels[origin, :, number][:, None] * shape for number in range(len(SPEEDS))]
        drift = self.slope[origin][:, None] * np.cumsum(DAMPING ** np.arange(1, days + 1))[None, :]
        courses = [self._last_week(origin, days), *smooth, smooth[TREND_ON] + drift]
        return self._with_turns(origin, np.stack(courses))

    def _profile(self, origin: int, days: int) -> Floats:
        found: Floats = profile_before(self.ratios, origin)[:, np.arange(days) % 7]
        return found

    def _last_week(self, origin: int, days: int) -> Floats:
        found: Floats = self.effects.plain[:, origin - 7 : origin][:, np.arange(days) % 7]
        return found

    def _with_turns(self, origin: int, courses: Floats) -> Floats:
        """The sums of courses with the fees of the firsts and the last days of the months in them."""
        fee, factors = self.effects.before(origin)
        total: Floats = courses.sum(axis=2)
        for column, left in _turns(self.history.day(origin), courses.shape[2]):
            if left:
                total = total + courses[:, :, column] * (factors[:, left - 1] - 1)[None, :]
            else:
                total = total + fee[None, :]
        return total

    def scale(self, origin: int, days: int) -> Floats:
        """What an error over `days` days is measured by: the recent level's cost of as many days."""
        recent = self.history.daily[:, max(0, origin - 28) : origin]
        found: Floats = np.maximum(np.abs(recent).mean(axis=1) * days, TINY)
        return found


def days_left(day: date) -> int:
    """1 on the last day of its month, 2 on the day before."""
    return (Month.of(day).next.start - day).days


def _turns(start: date, days: int) -> list[tuple[int, int]]:
    """(days from `start`, 0) of each first of a month and (days, 1 to 3) of its last days, within `days` days."""
    found, first = list[tuple[int, int]](), Month.of(start).start
    while (first - start).days <= days + MONTH_END_DAYS:
        ends = [(first - timedelta(days=left), left) for left in range(MONTH_END_DAYS, 0, -1)]
        found += [((day - start).days, left) for day, left in [*ends, (first, 0)] if 0 <= (day - start).days < days]
        first = Month.of(first).next.start
    return found


def learn(history: History) -> States:
    """Everything the ways to forecast stand on, for each origin at once."""
    effects = month_effects(history)
    ratios = _ratios(effects.plain)
    levels = _levels(effects.plain, ratios)
    return States(history, effects, ratios, levels, _slopes(levels[:, :, TREND_ON]))


def month_effects(history: History) -> MonthEffects:
    """Goes from month to month and learns what its first and its last days cost beyond ordinary days."""
    many = history.daily.shape[0]
    plain = history.daily.copy()
    found = MonthEffects(plain, [0], [np.zeros(many)], [np.ones((many, MONTH_END_DAYS))])
    seen: list[list[Floats]] = [[] for _ in range(MONTH_END_DAYS)]
    for column in range(14, history.days):
        left = days_left(history.day(column))
        if history.day(column).day == 1:
            _learn_fee(found, column)
        elif left <= MONTH_END_DAYS:
            _learn_month_end(found, column, left - 1, seen[left - 1])
    return found


def _usual(plain: Floats, column: int) -> tuple[Floats, Floats]:
    """What a day was to cost, by the same weekdays and the last week; and the usual deviation from that."""
    last = plain[:, column - 7 : column]
    week_before = plain[:, column - 14 : column - 7]
    growth = _ratio(last.sum(axis=1), week_before.sum(axis=1))
    return plain[:, column - 7] * np.clip(growth, 0.7, 1.4), np.abs(last - week_before).mean(axis=1) + TINY


def _learn_fee(found: MonthEffects, column: int) -> None:
    usual, deviation = _usual(found.plain, column)
    excess = found.plain[:, column] - usual
    is_fee = np.abs(excess) > FEE_DEVIATIONS * deviation + 0.05 * np.abs(usual)
    excess = np.where(is_fee, excess, 0.0)
    before = found.fees[-1]
    fee = np.where(before == 0, excess, before + FEE_SPEED * (excess - before))
    found.plain[:, column] -= excess
    found.known_from.append(column + 1)
    found.fees.append(fee)
    found.factors.append(found.factors[-1])


def _learn_month_end(found: MonthEffects, column: int, place: int, seen: list[Floats]) -> None:
    """A factor holds where it was seen twice at least and stands out of its own scatter."""
    usual, _ = _usual(found.plain, column)
    ratio = _ratio(found.plain[:, column], usual)
    seen.append(ratio)
    del seen[:-MONTH_ENDS]
    all_seen = np.stack(seen)
    mean, scatter = all_seen.mean(axis=0), all_seen.std(axis=0, ddof=1) if len(seen) > 1 else np.full(ratio.shape, 9.0)
    # The usual share of one column: what is within three standard errors or a tenth is no effect.
    clear = np.abs(mean - 1) > np.maximum(3 * scatter / len(seen) ** 0.5, 0.1)
    factors = found.factors[-1].copy()
    factors[:, place] = np.where(clear, mean, 1.0)
    odd = np.abs(ratio - 1) > 0.25
    found.plain[:, column] = np.where(clear & odd, usual, found.plain[:, column])
    found.known_from.append(column + 1)
    found.fees.append(found.fees[-1])
    found.factors.append(factors)


def _ratio(cost: Floats, expected: Floats) -> Floats:
    """cost / expected, 1 where nothing was expected, within bounds that an odd day cannot leave."""
    safe = np.where(np.abs(expected) > TINY, expected, 1.0)
    found: Floats = np.where(np.abs(expected) > TINY, np.clip(cost / safe, 0.0, 7.0), 1.0)
    return found


def _ratios(plain: Floats) -> Floats:
    """Each day by the mean of the seven days around it; 1 where these are not all known."""
    sums = np.cumsum(np.pad(plain, ((0, 0), (1, 0))), axis=1)
    found = np.ones_like(plain)
    if plain.shape[1] >= 7:
        means = (sums[:, 7:] - sums[:, :-7]) / 7
        found[:, HALF_WEEK:-HALF_WEEK] = _ratio(plain[:, HALF_WEEK:-HALF_WEEK], means)
    return found


def profile_before(ratios: Floats, origin: int) -> Floats:
    """The seven weekday factors for columns `origin` to `origin` + 6, by the last weeks whose ratios are known."""
    weeks = min(PROFILE_WEEKS, (origin - HALF_WEEK) // 7)
    if weeks < 1:
        return np.ones((ratios.shape[0], 7))
    end = origin - HALF_WEEK
    factors = ratios[:, end - 7 * weeks : end].reshape(-1, weeks, 7).mean(axis=1)
    # The first of them is `end` - 7's, so that of `origin` stands HALF_WEEK further.
    factors = np.roll(factors, -HALF_WEEK, axis=1)
    found: Floats = np.maximum(factors / np.maximum(factors.mean(axis=1, keepdims=True), TINY), 0.02)
    return found


def _levels(plain: Floats, ratios: Floats) -> Floats:
    """The level before each day, smoothed at each speed, weekdays taken out."""
    many, days = plain.shape
    found = np.zeros((days + 1, many, len(SPEEDS)))
    level = np.repeat(plain[:, :7].mean(axis=1, keepdims=True), len(SPEEDS), axis=1)
    speeds = np.array(SPEEDS)[None, :]
    found[0] = level
    for column in range(days):
        day = plain[:, column] / profile_before(ratios, column)[:, 0]
        level = level + speeds * (day[:, None] - level)
        found[column + 1] = level
    return found


def _slopes(level: Floats) -> Floats:
    """A day's rise, from the mean levels of the last four weeks and the four before; shrunk, and bounded."""
    sums = np.cumsum(np.pad(level, ((1, 0), (0, 0))), axis=0)
    means = (sums[TREND_DAYS:] - sums[:-TREND_DAYS]) / TREND_DAYS
    slope = np.zeros_like(level)
    if len(means) > TREND_DAYS:
        rise = (means[TREND_DAYS:] - means[:-TREND_DAYS]) / TREND_DAYS * TREND_SHRINK
        limit = TREND_LIMIT * np.abs(level[2 * TREND_DAYS - 1 :])
        slope[2 * TREND_DAYS - 1 :] = np.clip(rise, -limit, limit)
    return slope


def residuals(states: States, horizon: int, columns: Sequence[int]) -> Floats:
    """(actual - forecast) / scale over `horizon` days: for each way to forecast, each series, each of `columns`.

    Not a number where a series had not begun for SHORTEST days by then.
    """
    sums = np.cumsum(np.pad(states.history.daily, ((0, 0), (1, 0))), axis=1)
    begun = beginnings(states.history)
    found = np.full((WAYS, states.history.daily.shape[0], len(columns)), np.nan)
    for place, origin in enumerate(columns):
        actual = sums[:, origin + horizon] - sums[:, origin]
        error = (actual - states.candidates(origin, horizon)) / states.scale(origin, horizon)
        found[:, :, place] = np.where(origin - begun >= SHORTEST, error, np.nan)
    return found


def beginnings(history: History) -> npt.NDArray[np.intp]:
    """The column of each series' first cost; the number of columns where it has none."""
    has = history.daily != 0
    return np.where(has.any(axis=1), has.argmax(axis=1), history.days)


def columns_before(end: int, horizon: int) -> list[int]:
    """Origins within the last year whose `horizon` days are over by column `end`, the earliest first."""
    newest = end - horizon
    oldest = max(SHORTEST, newest - RESIDUAL_DAYS)
    return list(range(newest, oldest - 1, -RESIDUAL_STEP))[::-1]


def weights(errors: Floats) -> Floats:
    """How much each way counts for each series, by how little it erred; all alike where nothing is known."""
    known = np.isfinite(errors)
    count = known.sum(axis=2)
    missed = np.where(known, np.abs(errors), 0.0).sum(axis=2) / np.maximum(count, 1)
    liked = np.where(count > 0, np.maximum(missed, 1e-6) ** -SHARPNESS, 1.0)
    found: Floats = liked / liked.sum(axis=0, keepdims=True)
    return found


def quantiles_of(errors: Floats) -> Floats:
    """Each series' errors as STEPS equally likely ones, widened; series that have too few take those of all."""
    known = np.isfinite(errors)
    enough = known.sum(axis=1) >= FEWEST_ERRORS
    found = np.tile(_errors_of_all(errors[known]), (errors.shape[0], 1))
    if enough.any():
        mine = errors[enough]
        if known[enough].all():
            found[enough] = np.quantile(mine, LIKELY, axis=1).T
        else:
            found[enough] = np.nanquantile(mine, LIKELY, axis=1).T
    return found * WIDENED


def _errors_of_all(errors: Floats) -> Floats:
    if errors.size < FEWEST_ERRORS:
        return GUESSED
    found: Floats = np.quantile(errors, LIKELY)
    return found


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the days ahead will cost: the likeliest sum and STEPS equally likely ones, in the order of size."""

    likeliest: float
    likely: Floats
    method: str

    def quantile(self, share: float) -> float:
        # NumPy's own takes a tenth of a millisecond each time, which many budgets feel.
        place = share * (len(self.likely) - 1)
        below = min(int(place), len(self.likely) - 2)
        low, high = float(self.likely[below]), float(self.likely[below + 1])
        return low + (high - low) * (place - below)

    def chance_above(self, limit: float) -> float:
        """How likely the days ahead cost more than `limit`: between 1 and 99 % as long as there are days ahead."""
        share = float((self.likely > limit).mean())
        return min(max(share, 0.01), 0.99)


def outlooks(states: States, days: int, skip: int = 0) -> list[Outlook]:
    """What the next `days` days of every series will cost, without the first `skip` of them.

    `days` may be as many as a year has: errors are measured over LONGEST_HORIZON days at most, and grow with the root
    of the days beyond it.
    """
    history = states.history
    horizon = min(days, LONGEST_HORIZON, max(7, history.days // 3))
    if history.days < SHORTEST:
        return [_run_rate(row, days - skip) for row in history.daily]
    errors = residuals(states, horizon, columns_before(history.days, horizon))
    share = weights(errors)
    ahead = states.candidates(history.days, days)
    if skip:
        ahead = ahead - states.candidates(history.days, skip)
    likeliest = (ahead * share).sum(axis=0)
    combined = quantiles_of((errors * share[:, :, None]).sum(axis=0)) * max(1.0, days / horizon) ** 0.5
    likely = likeliest[:, None] + combined * states.scale(history.days, days)[:, None]
    young = history.days - beginnings(history) < SHORTEST
    return [
        _run_rate(history.daily[row], days - skip)
        if young[row]
        else Outlook(float(likeliest[row]), likely[row], "model")
        for row in range(len(likeliest))
    ]


def _run_rate(daily: Floats, days: int) -> Outlook:
    """The mean of the days since the first cost, again and again, with a wide guess around it."""
    has = np.flatnonzero(daily)
    mean = float(daily[has[0] :].mean()) if has.size else 0.0
    sum_ahead = mean * days
    method = "run rate" if has.size else "none"
    return Outlook(sum_ahead, sum_ahead + GUESSED * abs(sum_ahead), method)
