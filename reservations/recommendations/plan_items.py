"""The purchases of a solved plan, each with the formula that decided it and the demand it was decided on."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from reservations.calc.terms import HOURS_A_YEAR, SP_COMPUTE, SP_EC2
from reservations.models import PlanItem
from reservations.optimizer import risk
from reservations.optimizer.application import demand_at_turn
from reservations.optimizer.demand import Demand
from reservations.optimizer.model import Floats
from reservations.optimizer.offers import Offer
from reservations.recommendations.solved_plan import SolvedPlan, decimal_text

SMALL = 1e-6


def build_items(solved: SolvedPlan) -> list[PlanItem]:
    """A row for each option that is bought, the one with the highest hourly cost first."""
    items: list[PlanItem] = []
    for index in np.argsort(-solved.solution.quantities * [option.hourly for option in solved.market.problem.options]):
        if float(solved.solution.quantities[index]) > SMALL:
            items.append(_build_item(solved, int(index), len(items) + 1))
    return items


def _build_item(solved: SolvedPlan, index: int, position: int) -> PlanItem:
    problem, solution = solved.market.problem, solved.solution
    offer, option, price = solved.market.offers[index], problem.options[index], solved.market.offers[index].price
    quantity, size = float(solution.quantities[index]), _group_size(solved, option.group)
    used = float(solution.application.used[option.group])
    covered = float(solution.application.covered_by_group[option.group]) * solved.to_year * quantity / size
    cash, monthly = option.upfront * quantity, option.monthly * quantity
    saved = covered / 12 - monthly
    cost = offer.hourly * quantity * HOURS_A_YEAR
    covers = {SP_COMPUTE: "", SP_EC2: price.pool.family}
    return PlanItem(
        plan=solved.plan,
        position=position,
        provider=price.pool.provider,
        service="" if offer.kind == SP_COMPUTE else price.pool.service,
        tenancy="" if offer.is_plan else price.pool.tenancy,
        zone=price.pool.zone,
        kind=offer.kind,
        term_months=offer.term_months,
        payment=offer.payment,
        region="" if offer.kind == SP_COMPUTE else price.pool.region,
        instance_type=covers.get(offer.kind, price.pool.type),
        system="" if offer.is_plan else price.pool.system,
        quantity=decimal_text(quantity * (offer.scale if offer.is_plan else 1)),
        unit=f"{price.currency} an hour" if offer.is_plan else "machines",
        hourly=decimal_text(offer.hourly * quantity),
        upfront=decimal_text(cash),
        monthly=decimal_text(monthly),
        on_demand_cost=decimal_text(covered),
        committed_cost=decimal_text(cost),
        utilisation=decimal_text(used / (size * problem.demand.shape[1])),
        break_even_months=decimal_text(cash / saved) if saved > 0 and covered > cost else None,
        rate_source=price.source,
        rate_day=price.day,
        is_indicative=price.is_indicative,
        working=_item_working(solved, option.group, quantity, offer),
    )


def _group_size(solved: SolvedPlan, group: int) -> float:
    """Units bought of all options that share a capacity."""
    options = zip(solved.solution.quantities, solved.market.problem.options, strict=True)
    return sum(float(quantity) for quantity, option in options if option.group == group)


def _item_working(solved: SolvedPlan, group: int, quantity: float, offer: Offer) -> dict[str, Any]:
    """The formula with its numbers, the demand day by day, and the monthly batches."""
    problem = solved.market.problem
    scale = offer.scale if offer.is_plan else 1.0
    level = demand_at_turn(problem, solved.solution.quantities, group) * scale
    size = _group_size(solved, group) * scale
    own = problem.groups[group]
    at = max(range(len(own.pools)), key=lambda i: problem.demand[own.pools[i]].sum())
    on_demand = float(problem.on_demand[own.pools[at]]) / (own.weights[at] * scale)
    batches = risk.monthly_batches(
        quantity * scale, first=solved.plan.as_of, term_months=offer.term_months, is_whole=not offer.is_plan
    )
    return {
        "ratio": decimal_text(offer.hourly / scale / on_demand),
        "committed": decimal_text(offer.hourly / scale),
        "on_demand": decimal_text(on_demand),
        "level": decimal_text(size),
        "runs": decimal_text(float((level >= size - SMALL).mean())),
        "next": decimal_text(float((level > size + SMALL).mean())),
        "above": int((level > size + SMALL).sum()),
        "below": int((level < size - SMALL).sum()),
        "hours": len(level),
        "unit": f"{offer.price.currency} an hour" if offer.is_plan else f"{offer.price.pool.type} machines",
        "days": _hours_by_day(level, solved.demand),
        "ladder": [
            {
                "buy_on": f"{batch.buy_on:%Y-%m-%d}",
                "quantity": decimal_text(batch.quantity),
                "total": decimal_text(batch.total),
                "ends_on": f"{batch.ends_on:%Y-%m-%d}",
            }
            for batch in batches
        ],
    }


def _hours_by_day(level: Floats, demand: Demand) -> list[dict[str, str]]:
    """The highest, the average and the lowest hour of each day."""
    edges = [0, *range(24 - demand.start.hour, len(level), 24), len(level)]
    days = []
    for number, (low, high) in enumerate(pairwise(edges)):
        if high > low:
            hours, day = level[low:high], demand.start.date() + timedelta(days=number)
            figures = {"highest": hours.max(), "average": hours.mean(), "lowest": hours.min()}
            days.append({"day": f"{day}", **{name: decimal_text(float(value)) for name, value in figures.items()}})
    return days
