"""How the discounts of commitments are spread over all teams that use a service. Pure: no Django.

Like `pool_splits`, about one currency and one view of cost.
"""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from finops_site.lib.money import EXACT, exact_sum, split


def spread_discounts(
    savings: Mapping[tuple[str, int], Decimal], eligible: Mapping[tuple[str, int], Decimal]
) -> dict[int, Decimal]:
    """What each team pays more (or less) when the discounts of commitments are spread; the sum is exactly zero.

    `savings` is what commitments saved each team, by service: contracted cost less effective cost of its covered
    usage. `eligible` is the contracted cost of all its usage of the service, covered or not. A team gives back what it
    saved and gets of the service's savings the share that its eligible usage has: everybody then pays the service's
    average rate of the month.
    """
    moved: dict[int, Decimal] = defaultdict(Decimal)
    for service in sorted({service for service, _ in savings}):
        saved_by_team = {number: saved for (name, number), saved in savings.items() if name == service}
        weights = {number: cost for (name, number), cost in eligible.items() if name == service and cost > 0}
        if not weights:
            continue
        shares = split(exact_sum(saved_by_team.values()), list(weights.values()))
        for number, saved in saved_by_team.items():
            moved[number] = EXACT.add(moved[number], saved)
        for number, share in zip(weights, shares, strict=True):
            moved[number] = EXACT.subtract(moved[number], share)
    return {number: amount for number, amount in moved.items() if amount}
