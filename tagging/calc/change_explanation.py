"""Why a team's cost changed against the month before: parts that sum to the change exactly. Pure: no Django.

The parts of what both months have follow price times quantity: `usage` is the change of the quantity at last month's
price, `commitment` what commitments saved less or more, and `price` the exact rest.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
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
    """What one thing cost in a month, in one unit of quantity: `saved` is what commitments took off the price."""

    thing: str
    unit: str
    cost: Decimal
    quantity: Decimal | None = None
    saved: Decimal = ZERO

    @property
    def price_paid(self) -> Decimal:
        """What it would have cost without commitments."""
        return EXACT.add(self.cost, self.saved)


@dataclass(frozen=True, slots=True)
class ChangePart:
    """A part of the change, in the currency of its items, and the thing it is about (empty: the whole statement)."""

    kind: str
    amount: Decimal
    thing: str = ""


def explain_change(
    before: Iterable[MonthlyCost],
    after: Iterable[MonthlyCost],
    others: tuple[Set[str], Set[str]] = (frozenset(), frozenset()),
) -> list[ChangePart]:
    """The parts of the change from one month's items to the next's; they sum to it exactly.

    `others` are the things that other owners had in the month before, and those they have in the later one: what only
    changed hands is neither new nor gone.
    """
    was, now = _by_place(before), _by_place(after)
    old, new = {thing for thing, _ in was}, {thing for thing, _ in now}
    parts: list[ChangePart] = []
    for place in sorted({*was, *now}):
        parts += _explain_one(place, was.get(place), now.get(place), old, new)
    return [_moved(part, *others) for part in parts if part.amount]


def _moved(part: ChangePart, owned_before: Set[str], owned_now: Set[str]) -> ChangePart:
    if part.kind == NEW and part.thing in owned_before:
        return replace(part, kind=TAKEN)
    if part.kind == GONE and part.thing in owned_now:
        return replace(part, kind=GIVEN)
    return part


def _by_place(items: Iterable[MonthlyCost]) -> dict[tuple[str, str], MonthlyCost]:
    found: dict[tuple[str, str], MonthlyCost] = {}
    for item in items:
        place = (item.thing, item.unit)
        known = found.get(place)
        found[place] = _added(known, item) if known else item
    return found


def _added(one: MonthlyCost, other: MonthlyCost) -> MonthlyCost:
    quantity = None
    if one.quantity is not None and other.quantity is not None:
        quantity = EXACT.add(one.quantity, other.quantity)
    return MonthlyCost(
        one.thing, one.unit, EXACT.add(one.cost, other.cost), quantity, EXACT.add(one.saved, other.saved)
    )


def _explain_one(
    place: tuple[str, str], was: MonthlyCost | None, now: MonthlyCost | None, old: set[str], new: set[str]
) -> Iterable[ChangePart]:
    thing = place[0]
    if was is None or now is None:
        amount = EXACT.subtract(now.cost if now else ZERO, was.cost if was else ZERO)
        if now and thing not in old:
            return [ChangePart(NEW, amount, thing)]
        if was and thing not in new:
            return [ChangePart(GONE, amount, thing)]
        # The thing was there, this kind of its usage began or ended.
        return [ChangePart(MORE if now else LESS, amount, thing)]
    return _changed(thing, was, now)


def _changed(thing: str, was: MonthlyCost, now: MonthlyCost) -> list[ChangePart]:
    change = EXACT.subtract(now.cost, was.cost)
    if not was.quantity or not now.quantity:
        return [ChangePart(UNMEASURED, change, thing)]
    commitment = EXACT.subtract(was.saved, now.saved)
    grown = EXACT.subtract(now.quantity, was.quantity)
    usage = EXACT.divide(EXACT.multiply(was.price_paid, grown), was.quantity).quantize(STORED_UNIT, context=EXACT)
    price = EXACT.subtract(EXACT.subtract(change, commitment), usage)
    return [
        ChangePart(MORE if grown > 0 else LESS, usage, thing),
        ChangePart(PRICE, price, thing),
        ChangePart(COMMITMENT, commitment, thing),
    ]


def explain_statement_change(
    parts: Iterable[ChangePart],
    before: Mapping[str, Decimal],
    after: Mapping[str, Decimal],
    told: tuple[Decimal, Decimal],
) -> list[ChangePart]:
    """The parts of a statement's change: those of direct cost, then shared cost and bookings.

    `before` and `after` are the sums of the two statements by the names direct, shared (with spread) and booked;
    `told` is the direct cost of both months by the items. Where a statement was closed before its bill was restated,
    the items say something else than it: the difference is a part of its own, so that the sum stays exact.
    """
    found = list(parts)
    direct = EXACT.subtract(after.get("direct", ZERO), before.get("direct", ZERO))
    restated = EXACT.subtract(direct, EXACT.subtract(told[1], told[0]))
    for kind, amount in (
        (RESTATED, restated),
        (SHARED, EXACT.subtract(after.get("shared", ZERO), before.get("shared", ZERO))),
        (BOOKED, EXACT.subtract(after.get("booked", ZERO), before.get("booked", ZERO))),
    ):
        if amount:
            found.append(ChangePart(kind, amount))
    return found


def sum_by_kind(parts: Iterable[ChangePart]) -> dict[str, Decimal]:
    """{kind: its sum} in the order of WORDS, without those that are not there."""
    sums: dict[str, Decimal] = {}
    for part in parts:
        sums[part.kind] = EXACT.add(sums.get(part.kind, ZERO), part.amount)
    return {kind: sums[kind] for kind in KIND_LABELS if kind in sums}


def total_change(parts: Iterable[ChangePart]) -> Decimal:
    """The sum of all parts: exactly what the total changed by."""
    return exact_sum(part.amount for part in parts)
