"""What the calendar does to daily cost: amounts that come back on a day of the month, the quarter or the year. Pure.

A fee, a batch, a credit: the days are compared with the same weekdays around them, and what stands out again and again
on the same day counted from the start of its month, or from its end, is expected there again. What comes back only
every quarter or year likewise. One that stood out once is no effect.

What is expected of a month is learnt from whole months before it, so every forecast of the past knows what it knew.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
import numpy.typing as npt

from budgets.calc.cost_history import Columns, CostHistory, Floats
from finops_site.lib.periods import Month

Flags = npt.NDArray[np.bool_]
TINY = 1e-9
MAD = 1.4826
# A day stands out from this many usual deviations and this share of a usual day on.
DEVIATIONS, LEAST_SHARE = 3.5, 0.1
# What is usual is learnt of so many days.
USUAL_DAYS = 180
# So many months, quarters and years back are looked at.
MONTHS_BACK, QUARTERS_BACK, YEARS_BACK = 6, 8, 3
# Days whose following weeks are not all known.
EDGE = 28
AT_AN_EDGE = ((-4, -3, -2, -1), (-4, -2, -1, 1))
# Jobs of every so many weeks.
WEEKS, OFTEN = (2, 4), 4
# How likely chance may have made what is taken for an effect, over all days of a month, quarter or year.
CHANCE = 0.02
WHOLE_MONTH, FEW_EVENTS = 31, 2
REGULAR = 0.75
# The amount of the last time holds where it is within this share of the usual one.
ALIKE = 0.3


@dataclass(slots=True)
class CalendarEffects:
    """What the calendar adds to each series' days, as known before each month."""

    history: CostHistory
    # Each day less what the same weekdays around it cost; and the same for the days whose right side is not known yet.
    beyond: Floats
    beyond_at_edge: dict[Month, Floats]
    expected: dict[tuple[Month, Month], Floats] = field(default_factory=dict)
    known: dict[Month, "OddDays"] = field(default_factory=dict)

    def of_month(self, month: Month, known_in: Month) -> Floats:
        """What is added to each day of `month`, as known when `known_in` began: a row a series."""
        key = (month, min(month, known_in))
        if key not in self.expected:
            self.expected[key] = self._learn(*key)
        return self.expected[key]

    def of_days(self, origin: int, days: int) -> Floats:
        """What is added to each of `days` days from column `origin` on, as known when its month began."""
        start = self.history.day(origin)
        known_in, parts, left = Month.of(start), [], days
        while left > 0:
            month = Month.of(start)
            first = (start - month.start).days
            parts.append(self.of_month(month, known_in)[:, first : first + left])
            left -= month.days - first
            start = month.next.start
        ahead: Floats = np.concatenate(parts, axis=1) if parts else np.zeros((len(self.beyond), 0))
        return ahead

    def of_past(self) -> Floats:
        """What was added to each day of the history, as known when its month began."""
        added, month = np.zeros_like(self.history.daily), Month.of(self.history.first)
        while month.start < self.history.end:
            first = (month.start - self.history.first).days
            start, end = max(first, 0), min(first + month.days, self.history.days)
            added[:, start:end] = self.of_month(month, month)[:, start - first : end - first]
            month = month.next
        return added

    def _learn(self, month: Month, known_in: Month) -> Floats:
        if known_in.start <= self.history.first:
            return np.zeros((len(self.beyond), month.days))
        if known_in not in self.known:
            self.known[known_in] = self._odd_days_before(known_in)
        known = self.known[known_in]
        if not known.rows.size:
            return np.zeros((len(self.beyond), month.days))
        months = [known_in.plus(-back) for back in range(1, MONTHS_BACK + 1)]
        by_end, by_start = known.repeated(month, months, from_end=True), known.repeated(month, months, from_end=False)
        # The same amount can look as if it came back by both: it belongs to what explains more of it.
        keeps_end = by_end.recurs & ~by_end.better_by(by_start)
        keeps_start = by_start.recurs & ~by_start.better_by(by_end) & ~keeps_end
        total = np.where(keeps_end, by_end.amounts, np.where(keeps_start, by_start.amounts, 0.0))
        taken = keeps_end | keeps_start
        for step, back in ((3, QUARTERS_BACK), (12, YEARS_BACK)):
            earlier_months = [month.plus(-step * number) for number in range(1, back + 3)]
            months = [earlier for earlier in earlier_months if earlier < known_in][:back]
            end = known.repeated(month, months, from_end=True, every=step)
            start = known.repeated(month, months, from_end=False, every=step)
            for seldom, other in ((end, start), (start, end)):
                takes = seldom.recurs & ~taken & ~seldom.better_by(other)
                takes &= ~seldom.better_by(by_end) & ~seldom.better_by(by_start)
                total = np.where(takes, seldom.amounts, total)
                taken = taken | takes
        for weeks in WEEKS:
            regular = known.every_weeks(month, known_in, weeks)
            takes = regular.recurs & ~taken & (regular.hits.sum(axis=1) >= OFTEN)
            total = np.where(takes, regular.amounts, total)
            taken = taken | takes
        everything = np.zeros((len(self.beyond), month.days))
        everything[known.rows] = total
        return everything

    def _odd_days_before(self, known_in: Month) -> "OddDays":
        end = min(max((known_in.start - self.history.first).days, 0), self.history.days)
        beyond = self.beyond[:, :end].copy()
        edge = self.beyond_at_edge.get(known_in)
        if edge is not None:
            beyond[:, end - edge.shape[1] :] = edge
        return OddDays(self.history, beyond)


