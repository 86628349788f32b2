"""How much a budget has for each of its periods. Pure: no Django, no clock."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finops_site.lib import money
from finops_site.lib.money import EXACT, BadAmount, places, rounded, split
from finops_site.lib.periods import Month, Period

# Months of a period, for the kinds that repeat.
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MOST_PERIODS = 120


def budget_periods(kind: str, start: date, end: date | None, *, count: int = 12) -> list[Period]:
    """The periods of a budget from `start` on: until `end`, or `count` of them where it goes on.

    Months, quarters and years begin on the first of a month; a range and a project are one period. Raises ValueError.
    """
    if kind not in MONTHS:
        if end is None:
            raise ValueError("a range and a project have a last day")
        return [Period(start, end)]
    step, month, periods = MONTHS[kind], Month.of(start), list[Period]()
    while len(periods) < MOST_PERIODS and (month.start < end if end else len(periods) < count):
        periods.append(Period(month.start, month.plus(step).start))
        month = month.plus(step)
    return periods


def parse_amount(text: str) -> Decimal:
    """The amount of a budget that somebody typed, as finops_site.lib.money reads it; raises BadAmount."""
    return check_amount(money.parse_amount(text))


def check_amount(amount: Decimal) -> Decimal:
    """`amount`, if a budget can have it; raises BadAmount."""
    if not amount.is_finite() or amount < 0:
        raise BadAmount(f"An amount cannot be less than zero, and {amount} is.")
    if amount >= Decimal(10) ** 18:
        raise BadAmount("That is more than all the money there is.")
    return amount


def flat_amounts(amount: Decimal, count: int) -> list[Decimal]:
    """The same for each period."""
    return [amount] * count


def growing_amounts(amount: Decimal, percent: Decimal, count: int, currency: str) -> list[Decimal]:
    """`amount` for the first period and `percent` more for each that follows, in whole units of the currency."""
    factor = 1 + percent / 100
    return [rounded(EXACT.multiply(amount, factor**number), currency) for number in range(count)]


def shaped_amounts(total: Decimal, last_year: Sequence[Decimal], currency: str) -> list[Decimal]:
    """`total` in the proportions of last year's periods; the parts sum to it exactly.

    Without any cost last year it is spread evenly. A period that was below zero (a credit) gets nothing.
    """
    weights = [max(amount, Decimal(0)) for amount in last_year]
    if not any(weights):
        weights = [Decimal(1)] * len(last_year)
    return split(total, weights, unit=Decimal(1).scaleb(-places(currency)))


def pasted_amounts(text: str, count: int) -> list[Decimal]:
    """Amounts out of a spreadsheet: a row or a column of cells; raises BadAmount unless there are `count`."""
    cells = [cell for line in text.strip().splitlines() for cell in re.split(r"[\t;]", line) if cell.strip()]
    if len(cells) != count:
        raise BadAmount(f"{len(cells)} amounts are pasted and there are {count} periods.")
    return [parse_amount(cell) for cell in cells]


def carried_over(budgeted: Decimal, spent: Decimal) -> Decimal:
    """What the next period has besides its own amount: what was not spent, never less than zero."""
    return max(EXACT.subtract(budgeted, spent), Decimal(0))


def automatic_amount(spent: Sequence[Decimal], factor: Decimal, currency: str) -> Decimal | None:
    """The average of the months x factor; None where there is no month to go by, zero where it is below."""
    if not spent:
        return None
    total = sum(spent, Decimal(0))
    return max(rounded(EXACT.multiply(EXACT.divide(total, len(spent)), factor), currency), Decimal(0))


def suggested_amount(spent: Sequence[Decimal], currency: str) -> Decimal | None:
    """What the last months suggest: their average, a month far off the median left out, rounded up to two digits."""
    if not spent:
        return None
    middle = sorted(spent)[len(spent) // 2]
    usual = [amount for amount in spent if abs(amount - middle) <= abs(middle)] or list(spent)
    mean = sum(usual, Decimal(0)) / len(usual)
    if mean <= 0:
        return None
    step = Decimal(1).scaleb(mean.adjusted() - 2)
    return rounded((mean / step).to_integral_value(rounding="ROUND_CEILING") * step, currency)


@dataclass(frozen=True, slots=True)
class ParentShare:
    """A parent's amount, and how much of it its children have."""

    budgeted: Decimal
    allocated: Decimal

    @property
    def unallocated(self) -> Decimal:
        """What no child has yet; below zero, the children have more than there is."""
        return EXACT.subtract(self.budgeted, self.allocated)

    @property
    def is_over(self) -> bool:
        return self.allocated > self.budgeted


def split_among_children(
    parent: Mapping[date, Decimal], children: Sequence[Mapping[date, Decimal]]
) -> dict[date, ParentShare]:
    """For each period of the parent what its children have of it; amounts are keyed by first day."""
    starts = sorted(parent)
    allocated = dict.fromkeys(starts, Decimal(0))
    for child in children:
        for start, amount in child.items():
            # A child's month lies in the parent's period that began last before it.
            parents = [first for first in starts if first <= start]
            if parents:
                allocated[parents[-1]] += amount
    return {start: ParentShare(parent[start], allocated[start]) for start in starts}
