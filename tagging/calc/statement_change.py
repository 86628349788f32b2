"""What a statement's change has beside the change of direct cost (costs/calc/change_parts.py). Pure: no Django."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from costs.calc.change_parts import KIND_LABELS as KIND_LABELS_OF_COST
from costs.calc.change_parts import ZERO, ChangePart
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import EXACT

SHARED, BOOKED, RESTATED, NOT_CHARGED = "shared", "booked", "restated", "not charged"
KIND_LABELS = KIND_LABELS_OF_COST | {
    SHARED: gettext_noop("Shared cost and spread discounts"),
    BOOKED: gettext_noop("Corrections and adjustments"),
    RESTATED: gettext_noop("Bills restated after a statement was closed"),
    NOT_CHARGED: gettext_noop("Nobody was charged for last month"),
}


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
