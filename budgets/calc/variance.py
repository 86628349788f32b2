"""Why a period cost more or less than its budget: parts that sum to the variance exactly. Pure: no Django.

variance = actual - amount = (actual - before) + (before - amount). The first bracket is explained item by item
(service, instance type, unit), the second is the plan: how far the amount was from what the period before cost.
For an item with a quantity, volume = (quantity - quantity before) x price before, and price is the rest of its change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT, STORED_UNIT, exact_sum

PRICE, VOLUME, NEW, ENDED, COMMITMENT, ONE_OFF, PLAN = REASONS = (
    "price",
    "volume",
    "new",
    "ended",
    "commitment",
    "one-off",
    "plan",
)
ONE_OFF_CATEGORIES = ("Credit", "Adjustment", "Tax")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, order=True)
class CostItem:
    """What is compared between two periods."""

    service: str
    instance_type: str = ""
    unit: str = ""
    charge_category: str = "Usage"
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class ItemUse:
    """What an item cost in a period, and how much of it was used; None where it is not in the bill."""

    cost: Decimal
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class VariancePart:
    """One reason for one item, in the budget's currency."""

    reason: str
    service: str
    amount: Decimal


def explain_variance(
    amount: Decimal, before: Mapping[CostItem, ItemUse], after: Mapping[CostItem, ItemUse]
) -> list[VariancePart]:
    """Every part of actual - amount, the largest first; they sum to it exactly."""
    parts = [part for item in sorted({*before, *after}) for part in _parts_of(item, before.get(item), after.get(item))]
    spent_before = exact_sum(use.cost for use in before.values())
    parts.append(VariancePart(PLAN, "", EXACT.subtract(spent_before, amount)))
    return sorted((part for part in parts if part.amount), key=lambda part: -abs(part.amount))


def sum_by_reason(parts: Iterable[VariancePart]) -> dict[str, Decimal]:
    """The sum of each reason that has any."""
    sums: dict[str, Decimal] = {}
    for part in parts:
        sums[part.reason] = EXACT.add(sums.get(part.reason, ZERO), part.amount)
    return {reason: sums[reason] for reason in REASONS if sums.get(reason)}


def _parts_of(item: CostItem, before: ItemUse | None, after: ItemUse | None) -> list[VariancePart]:
    change = EXACT.subtract(after.cost if after else ZERO, before.cost if before else ZERO)
    if item.charge_category in ONE_OFF_CATEGORIES:
        return [VariancePart(ONE_OFF, item.service, change)]
    if item.is_committed:
        return [VariancePart(COMMITMENT, item.service, change)]
    if before is None or after is None:
        return [VariancePart(NEW if before is None else ENDED, item.service, change)]
    # Without a quantity on both sides all of the change is volume: there is no price to speak of.
    volume = change
    if before.quantity and after.quantity:
        more = EXACT.subtract(after.quantity, before.quantity)
        # Cut to what is stored, so that the price, which is the rest, has all its digits too.
        volume = EXACT.divide(EXACT.multiply(more, before.cost), before.quantity).quantize(STORED_UNIT, context=EXACT)
    return [
        VariancePart(VOLUME, item.service, volume),
        VariancePart(PRICE, item.service, EXACT.subtract(change, volume)),
    ]
