"""What is expected of each day, known the evening before, for many series side by side in NumPy. Pure: no Django.

A day is expected to cost what its weekday costs (the median of eight weeks of its share of a week's middle day) at the
level of the last two weeks (a median too), and what its place in the month adds: a fee on the first, the 15th, the last
day or the first business day, a batch of three days. Medians forget what happened once: a refund, a credit, a test.
So nothing has to be taken out by hand, and nothing below zero is expected because of a refund.

Places in the month are counted from its start and from its end, in days and in business days; what stood out at the
same place in the last two months (or three and six months ago, and not in between) is expected there again.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from budgets.calc.cost_history import Columns, CostHistory, Floats
from finops_site.lib.periods import Month

# Of a normal distribution, the standard deviation by the median absolute deviation.
MAD = 1.4826
WEEKS = 8
LEVEL_DAYS = 14
# Fewer known days than these before a day say nothing about it.
FEWEST_DAYS = 14
# The error that even a series without any has, as a share of its level.
LEAST_ERROR = 0.02
# A weekday that costs less than this share of a mean day says nothing about the level.
QUIET_WEEKDAY = 0.2
# A day counts in means with no more than so many deviations from what was expected.
CLEANED_DEVIATIONS = 5.0
# A size that was exceeded in so many of so many weeks is what such a series does.
BURST_WEEKS, BURST_OF = 3, 13
BURST_FACTOR = 1.5
# What stands out at a place in the month: by so many deviations, and by a share of its day.
MONTHLY_DEVIATIONS, MONTHLY_SHARE = 3.0, 0.1
# What came back once, or within three days of its place twice, is no news up to so much larger.
MONTHLY_FACTOR = 1.35
# A weekday costs at most so many times the middle of its week.
HIGHEST_FACTOR = 10.0
NEARBY_DAYS = 3
FARTHEST_MONTH = 6
ROWS_AT_ONCE = 250
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class UsualDays:
    """All arrays have a row for each series and a column for each day; each column knows only those before it.

    `expected`: what the day is to cost, and `deviation` how far its days usually are from that. `high` and `low`:
    between them lie the levels that are no news (of the last two weeks, of the middle of eight, with or without what
    the month adds); `burst_high` and `burst_low`: how far beyond them it has been again and again. `profile`: the
    weekday's cost by that of a middle day. `monthly`: what the place in the month adds. `cleaned`: the days without
    that, and without what stands out of them. Not a number where too little is known.
    """

    expected: Floats
    deviation: Floats
    high: Floats
    low: Floats
    burst_high: Floats
    burst_low: Floats
    profile: Floats
    monthly: Floats
    cleaned: Floats


def usual_days(history: CostHistory) -> UsualDays:
    """What is usual of every day. A day of `history` that is not a number is covered by no bill: unknown, not zero."""
    daily = history.daily
    places = _places_in_months(history.first, history.days + NEARBY_DAYS)
    rows = [slice(first, first + ROWS_AT_ONCE) for first in range(0, max(len(daily), 1), ROWS_AT_ONCE)]
    parts = [_usual_days_of(daily[part], places) for part in rows]
    return UsualDays(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def middle(values: Floats) -> Floats:
    """The median over the last axis of what is known, not a number where nothing is; quicker than `np.nanmedian`."""
    ordered = np.sort(values, axis=-1)
    known = np.isfinite(values).sum(axis=-1)
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, values.shape[-1] - 1)
    both = np.take_along_axis(ordered, np.stack([low, high], axis=-1), axis=-1)
    median: Floats = np.where(known > 0, both.mean(axis=-1), np.nan)
    return median


def shifted(values: Floats, days: int) -> Floats:
    """Each column holds what stood `days` columns before it; not a number where there is none."""
    moved: Floats = np.full_like(values, np.nan)
    if days < values.shape[1]:
        moved[:, days:] = values[:, : values.shape[1] - days]
    return moved


def trailing(values: Floats, days: int) -> Floats:
    """The last `days` columns up to each, itself included, on a new last axis."""
    padded = np.concatenate([np.full((values.shape[0], days - 1), np.nan), values], axis=1)
    windows: Floats = np.lib.stride_tricks.sliding_window_view(padded, days, axis=1)
    return windows


def _usual_days_of(cost: Floats, places: list[Columns]) -> tuple[Floats, ...]:
    weekday, base, profile = _weekday_levels(cost)
    known = np.isfinite(cost)
    ready = np.cumsum(known, axis=1) - known >= FEWEST_DAYS
    base = np.where(ready, base, np.nan)
    error = cost - base
    noise = _noise(error, base)
    monthly, again = _monthly_effects(error, base, noise, places)
    error = error - monthly
    noise = _noise(error, base)
    burst_high, often_high = _bursts(error)
    burst_low, often_low = _bursts(-error)
    # What the weekday cost in the middle of eight weeks is no news, even if the last two weeks were different.
    high = np.maximum(base, weekday) + np.maximum(np.maximum(monthly, 0), again)
    low = np.minimum(base, weekday) + np.minimum(monthly, 0)
    # A burst is part of what such a series costs where most weeks have one; a few refunds are not.
    reach = np.maximum(np.maximum(often_high, often_low), CLEANED_DEVIATIONS * noise)
    cleaned = np.where(ready, np.clip(cost - monthly, base - reach, base + reach), np.nan)
    expected = base + monthly
    # Only a series whose days are mostly below zero is expected to be there.
    expected = np.where(np.nan_to_num(weekday) >= 0, np.maximum(expected, 0.0), expected)
    return expected, noise, high, low, burst_high, burst_low, profile, monthly, cleaned


def _weekday_levels(cost: Floats) -> tuple[Floats, Floats, Floats]:
    """(what the weekday costs at the level of eight weeks, the same at that of two weeks, the weekday's factor)."""
    week = middle(trailing(cost, 7))
    has_level = np.abs(week) > TINY
    # By the middle of the week that ends with it, so that a step in the level moves no weekday.
    ratio = np.where(has_level, cost / np.where(has_level, week, 1.0), np.nan)
    ratio = np.where(np.isfinite(week), np.clip(ratio, -HIGHEST_FACTOR, HIGHEST_FACTOR), np.nan)
    factors = middle(np.stack([shifted(ratio, 7 * number) for number in range(WEEKS)], axis=-1))
    factors = np.where(np.isfinite(factors), factors, 1.0)
    profile = shifted(factors, 7)
    profile = np.where(np.isfinite(profile), profile, 1.0)
    level = []
    for back in range(1, LEVEL_DAYS + 1):
        own = shifted(factors, (back - 1) % 7 + 1)
        speaks = own > QUIET_WEEKDAY
        level.append(np.where(speaks, shifted(cost, back) / np.where(speaks, own, 1.0), np.nan))
    newest = middle(np.stack(level, axis=-1))
    eight_weeks = middle(np.stack([shifted(week, 1 + 7 * number) for number in range(WEEKS)], axis=-1))
    return profile * eight_weeks, profile * np.where(np.isfinite(newest), newest, eight_weeks), profile


def _noise(error: Floats, base: Floats) -> Floats:
    """The robust deviation of the errors of the last eight weeks: the middle of weekly medians."""
    weekly = middle(trailing(np.abs(error), 7))
    noise = MAD * middle(np.stack([shifted(weekly, 1 + 7 * week) for week in range(WEEKS)], axis=-1))
    floor = LEAST_ERROR * np.abs(base)
    result: Floats = np.maximum(np.nan_to_num(noise), np.nan_to_num(floor))
    return result


def _bursts(error: Floats) -> tuple[Floats, Floats]:
    """What a week's largest error exceeds in three of thirteen weeks, and in most; half as much again, or zero."""
    with np.errstate(invalid="ignore"):
        largest = np.fmax.reduce(trailing(error, 7), axis=-1)
    weeks = np.stack([shifted(largest, 1 + 7 * week) for week in range(BURST_OF)], axis=-1)
    weeks = np.sort(np.where(np.isfinite(weeks), weeks, 0.0), axis=-1)
    third, most = (np.maximum(weeks[..., BURST_OF - number], 0.0) for number in (BURST_WEEKS, BURST_OF // 2 + 1))
    return third * BURST_FACTOR, most * BURST_FACTOR


def _places_in_months(first: date, days: int) -> list[Columns]:
    """For each way to count places: an array (month back, column) of the column at the same place, -1 where none is."""
    by_place: list[dict[tuple[int, int], int]] = [{} for _ in range(4)]
    numbers: list[list[tuple[int, int] | None]] = [[] for _ in range(4)]
    for column in range(days):
        day = first + timedelta(days=column)
        month = Month.of(day)
        before = np.busday_count(month.start, day)
        left = np.busday_count(day, month.next.start)
        is_workday = day.weekday() < 5
        counted = (
            day.day,
            (month.next.start - day).days,
            int(before) if is_workday else None,
            int(left) if is_workday else None,
        )
        ordinal = day.year * 12 + day.month
        for way, place in enumerate(counted):
            key = None if place is None else (ordinal, place)
            numbers[way].append(key)
            if key is not None:
                by_place[way][key] = column
    tables = []
    for way in range(4):
        table = np.full((FARTHEST_MONTH, days), -1, dtype=np.intp)
        for column, key in enumerate(numbers[way]):
            if key is not None:
                for back in range(FARTHEST_MONTH):
                    table[back, column] = by_place[way].get((key[0] - back - 1, key[1]), -1)
        tables.append(table)
    return tables


def _monthly_effects(error: Floats, base: Floats, noise: Floats, places: list[Columns]) -> tuple[Floats, Floats]:
    """(what the place in the month adds, how much above the base is no news because it may be a monthly cost).

    `places` reaches NEARBY_DAYS beyond the last day: a fee that is due the day after tomorrow may come today.
    """
    size = np.maximum(MONTHLY_DEVIATIONS * noise, MONTHLY_SHARE * np.abs(base))
    # How far each day stands out, zero where it does not; not a number where nothing is known.
    out = np.where(np.abs(error) > size, error, 0.0)
    out = np.where(np.isfinite(error), out, np.nan)
    days, ahead = error.shape[1], places[0].shape[1]
    effect, again = np.zeros((error.shape[0], ahead)), np.zeros((error.shape[0], ahead))
    scatter = np.full_like(effect, np.inf)
    # What came about that time of the last two months: fees move from weekends, bills close late.
    around = np.fmax.reduce(trailing(np.nan_to_num(np.abs(out)), 2 * NEARBY_DAYS + 1), axis=-1)
    above = np.fmax.reduce(trailing(np.nan_to_num(out), 2 * NEARBY_DAYS + 1), axis=-1)
    ends = [np.where(at >= 0, np.minimum(at + NEARBY_DAYS, days - 1), -1) for at in places[0][:2]]
    is_quiet = np.logical_and.reduce([np.where(end >= 0, around[:, end] == 0, True) for end in ends])
    nearby = np.minimum(*(np.where(end >= 0, above[:, end], 0.0) for end in ends))
    for table in places:
        past = [np.where(columns >= 0, out[:, columns], np.nan) for columns in table]
        # Every month; or every quarter, if nothing came in the months between.
        for first, second, third, may_be in ((0, 1, 2, True), (2, 5, 5, is_quiet)):
            one, two, three = past[first], past[second], past[third]
            # Where there is a third, it confirms.
            three = np.where(np.isfinite(three), three, two)
            holds = (one * two > 0) & (one * three > 0) & may_be
            spread = np.abs(one - two) / np.maximum(np.abs(one + two), TINY)
            better = holds & (spread < scatter)
            effect = np.where(better, middle(np.stack([one, two, three], axis=-1)), effect)
            scatter = np.where(better, spread, scatter)
            again = np.fmax(again, np.where(may_be, MONTHLY_FACTOR * one, 0.0))
    # Unless it has its own day near by.
    own = np.pad(effect != 0, ((0, 0), (NEARBY_DAYS, NEARBY_DAYS)))
    has_own = np.lib.stride_tricks.sliding_window_view(own, 2 * NEARBY_DAYS + 1, axis=1).any(axis=-1)
    again = np.where(has_own, again, np.maximum(again, MONTHLY_FACTOR * nearby))
    return effect[:, :days], again[:, :days]
