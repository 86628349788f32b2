"""Why a period cost more or less than its budget: parts that sum to the variance exactly. Pure: no Django.

variance = actual - amount = (actual - before) + (before - amount). The first bracket is explained thing by thing
(service, kind of machine, unit), the second is the plan: how far the amount was from what the period before cost.
For a thing with a quantity, volume = (quantity - quantity before) x price before, and price is the rest of its change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT, STORED_UNIT, exact_sum

PRICE, VOLUME, NEW, ENDED, COMMITMENT, ONE_OFF, PLAN = (
    "price",
    "volume",
    "new",
    "ended",
    "commitment",
    "one-off",
    "plan",
)
REASONS = (PRICE, VOLUME, NEW, ENDED, COMMITMENT, ONE_OFF, PLAN)
ONE_OFF_CATEGORIES = ("Credit", "Adjustment", "Tax")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """What is compared between two periods."""

    service: str
    kind: str = ""
    unit: str = ""
    charge_category: str = "Usage"
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """What a thing cost in a period, and how much of it was used; None where the bill does not say."""

    cost: Decimal
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for one thing, in the budget's currency."""

    reason: str
    service: str
    amount: Decimal


def parts(amount: Decimal, before: Mapping[Thing, Use], after: Mapping[Thing, Use]) -> list[Part]:
    """Every part of actual - amount, the largest first; they sum to it exactly."""
    found = [part for thing in sorted({*before, *after}) for part in _parts(thing, before.get(thing), after.get(thing))]
    spent_before = exact_sum(use.cost for use in before.values())
    found.append(Part(PLAN, "", EXACT.subtract(spent_before, amount)))
    return sorted((part for part in found if part.amount), key=lambda part: -abs(part.amount))


def by_reason(found: Iterable[Part]) -> dict[str, Decimal]:
    """The sum of each reason that has any."""
    sums: dict[str, Decimal] = {}
    for part in found:
        sums[part.reason] = EXACT.add(sums.get(part.reason, ZERO), part.amount)
    return {reason: sums[reason] for reason in REASONS if sums.get(reason)}


def _parts(thing: Thing, before: Use | None, after: Use | None) -> list[Part]:
    change = EXACT.subtract(after.cost if after else ZERO, before.cost if before else ZERO)
    if thing.charge_category in ONE_OFF_CATEGORIES:
        return [Part(ONE_OFF, thing.service, change)]
    if thing.is_committed or thing.charge_category == "Purchase":
        return [Part(COMMITMENT, thing.service, change)]
    if before is None or after is None:
        return [Part(NEW if before is None else ENDED, thing.service, change)]
    volume = _volume(before, after, change)
    return [Part(VOLUME, thing.service, volume), Part(PRICE, thing.service, EXACT.subtract(change, volume))]


def _volume(before: Use, after: Use, change: Decimal) -> Decimal:
    """Without a quantity on both sides all of the change is volume: there is no price to speak of."""
    if not before.quantity or not after.quantity:
        return change
    more = EXACT.subtract(after.quantity, before.quantity)
    # Cut to what is stored, so that the price, which is the rest, has all its digits too.
    return EXACT.divide(EXACT.multiply(more, before.cost), before.quantity).quantize(STORED_UNIT, context=EXACT)
