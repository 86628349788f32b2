"""Machines that ran in every hour, by pool, from what bills say about use. Pure: no Django.

Bills that are hourly say it outright. Of a daily bill only the share of each day's hours is known, which hides peaks
and nights; of a snapshot only what ran at one moment. `Demand.grain` keeps which it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from reservations.calc.terms import MachinePool, is_one_machine
from reservations.optimizer.optimum import Hours, steady_units

HOURLY: Final = "hourly"
DAILY: Final = "daily"
SNAPSHOT: Final = "snapshot"
NONE: Final = "none"
HOUR: Final = timedelta(hours=1)
STEADY_DAYS: Final = (7, 30, 60, 90)
STEADY_SHARE: Final = 0.95


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
    """`machines[pool, hour]` from `start` on; `notes` are what a reader must know about the bill."""

    pools: list[MachinePool]
    machines: Hours
    start: datetime
    grain: str
    notes: list[str] = field(default_factory=list)

    @property
    def hours(self) -> int:
        return int(self.machines.shape[1])

    def steady(self, share: float = STEADY_SHARE) -> dict[int, int]:
        """{days: machines that ran in more than `share` of the last so many days' hours}, counted per pool."""
        counts = {}
        for days in STEADY_DAYS:
            if self.hours >= days * 24 or days == STEADY_DAYS[0]:
                last = self.machines[:, -days * 24 :]
                counts[days] = sum(steady_units(row, share) for row in last)
        return counts


def build_demand(uses: Iterable[MachineUse], start: datetime, end: datetime) -> Demand:
    """Demand of the hours from `start` to `end`. Raises ValueError when the end is not after the start."""
    count = int((end - start) / HOUR)
    if count <= 0:
        raise ValueError("the time to look at ends before it starts")
    relevant = [use for use in uses if use.end > use.start and use.hours and use.start < end and use.end > start]
    pools = sorted({use.pool for use in relevant})
    machines = np.zeros((len(pools), count))
    row = {pool: index for index, pool in enumerate(pools)}
    capped = sum(_add(machines[row[use.pool]], use, start, count) for use in relevant)
    notes = _notes(machines, capped)
    np.maximum(machines, 0.0, out=machines)
    ran = machines.sum(axis=1) > 1e-9
    pools = [pool for pool, has_run in zip(pools, ran, strict=True) if has_run]
    return Demand(pools, machines[ran], start, _grain(relevant) if pools else NONE, notes)


def _add(row: Hours, use: MachineUse, start: datetime, count: int) -> bool:
    """Spreads a use over its hours; whether it claimed more hours than its machines can run in the time."""
    span = (use.end - use.start) / HOUR
    hours = float(use.hours)
    # A cluster is one resource of many machines; an instance is one.
    too_many = bool(use.machines) and is_one_machine(use.pool) and hours > use.machines * max(span, 1.0) * (1 + 1e-6)
    if too_many:
        hours = use.machines * max(span, 1.0)
    first = (use.start - start) / HOUR
    low, high = int(np.floor(first)), int(np.ceil(first + max(span, 1e-9)))
    inside_low, inside_high = max(low, 0), min(high, count)
    if inside_high > inside_low:
        row[inside_low:inside_high] += hours / (high - low)
    return too_many


def _notes(machines: Hours, capped: int) -> list[str]:
    notes = []
    if capped:
        notes.append(
            f"{capped} entries of the bill claim more hours than their machines can have run, as when clocks are set "
            "back and an hour is billed twice: counted as full use and no more."
        )
    below = int((machines < -1e-9).sum())
    if below:
        notes.append(f"{below} hours have less than no use, as corrections leave it: counted as none.")
    return notes


def _grain(uses: list[MachineUse]) -> str:
    """By the span that most of the hours come in."""
    sums = dict.fromkeys((HOURLY, DAILY, SNAPSHOT), Decimal(0))
    for use in uses:
        span = use.end - use.start
        sums[HOURLY if span <= HOUR else DAILY if span <= timedelta(days=1, hours=1) else SNAPSHOT] += abs(use.hours)
    total = sum(sums.values())
    if not total:
        return NONE
    if sums[HOURLY] >= total * Decimal("0.9"):
        return HOURLY
    return SNAPSHOT if sums[SNAPSHOT] > total / 2 else DAILY
