"""How fast a plan is found, and how fast the demand it stands on.

``python -m benchmarks.commitments [pools] [hours]``: 200 pools x 8,760 hours with two plan types across them, in
seconds, gap and peak memory; demand is made up with a fixed seed: a level, a day, a week, a trend and noise.
``python -m benchmarks.commitments plain``: a smaller one, against the same program given to HiGHS whole.
``manage.py shell -c "from benchmarks import commitments; commitments.demand()"``: the hours of 30 days out of a bill of
ten million lines (limit 5 s), and the pages of commitments from what is stored (limit 300 ms).
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from reservations.optimizer.model import CapacityGroup, Option, PurchaseProblem
from reservations.optimizer.solve import solve

Result = TypeVar("Result")


def problem(pools: int, hours: int, seed: int = 7) -> PurchaseProblem:
    """Pools in families of five: an EC2 Instance SP for each family and a Compute SP across all."""
    random = np.random.default_rng(seed)
    at = np.arange(hours)

    def per_pool(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, pools)[:, None]

    day = per_pool(0, 0.6) * np.sin(2 * np.pi * (at + per_pool(0, 24)) / 24)
    week = 0.2 * ((at // 24) % 7 < 5)
    course = per_pool(-0.3, 0.5) * at / hours
    noise = 0.08 * random.standard_normal((pools, hours))
    demand = np.maximum(per_pool(2, 60) * (1 + day + week + course + noise), 0)
    price = random.uniform(0.02, 2, pools)
    family, across = (price * (share + random.uniform(-0.03, 0.03, pools)) for share in (0.63, 0.73))
    groups = [
        CapacityGroup(f"EC2 Instance SP {first}", tuple(range(first, last)), tuple(family[first:last].tolist()), 2)
        for first in range(0, pools, 5)
        for last in [min(first + 5, pools)]
    ]
    groups.append(CapacityGroup("Compute SP", tuple(range(pools)), tuple(across.tolist()), 3))
    return PurchaseProblem(demand, price, tuple(groups), tuple(Option(g.name, i, 1.0) for i, g in enumerate(groups)))


def demand(lines: int = 10_000_000) -> None:
    """Loads one month of `lines` FOCUS lines; prints the seconds of its demand and of the pages."""
    from benchmarks import bill, fresh_database
    from benchmarks.load import LOAD

    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        path = bill.write(Path(folder) / "bill.csv.gz", lines)
        subprocess.run([*LOAD, str(path), "bench"], stdout=subprocess.DEVNULL, check=True, env=environment)
        print(f"{lines:,} lines")
        command = [sys.executable, "-m", "benchmarks.commitments", "measure-demand"]
        subprocess.run(command, check=True, env=environment)


def measure_demand() -> None:
    """The part of `demand` in a process of its own, as a worker would."""
    import django

    django.setup()
    from django.test import Client

    from finops_site.lib.periods import Month
    from finops_site.models import User
    from reservations.inventory.commitment_usage import refresh_usage
    from reservations.recommendations.demand_sources import collect_demand
    from reservations.recommendations.plan_parameters import Parameters
    from reservations.recommendations.recommend import compute_recommendation, create_plan

    as_of = date(2026, 11, 1)
    first = "demand of 30 days, the first in its process (it imports Ibis)"
    timed(first, lambda: collect_demand(as_of, 30), 5)
    collected = timed("demand of 30 days", lambda: collect_demand(as_of, 30), 5)
    print(f"  {len(collected.demand.pools)} pools, grain {collected.demand.grain}")
    timed("commitments and coverage of the month", lambda: refresh_usage(Month(2026, 10)), 60)
    user = User.objects.create_superuser("fay@demo.example", "x")
    plan = compute_recommendation(create_plan(user, Parameters(), as_of=as_of))
    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(user)
    pages = ("owned/", "purchases/", "savings/")
    for url in ("/reservations/", plan.get_absolute_url(), *(f"/reservations/{page}" for page in pages)):
        browser.get(url)
        answer = timed(f"page {url}", partial(browser.get, url), 0.3)
        assert answer.status_code == 200, (url, answer.status_code)
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB")


def timed(what: str, action: Callable[[], Result], limit: float) -> Result:
    start = time.perf_counter()
    result = action()
    seconds = time.perf_counter() - start
    print(f"  {what}: {seconds:.2f} s, {seconds / limit:.2f} of the limit of {limit} s", flush=True)
    return result


def plain(pools: int = 40, hours: int = 2_000) -> None:
    """Ours against the same hours given to HiGHS as one program, which proves the optimum and takes its time."""
    input_ = problem(pools, hours)
    start = time.perf_counter()
    ours = solve(input_)
    middle = time.perf_counter()
    one_program = solve(input_, time_limit=600, most_variables=sys.maxsize)
    seconds, one_program_seconds = middle - start, time.perf_counter() - middle
    print(
        f"{pools} pools x {hours} hours: {seconds:.1f} s, gap {ours.gap:.3%}; one program {one_program_seconds:.1f} s, "
        f"gap {one_program.gap:.3%}: {one_program_seconds / seconds:.1f} times as long for a plan that costs "
        f"{ours.cost / one_program.cost:.5f}"
    )


def main(pools: int = 200, hours: int = 8_760) -> None:
    plan = solve(problem(pools, hours))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{pools} pools x {hours} hours: {plan.seconds:.2f} s, gap {plan.gap:.3%}, {memory:.0f} MB; "
        f"{plan.cost_before:,.0f} on demand, {plan.cost:,.0f} with the plan, no plan below {plan.lower_bound:,.0f}"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["measure-demand"]:
        measure_demand()
    elif sys.argv[1:] == ["plain"]:
        plain()
    else:
        main(*map(int, sys.argv[1:]))
