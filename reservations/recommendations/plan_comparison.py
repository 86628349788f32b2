"""The same demand by each kind of commitment alone, and by all together: the same columns."""

from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from finops_site.lib.language import gettext_noop
from reservations.calc.terms import KINDS, PLANS, RESERVED, SP_COMPUTE, SP_EC2, is_plan_eligible
from reservations.optimizer.model import Solution
from reservations.optimizer.offers import Market
from reservations.recommendations.plan_choice import Choice, choose_purchases
from reservations.recommendations.solved_plan import SolvedPlan, cash, decimal_text, share_text

# As it is stored; ComparisonTable translates it.
ALL_TOGETHER = gettext_noop("All together")


def compare_kinds(solved: SolvedPlan) -> list[dict[str, Any]]:
    """A row for each kind that is allowed, as if nothing else could be bought; the last is the plan itself.

    Plans of databases, SageMaker, Azure and Google Cloud stand there where a price list has them.
    """
    scope = solved.scope()
    offered = {key[1] for key in solved.prices}
    plans = [kind for kind in PLANS if kind in offered and kind not in (SP_COMPUTE, SP_EC2)]
    kinds = {
        KINDS[SP_COMPUTE]: (SP_COMPUTE,),
        KINDS[SP_EC2]: (SP_EC2,),
        **{KINDS[kind]: (kind,) for kind in plans},
        "Reserved instances": RESERVED,
    }
    rows = []
    for name, only in kinds.items():
        allowed = tuple(kind for kind in only if kind in scope.kinds)
        if allowed:
            limited = replace(scope, kinds=allowed)
            choice = choose_purchases(solved.demand, solved.prices, limited, solved.time_limit / 4)
            rows.append({"name": name, **_compared_figures(choice, solved.to_year)})
    return [*rows, {"name": ALL_TOGETHER, **_compared_figures(solved.choice, solved.to_year)}]


def _compared_figures(choice: Choice, to_year: float) -> dict[str, Any]:
    market, solution = choice.market, choice.solution
    options = market.problem.options
    bought = sum(offer.hourly * float(q) for offer, q in zip(market.offers, solution.quantities, strict=True))
    covered = solution.application.covered
    return {
        "cost": decimal_text(solution.cost * to_year),
        "saving": decimal_text((solution.cost_before - solution.cost) * to_year),
        "commitment": decimal_text(bought),
        "coverage": share_text(covered, solution.cost_before),
        "utilisation": _utilisation(market, solution),
        "discount": share_text(covered - bought * market.problem.demand.shape[1], covered),
        "upfront": decimal_text(cash(options, solution.quantities, "upfront")),
        "monthly": decimal_text(cash(options, solution.quantities, "monthly")),
        "gap": decimal_text(choice.gap),
    }


def _utilisation(market: Market, solution: Solution) -> str | None:
    """Used / bought in money, over all groups."""
    hours = market.problem.demand.shape[1]
    bought = used = 0.0
    for group in range(len(market.problem.groups)):
        members = market.problem.options_of(group)
        size = float(solution.quantities[members].sum())
        cost = sum(market.offers[i].hourly * float(solution.quantities[i]) for i in members) * hours
        bought += cost
        used += cost * float(solution.application.used[group]) / (size * hours) if size else 0.0
    return share_text(used, bought)


def only_reserved_text(solved: SolvedPlan) -> str:
    """The share of the cost that plans cannot cover at all: there only reservations compare."""
    problem = solved.market.problem
    costs = (problem.on_demand[:, None] * problem.demand).sum(axis=1)
    planned = {pool for pool, kind, *_terms in solved.prices if kind in PLANS and is_plan_eligible(pool, kind)}
    reserved = sum(
        float(cost)
        for pool, cost in zip(solved.market.pools, costs, strict=True)
        if not is_plan_eligible(pool) and replace(pool, account="", zone="") not in planned
    )
    if not reserved:
        return ""
    return _("Databases and the like, {value} of the cost, can only be reserved.").format(
        value=f"{reserved / float(costs.sum()):.0%}"
    )
