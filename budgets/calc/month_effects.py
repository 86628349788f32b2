"""What the turn of a month does to daily cost: fees on the first, and factors of the last three days. Pure.

What falls on the first of a month is a fee of its own, and the last three days of a month have factors where they
differ month after month.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from budgets.calc.cost_history import CostHistory, Floats
from finops_site.lib.periods import Month

FEE_SPEED = 0.5
# An excess on the first of a month is a fee from this many usual deviations on.
FEE_DEVIATIONS = 4.0
MONTH_END_DAYS = 3
MONTH_ENDS = 6
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class MonthEffects:
    """What the turn of a month does to each series, as known before each column.

    `plain` are the days as they would have been without it; fees and factors stand at the columns they hold from on.
    """

    plain: Floats
    known_from: list[int]
    fees: list[Floats]
    factors: list[Floats]

    def before(self, origin: int) -> tuple[Floats, Floats]:
        """(the fee that falls on the next first, the factors of a month's last, last but one and last but two day)."""
        place = int(np.searchsorted(self.known_from, origin, side="right")) - 1
        return self.fees[place], self.factors[place]

    def add_to_sums(self, origin: int, start: date, courses: Floats) -> Floats:
        """The sums of `courses`, which begin at `start`, with the fees and the last days of the months in them."""
        fee, factors = self.before(origin)
        total: Floats = courses.sum(axis=2)
        for column, left in _month_turns(start, courses.shape[2]):
            if left:
                total = total + courses[:, :, column] * (factors[:, left - 1] - 1)[None, :]
            else:
                total = total + fee[None, :]
        return total

    def learn_fee(self, column: int) -> None:
        """Takes what a first of a month cost beyond an ordinary day as its fee, where it stands out."""
        usual, deviation = _usual_cost(self.plain, column)
        excess = self.plain[:, column] - usual
        is_fee = np.abs(excess) > FEE_DEVIATIONS * deviation + 0.05 * np.abs(usual)
        excess = np.where(is_fee, excess, 0.0)
        before = self.fees[-1]
        fee = np.where(before == 0, excess, before + FEE_SPEED * (excess - before))
        self.plain[:, column] -= excess
        self.known_from.append(column + 1)
        self.fees.append(fee)
        self.factors.append(self.factors[-1])

    def learn_month_end(self, column: int, place: int, ratios: list[Floats]) -> None:
        """A factor holds where it was seen twice at least and stands out of its own scatter."""
        usual, _ = _usual_cost(self.plain, column)
        ratio = cost_ratio(self.plain[:, column], usual)
        ratios.append(ratio)
        del ratios[:-MONTH_ENDS]
        stacked = np.stack(ratios)
        mean = stacked.mean(axis=0)
        scatter = stacked.std(axis=0, ddof=1) if len(ratios) > 1 else np.full(ratio.shape, 9.0)
        # What is within three standard errors or a tenth of an ordinary day is no effect.
        clear = np.abs(mean - 1) > np.maximum(3 * scatter / len(ratios) ** 0.5, 0.1)
        factors = self.factors[-1].copy()
        factors[:, place] = np.where(clear, mean, 1.0)
        odd = np.abs(ratio - 1) > 0.25
        self.plain[:, column] = np.where(clear & odd, usual, self.plain[:, column])
        self.known_from.append(column + 1)
        self.fees.append(self.fees[-1])
        self.factors.append(factors)


def learn_month_effects(history: CostHistory) -> MonthEffects:
    """Goes from month to month and learns what its first and its last days cost beyond ordinary days."""
    many = history.daily.shape[0]
    effects = MonthEffects(history.daily.copy(), [0], [np.zeros(many)], [np.ones((many, MONTH_END_DAYS))])
    ratios: list[list[Floats]] = [[] for _ in range(MONTH_END_DAYS)]
    for column in range(14, history.days):
        day = history.day(column)
        # 1 on the last day of its month, 2 on the day before.
        left = (Month.of(day).next.start - day).days
        if day.day == 1:
            effects.learn_fee(column)
        elif left <= MONTH_END_DAYS:
            effects.learn_month_end(column, left - 1, ratios[left - 1])
    return effects


def cost_ratio(cost: Floats, expected: Floats) -> Floats:
    """cost / expected, 1 where nothing was expected, within bounds that an odd day cannot leave."""
    safe = np.where(np.abs(expected) > TINY, expected, 1.0)
    ratio: Floats = np.where(np.abs(expected) > TINY, np.clip(cost / safe, 0.0, 7.0), 1.0)
    return ratio


def _usual_cost(plain: Floats, column: int) -> tuple[Floats, Floats]:
    """What a day was to cost, by the same weekdays and the last week; and the usual deviation from that."""
    last = plain[:, column - 7 : column]
    week_before = plain[:, column - 14 : column - 7]
    growth = cost_ratio(last.sum(axis=1), week_before.sum(axis=1))
    return plain[:, column - 7] * np.clip(growth, 0.7, 1.4), np.abs(last - week_before).mean(axis=1) + TINY


def _month_turns(start: date, days: int) -> list[tuple[int, int]]:
    """(days from `start`, 0) of each first of a month and (days, 1 to 3) of its last days, within `days` days."""
    turns, first = list[tuple[int, int]](), Month.of(start).start
    while (first - start).days <= days + MONTH_END_DAYS:
        ends = [(first - timedelta(days=left), left) for left in range(MONTH_END_DAYS, 0, -1)]
        turns += [((day - start).days, left) for day, left in [*ends, (first, 0)] if 0 <= (day - start).days < days]
        first = Month.of(first).next.start
    return turns
