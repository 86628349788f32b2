"""The simple ways to forecast, as anybody could by hand: candidates of the forecast, and what it is judged by. Pure.

Each gives the sum of the days ahead for every series; not a number where its history does not reach so far back.
"""

from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from budgets.calc.cost_history import Columns, CostHistory, Floats
from finops_site.lib.language import gettext_noop
from finops_site.lib.periods import Month

RUN_RATE, LAST_WEEK = gettext_noop("run rate"), gettext_noop("last week again")
BY_DATE, BY_END = gettext_noop("same days of last month"), gettext_noop("last days of last month")
LAST_YEAR = gettext_noop("same days of last year")
SIMPLE_WAYS = (RUN_RATE, LAST_WEEK, BY_DATE, BY_END, LAST_YEAR)
WEEK, YEAR = 7, 12


def simple_sums(history: CostHistory, origin: int, days: int, daily: Floats | None = None) -> Floats:
    """What each of SIMPLE_WAYS says the `days` days from column `origin` on will cost: a row for each way.

    `daily`: what the days cost where it is not what `history` has, such as without one-offs.
    """
    daily = history.daily if daily is None else daily
    start = history.day(origin)
    so_far = start.day - 1 or Month.of(start).previous.days
    sums = np.full((len(SIMPLE_WAYS), daily.shape[0]), np.nan)
    if origin:
        sums[0] = daily[:, max(0, origin - so_far) : origin].mean(axis=1) * days
    if origin >= WEEK:
        sums[1] = daily[:, origin - WEEK : origin][:, np.arange(days) % WEEK].sum(axis=1)
    begun = history.first_columns()
    for row, (step, from_end) in enumerate(((1, False), (1, True), (YEAR, False)), start=2):
        columns = _columns_before(history.first, origin, days, step, from_end)
        if days and columns.min() >= 0:
            # A series that had not begun by then has no such days.
            sums[row] = np.where(begun <= columns.min(), daily[:, columns].sum(axis=1), np.nan)
    return sums


@lru_cache(maxsize=4096)
def _columns_before(first: date, origin: int, days: int, step: int, from_end: bool) -> Columns:
    """For each day ahead the last column that stands where it does in a month some `step` months before it.

    Below zero where the history does not reach so far back.
    """
    parts, start, left = list[Columns](), first + timedelta(days=origin), days
    while left > 0:
        month = Month.of(start)
        length = month.days
        number = np.arange(start.day, min(start.day + left, length + 1))
        columns = np.full(number.shape, origin)
        earlier = month
        while (columns >= origin).any():
            earlier = earlier.plus(-step)
            there = np.clip(number - length + earlier.days if from_end else number, 1, earlier.days)
            columns = np.where(columns >= origin, (earlier.start - first).days + there - 1, columns)
        parts.append(columns)
        left -= len(number)
        start = month.next.start
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)
