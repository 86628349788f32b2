"""Changes too slow or too small for a single day to stand out: a creep of a per cent a day, a small step. Pure.

A cumulative sum (CUSUM, E. S. Page, "Continuous inspection schemes", Biometrika 1954): the mean of each week is put
beside what the twelve weeks that ended four weeks before it lead to expect (their median, and the rise that their
thirds share), in robust deviations of its own history of such differences. What is above SLACK deviations adds up from
day to day, what is below takes off again; the day on which the sum last left zero is about since when.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from budgets.calc.cost_history import Columns, Floats
from budgets.calc.usual_days import MAD, ROWS_AT_ONCE, TINY, UsualDays, middle, trailing

# The baseline: so many weeks, the newest of which ended so many days before.
BASELINE_WEEKS, LAG_DAYS = 12, 28
FEWEST_WEEKS = 6
# A week says something from so many known days on: those without a bill are none.
FEWEST_DAYS = 4
# The deviation: of so many weeks before those days, and no less than a share of the level.
DEVIATION_WEEKS, LEAST_DEVIATION = 16, 0.015
# A rise that makes less than this share of the level by now is noise.
LEAST_RISE = 0.05
# In deviations: what a week may be off, and what it can add at most.
SLACK, MOST = 1.0, 5.0
# The sum cannot grow beyond this, so that it is back at zero some weeks after a change.
HIGHEST_SUM = 8.0


@dataclass(frozen=True, slots=True)
class SlowCourse:
    """`baseline`: what each day would cost by the months before; `rising` and `falling`: the sums of deviations, up and
    down, in weeks; `share`: how far the last week is above its baseline."""

    baseline: Floats
    rising: Floats
    falling: Floats
    share: Floats


def slow_course(usual: UsualDays, first: date) -> SlowCourse:
    """The baseline and the cumulative sums of every series, whose column 0 is the day `first`; not a number, and zero,
    where too little is known."""
    rows = [slice(at, at + ROWS_AT_ONCE) for at in range(0, max(len(usual.expected), 1), ROWS_AT_ONCE)]
    parts = [_slow_course_of(usual.cleaned[part], usual.deviation[part], usual.profile[part], first) for part in rows]
    return SlowCourse(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _slow_course_of(cleaned: Floats, noise: Floats, profile: Floats, first: date) -> tuple[Floats, ...]:
    days = cleaned.shape[1]
    last_week = trailing(cleaned, 7)
    known_days = np.isfinite(last_week).sum(axis=-1)
    week = np.where(known_days >= FEWEST_DAYS, np.nansum(last_week, axis=-1) / np.maximum(known_days, 1), np.nan)
    # What moves slowly is worked out once a week, on Mondays, and holds for the days up to the next.
    mondays = np.array([0, *(c for c in range(1, days) if (first + timedelta(days=c)).weekday() == 0)], dtype=np.intp)
    latest = np.searchsorted(mondays, np.arange(days), side="right") - 1
    weeks = _earlier(week, mondays, BASELINE_WEEKS)
    known = np.isfinite(weeks).sum(axis=-1)
    # From the middle of the baseline to the middle of the week that is compared.
    ahead = LAG_DAYS + 7 * (known[:, latest] - 1) / 2 + np.arange(days) - mondays[latest]
    middles = np.where(known >= FEWEST_WEEKS, middle(weeks), np.nan)
    rise = _daily_rise(weeks, known)[:, latest] * ahead
    level = middles[:, latest]
    level = level + np.where(np.abs(rise) > LEAST_RISE * np.abs(level), rise, 0.0)
    size = np.maximum(np.abs(level), TINY)
    share = (week - level) / size
    past = _earlier(share, mondays, DEVIATION_WEEKS)
    usual_share = np.nan_to_num(middle(past))
    deviation = np.nan_to_num(MAD * middle(np.abs(past - usual_share[..., None])))
    short = np.isfinite(past).sum(axis=-1) < FEWEST_WEEKS
    # As if days were independent; where the past is too short to know, three times as wide.
    independent = noise / (size * 7**0.5)
    wide = np.maximum(np.where(short[:, latest], 3 * independent, deviation[:, latest]), independent)
    usual_share = np.where(short, 0.0, usual_share)[:, latest]
    score = np.clip(np.nan_to_num((share - usual_share) / np.maximum(wide, LEAST_DEVIATION)), -MOST, MOST)
    baseline = np.where(np.isfinite(level), level * profile, np.nan)
    return baseline, _sums(score), _sums(-score), share


def _daily_rise(weeks: Floats, known: Columns) -> Floats:
    """The rise a day that both halves of the baseline show, the smaller of them: a step is none.

    A young series has fewer weeks, the newest first.
    """
    rise = np.zeros(known.shape)
    for count in range(FEWEST_WEEKS, BASELINE_WEEKS + 1):
        third, last = count // 3, count - count // 3
        start = (count - third) // 2
        newest, between, oldest = (middle(weeks[..., at : at + third]) for at in (0, start, last))
        one, two = newest - between, between - oldest
        both = np.where(one * two > 0, np.sign(one) * np.minimum(np.abs(one), np.abs(two)), 0.0)
        rise = np.where(known == count, both / (7 * last / 2), rise)
    return np.nan_to_num(rise)


def _earlier(weekly: Floats, columns: Columns, weeks: int) -> Floats:
    """For each of `columns`, so many weeks that ended LAG_DAYS before it and earlier, on a new last axis."""
    back = columns[:, None] - LAG_DAYS - 7 * np.arange(weeks)[None, :]
    earlier: Floats = np.where(back >= 0, weekly[:, np.maximum(back, 0)], np.nan)
    return earlier


def _sums(score: Floats) -> Floats:
    """Adds up what is above SLACK, a seventh for each day because neighbouring weeks share six days."""
    sums, total = np.zeros_like(score), np.zeros(score.shape[0])
    for column in range(score.shape[1]):
        total = np.clip(total + (score[:, column] - SLACK) / 7, 0.0, HIGHEST_SUM)
        sums[:, column] = total
    return sums
