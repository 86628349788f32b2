"""Why a team's cost changed against the month before: parts that sum to the change exactly. Pure: no Django.

The parts of what both months have follow price times quantity: `usage` is the change of the quantity at last month's
price, `commitment` what commitments saved less or more, and `price` the exact rest.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT, STORED_UNIT, exact_sum

NEW, GONE, MORE, LESS, PRICE, COMMITMENT = "new", "gone", "more", "less", "price", "commitment"
TAKEN, GIVEN = "taken", "given"
UNMEASURED, SHARED, BOOKED, RESTATED = "unmeasured", "shared", "booked", "restated"
KIND_LABELS = {
    NEW: "New resources",
    GONE: "Resources that are gone",
    TAKEN: "Resources that others owned before",
    GIVEN: "Resources that others own now",
    MORE: "More usage",
    LESS: "Less usage",
    PRICE: "Other prices",
    COMMITMENT: "Effect of commitments",
    UNMEASURED: "Changed, without a quantity in the bill",
    SHARED: "Shared cost and spread discounts",
    BOOKED: "Corrections and adjustments",
    RESTATED: "Bills restated after a statement was closed",
}
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """The cost of one thing in a month, in one unit of quantity: `saved` is what commitments took off the price."""

    thing: str
    unit: str
    cost: Decimal
    quantity: Decimal | None = None
    saved: Decimal = ZERO

    @property
    def price_paid(self) -> Decimal:
        """What it would have cost without commitments."""
        return EXACT.add(self.cost, self.saved)

    def plus(self, other: "MonthlyCost") -> "MonthlyCost":
        quantity = None
        if self.quantity is not None and other.quantity is not None:
            quantity = EXACT.add(self.quantity, other.quantity)
        cost, saved = EXACT.add(self.cost, other.cost), EXACT.add(self.saved, other.saved)
        return MonthlyCost(self.thing, self.unit, cost, quantity, saved)


@dataclass(frozen=True, slots=True)
class ChangePart:
    """A part of the change, in the currency of its costs, and the thing it is about (empty: the statement)."""

    kind: str
    amount: Decimal
    thing: str = ""


def explain_change(
    before: Iterable[MonthlyCost],
    after: Iterable[MonthlyCost],
    others: tuple[Set[str], Set[str]] = (frozenset(), frozenset()),
) -> list[ChangePart]:
    """The parts of the change from one month's costs to the next's; they sum to it exactly.

    `others` are the things that other owners had in the month before, and those they have in the later one: what only
    changed its owner is neither new nor gone.
    """
    costs_before, costs_after = _sum_by_thing_and_unit(before), _sum_by_thing_and_unit(after)
    things_before, things_after = {thing for thing, _ in costs_before}, {thing for thing, _ in costs_after}
    parts: list[ChangePart] = []
    for key in sorted({*costs_before, *costs_after}):
        was, now, thing = costs_before.get(key), costs_after.get(key), key[0]
        if was and now:
            parts += _explain_price_and_quantity(thing, was, now)
        elif now:
            new = TAKEN if thing in others[0] else NEW
            # Where the thing was there before, a kind of its usage began.
            parts.append(ChangePart(MORE if thing in things_before else new, now.cost, thing))
        elif was:
            gone = GIVEN if thing in others[1] else GONE
            parts.append(ChangePart(LESS if thing in things_after else gone, EXACT.subtract(ZERO, was.cost), thing))
    return [part for part in parts if part.amount]


def _sum_by_thing_and_unit(costs: Iterable[MonthlyCost]) -> dict[tuple[str, str], MonthlyCost]:
    sums: dict[tuple[str, str], MonthlyCost] = {}
    for cost in costs:
        key = (cost.thing, cost.unit)
        known = sums.get(key)
        sums[key] = known.plus(cost) if known else cost
    return sums


def _explain_price_and_quantity(thing: str, was: MonthlyCost, now: MonthlyCost) -> list[ChangePart]:
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


def explain_statement_change(
    parts: Iterable[ChangePart],
    before: Mapping[str, Decimal],
    after: Mapping[str, Decimal],
    direct_costs: tuple[Decimal, Decimal],
) -> list[ChangePart]:
    """The parts of a statement's change: those of direct cost, then shared cost and bookings.

    `before` and `after` are the sums of the two statements by the names direct, shared (with spread) and booked;
    `direct_costs` is the direct cost of both months in today's bills. Where a statement was closed before its bill was
    restated, the two differ: the difference is a part of its own, so that the sum stays exact.
    """
    changes = {
        name: EXACT.subtract(after.get(name, ZERO), before.get(name, ZERO)) for name in ("direct", "shared", "booked")
    }
    restated = EXACT.subtract(changes["direct"], EXACT.subtract(direct_costs[1], direct_costs[0]))
    others = ((RESTATED, restated), (SHARED, changes["shared"]), (BOOKED, changes["booked"]))
    return [*parts, *(ChangePart(kind, amount) for kind, amount in others if amount)]


def sum_by_kind(parts: Iterable[ChangePart]) -> dict[str, Decimal]:
    """{kind: its sum} in the order of WORDS, without those that are not there."""
    sums: dict[str, Decimal] = {}
    for part in parts:
        sums[part.kind] = EXACT.add(sums.get(part.kind, ZERO), part.amount)
    return {kind: sums[kind] for kind in KIND_LABELS if kind in sums}


def total_change(parts: Iterable[ChangePart]) -> Decimal:
    """The sum of all parts: exactly the change of the total."""
    return exact_sum(part.amount for part in parts)
