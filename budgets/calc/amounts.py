"""How much a budget has for each of its periods. Pure: no Django, no clock."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from budgets.calc.fiscal_calendar import CALENDAR_YEAR, MONTHS, FiscalCalendar
from finops_site.lib import money
from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.locale_format import percent_figure
from finops_site.lib.money import EXACT, STORED_UNIT, BadAmount, exact_text, places, rounded, split
from finops_site.lib.periods import Month, Period
from finops_site.lib.words import counted, number_text

MOST_PERIODS = 120
MOST_AMOUNT = Decimal(10) ** 18


@dataclass(frozen=True, slots=True)
class BudgetCut:
    """How a budget is cut into periods: by its kind and calendar, between its own first day and its end.

    The first and the last period begin and end on those very days: a budget counts its own days only.
    """

    kind: str
    start: date
    end: date | None = None
    calendar: FiscalCalendar = CALENDAR_YEAR

    def period(self, day: date) -> Period | None:
        """The period that `day` lies in; None where the budget does not count it. Raises ValueError."""
        if day < self.start or (self.end is not None and day >= self.end):
            return None
        if self.kind not in MONTHS:
            if self.end is None:
                raise ValueError("a range and a project have a last day")
            return Period(self.start, self.end)
        whole_period = self.calendar.holding(self.kind, day)
        end = whole_period.end if self.end is None else min(whole_period.end, self.end)
        return Period(max(whole_period.start, self.start), end)

    def named(self, month: Month) -> Period | None:
        """Of a budget of months, the period that goes by the name of a calendar month; None where it has none."""
        month_of_calendar = self.calendar.named(month)
        period = self.period(max(month_of_calendar.start, self.start))
        return period if period and period.start in month_of_calendar else None

    def has(self, period: Period) -> bool:
        """Whether it is one of the budget's periods."""
        return self.period(period.start) == period

    def covers_all_of_its_period(self, period: Period) -> bool:
        """Whether it is a month, quarter or year to its full; not where the budget starts or ends amid it."""
        return self.kind not in MONTHS or self.calendar.holding(self.kind, period.start) == period

    def periods(self, *, count: int = 12) -> list[Period]:
        """All periods until its end, or `count` of them where it goes on. Raises ValueError."""
        return self.periods_from(self.start, MOST_PERIODS if self.end else count)

    def periods_from(self, day: date, most: int) -> list[Period]:
        """The period that holds `day` and those after it, `most` of them at most. Raises ValueError."""
        periods = list[Period]()
        while len(periods) < most and (period := self.period(day)):
            periods.append(period)
            day = period.end
        return periods


def budget_periods(kind: str, start: date, end: date | None, *, count: int = 12) -> list[Period]:
    """The periods of a budget of the calendar year: until `end`, or `count` of them. Raises ValueError."""
    return BudgetCut(kind, start, end).periods(count=count)


def parse_amount(text: str, *, decimal_mark: str = "", currency: str = "") -> Decimal:
    """The amount of a budget that somebody typed, as finops_site.lib.money reads it; raises BadAmount."""
    return check_amount(money.parse_amount(text, decimal_mark=decimal_mark), currency)


def check_amount(amount: Decimal, currency: str = "") -> Decimal:
    """`amount`, if a budget can have it; raises BadAmount, also for a fraction of a currency that has none."""
    if not amount.is_finite() or amount < 0:
        raise BadAmount(_("An amount cannot be less than zero, and {amount} is.").format(amount=amount))
    if amount >= MOST_AMOUNT:
        raise BadAmount(_("That is more than all the money there is."))
    if amount != amount.quantize(STORED_UNIT, context=EXACT):
        raise BadAmount(_("{amount} has more than 18 decimals.").format(amount=exact_text(amount)))
    if currency and not places(currency) and amount != rounded(amount, currency):
        raise BadAmount(
            _("{amount} {currency}: the currency has no smaller unit, write a whole number.").format(
                amount=exact_text(amount), currency=currency
            )
        )
    return amount


def flat_amounts(amount: Decimal, count: int) -> list[Decimal]:
    """The same for each period."""
    return [amount] * count


