"""Why a purchase is as large as it is: the formula with its numbers, or the limit or purchase that decided instead."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from django.utils.translation import gettext as _

from finops_site.lib.words import share_text
from finops_site.translation import gettext_lazy as _lazy
from reservations.optimizer.application import (
    apply_purchases,
    demand_at_turn,
    group_sizes,
    is_within_limits,
    use_by_size,
)
from reservations.optimizer.model import Floats, PurchaseLimits
from reservations.recommendations.plan_choice import STEP
from reservations.recommendations.solved_plan import SolvedPlan, decimal_text

FORMULA: Final = "formula"
LIMIT: Final = "limit"
PURCHASES: Final = "purchases"
SOLVER: Final = "solver"
LIMIT_WORDS: Final = {
    "upfront": _lazy("cash on the first day at most"),
    "monthly": _lazy("paid a month at most"),
    "maximum_coverage": _lazy("cover at most"),
    "minimum_utilisation": _lazy("expect to use at least"),
    "minimum_coverage": _lazy("cover at least"),
}
SHARES: Final = ("maximum_coverage", "minimum_utilisation", "minimum_coverage")
NEAR: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Margin:
    """The last unit that is bought and the next that is not: share of hours it runs, and what it takes off an hour."""

    runs: float
    next_runs: float
    value: float
    next_value: float


def explain_quantity(solved: SolvedPlan, index: int) -> dict[str, Any]:
    """The numbers of the formula for an option, and what decided how much of it is bought."""
    offer, group = solved.market.offers[index], solved.market.problem.options[index].group
    scale = offer.scale if offer.is_plan else 1.0
    own = solved.market.problem.groups[group]
    at = max(range(len(own.pools)), key=lambda i: solved.market.problem.demand[own.pools[i]].sum())
    on_demand = float(solved.market.problem.on_demand[own.pools[at]]) / (own.weights[at] * scale)
    committed = offer.hourly / scale
    least_return = solved.least_return_of(index)
    margin = _margin(solved, group, offer.is_plan, scale)
    kind, words = _decision(solved, index, margin, committed * (1 + least_return))
    level = demand_at_turn(solved.market.problem, solved.solution.quantities, group) * scale
    size = float(group_sizes(solved.market.problem, solved.solution.quantities)[group]) * scale
    near = STEP if offer.is_plan else NEAR
    return {
        "ratio": decimal_text(committed / on_demand),
        "least_return": decimal_text(least_return),
        "threshold": decimal_text(committed * (1 + least_return) / on_demand),
        "committed": decimal_text(committed),
        "on_demand": decimal_text(on_demand),
        "pays_above": decimal_text(committed * (1 + least_return)),
        "level": decimal_text(size),
        "runs": decimal_text(margin.runs),
        "next": decimal_text(margin.next_runs),
        "value": decimal_text(margin.value),
        "next_value": decimal_text(margin.next_value),
        "one_price": _has_one_price(solved, group),
        "decided_by": kind,
        "decided": words,
        "above": int((level > size + near).sum()),
        "below": int((level < size - near).sum()),
        "hours": len(level),
    }


def _margin(solved: SolvedPlan, group: int, is_plan: bool, scale: float) -> Margin:
    """At the group's turn in AWS's order, per unit bought: a machine, or of a plan a small part of what is bought."""
    problem, quantities = solved.market.problem, solved.solution.quantities
    size = float(group_sizes(problem, quantities)[group])
    smallest = STEP / scale
    step = max(size / 10_000, smallest) if is_plan else 1.0
    # What was rounded down is within the next step of five decimals: the unit after that is the next.
    upper = size + (smallest if is_plan else 0.0)
    edges = (max(size - step, 0.0), size, upper, upper + step)
    level = demand_at_turn(problem, quantities, group)
    last, following = (
        float(np.clip(level - low, 0.0, step).mean()) / step if step else 0.0 for low in (edges[0], edges[2])
    )
    figures = use_by_size(problem, quantities, group, edges)
    per_unit = step * scale * problem.demand.shape[1]
    values = [(figures[high][1] - figures[low][1]) / per_unit for low, high in ((0, 1), (2, 3))]
    return Margin(last, following, values[0], values[1])


def _has_one_price(solved: SolvedPlan, group: int) -> bool:
    """Whether a unit is worth the same whatever machine it covers, so that the quantile is the whole formula."""
    own, problem = solved.market.problem.groups[group], solved.market.problem
    worth = [problem.on_demand[pool] / weight for pool, weight in zip(own.pools, own.weights, strict=True)]
    return bool(max(worth) - min(worth) <= NEAR * max(worth))


def _decision(solved: SolvedPlan, index: int, margin: Margin, pays_above: float) -> tuple[str, str]:
    """What decided, and the sentence that says so."""
    near = NEAR * pays_above
    pays, next_pays = margin.value >= pays_above - near, margin.next_value > pays_above + near
    if pays and not next_pays:
        return FORMULA, _("The formula decided: the last unit pays, the next would not.")
    alone = _("By the formula alone more would pay") if next_pays else _("By the formula alone less would do")
    last_return, next_return = _returns(solved, index)
    least_return = solved.least_return_of(index)
    if next_return > least_return + NEAR:
        limit = _limit_that_stops(solved, index)
        if limit:
            # Of coverage the person's own share: the problem's is that of what is left to cover.
            of_all = solved.parameters.target_coverage if limit == "maximum_coverage" else None
            value = getattr(solved.market.problem.limits, limit) if of_all is None else of_all
            amount = share_text(value) if limit in SHARES else f"{value:,.2f} {solved.plan.currency}"
            return LIMIT, _("{alone}: the limit “{limit} {amount}” stopped it here.").format(
                alone=alone, limit=LIMIT_WORDS[limit], amount=amount
            )
        return SOLVER, _("{alone}: the plan is within {solver_gap} of the best one by this rule.").format(
            alone=alone, solver_gap=share_text(solved.solver_gap, 2)
        )
    if last_return < least_return - NEAR and solved.parameters.minimum_coverage:
        return LIMIT, _("{alone}: the limit “{limit}” asked for it.").format(
            alone=alone, limit=LIMIT_WORDS["minimum_coverage"]
        )
    if last_return >= least_return - NEAR:
        return PURCHASES, (
            _(
                "{alone}: the other purchases of this plan decided. Beside them its last unit returns "
                "{last_return} of what it commits, the next {next_return}; {least_return} is asked."
            ).format(
                alone=alone,
                last_return=share_text(last_return, 1),
                next_return=share_text(next_return, 1),
                least_return=share_text(least_return, 1),
            )
        )
    return SOLVER, _("{alone}: the plan is within {solver_gap} of the best one by this rule.").format(
        alone=alone, solver_gap=share_text(solved.solver_gap, 2)
    )


def _step_of(solved: SolvedPlan, index: int) -> float:
    """A machine; of a plan a thousandth of what is bought, and a step at least."""
    offer = solved.market.offers[index]
    return max(float(solved.solution.quantities[index]) / 1000, STEP / offer.scale) if offer.is_plan else 1.0


def _returns(solved: SolvedPlan, index: int) -> tuple[float, float]:
    """What the last unit and the next save of what they commit, with everything else of the plan in place."""
    problem, quantities = solved.market.problem, solved.solution.quantities
    step, hourly = _step_of(solved, index), problem.options[index].hourly
    costs = [apply_purchases(problem, _changed(quantities, index, by)).cost for by in (-step, 0.0, step, 2 * step)]
    committed = step * hourly * problem.demand.shape[1]
    last = (costs[0] - costs[1]) / committed
    # The next one that is whole: what was rounded down is part of the first.
    following = (costs[2] - costs[3] if solved.market.offers[index].is_plan else costs[1] - costs[2]) / committed
    return last, following


def _changed(quantities: Floats, index: int, by: float) -> Floats:
    changed = quantities.copy()
    changed[index] = max(changed[index] + by, 0.0)
    return changed


def _limit_that_stops(solved: SolvedPlan, index: int) -> str:
    """The limit that one unit more would break; empty when none would."""
    problem = solved.market.problem
    more = _changed(solved.solution.quantities, index, _step_of(solved, index))
    applied = apply_purchases(problem, more)
    for name in LIMIT_WORDS:
        value = getattr(problem.limits, name)
        if value is not None and name != "minimum_coverage":
            only = replace(problem, limits=PurchaseLimits(**{name: value}))
            if not is_within_limits(only, more, applied, solved.solution.cost_before):
                return name
    return ""
