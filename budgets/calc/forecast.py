"""What the days ahead will cost: a distribution out of daily cost. Pure: no Django, no clock.

Several light methods and the simple ways (`forecast_methods`) are combined for each series by how little each erred
before, above all at as many days before the end of earlier months. The interval is not assumed: it is the spread of the
errors that the same combination made then. What is likeliest is the middle of the outcomes.

Money comes in and goes out as Decimal; floats live in these modules only.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from budgets.calc.calendar_effects import TINY
from budgets.calc.cost_history import CostHistory, Floats
from budgets.calc.forecast_methods import (
    FASTEST,
    LEVELLED,
    METHOD_NAMES,
    ONE_OFF_DAYS,
    RAMP,
    SCALED,
    SHORTEST,
    FittedSeries,
    span_errors,
)
from budgets.calc.simple_ways import SIMPLE_WAYS
from finops_site.lib.periods import Month

# Errors are taken from as many days before the end of so many months before, and a few days more and less; what was
# half as long ago again counts half. Those of any day of the last year, ERROR_STEP apart, count ELSEWHERE.
ERROR_MONTHS, AROUND, HALF_LIFE = 24, (-2, 0, 2), 12.0
ERROR_DAYS, ERROR_STEP, ELSEWHERE = 365, 6, 0.5
LONGEST_HORIZON, MOST_OF_A_MONTH = 92, 45
# How strongly the methods that erred less are preferred; so many outcomes are taken as known beforehand, at which the
# simple ways erred half as much again as our own; and the scaled ones must be much better to count at all.
SHARPNESS, PRIOR_COUNT, SIMPLE_ERROR, SCALED_SHARE = 6.0, 3.0, 1.5, 0.1
# A simple way that was compared less often than this is not taken alone.
FEWEST_ALONE = 6.0
# A method this many times as far from the others as it ever erred does not fit the days ahead.
FAR_OFF, LEAST_ERROR = 4.0, 0.003
# So few errors say nothing of their own; none counts as farther off than this, in days ahead like the last four weeks.
FEWEST_ERRORS, FARTHEST = 6, 5.0
# The weights are chosen by the same errors, which makes these a little small, and more so where they are few; measured
# by the shipped benchmark.
WIDENED, WIDENED_OF_FEW = 1.06, 4.0
# The middle of the errors moves what is likeliest only where it stands out of their spread, and not far.
DOUBT, MOST_MOVED = 15.0, 0.1
STEPS = 99
MIDDLE = STEPS // 2
# How far from the same amount floating point may be, as a share of it.
NOISE = 1e-9
LIKELY = np.arange(1, STEPS + 1) / (STEPS + 1)
NORMAL: npt.NDArray[np.float64] = np.array([NormalDist().inv_cdf(float(share)) for share in LIKELY])
# How much of a ramp goes on: most of it most likely, none and twice of it at the ends.
RAMP_SHARE, RAMP_SPREAD, RAMP_FARTHEST = 0.7, 0.6, 2.0
# Errors of the months before a ramp are those of another time.
RAMP_WIDENED = 2.0
# How likely a change of level of three days is over before the days ahead are, and in how many more days half as much.
RETURNS, RETURNS_HALVED = 0.35, 4.0
# Relative errors and sums nearer than this are the same.
SAME = 1e-6
# Where nothing is known of a forecast's errors: a normal spread of a quarter of what is ahead.
GUESSED: Floats = 0.25 * NORMAL


@dataclass(frozen=True, slots=True)
class Distribution:
    """What the days ahead will cost: STEPS equally likely sums, in the order of size.

    `credits`: what credits that come back every month, quarter or year take off in these days, zero or less.
    """

    likely: Floats
    method: str
    credits: float = 0.0

    @property
    def likeliest(self) -> float:
        """The middle of the outcomes: as likely too low as too high."""
        return float(self.likely[MIDDLE])

    def quantile(self, share: float) -> float:
        # NumPy's own takes a tenth of a millisecond each time, which many budgets feel.
        place = share * (len(self.likely) - 1)
        below = min(int(place), len(self.likely) - 2)
        low, high = float(self.likely[below]), float(self.likely[below + 1])
        return low + (high - low) * (place - below)

    def chance_above(self, limit: float) -> float:
        """How likely the days ahead cost more than `limit`: between 1 and 99 % as long as there are days ahead."""
        # What comes to the limit is not above it, whatever floating point leaves behind the cents.
        share = float((self.likely - limit > NOISE * max(abs(limit), 1.0)).mean())
        return min(max(share, 0.01), 0.99)


def forecast_days(fitted: FittedSeries, days: int, skip: int = 0) -> list[Distribution]:
    """What the next `days` days of every series will cost, without the first `skip` of them.

    `days` may be as many as a year has: errors are measured over LONGEST_HORIZON days at most, and grow with the root
    of the days beyond it.
    """
    history = fitted.history
    if history.days < SHORTEST:
        return [_run_rate(row, days - skip) for row in history.daily]
    likely = likely_sums(fitted, history.days, days, skip)
    added = fitted.effects.of_days(history.days, days)[:, skip:]
    credits_ahead = np.minimum(added, 0.0).sum(axis=1)
    young = history.days - history.first_columns() < SHORTEST
    return [
        _run_rate(history.daily[row], days - skip)
        if young[row]
        else Distribution(likely[row], "model", float(credits_ahead[row]))
        for row in range(len(likely))
    ]


def likely_sums(fitted: FittedSeries, origin: int, days: int, skip: int = 0) -> Floats:
    """STEPS equally likely sums of the days from column `origin` on, in order, by what was known before it."""
    horizon = min(days, LONGEST_HORIZON, max(7, origin // 3))
    spans = error_spans(fitted.history, origin, horizon)
    counts = np.array(list(spans.values()))
    errors = np.clip(span_errors(fitted, spans), -FARTHEST, FARTHEST)
    weights, shared = method_weights(errors, counts), _shared_weights(errors, counts)[0]
    ahead = fitted.forecast_sums(origin, days)
    if skip:
        ahead = ahead - fitted.forecast_sums(origin, skip)
    spread = error_quantiles(combine(errors, weights), counts, max(1.0, days / horizon) ** 0.5)
    scaled, missed = ahead / fitted.scale(origin, days), _mean_missed(errors, counts)[0]
    agreed = _agreeing(scaled, shared, missed)
    # A simple way alone has to agree too: with what all say together, by what both erred.
    erred = [_mean_missed(combine(errors, some)[None], counts)[0][0] for some in (weights, shared)]
    apart = np.abs(combine(scaled, weights) - combine(scaled, agreed))
    is_alone = (weights.max(axis=0) == 1) & (apart <= FAR_OFF * np.maximum(erred[0] + erred[1], LEAST_ERROR))
    agreed = np.where(is_alone, weights, agreed)
    together = combine(ahead, agreed)
    spread = spread * np.where(_is_ramp(ahead), RAMP_WIDENED, 1.0)[:, None]
    likely = together[:, None] + spread * fitted.scale(origin, days)[:, None]
    likely = np.sort(likely + _ramp_goes_on(ahead, together, errors), axis=1)
    ordered = likely + (days - skip) * _level_returns(fitted.before_change[origin], fitted.changed_for[origin])
    # What never took anything back will not begin to.
    least = np.where((fitted.history.daily[:, :origin] >= 0).all(axis=1), 0.0, -np.inf)
    bounded: Floats = np.maximum(ordered, least[:, None])
    return bounded


def _agreeing(ahead: Floats, weights: Floats, missed: Floats) -> Floats:
    """The weights without methods that are much farther from what the others say than they ever erred.

    The month's run rate stands no longer for what comes after a change of level, however good it was before.
    """
    order = np.argsort(np.where(np.isfinite(ahead), ahead, np.inf), axis=0)
    shares = np.where(np.isfinite(ahead), weights, 0.0)
    ordered = np.cumsum(np.take_along_axis(shares, order, axis=0), axis=0)
    place = (ordered < 0.5 * ordered[-1]).sum(axis=0)
    middle = np.take_along_axis(ahead, np.take_along_axis(order, place[None], axis=0), axis=0)[0]
    off = np.nan_to_num(np.abs(ahead - middle)) / (FAR_OFF * np.maximum(missed, LEAST_ERROR))
    fitting = weights / (1 + off**4)
    agreed: Floats = fitting / fitting.sum(axis=0, keepdims=True)
    return agreed


def _ramp_goes_on(ahead: Floats, together: Floats, errors: Floats) -> Floats:
    """What a ramp adds to each outcome: from nothing, where it ends today, to more than all of it, where it goes on.

    Nothing where ramps of the past ended more often than they went on.
    """
    off, off_level = np.abs(errors[RAMP]), np.abs(errors[FASTEST])
    before = np.isfinite(off) & (np.abs(off - off_level) > SAME)
    went_on = np.where(before, off_level - off, 0.0).sum(axis=1) > 0
    extra = np.where(_is_ramp(ahead) & (went_on | ~before.any(axis=1)), ahead[RAMP] - together, 0.0)[:, None]
    share = np.clip(RAMP_SHARE + RAMP_SPREAD * NORMAL, 0.0, RAMP_FARTHEST)[None, :]
    goes_on: Floats = extra * np.where(extra >= 0, share, share[:, ::-1])
    return goes_on


def _is_ramp(ahead: Floats) -> npt.NDArray[np.bool_]:
    """Which series rise or fall so steadily that going on makes a difference."""
    is_ramp: npt.NDArray[np.bool_] = np.abs(ahead[RAMP] - ahead[FASTEST]) > SAME * np.abs(ahead[FASTEST])
    return is_ramp


def _level_returns(before_change: Floats, changed_for: Floats) -> Floats:
    """What each outcome of a day costs more where the level was another one some days ago and may be so again.

    Sooner or later within the days ahead: of the outcomes on that side, from none to all of them.
    """
    chance = np.maximum(RETURNS * 0.5 ** ((changed_for - ONE_OFF_DAYS) / RETURNS_HALVED), TINY)[:, None]
    side = np.where(before_change[:, None] >= 0, LIKELY[None, :], LIKELY[None, ::-1])
    returned: Floats = before_change[:, None] * np.clip((side - (1 - chance)) / chance, 0.0, 1.0)
    return returned


def error_spans(history: CostHistory, origin: int, days: int) -> dict[tuple[int, int], float]:
    """{(column, days): how much it counts}: where forecasts are compared with what came, all before `origin`.

    Those count most that lie to their month as `origin` does to its: as far before its end, a few days around it. Few
    others count a little, for series that have no such months.
    """
    start, end = history.day(origin), history.day(origin) + timedelta(days=days)
    newest = (origin - days) // ERROR_STEP * ERROR_STEP
    spans = {(column, days): ELSEWHERE for column in range(newest, max(SHORTEST, newest - ERROR_DAYS) - 1, -ERROR_STEP)}
    for back in range(1, ERROR_MONTHS + 1):
        if days <= MOST_OF_A_MONTH:
            last = (_months_before(end, back) - history.first).days
            lengths = sorted({max(1, days + more) for more in AROUND})
            wanted = [(last - length, length) for length in lengths]
        else:
            wanted = [((_months_before(start, back) - history.first).days, days)]
        for column, length in wanted:
            if column >= SHORTEST and column + length <= origin:
                spans[column, length] = 0.5 ** (back / HALF_LIFE)
    return spans


def _months_before(day: date, back: int) -> date:
    month = Month.of(day).plus(-back)
    return month.start + timedelta(days=min(day.day, month.days) - 1)


def combine(values: Floats, weights: Floats) -> Floats:
    """The weighted mean of the methods that have a value: (methods, series, ...) becomes (series, ...)."""
    spread = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
    known = np.isfinite(values)
    total = np.where(known, values * spread, 0.0).sum(axis=0)
    share = np.where(known, spread, 0.0).sum(axis=0)
    combined: Floats = np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)
    return combined


def method_weights(errors: Floats, counts: Floats | None = None) -> Floats:
    """How much each method counts for each series, by how little it erred; all alike where nothing is known.

    A simple way that erred less than all of them together is taken alone.
    """
    counts = np.ones(errors.shape[2]) if counts is None else counts
    weights, missed, known = _shared_weights(errors, counts)
    simple = slice(len(LEVELLED), len(LEVELLED) + len(SIMPLE_WAYS))
    together, _ = _mean_missed(combine(errors, weights)[None], counts)
    rivals = np.where(known[simple] >= FEWEST_ALONE, missed[simple], np.inf)
    alone = np.flatnonzero(rivals.min(axis=0) < together[0])
    weights[:, alone] = 0.0
    weights[simple.start + rivals.argmin(axis=0)[alone], alone] = 1.0
    return weights


def _shared_weights(errors: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """The weights of all methods together, how much each erred (with what is taken as known), and of how many."""
    own = slice(len(LEVELLED))
    missed, known = _mean_missed(errors, counts)
    usual = np.where(known[own] > 0, missed[own], 0.0).sum(axis=0) / np.maximum((known[own] > 0).sum(axis=0), 1)
    prior = np.where(np.arange(len(METHOD_NAMES)) < len(LEVELLED), 1.0, SIMPLE_ERROR)[:, None] * usual
    missed = (missed * known + prior * PRIOR_COUNT) / (known + PRIOR_COUNT)
    preference = np.where(known > 0, np.maximum(missed, 1e-6) ** -SHARPNESS, 0.0)
    preference[len(METHOD_NAMES) - len(SCALED) :] *= SCALED_SHARE
    nothing = preference.sum(axis=0) <= 0
    preference[:, nothing] = 1.0
    return preference / preference.sum(axis=0, keepdims=True), missed, known


def _mean_missed(errors: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """The mean absolute error of each method and series, and how many outcomes it is of."""
    known = np.isfinite(errors) * counts
    total = known.sum(axis=2)
    missed = (np.where(np.isfinite(errors), np.abs(errors), 0.0) * counts).sum(axis=2) / np.maximum(total, TINY)
    return missed, total


def error_quantiles(errors: Floats, counts: Floats, longer: float = 1.0) -> Floats:
    """Each series' errors as STEPS equally likely ones, widened, and `longer` times as far where more days are ahead
    than were tested; a series that has too few has a guess, whichever others are forecast beside it."""
    known = np.isfinite(errors)
    enough = known.sum(axis=1) >= FEWEST_ERRORS
    quantiles = np.tile(GUESSED, (errors.shape[0], 1))
    order = np.argsort(np.where(known, errors, np.inf), axis=1)
    for row in np.flatnonzero(enough):
        places = order[row][: known[row].sum()]
        share = np.cumsum(counts[places])
        share = (share - counts[places] / 2) / share[-1]
        quantiles[row] = np.interp(LIKELY, share, errors[row, places])
    middle = quantiles[:, MIDDLE][:, None]
    # Two thirds of the errors lie within one spread of the middle.
    spread = (quantiles[:, STEPS - 1 - STEPS // 6] - quantiles[:, STEPS // 6])[:, None] / 2
    outcomes = np.maximum((known * counts).sum(axis=1), 1.0)[:, None]
    clear = middle**2 / (middle**2 + DOUBT * spread**2 / outcomes + TINY)
    moved = np.clip(middle * clear, -MOST_MOVED, MOST_MOVED)
    widened = ((quantiles - middle) * (WIDENED + WIDENED_OF_FEW / outcomes) + moved) * longer
    return np.where(enough[:, None], widened, GUESSED)


def _run_rate(daily: Floats, days: int) -> Distribution:
    """The mean of the days since the first cost, again and again, with a wide guess around it."""
    has_cost = np.flatnonzero(daily)
    mean = float(daily[has_cost[0] :].mean()) if has_cost.size else 0.0
    return Distribution(mean * days + GUESSED * abs(mean * days), "run rate" if has_cost.size else "none")
