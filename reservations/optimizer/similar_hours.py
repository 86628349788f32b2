"""Fewer hours that stand for all: equal hours as one, and similar hours averaged. Pure: no Django."""

import numpy as np

from reservations.optimizer.application import WeightedHours
from reservations.optimizer.model import Floats, PurchaseProblem, Whole


def distinct_hours(demand: Floats) -> WeightedHours:
    """Hours with the very same demand are one: exact."""
    columns = np.ascontiguousarray(demand.T)
    _, first, counts = np.unique(columns, axis=0, return_index=True, return_counts=True)
    return WeightedHours(np.ascontiguousarray(columns[first].T), counts.astype(np.float64))


def averaged_hours(problem: PurchaseProblem, hours: WeightedHours, most_variables: int) -> WeightedHours:
    """As many means of similar hours as the solver can take: the widest cluster is halved where it is widest."""
    variables_per_hour = max(1, sum(len(group.pools) for group in problem.groups))
    most = max(2, most_variables // variables_per_hour)
    if hours.weights.size <= most:
        return hours
    money = hours.demand * problem.on_demand[:, None]
    clusters = [_cluster(money, hours.weights, np.arange(hours.weights.size))]
    while len(clusters) < most:
        spread, members, row = clusters.pop(int(np.argmax([spread for spread, _, _ in clusters])))
        if spread <= 0:
            clusters.append((0.0, members, row))
            break
        ordered = members[np.argsort(money[row, members])]
        middle = len(ordered) // 2
        clusters += [_cluster(money, hours.weights, part) for part in (ordered[:middle], ordered[middle:])]
    weights = np.array([hours.weights[members].sum() for _, members, _ in clusters])
    sums = [hours.demand[:, members] @ hours.weights[members] for _, members, _ in clusters]
    return WeightedHours(np.array(sums).T / weights, weights)


def _cluster(money: Floats, weights: Floats, members: Whole) -> tuple[float, Whole, int]:
    if len(members) < 2:
        return 0.0, members, 0
    spread = money[:, members].std(axis=1)
    row = int(spread.argmax())
    return float(spread[row] * weights[members].sum()), members, row
