"""The exact optimum of one pool: how much to commit when demand is known. Pure: no Django.

With on-demand rate p, committed rate r and hourly demand d, the cost r c T + p sum(max(0, d - c)) is convex and
piecewise linear in c; its minimum is the quantile of demand at 1 - r/p: a unit is worth committing that runs in more
than r/p of the hours (Stokely et al., "Shaved Ice", ICPE 2025). Levels are in units of demand, costs in the rates'
currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum

import numpy as np
from numpy.typing import NDArray

Hours = NDArray[np.float64]
DemandLike = Sequence[float] | Sequence[int] | Hours


@dataclass(frozen=True, slots=True)
class Optimum:
    """Commit `level`: the whole time costs `cost`, and `on_demand` without any commitment."""

    level: float
    cost: float
    on_demand: float


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price of one unit: `fixed` for every hour of the term, and `used` for each hour it runs."""

    name: str
    fixed: float
    used: float


@dataclass(frozen=True, slots=True)
class Layer:
    """The units between two levels of demand, all under the tariff that is cheapest for how often they run."""

    tariff: str
    low: float
    high: float
    cost: float


def demand_array(demand: DemandLike) -> Hours:
    """Demand as an array. Raises ValueError for hours that are negative or no numbers."""
    hours = np.asarray(demand, dtype=np.float64)
    if hours.size and (not np.isfinite(hours).all() or hours.min() < 0):
        raise ValueError("demand must be numbers that are not negative")
    return hours


def cost(demand: DemandLike, level: float, *, on_demand: float, committed: float) -> float:
    """What the hours cost with `level` units committed: the commitment, and on demand what is above it."""
    hours = demand_array(demand)
    above = np.maximum(hours - level, 0.0)
    return committed * level * len(hours) + on_demand * fsum(above.tolist())


def optimum(demand: DemandLike, *, on_demand: float, committed: float) -> Optimum:
    """The cheapest level, the smallest of several. Raises ValueError for rates that are not above zero."""
    hours = demand_array(demand)
    if on_demand <= 0 or committed < 0:
        raise ValueError("rates must be above zero")
    without = on_demand * fsum(hours.tolist())
    if not len(hours) or committed >= on_demand:
        return Optimum(0.0, without, without)
    share = committed / on_demand
    position = max(0, int(np.ceil(len(hours) * (1 - share) - 1e-9)) - 1)
    # The smallest level that is exceeded in at most `share` of the hours.
    level = float(np.sort(hours)[position]) if share < 1 else 0.0
    return Optimum(level, cost(hours, level, on_demand=on_demand, committed=committed), without)


def layers(demand: DemandLike, tariffs: Sequence[Tariff]) -> list[Layer]:
    """The cheapest tariff for every level of demand: the lower envelope, exact for any number of tariffs.

    A unit between two neighbouring levels of the sorted demand runs in the same share u of the hours, so that tariff i
    costs fixed_i + used_i u for it; neighbours under one tariff are one layer.
    """
    hours = np.sort(demand_array(demand))
    if not len(hours) or not tariffs:
        return []
    edges = np.concatenate([[0.0], hours])
    widths = np.diff(edges)
    shares = (len(hours) - np.arange(len(hours))) / len(hours)
    fixed, used = (np.array([[getattr(tariff, name)] for tariff in tariffs]) for name in ("fixed", "used"))
    prices = fixed + used * shares
    best = prices.argmin(axis=0)
    costs = prices.min(axis=0) * widths * len(hours)
    joined: list[Layer] = []
    starts = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)]
    for first, past in pairwise(starts):
        low, high = float(edges[first]), float(edges[past])
        if high > low:
            joined.append(Layer(tariffs[int(best[first])].name, low, high, fsum(costs[first:past].tolist())))
    return joined


def steady_units(demand: DemandLike, share: float) -> int:
    """How many machines ran in more than `share` of the hours: what observed use, and no label, calls steady."""
    hours = demand_array(demand)
    if not len(hours):
        return 0
    ordered = np.sort(hours)[::-1]
    # The n-th machine ran in the hours whose demand is n or more.
    most = int(np.floor(ordered[0] + 1e-9))
    ran = np.searchsorted(-ordered, -(np.arange(1, most + 1) - 1e-9), side="right")
    return int((ran > share * len(hours)).sum())
