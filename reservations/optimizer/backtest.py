"""The past replayed: what each way to decide would have saved. Pure: no Django.

Rolling origin: at each point commit on what was known then, and pay until the term ends, whatever came.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from finops_site.lib.language import gettext_noop
from reservations.optimizer.expected_demand import expected_hours
from reservations.optimizer.optimum import DemandLike, Hours, cost, demand_array, optimum

WEEK: Final = 7 * 24
# What a recommendation knows of the past: a year and a month.
HISTORY: Final = 395 * 24


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One way to decide, over all origins: costs are sums, `saving` is the share of on demand that it saved."""

    strategy: str
    origins: int
    cost: float
    on_demand: float

    @property
    def saving(self) -> float:
        return 0.0 if self.on_demand == 0 else 1 - self.cost / self.on_demand


def _optimum_of_expected(past: Hours, lookback: int, ratio: float) -> float:
    expected = expected_hours(past[-HISTORY:], days=max(1, lookback // 24))
    return optimum(expected, on_demand=1.0, committed=ratio).level


def _quantile(hours: int, past: Hours, lookback: int, ratio: float) -> float:
    return optimum(past[-(hours or lookback) :], on_demand=1.0, committed=ratio).level


def _mean(hours: int, past: Hours, lookback: int, ratio: float) -> float:
    return float(past[-(hours or lookback) :].mean())


def _minimum(past: Hours, lookback: int, ratio: float) -> float:
    return float(past[-lookback:].min())


# The names of strategies are stored with a plan; its page translates them.
OURS: Final = gettext_noop("what is expected")
HINDSIGHT: Final = gettext_noop("hindsight")
# (all hours until then, the hours of the lookback, committed / on demand) -> what to commit.
STRATEGIES: Final[dict[str, Callable[[Hours, int, float], float]]] = {
    OURS: _optimum_of_expected,
    gettext_noop("optimum of the lookback"): partial(_quantile, 0),
    gettext_noop("optimum of the last week"): partial(_quantile, WEEK),
    gettext_noop("cover the minimum"): _minimum,
    gettext_noop("cover the average"): partial(_mean, 0),
    gettext_noop("cover the last week's average"): partial(_mean, WEEK),
    gettext_noop("none"): lambda past, lookback, ratio: 0.0,
}


def backtest(
    demand: DemandLike, *, ratio: float, lookback: int, term: int, step: int, first: int = 0
) -> list[BacktestResult]:
    """Every strategy over the origins that history allows, and hindsight, which nothing can beat.

    `ratio` is committed rate / on-demand rate; the other numbers are hours; no origin lies before the hour `first`.
    Costs are in on-demand hours. Raises ValueError where the history is shorter than lookback + term.
    """
    hours = demand_array(demand)
    origins = [at for at in range(lookback, len(hours) - term + 1, step) if at >= first]
    if not origins:
        raise ValueError(f"history of {len(hours):,} hours is too short for {lookback:,} to learn and {term:,} to pay")
    sums = dict.fromkeys([*STRATEGIES, HINDSIGHT], 0.0)
    total = 0.0
    for origin in origins:
        past, future = hours[:origin], hours[origin : origin + term]
        for name, decide in STRATEGIES.items():
            sums[name] += cost(future, decide(past, lookback, ratio), on_demand=1.0, committed=ratio)
        sums[HINDSIGHT] += optimum(future, on_demand=1.0, committed=ratio).cost
        total += float(future.sum())
    return [BacktestResult(name, len(origins), value, total) for name, value in sums.items()]
