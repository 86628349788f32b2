"""What the days ahead will cost: a distribution out of daily cost. Pure: no Django, no clock.

Several light methods (`forecast_methods`) are combined for each series by how little each erred at earlier origins over
as many days. The interval is not assumed: it is the spread of the errors that the same combination made at earlier
origins.

Money comes in and goes out as Decimal; floats live in these modules only.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from budgets.calc.cost_history import Floats
from budgets.calc.forecast_methods import SHORTEST, FittedSeries, forecast_errors

# How far back errors are taken from, and how many days lie between two origins.
ERROR_DAYS = 365
ERROR_STEP = 3
LONGEST_HORIZON = 92
# How strongly the methods that erred less are preferred.
SHARPNESS = 4.0
FEWEST_ERRORS = 12
# The weights are chosen by the same errors, which makes these a little small; measured by the shipped backtest.
WIDENED = 1.12
STEPS = 99
LIKELY = np.arange(1, STEPS + 1) / (STEPS + 1)
# Where nothing is known of a forecast's errors: a normal spread of a quarter of what is ahead.
GUESSED: npt.NDArray[np.float64] = 0.25 * np.array([NormalDist().inv_cdf(float(share)) for share in LIKELY])


@dataclass(frozen=True, slots=True)
class Distribution:
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


def forecast_days(fitted: FittedSeries, days: int, skip: int = 0) -> list[Distribution]:
    """What the next `days` days of every series will cost, without the first `skip` of them.

    `days` may be as many as a year has: errors are measured over LONGEST_HORIZON days at most, and grow with the root
    of the days beyond it.
    """
    history = fitted.history
    horizon = min(days, LONGEST_HORIZON, max(7, history.days // 3))
    if history.days < SHORTEST:
        return [_run_rate(row, days - skip) for row in history.daily]
    # Origins within the last year whose days are over by now, the earliest first.
    newest = history.days - horizon
    origins = list(range(newest, max(SHORTEST, newest - ERROR_DAYS) - 1, -ERROR_STEP))[::-1]
    errors = forecast_errors(fitted, horizon, origins)
    weights = method_weights(errors)
    ahead = fitted.forecast_sums(history.days, days)
    if skip:
        ahead = ahead - fitted.forecast_sums(history.days, skip)
    likeliest = (ahead * weights).sum(axis=0)
    combined = error_quantiles((errors * weights[:, :, None]).sum(axis=0)) * max(1.0, days / horizon) ** 0.5
    likely = likeliest[:, None] + combined * fitted.scale(history.days, days)[:, None]
    young = history.days - history.first_columns() < SHORTEST
    return [
        _run_rate(history.daily[row], days - skip)
        if young[row]
        else Distribution(float(likeliest[row]), likely[row], "model")
        for row in range(len(likeliest))
    ]


def method_weights(errors: Floats) -> Floats:
    """How much each method counts for each series, by how little it erred; all alike where nothing is known."""
    known = np.isfinite(errors)
    count = known.sum(axis=2)
    missed = np.where(known, np.abs(errors), 0.0).sum(axis=2) / np.maximum(count, 1)
    preference = np.where(count > 0, np.maximum(missed, 1e-6) ** -SHARPNESS, 1.0)
    weights: Floats = preference / preference.sum(axis=0, keepdims=True)
    return weights


def error_quantiles(errors: Floats) -> Floats:
    """Each series' errors as STEPS equally likely ones, widened; series that have too few take those of all."""
    known = np.isfinite(errors)
    enough = known.sum(axis=1) >= FEWEST_ERRORS
    pooled = errors[known]
    common: Floats = GUESSED if pooled.size < FEWEST_ERRORS else np.quantile(pooled, LIKELY)
    quantiles = np.tile(common, (errors.shape[0], 1))
    if enough.any():
        own = errors[enough]
        if known[enough].all():
            quantiles[enough] = np.quantile(own, LIKELY, axis=1).T
        else:
            quantiles[enough] = np.nanquantile(own, LIKELY, axis=1).T
    return quantiles * WIDENED


def _run_rate(daily: Floats, days: int) -> Distribution:
    """The mean of the days since the first cost, again and again, with a wide guess around it."""
    has_cost = np.flatnonzero(daily)
    mean = float(daily[has_cost[0] :].mean()) if has_cost.size else 0.0
    sum_ahead = mean * days
    method = "run rate" if has_cost.size else "none"
    return Distribution(sum_ahead, sum_ahead + GUESSED * abs(sum_ahead), method)