class OddDays:
    """Which of the days before a month stand out, and by how much: of the `rows` that have any such day."""

    def __init__(self, history: CostHistory, beyond: Floats) -> None:
        days = beyond.shape[1]
        usual = np.abs(history.daily[:, max(0, days - 56) : days])
        deviation = MAD * np.median(np.abs(beyond[:, max(0, days - USUAL_DAYS) :]), axis=1)
        threshold = np.maximum(DEVIATIONS * deviation, LEAST_SHARE * np.median(usual, axis=1))
        odd = np.abs(beyond) > np.maximum(threshold, TINY)[:, None]
        self.rows = np.flatnonzero(odd.any(axis=1))
        if not self.rows.size:
            return
        odd = odd[self.rows]
        # Days one after the other are one event.
        recent = odd[:, max(0, days - USUAL_DAYS) :]
        self.events = recent[:, 0] + (recent[:, 1:] & ~recent[:, :-1]).sum(axis=1)
        self.first, self.days, self.many_recent = history.first, days, recent.shape[1]
        self.begun = history.first_columns()[self.rows]
        # One column more, for days that are not known.
        self.beyond = np.pad(beyond[self.rows], ((0, 0), (0, 1)))
        self.odd = np.pad(odd, ((0, 0), (0, 1)))
        dates = [history.day(column) for column in range(days)]
        self.day_numbers = np.array([day.day for day in dates], dtype=np.intp)
        self.month_lengths = np.array([monthrange(day.year, day.month)[1] for day in dates], dtype=np.intp)

    def repeated(self, month: Month, months: Sequence[Month], *, from_end: bool, every: int = 1) -> "Recurrence":
        """What came back on the days of `month` in `months`, the latest first."""
        length = month.days
        columns = np.full((len(months), length), -1)
        for place, earlier in enumerate(months):
            there = np.arange(length) + (earlier.days - length if from_end else 0)
            column = (earlier.start - self.first).days + there
            known = (there >= 0) & (there < earlier.days) & (column >= 0) & (column < self.days)
            columns[place] = np.where(known, column, -1)
        return Recurrence(self, columns, 30.4 * every, from_end=from_end)

    def every_weeks(self, month: Month, known_in: Month, weeks: int) -> "Recurrence":
        """What came back every so many weeks before the month `known_in`, for the days of `month`."""
        first, end, step = (month.start - self.first).days, (known_in.start - self.first).days, 7 * weeks
        day = first + np.arange(month.days)
        # The last such day that was known then.
        latest = day - step * np.maximum(1, -(-(day - end + 1) // step))
        columns = latest[None, :] - step * np.arange(MONTHS_BACK)[:, None]
        return Recurrence(self, np.where((columns >= 0) & (columns < self.days), columns, -1), step, from_end=False)


class Recurrence:
    """What came back on each day of a month: whether it counts, how much it is, and how regularly it came."""

    def __init__(self, odd_days: OddDays, columns: Columns, places: float, *, from_end: bool) -> None:
        """`columns`: those of each day's earlier times, the latest first; `places`: among how many days they stand."""
        self.odd_days, self.columns, self.places, self.from_end = odd_days, columns, places, from_end
        times, shape = columns.shape[0], (len(odd_days.rows), columns.shape[1])
        self.share, self.recurs, self.amounts = np.zeros(shape), np.zeros(shape, dtype=bool), np.zeros(shape)
        self.hits = np.zeros((len(odd_days.rows), *columns.shape), dtype=bool)
        if not times or not len(odd_days.rows):
            return
        odd = odd_days.odd[:, columns]
        if not odd.any():
            return
        sign = np.sign(odd_days.beyond[:, columns])
        most = np.sign((sign * odd).sum(axis=1, keepdims=True))
        self.hits = odd & (sign == most)
        hits = self.hits.sum(axis=1)
        chances = ((columns >= 0)[None] & (columns[None] >= odd_days.begun[:, None, None])).sum(axis=1)
        self.share = hits / np.maximum(chances, 1)
        # How often other days stand out, and so how likely chance alone made as many of these.
        rate = (np.maximum(odd_days.events[:, None] - hits, 0) + 0.5) / odd_days.many_recent
        # Since it came first it came nearly every time, the last time among them; by about as much.
        oldest = times - self.hits[:, ::-1].argmax(axis=1)
        regular = (hits >= REGULAR * oldest) & (self.hits[:, 0] | (hits >= 3))
        size = np.abs(odd_days.beyond[:, columns])
        regular &= np.where(self.hits, size, np.inf).min(axis=1) >= ALIKE * np.where(self.hits, size, 0.0).max(axis=1)
        ways = np.array([[comb(n, k) for k in range(times + 1)] for n in range(times + 1)], dtype=float)
        by_chance = places * ways[oldest, hits] * np.minimum(rate, 1.0) ** hits
        self.recurs = (hits >= 2) & (by_chance < CHANCE) & regular
        if places < WHOLE_MONTH:
            # Of the only month that is known, nothing but this may have come back; its nearer end tells where.
            is_late = np.arange(columns.shape[1]) > columns.shape[1] // 2
            near = is_late if from_end else ~is_late
            self.recurs |= (chances == 1) & self.hits[:, 0] & near & (odd_days.events <= FEW_EVENTS)[:, None]
        row, day = np.nonzero(self.recurs)
        values = odd_days.beyond[row[:, None], columns.T[day]]
        self.amounts[row, day] = _usual_amount(values, self.hits[row, :, day])

    def better_by(self, other: "Recurrence") -> Flags:
        """Whether most of what came back on a day is explained better by the `other` way of counting."""
        explained = np.zeros_like(self.recurs)
        rows = np.flatnonzero(self.recurs.any(axis=1) & other.recurs.any(axis=1))
        if not rows.size:
            return explained
        # The other way's share of the day that each column is for it; the last is that of none.
        share = np.pad(np.where(other.recurs[rows], other.share[rows], 0.0), ((0, 0), (0, 1)))
        enough = self.share[rows][:, None] + (1e-9 if self.places == other.places else -0.34)
        better, hits = share[:, self._places_by(other)] >= enough, self.hits[rows]
        explained[rows] = (better & hits).sum(axis=1) > 0.5 * hits.sum(axis=1)
        return explained

    def _places_by(self, other: "Recurrence") -> Columns:
        """Which day of the month each of our columns is, counted as `other` counts."""
        length, column = self.columns.shape[1], np.maximum(self.columns, 0)
        place = self.odd_days.day_numbers[column] - 1
        if other.from_end:
            place = place + length - self.odd_days.month_lengths[column]
        return np.where((self.columns >= 0) & (place >= 0) & (place < length), place, length)


def learn_effects(history: CostHistory) -> CalendarEffects:
    """Compares every day with the same weekdays around it, and those before each month's start with what was known."""
    daily = history.with_usual_days_before().daily
    beyond = daily - _usual_by_weekday(daily, history.days)
    edges = {}
    month = Month.of(history.first).next
    while month.start <= history.end:
        end = (month.start - history.first).days
        first = max(0, end - EDGE)
        part = daily[:, max(0, first - 28) : end]
        edges[month] = (part - _usual_by_weekday(part, part.shape[1]))[:, first - end :]
        month = month.next
    return CalendarEffects(history, beyond, edges)


def _usual_by_weekday(daily: Floats, days: int) -> Floats:
    """The middle of the nearest same weekdays, on both sides where they are known; the day itself where too few are.

    As many of them are an even as an odd number of weeks away, so that a job of every other week stands out by half on
    its days, and by as much below on the days between.
    """
    usual = daily.copy()
    for first in range(0, days, 7):
        last = min(first + 7, days)
        before, after = min(first // 7, 4), min((days - last) // 7, 4)
        if min(before, after) == 4:
            weeks: tuple[int, ...] = (-4, -3, -2, -1, 1, 2, 3, 4)
        elif min(before, after) >= 2:
            weeks = (-2, -1, 1, 2)
        else:
            weeks = AT_AN_EDGE[min(before, after)]
            weeks = weeks if before > after else tuple(-week for week in weeks)
        weeks = tuple(week for week in weeks if first + 7 * week >= 0 and last + 7 * week <= days)
        if len(weeks) > 1:
            near = np.stack([daily[:, first + 7 * week : last + 7 * week] for week in weeks])
            usual[:, first:last] = np.median(near, axis=0)
    return usual


def _usual_amount(values: Floats, hits: Flags) -> Floats:
    """The amount of the last time where it is like the middle of all times, which holds otherwise: a row each."""
    middle = np.nanmedian(np.where(hits, values, np.nan), axis=1) if len(values) else np.zeros(0)
    last = np.take_along_axis(values, hits.argmax(axis=1)[:, None], axis=1)[:, 0]
    amounts: Floats = np.where(np.abs(last - middle) <= ALIKE * np.abs(middle), last, middle)
    return amounts
