"""Shapes of daily cost to measure forecasts and anomaly detection on: pure functions of a generator and a length.

Day 0 is FIRST, a Monday and a first of January: three years of every shape hold whole months, quarters and years.
All but `bursts` and `random tenfold spikes` are what they are called, with a noise of NOISE of each day's cost.
"""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from budgets.calc.cost_history import CostHistory, Floats
from finops_site.lib.periods import Month

FIRST = date(2024, 1, 1)
LEVEL, NOISE = 100.0, 0.03
# A fee or credit, and the rise of a ramp that lasts to the end.
FEE, CREDIT, RAMP, RAMP_DAYS = 600.0, -600.0, 0.02, 92

Shape = Callable[[np.random.Generator, int], Floats]


def history_of(shape: Shape, many: int, days: int, seed: int = 0) -> CostHistory:
    """`many` series of a shape side by side."""
    generator = np.random.default_rng(seed)
    return CostHistory(FIRST, np.stack([shape(generator, days) for _ in range(many)]))


def dates(days: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(days)]


def noisy(generator: np.random.Generator, course: Floats) -> Floats:
    """The course with each day off by NOISE of it, one standard deviation."""
    noise: Floats = course * (1 + NOISE * generator.standard_normal(len(course)))
    return noise


def flat(generator: np.random.Generator, days: int) -> Floats:
    return noisy(generator, np.full(days, LEVEL))


def trend(generator: np.random.Generator, days: int) -> Floats:
    """A straight rise of a fifth of the first day in a hundred days."""
    return noisy(generator, LEVEL * (1 + 0.002 * np.arange(days)))


def growth(generator: np.random.Generator, days: int) -> Floats:
    """Five per cent a month more."""
    return noisy(generator, LEVEL * 1.05 ** (np.arange(days) / 30.4))


def weekday(generator: np.random.Generator, days: int) -> Floats:
    """Weekends at half."""
    return noisy(generator, np.array([LEVEL / 2 if day.weekday() >= 5 else LEVEL for day in dates(days)]))


def zero_weekends(generator: np.random.Generator, days: int) -> Floats:
    return noisy(generator, np.array([0.0 if day.weekday() >= 5 else LEVEL for day in dates(days)]))


def month_end(generator: np.random.Generator, days: int) -> Floats:
    """The last three days of each month at one and a half."""
    return noisy(generator, np.array([LEVEL * (1.5 if _left(day) < 3 else 1) for day in dates(days)]))


def quarter_end(generator: np.random.Generator, days: int) -> Floats:
    """The last five days of each quarter twice as dear."""
    ends = [LEVEL * (2 if day.month % 3 == 0 and _left(day) < 5 else 1) for day in dates(days)]
    return noisy(generator, np.array(ends))


def month_start_batch(generator: np.random.Generator, days: int) -> Floats:
    """Three times as dear on the first three days of each month."""
    return noisy(generator, np.array([LEVEL * (3 if day.day <= 3 else 1) for day in dates(days)]))


def fee_on(number: int, amount: float = FEE) -> Shape:
    """An amount on one day of each month; the last day where the month is shorter."""

    def shape(generator: np.random.Generator, days: int) -> Floats:
        due = [day.day == min(number, Month.of(day).days) for day in dates(days)]
        return flat(generator, days) + np.where(due, amount, 0.0)

    return shape


def fee_before_the_end(left: int, amount: float = FEE) -> Shape:
    """An amount on the day that has so many days of its month after it: 0 is the last."""

    def shape(generator: np.random.Generator, days: int) -> Floats:
        return flat(generator, days) + np.where([_left(day) == left for day in dates(days)], amount, 0.0)

    return shape


def two_fees(generator: np.random.Generator, days: int) -> Floats:
    """A fee on the 10th, and a credit of half on the last day but one."""
    half = CREDIT / 2
    return fee_on(10)(generator, days) + np.where([_left(day) == 1 for day in dates(days)], half, 0.0)


