"""A purchase in monthly batches: when, how much, and what each of them does. Pure: no Django.

A batch saves what the hours give it after the batches before it: AWS applies a commitment to the usage that it
discounts most, so that the first batch saves most for its money and the last one least.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from reservations.optimizer.application import use_by_size
from reservations.optimizer.model import Floats, PurchaseProblem

# The batches a cautious buyer takes: 10 to 20 per cent, then 20 to 30, until the plan is reached.
BATCHES: Final = (0.15, 0.25, 0.30, 0.30)


@dataclass(frozen=True, slots=True)
class Batch:
    """One of the monthly batches of a purchase: how much to buy when, and until when it holds."""

    buy_on: date
    quantity: float
    total: float
    ends_on: date


@dataclass(frozen=True, slots=True)
class BatchUse:
    """What a batch adds on the observed hours: `used` units of its group, and their value on demand."""

    used: float
    covered: float


def monthly_batches(
    quantity: float, *, first: date, term_months: int, is_whole: bool, bought_before: int = 0
) -> list[Batch]:
    """The quantity in monthly batches, so that purchases can be decided anew and do not all end on one day.

    `bought_before` batches of the same plan were bought already and are no part of the quantity any more: it is
    spread over those that are left, in the same proportions.
    """
    shares = BATCHES[bought_before % len(BATCHES) :]
    batches: list[Batch] = []
    reached, target = 0.0, 0.0
    for number, share in enumerate(shares):
        target += share / sum(shares)
        wanted = quantity if number == len(shares) - 1 else target * quantity
        wanted = float(round(wanted)) if is_whole else wanted if wanted == quantity else round(wanted, 3)
        if wanted > reached:
            batches.append(Batch(_later(first, number), wanted - reached, wanted, _later(first, number + term_months)))
            reached = wanted
    return batches


def batch_uses(
    problem: PurchaseProblem, quantities: Floats, group: int, batches: Mapping[int, Sequence[float]]
) -> dict[int, list[BatchUse]]:
    """What each batch of each option of a group adds: {option: batches in units of the group}.

    The first batches of all options come first, of the options the one that costs least an hour; the groups that come
    before this one in AWS's order are all there. The sum over all batches is what the group does.
    """
    order = sorted(
        (number, problem.options[option].hourly, option) for option in batches for number in range(len(batches[option]))
    )
    sizes = [0.0]
    for number, _, option in order:
        sizes.append(sizes[-1] + batches[option][number])
    uses: dict[int, list[BatchUse]] = {option: [] for option in batches}
    figures = use_by_size(problem, quantities, group, sizes)
    for (_, _, option), (used_before, before), (used, covered) in zip(order, figures, figures[1:], strict=False):
        uses[option].append(BatchUse(used - used_before, covered - before))
    return uses


def _later(day: date, months: int) -> date:
    """The same day of a later month; the 28th at most, so that every month has it."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, min(day.day, 28))
