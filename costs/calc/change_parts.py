"""Why cost changed from one period to another: parts that sum to the change exactly. Pure: no Django.

The parts of what both periods have follow price times quantity: `more` and `less` are the change of the quantity at the
earlier price, `commitment` what commitments saved less or more, and `price` the exact rest.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.money import EXACT, STORED_UNIT, exact_sum

NEW, GONE, MORE, LESS, PRICE, COMMITMENT = "new", "gone", "more", "less", "price", "commitment"
TAKEN, GIVEN = "taken", "given"
CREDITS, UNMEASURED = "credits", "unmeasured"
KIND_LABELS = {
    NEW: _noop("New resources"),
    GONE: _noop("Resources that are gone"),
    TAKEN: _noop("Resources that others owned before"),
    GIVEN: _noop("Resources that others own now"),
    MORE: _noop("More usage"),
    LESS: _noop("Less usage"),
    PRICE: _noop("Other prices"),
    COMMITMENT: _noop("Effect of commitments"),
    CREDITS: _noop("Credits and refunds"),
    UNMEASURED: _noop("Changed, without a quantity in the bill"),
}
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PeriodCost:
    """The cost of one thing in a period, in one unit of quantity: `saved` is what commitments took off the price.

    `is_credit`: money that the provider gives back, which is neither a price nor usage.
    """

    thing: str
    unit: str
    cost: Decimal
    quantity: Decimal | None = None
    saved: Decimal = ZERO
    is_credit: bool = False

    @property
    def price_paid(self) -> Decimal:
        """What it would have cost without commitments."""
        return EXACT.add(self.cost, self.saved)

    def plus(self, other: "PeriodCost") -> "PeriodCost":
        quantity = None
        if self.quantity is not None and other.quantity is not None:
            quantity = EXACT.add(self.quantity, other.quantity)
        cost, saved = EXACT.add(self.cost, other.cost), EXACT.add(self.saved, other.saved)
        return PeriodCost(self.thing, self.unit, cost, quantity, saved, self.is_credit)


@dataclass(frozen=True, slots=True)
class ChangePart:
    """A part of the change, in the currency of its costs, and the thing it is about (empty: the statement)."""

    kind: str
    amount: Decimal
    thing: str = ""


def explain_change(
    before: Iterable[PeriodCost],
    after: Iterable[PeriodCost],
    others: tuple[Set[str], Set[str]] = (frozenset(), frozenset()),
) -> list[ChangePart]:
    """The parts of the change from one period's costs to the other's; they sum to it exactly.

    `others` are the things that other owners had in the period before, and those they have in the later one: what only
    changed its owner is neither new nor gone.
    """
    costs_before, costs_after = _sum_by_thing_and_unit(before), _sum_by_thing_and_unit(after)
    things_before, things_after = (
        {thing for thing, _, is_credit in costs if not is_credit} for costs in (costs_before, costs_after)
    )
    parts: list[ChangePart] = []
    for key in sorted({*costs_before, *costs_after}):
        was, now, (thing, _, is_credit) = costs_before.get(key), costs_after.get(key), key
        if is_credit:
            change = EXACT.subtract(now.cost if now else ZERO, was.cost if was else ZERO)
            parts.append(ChangePart(CREDITS, change, thing))
        elif was and now:
            parts += _explain_price_and_quantity(thing, was, now)
        elif now:
            new = TAKEN if thing in others[0] else NEW
            # Where the thing was there before, a kind of its usage began.
            parts.append(ChangePart(MORE if thing in things_before else new, now.cost, thing))
        elif was:
            gone = GIVEN if thing in others[1] else GONE
            parts.append(ChangePart(LESS if thing in things_after else gone, EXACT.subtract(ZERO, was.cost), thing))
    return [part for part in parts if part.amount]


def _sum_by_thing_and_unit(costs: Iterable[PeriodCost]) -> dict[tuple[str, str, bool], PeriodCost]:
    sums: dict[tuple[str, str, bool], PeriodCost] = {}
    for cost in costs:
        key = (cost.thing, cost.unit, cost.is_credit)
        known = sums.get(key)
        sums[key] = known.plus(cost) if known else cost
    return sums


def _explain_price_and_quantity(thing: str, was: PeriodCost, now: PeriodCost) -> list[ChangePart]:
    change = EXACT.subtract(now.cost, was.cost)
    if not was.quantity or not now.quantity:
        return [ChangePart(UNMEASURED, change, thing)]
    commitment = EXACT.subtract(was.saved, now.saved)
    growth = EXACT.subtract(now.quantity, was.quantity)
    usage = EXACT.divide(EXACT.multiply(was.price_paid, growth), was.quantity).quantize(STORED_UNIT, context=EXACT)
    price = EXACT.subtract(EXACT.subtract(change, commitment), usage)
    return [
        ChangePart(MORE if growth > 0 else LESS, usage, thing),
        ChangePart(PRICE, price, thing),
        ChangePart(COMMITMENT, commitment, thing),
    ]


def sum_by_kind(parts: Iterable[ChangePart]) -> dict[str, Decimal]:
    """{kind: its sum}, without those that are not there, in the order of KIND_LABELS and others after them."""
    sums: dict[str, Decimal] = {}
    for part in parts:
        sums[part.kind] = EXACT.add(sums.get(part.kind, ZERO), part.amount)
    return {kind: sums[kind] for kind in dict.fromkeys([*KIND_LABELS, *sums]) if kind in sums}


def total_change(parts: Iterable[ChangePart]) -> Decimal:
    """The sum of all parts: exactly the change of the total."""
    return exact_sum(part.amount for part in parts)
