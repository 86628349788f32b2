"""Machines that ran in every hour, by pool, from what bills say about use. Pure: no Django.

Bills that are hourly say it outright. Of a daily bill only the hours of each day are known, of a snapshot only what ran
at one moment; `Demand.grain` keeps which it was. Ten machines of twelve hours each may have run one after another, as
five all day, or all at once in the same twelve hours: `Demand.machines` is then the worst case for a commitment (all at
once) and `Demand.even` the best (one after another). What is worth buying in the worst case is worth it in any.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.periods import day_text
from reservations.calc.terms import MachinePool, is_one_machine
from reservations.optimizer.optimum import Hours, steady_units

HOURLY: Final = "hourly"
DAILY: Final = "daily"
SNAPSHOT: Final = "snapshot"
NONE: Final = "none"
# From the strongest to the weakest.
GRAINS: Final = (HOURLY, DAILY, SNAPSHOT)
# A grain that less of the hours come in says nothing about the rest.
GRAIN_SHARE: Final = 0.01
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
STEADY_DAYS: Final = (7, 30, 60, 90)
STEADY_SHARE: Final = 0.95
NOTHING: Final = 1e-9
NEARLY: Final = 0.1


@dataclass(frozen=True, slots=True)
class MachineUse:
    """`hours` of machines of one pool between two moments (UTC); `machines` says how many did it, 0 if unknown."""

    pool: MachinePool
    start: datetime
    end: datetime
    hours: Decimal
    machines: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """`machines[pool, column]`; `notes` are what a reader must know about the bill.

    A column is an hour that the bills know, in the order of time; `at` says which (hours after `start`; None: all of
    them, one after another), for hours of which nothing is delivered have none. `until` is where the time that was
    asked for ends. `even` are the same machine hours at their best for a commitment, None where that is the same.
    `spans[grain, column]` are the machine hours that come in charges of an hour, of a day, and of longer.
    """

    pools: list[MachinePool]
    machines: Hours
    start: datetime
    grain: str
    notes: list[str] = field(default_factory=list)
    even: Hours | None = None
    at: NDArray[np.int64] | None = None
    until: datetime | None = None
    spans: Hours | None = None

    @property
    def hours(self) -> int:
        return int(self.machines.shape[1])

    @property
    def hours_after_start(self) -> NDArray[np.int64]:
        """Which hour each column is, counted from `start`."""
        return np.arange(self.hours) if self.at is None else self.at

    def steady(self, share: float = STEADY_SHARE) -> dict[int, int]:
        """{days: machines that ran in more than `share` of the last so many days' hours}, counted per pool."""
        counts = {}
        for days in STEADY_DAYS:
            if self.hours >= days * 24 or days == STEADY_DAYS[0]:
                last = self.machines[:, -days * 24 :]
                counts[days] = sum(steady_units(row, share) for row in last)
        return counts

    def last_days(self, days: int) -> "Demand":
        """The last `days` days of the calendar, without pools that did not run in them.

        Its grain is that of its own hours, the weaker of two. Days of which no bill tells are named in a note: they are
        left out, and not taken for days without use.
        """
        until = self.until or self.start + int(self.hours_after_start[-1:].sum() + 1) * HOUR
        first = int((until - self.start) / HOUR) - days * 24
        inside = self.hours_after_start >= first
        machines, even, spans = (
            None if rows is None else rows[:, inside] for rows in (self.machines, self.even, self.spans)
        )
        assert machines is not None
        ran = machines.sum(axis=1) > NOTHING
        at = self.hours_after_start[inside]
        start = self.start + int(at[0] if len(at) else first) * HOUR
        return Demand(
            pools=[pool for pool, has_run in zip(self.pools, ran, strict=True) if has_run],
            machines=machines[ran],
            start=start,
            grain=_grain(spans, self.grain) if ran.any() else NONE,
            notes=[*self.notes, *_missing_days(at - first, until - days * DAY, days)],
            even=None if even is None else even[ran],
            at=at - int((start - self.start) / HOUR),
            until=until,
            spans=spans,
        )

    def with_machines(self, machines: Hours, even: Hours | None) -> "Demand":
        """The same hours with other machines in them, without pools that then have none."""
        ran = machines.sum(axis=1) > NOTHING
        if even is not None:
            ran |= even.sum(axis=1) > NOTHING
        return replace(
            self,
            pools=[pool for pool, has_run in zip(self.pools, ran, strict=True) if has_run],
            machines=machines[ran],
            even=None if even is None else even[ran],
            grain=self.grain if ran.any() else NONE,
        )


def build_demand(
    uses: Iterable[MachineUse], start: datetime, end: datetime, known: NDArray[np.bool_] | None = None
) -> Demand:
    """Demand of the hours from `start` to `end`; of those that are `known`, where that is not all of them.

    Raises ValueError when the end is not after the start.
    """
    count = int((end - start) / HOUR)
    if count <= 0:
        raise ValueError("the time to look at ends before it starts")
    relevant = [use for use in uses if use.end > use.start and use.hours and use.start < end and use.end > start]
    pools = sorted({use.pool for use in relevant})
    row = {pool: index for index, pool in enumerate(pools)}
    even, worst, spans = np.zeros((len(pools), count)), np.zeros((len(pools), count)), np.zeros((len(GRAINS), count))
    longer = []
    hourly: list[tuple[int, int, float]] = []
    capped = 0
    for use in relevant:
        span = max((use.end - use.start) / HOUR, 1.0)
        hours = float(use.hours)
        # A cluster is one resource of many machines; an instance is one.
        # How many machines an hour had is a close estimate; of a longer time each machine is counted by itself.
        near = 1 + (NEARLY if span == 1.0 else 1e-6)
        if use.machines and hours > use.machines * span * near and is_one_machine(use.pool):
            hours, capped = use.machines * span, capped + 1
        first = (use.start - start) / HOUR
        if span == 1.0 and first.is_integer():
            hourly.append((row[use.pool], int(first), hours))
        else:
            longer.append((row[use.pool], first, span, hours, use.machines))
    if hourly:
        rows, columns, values = (np.array(part) for part in zip(*hourly, strict=True))
        np.add.at(even, (rows, columns), values)
        np.add.at(spans[0], columns, np.abs(values))
    worst += even
    for index, first, span, hours, machines in longer:
        _spread(even[index], spans, first, span, hours)
        _stack(worst[index], first, span, hours, machines)
    notes = _notes(even, capped)
    columns = np.arange(count) if known is None else np.flatnonzero(known[:count])
    even, worst = np.maximum(even[:, columns], 0.0), np.maximum(worst[:, columns], 0.0)
    ran = even.sum(axis=1) > NOTHING
    differ = bool(longer) and not np.allclose(even[ran], worst[ran])
    return Demand(
        pools=[pool for pool, has_run in zip(pools, ran, strict=True) if has_run],
        machines=worst[ran],
        start=start,
        grain=_grain(spans[:, columns], NONE) if ran.any() else NONE,
        notes=notes,
        even=even[ran] if differ else None,
        at=columns.astype(np.int64),
        until=end,
        spans=spans[:, columns],
    )


def _spread(row: Hours, spans: Hours, first: float, span: float, hours: float) -> None:
    """The hours evenly over their span: one machine after another."""
    low, high = int(np.floor(first)), int(np.ceil(first + span))
    inside = slice(max(low, 0), min(high, len(row)))
    row[inside] += hours / (high - low)
    grain = 0 if span <= 1.0 else 1 if span <= 25.0 else 2
    spans[grain, inside] += abs(hours) / (high - low)


def _stack(row: Hours, first: float, span: float, hours: float, machines: int) -> None:
    """The hours all at once, in the last of their span's hours; evenly where nobody knows how many machines it were."""
    low, high = int(np.floor(first)), int(np.ceil(first + span))
    length = high - low
    if machines <= 0 or hours <= 0:
        row[max(low, 0) : min(high, len(row))] += hours / length
        return
    # A cluster is one resource of several machines, which ran as long as each other.
    count = machines * max(1, int(np.ceil(hours / machines / length - 1e-9)))
    full, part = divmod(hours / count, 1.0)
    begin = high - int(full)
    row[max(begin, 0) : min(max(high, 0), len(row))] += count
    if part and 0 <= begin - 1 < len(row):
        row[begin - 1] += count * part


def _notes(machines: Hours, capped: int) -> list[str]:
    notes = []
    if capped:
        notes.append(
            ngettext(
                "{capped} entry of the bill claims more hours than its machines can have run, as when "
                "clocks are set back and an hour is billed twice: counted as full use and no more.",
                "{capped} entries of the bill claim more hours than their machines can have run, as when "
                "clocks are set back and an hour is billed twice: counted as full use and no more.",
                capped,
            ).format(capped=capped)
        )
    below = int((machines < -NOTHING).sum())
    if below:
        notes.append(
            ngettext(
                "{below} hour has less than no use, as corrections leave it: counted as none.",
                "{below} hours have less than no use, as corrections leave it: counted as none.",
                below,
            ).format(below=below)
        )
    return notes


def _grain(spans: Hours | None, otherwise: str) -> str:
    """The weakest grain in which more than a hundredth of the machine hours come."""
    if spans is None:
        return otherwise
    sums = spans.sum(axis=1)
    total = float(sums.sum())
    if total <= 0:
        return otherwise
    return next(name for name, part in zip(GRAINS[::-1], sums[::-1], strict=True) if part > GRAIN_SHARE * total)


def _missing_days(at: NDArray[np.int64], first: datetime, days: int) -> list[str]:
    """A sentence that names the days, of so many from `first` on, in which no hour is known."""
    has_hours = set((at // 24).tolist())
    missing = [day for day in range(days) if day not in has_hours]
    if not missing or len(missing) == days:
        return []
    runs = []
    for _ignored, group in groupby(enumerate(missing), key=lambda pair: pair[1] - pair[0]):
        run = [day for _ignored, day in group]
        ends = [day_text(first + day * DAY) for day in dict.fromkeys((run[0], run[-1]))]
        runs.append(" to ".join(ends))
    return [
        _(
            "Of {missing_count} of the {days} days looked at no bill is delivered ({listed}): they are "
            "left out, and not counted as days without use."
        ).format(missing_count=len(missing), days=days, listed=_listed(runs))
    ]


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (_(" and {more} more").format(more=more) if more > 0 else "")