def growing_amounts(amount: Decimal, percent: Decimal, count: int, currency: str) -> list[Decimal]:
    """`amount` for the first period and `percent` more for each that follows, in whole units of the currency.

    Raises BadAmount where it grows beyond what a budget can have.
    """
    factor, grown = EXACT.add(1, EXACT.divide(percent, 100)), list[Decimal]()
    for number in range(count):
        value = EXACT.multiply(amount, EXACT.power(factor, number))
        # Before it is rounded: what is far too much cannot be.
        grown.append(rounded(value, currency) if value < MOST_AMOUNT else check_amount(value))
    return grown


def shaped_amounts(total: Decimal, last_year: Sequence[Decimal], currency: str) -> list[Decimal]:
    """`total` in the proportions of last year's periods; the parts sum to it exactly.

    Without any cost last year it is spread evenly. A period that was below zero (a credit) gets nothing.
    """
    weights = [max(amount, Decimal(0)) for amount in last_year]
    if not any(weights):
        weights = [Decimal(1)] * len(last_year)
    return split(total, weights, unit=Decimal(1).scaleb(-places(currency)))


def pasted_amounts(text: str, count: int, currency: str = "") -> list[Decimal]:
    """Amounts out of a spreadsheet: a row or a column of cells; raises BadAmount unless there are `count`."""
    cells = [cell for line in text.strip().splitlines() for cell in re.split(r"[\t;]", line) if cell.strip()]
    if len(cells) != count:
        raise BadAmount(
            _("{amounts} and {periods}.").format(
                amounts=counted(len(cells), "amount is pasted", "amounts are pasted"),
                periods=ngettext("there is {count} period", "there are {count} periods", count).format(count=count),
            )
        )
    mark = money.decimal_mark_of(cells)
    return [parse_amount(cell, decimal_mark=mark, currency=currency) for cell in cells]


def carried_over(budgeted: Decimal, spent: Decimal) -> Decimal:
    """What the next period has besides its own amount: what was not spent, never less than zero."""
    return max(EXACT.subtract(budgeted, spent), Decimal(0))


def since_first_cost(spent: Sequence[Decimal]) -> list[Decimal]:
    """The months, the earliest first, without the empty ones before there was any cost: a later zero is a zero."""
    first = next((place for place, amount in enumerate(spent) if amount), len(spent))
    return list(spent[first:])


def automatic_amount(
    spent: Sequence[Decimal], factor: Decimal, currency: str, share: tuple[int, int] = (1, 1)
) -> Decimal | None:
    """The average of the months x factor; None where there is no month to go by, zero where it is below.

    `share`: (own days, all days) of a period that is a part of a month, which gets so much of it.
    """
    if not spent:
        return None
    average = EXACT.divide(sum(spent, Decimal(0)), len(spent))
    own, every = share
    return max(rounded(EXACT.divide(EXACT.multiply(EXACT.multiply(average, factor), own), every), currency), Decimal(0))


def suggested_amount(spent: Sequence[Decimal], currency: str) -> Decimal | None:
    """What the last months suggest: their average, a month far off the median left out, rounded up to three digits.

    None where there is no month to go by, or where they cost nothing.
    """
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


# A change beyond it, up or down, is more likely a slip than a decision.
MUCH = 5


@dataclass(frozen=True, slots=True)
class AmountChange:
    """An amount before and after; None where there is none."""

    before: Decimal | None
    after: Decimal | None

    @property
    def text(self) -> str:
        """``+12.5 %``; ``13x as much`` and ``a 1000th`` where a percentage says nothing any more."""
        if not self.before or self.after is None:
            return ""
        return change_text(self.before, self.after)

    @property
    def is_much(self) -> bool:
        """Whether it should be looked at twice: more than five times as much, or less than a fifth."""
        if not self.before or self.after is None:
            return False
        return self.after > self.before * MUCH or self.after * MUCH < self.before


def change_text(before: Decimal, after: Decimal) -> str:
    """By how much something changed, in words that can be read: percent up to ten times as much, then ``13x``."""
    if before <= 0:
        return ""
    times = EXACT.divide(after, before)
    if times > 10:
        return _("{times}x as much").format(times=number_text(times))
    if 0 < times < Decimal("0.1"):
        return _("1/{times} of it").format(times=number_text(1 / times))
    percent = EXACT.multiply(times - 1, Decimal(100)).quantize(Decimal("0.1"), context=EXACT)
    return percent_figure(f"{percent if percent else abs(percent):+,f}".replace("+0.0", "0"))