def growing_with_fee(generator: np.random.Generator, days: int) -> Floats:
    """Growth below a fee on the 20th that grows with it."""
    due = np.array([day.day == 20 for day in dates(days)])
    return growth(generator, days) * np.where(due, 1 + FEE / LEVEL, 1.0)


def yearly_fee(generator: np.random.Generator, days: int) -> Floats:
    """A fee of a whole month's cost on the 20th of one month in the year."""
    month = int(generator.integers(1, 13))
    return flat(generator, days) + np.where(
        [(day.month, day.day) == (month, 20) for day in dates(days)], 30 * LEVEL, 0.0
    )


def annual_season(generator: np.random.Generator, days: int) -> Floats:
    """A third more in July, a third less in January, smoothly."""
    turn = 2 * np.pi * (np.array([day.timetuple().tm_yday for day in dates(days)]) - 15) / 365.25
    return noisy(generator, LEVEL * (1 - np.cos(turn) / 3))


def ramp(generator: np.random.Generator, days: int) -> Floats:
    """Flat, and two per cent a day more in the last RAMP_DAYS."""
    climbing = np.maximum(np.arange(days) - (days - RAMP_DAYS), 0)
    return noisy(generator, LEVEL * (1 + RAMP) ** climbing)


def level_shift(generator: np.random.Generator, days: int) -> Floats:
    """Three quarters more, or as much less, from a day in each year on."""
    level = np.full(days, LEVEL)
    for first in range(0, days, 365):
        level[first + int(generator.integers(30, 335)) :] *= generator.choice([1 / 1.75, 1.75])
    return noisy(generator, level)


def biweekly_job(generator: np.random.Generator, days: int) -> Floats:
    """Four days' cost more on every other Wednesday."""
    return flat(generator, days) + np.where(np.arange(days) % 14 == 2, 4 * LEVEL, 0.0)


def spikes(generator: np.random.Generator, days: int) -> Floats:
    """One day in forty is ten times as dear."""
    return flat(generator, days) * np.where(generator.random(days) < 1 / 40, 10.0, 1.0)


def bursts(generator: np.random.Generator, days: int) -> Floats:
    """Jobs of two to nine days that come and go at random, each of a size of its own."""
    course, start = np.full(days, LEVEL / 5), 0
    while start < days:
        start += int(generator.integers(3, 20))
        length = int(generator.integers(2, 10))
        course[start : start + length] += LEVEL * generator.lognormal(0, 0.7)
        start += length
    return noisy(generator, course)


def refunds(generator: np.random.Generator, days: int) -> Floats:
    """A refund of some days' cost in the middle of about every other month."""
    course = flat(generator, days)
    for number, day in enumerate(dates(days)):
        if day.day == 12 and generator.random() < 0.5:
            course[min(number + int(generator.integers(0, 9)), days - 1)] -= LEVEL * generator.uniform(2, 6)
    return course


def _left(day: date) -> int:
    """How many days of its month come after a day."""
    return Month.of(day).days - day.day


# The first thirteen are those of the first measurement.
SHAPES: dict[str, Shape] = {
    "flat": flat,
    "trend": trend,
    "growth": growth,
    "weekday": weekday,
    "month-end": month_end,
    "fee on the 1st": fee_on(1),
    "fee on the 15th": fee_on(15),
    "fee on the last day": fee_before_the_end(0),
    "credit on the last day": fee_before_the_end(0, CREDIT),
    "credit on the 3rd": fee_on(3, CREDIT),
    "ramp +2 % a day": ramp,
    "random tenfold spikes": spikes,
    "quarter-end x2": quarter_end,
    "fee on the 31st": fee_on(31),
    "fee on the last day but four": fee_before_the_end(4),
    "fee and credit": two_fees,
    "growing with a fee": growing_with_fee,
    "month-start batch": month_start_batch,
    "zero weekends": zero_weekends,
    "biweekly job": biweekly_job,
    "level shift": level_shift,
    "bursts": bursts,
    "refunds in mid-month": refunds,
    "yearly fee": yearly_fee,
    "annual season": annual_season,
}
