"""The purchases of a solved plan, each with the formula that decided it, its demand, and what each batch saves."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import numpy as np

from finops_site.lib.money import exact_sum, exact_text
from reservations.calc.terms import HOURS_A_YEAR, SP_EC2, WIDE_PLANS, unit_of
from reservations.models import PlanItem
from reservations.optimizer.application import demand_at_turn
from reservations.optimizer.batches import Batch, BatchUse, batch_uses, monthly_batches
from reservations.optimizer.demand import HOUR, Demand
from reservations.optimizer.expected_demand import MONTH
from reservations.optimizer.model import Floats
from reservations.optimizer.offers import Offer
from reservations.recommendations.plan_formula import explain_quantity
from reservations.recommendations.solved_plan import SolvedPlan, decimal_text, is_ahead

SUMMED: Final = ("hourly", "upfront", "monthly", "on_demand_cost", "committed_cost")
EXACT: Final = Decimal("1E-12")


def build_items(solved: SolvedPlan) -> list[PlanItem]:
    """A row for each option that is bought, the one with the highest hourly cost first.

    What an item costs and covers is the sum of its batches, and that of all items is the plan's.
    """
    quantities = solved.solution.quantities
    batches = dict(_batches_by_option(solved))
    items: list[PlanItem] = []
    for index in np.argsort(-quantities * [option.hourly for option in solved.market.problem.options]):
        if int(index) in batches:
            items.append(_build_item(solved, int(index), len(items) + 1, batches[int(index)]))
    return items


def _batches_by_option(solved: SolvedPlan) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """Each option that is bought, with its monthly batches as rows of exact text."""
    problem, quantities, offers = solved.market.problem, solved.solution.quantities, solved.market.offers
    for group in range(len(problem.groups)):
        ladders = {index: _ladder(solved, index) for index in problem.options_of(group) if quantities[index] > 0}
        units = {
            index: [batch.quantity / _scale(offers[index]) for batch in ladder] for index, ladder in ladders.items()
        }
        uses = batch_uses(problem, quantities, group, units)
        for index, ladder in ladders.items():
            rows = zip(ladder, uses[index], strict=True)
            yield index, [_batch_row(solved, offers[index], batch, use) for batch, use in rows]


def _scale(offer: Offer) -> float:
    return offer.scale if offer.is_plan else 1.0


def _ladder(solved: SolvedPlan, index: int) -> list[Batch]:
    offer = solved.market.offers[index]
    return monthly_batches(
        float(solved.solution.quantities[index]) * _scale(offer),
        first=solved.plan.as_of,
        term_months=offer.term_months,
        is_whole=not offer.is_plan,
        bought_before=solved.parameters.batches_bought,
    )


def _batch_row(solved: SolvedPlan, offer: Offer, batch: Batch, use: BatchUse) -> dict[str, str]:
    """What a batch costs and covers in a year, as if those before it were bought: what a request for it promises."""
    quantity, price = Decimal(decimal_text(batch.quantity)), offer.price
    machines = quantity / price.hourly if offer.is_plan else quantity
    hourly = quantity if offer.is_plan else quantity * price.effective
    on_demand, committed = Decimal(decimal_text(use.covered * solved.to_year)), hourly * HOURS_A_YEAR
    hours = solved.market.problem.demand.shape[1]
    amounts = {
        "quantity": quantity,
        "total": Decimal(decimal_text(batch.total)),
        "hourly": hourly,
        "upfront": machines * price.cash,
        "monthly": machines * price.monthly,
        "on_demand_cost": on_demand,
        "committed_cost": committed,
        "saving": on_demand - committed,
        "return": (on_demand - committed) / committed if committed else Decimal(0),
        "utilisation": Decimal(decimal_text(use.used * _scale(offer) / (batch.quantity * hours))),
    }
    return {
        "buy_on": f"{batch.buy_on:%Y-%m-%d}",
        "ends_on": f"{batch.ends_on:%Y-%m-%d}",
        **{name: exact_text(value.quantize(EXACT)) or "0" for name, value in amounts.items()},
    }


def _build_item(solved: SolvedPlan, index: int, position: int, batches: list[dict[str, str]]) -> PlanItem:
    offer, price = solved.market.offers[index], solved.market.offers[index].price
    sums = {name: exact_sum(Decimal(batch[name]) for batch in batches) for name in (*SUMMED, "quantity")}
    used = exact_sum(Decimal(batch["utilisation"]) * Decimal(batch["quantity"]) for batch in batches)
    is_wide = offer.kind in WIDE_PLANS
    type_ = price.pool.family if offer.kind == SP_EC2 else price.pool.type
    return PlanItem(
        plan=solved.plan,
        position=position,
        provider=price.pool.provider,
        service="" if is_wide else price.pool.service,
        tenancy="" if offer.is_plan else price.pool.tenancy,
        zone=price.pool.zone,
        kind=offer.kind,
        term_months=offer.term_months,
        payment=offer.payment,
        region="" if is_wide else price.pool.region,
        instance_type="" if is_wide else type_,
        account=offer.pools[0].account,
        system="" if offer.is_plan else price.pool.system,
        unit=f"{price.currency} an hour" if offer.is_plan else unit_of(price.pool),
        utilisation=(used / sums["quantity"]).quantize(EXACT),
        break_even_months=_break_even(sums),
        rate_source=price.source,
        rate_day=price.day,
        is_indicative=price.is_indicative,
        working=_item_working(solved, index, batches),
        **sums,
    )


def _break_even(sums: Mapping[str, Decimal]) -> Decimal | None:
    """Months until what it saves has paid back the cash of the first day; None where it never does."""
    saved = sums["on_demand_cost"] / 12 - sums["monthly"]
    if saved <= 0 or sums["on_demand_cost"] <= sums["committed_cost"]:
        return None
    return (sums["upfront"] / saved).quantize(EXACT)


def _item_working(solved: SolvedPlan, index: int, batches: list[dict[str, str]]) -> dict[str, Any]:
    """The formula with its numbers, the demand day by day, and the monthly batches."""
    problem, offer = solved.market.problem, solved.market.offers[index]
    group = problem.options[index].group
    level = demand_at_turn(problem, solved.solution.quantities, group) * _scale(offer)
    machines = f"{offer.price.pool.type} {unit_of(offer.price.pool)}"
    return {
        **explain_quantity(solved, index),
        "unit": f"{offer.price.currency} an hour" if offer.is_plan else machines,
        "days": _hours_by_day(level, solved.demand),
        "is_ahead": is_ahead(solved.demand),
        "ladder": batches,
    }


def _hours_by_day(level: Floats, demand: Demand) -> list[dict[str, str]]:
    """The highest, the average and the lowest hour of each day that is known; of demand that lies ahead, of a month."""
    if is_ahead(demand):
        months = round((demand.until - demand.start) / MONTH) if demand.until else 1
        names = [demand.start + (column * months // len(level)) * MONTH for column in range(len(level))]
    else:
        names = [demand.start + int(hour) * HOUR for hour in demand.hours_after_start]
    days = []
    for day, group in groupby(range(len(level)), key=lambda column: names[column].date()):
        hours = level[list(group)]
        figures = {"highest": hours.max(), "average": hours.mean(), "lowest": hours.min()}
        days.append({"day": f"{day}", **{name: decimal_text(float(value)) for name, value in figures.items()}})
    return days
