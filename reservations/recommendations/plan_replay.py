"""The purchases of a plan replayed on the hours they were decided on, by the bill's rules.

Two ways to the same number: the optimiser's, in floats over all hours at once, and `calc.discount_application`, which
says how AWS applies commitments, in decimals hour by hour. They differ by what floats lose, or one of them is wrong.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from finops_site.lib.money import exact_text
from reservations.calc.discount_application import OwnedCommitment, Usage
from reservations.calc.purchase_replay import ReplayedPurchase, replay_purchases
from reservations.calc.terms import HOURS_A_YEAR, lot_of
from reservations.optimizer.application import apply_purchases
from reservations.optimizer.similar_hours import distinct_hours
from reservations.recommendations.solved_plan import SolvedPlan, decimal_text

# Uses to apply, one by one: about ten seconds.
MOST_STEPS: Final = 1_000_000
CENT: Final = Decimal("0.01")


def replay_plan(solved: SolvedPlan) -> dict[str, Any]:
    """What a year saves by the replay, by the plan over the same hours, and whether they agree to the cent.

    Where there are too many hours to replay, the last ones are.
    """
    problem, quantities = solved.market.problem, solved.solution.quantities
    purchases = list(_purchases(solved))
    hours = max(24, MOST_STEPS // max(1, len(problem.on_demand) * (len(purchases) + 1)))
    recent = replace(problem, demand=problem.demand[:, -hours:])
    distinct = distinct_hours(recent.demand)
    prices = {pool: _exact(price) for pool, price in zip(solved.market.pools, problem.on_demand, strict=True)}
    columns = (
        (
            int(times),
            [Usage(pool, _exact(run)) for pool, run in zip(solved.market.pools, column, strict=True) if run > 0],
        )
        for times, column in zip(distinct.weights, distinct.demand.T, strict=True)
    )
    replay = replay_purchases(columns, purchases, prices, is_shared=solved.parameters.is_shared)
    to_year = Decimal(HOURS_A_YEAR) / replay.hours
    before = float((recent.on_demand[:, None] * recent.demand).sum())
    expected = (before - apply_purchases(recent, quantities).cost) * float(to_year)
    saving = replay.saving * to_year
    return {
        "hours": replay.hours,
        "saving": exact_text(saving.quantize(Decimal("1E-6"))),
        "expected": decimal_text(expected),
        "agrees": abs(saving - Decimal(decimal_text(expected))) < CENT,
    }


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def _purchases(solved: SolvedPlan) -> Iterator[ReplayedPurchase]:
    problem = solved.market.problem
    for index, quantity in enumerate(solved.solution.quantities):
        if quantity <= 0:
            continue
        offer, group = solved.market.offers[index], problem.groups[problem.options[index].group]
        scale = offer.scale if offer.is_plan else 1.0
        amount = Decimal(decimal_text(float(quantity) * scale))
        rates = {
            replace(solved.market.pools[pool], account="", zone=""): (
                _exact(weight) * _exact(scale),
                _exact(problem.on_demand[pool]),
            )
            for pool, weight in zip(group.pools, group.weights, strict=True)
        }
        pool = replace(offer.price.pool, account=offer.pools[0].account)
        units = amount if offer.is_plan else amount * lot_of(pool)
        commitment = OwnedCommitment(f"{index}", offer.kind, pool, units, pool.zone, rates if offer.is_plan else {})
        yield ReplayedPurchase(commitment, amount if offer.is_plan else amount * offer.price.effective)
