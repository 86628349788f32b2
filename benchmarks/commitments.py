"""How fast a plan is found: 200 pools x 8,760 hours with two plan types across them.

    .venv/bin/python -m benchmarks.commitments [pools] [hours]

Prints seconds, gap and peak memory. Demand is made up with a fixed seed: a level, a day, a week, a trend and noise.
"""

import resource
import sys

import numpy as np

from reservations.planning import Group, Option, Problem, solve


def problem(pools: int, hours: int, seed: int = 7) -> Problem:
    """Pools in families of five: an EC2 Instance SP for each family and a Compute SP across all."""
    random = np.random.default_rng(seed)
    at = np.arange(hours)

    def each(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, pools)[:, None]

    day = each(0, 0.6) * np.sin(2 * np.pi * (at + each(0, 24)) / 24)
    week = 0.2 * ((at // 24) % 7 < 5)
    course = each(-0.3, 0.5) * at / hours
    noise = 0.08 * random.standard_normal((pools, hours))
    demand = np.maximum(each(2, 60) * (1 + day + week + course + noise), 0)
    price = random.uniform(0.02, 2, pools)
    family, across = (price * (share + random.uniform(-0.03, 0.03, pools)) for share in (0.63, 0.73))
    groups = [
        Group(f"EC2 Instance SP {first}", tuple(range(first, last)), tuple(family[first:last].tolist()), 2)
        for first in range(0, pools, 5)
        for last in [min(first + 5, pools)]
    ]
    groups.append(Group("Compute SP", tuple(range(pools)), tuple(across.tolist()), 3))
    return Problem(demand, price, tuple(groups), tuple(Option(g.name, i, 1.0) for i, g in enumerate(groups)))


if __name__ == "__main__":
    size = [int(text) for text in sys.argv[1:]] or [200, 8760]
    found = solve(problem(*size))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{size[0]} pools x {size[1]} hours: {found.seconds:.2f} s, gap {found.gap:.3%}, {memory:.0f} MB; "
        f"{found.cost_before:,.0f} on demand, {found.cost:,.0f} with the plan, no plan below {found.lower_bound:,.0f}"
    )
