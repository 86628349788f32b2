"""How many changes are found, how soon, and how often there was none: over all shapes of daily cost, with two rivals.

    .venv/bin/python -m benchmarks.anomalies [SERIES OF EACH SHAPE]

Prints the tables of docs/budgets.md. Each series is judged day by day from its 200th day on, once as it is (what is
reported then is a false alarm, but for shapes that change by themselves), and once with each change, put in on a random
day.
"""

import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.cost_shapes import FIRST, SHAPES, history_of
from budgets.calc.anomaly_detection import find_changes
from budgets.calc.cost_history import CostHistory, Floats

DAYS, JUDGED_FROM, PUT_IN = 480, 200, (300, 400)
# What is worth reporting a day, as for a company of 2,000 a day.
FLOOR = 10.0
# These change by themselves: what is reported of them is no false alarm.
CHANGING = ("ramp +2 % a day", "random tenfold spikes", "level shift", "yearly fee", "annual season")
STEADY = [name for name in SHAPES if name not in CHANGING]


@dataclass(frozen=True, slots=True)
class Report:
    """A detector says on day `noticed` that row `row` costs more (or less) than it should."""

    row: int
    noticed: int
    is_drop: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a series from a column on, and within how many days it must be noticed."""

    put_in: Callable[[Floats], Floats]
    within: int
    is_drop: bool = False


Detector = Callable[[CostHistory], list[Report]]


def for_days(factor: float, days: int) -> Callable[[Floats], Floats]:
    return lambda rest: np.where(np.arange(len(rest)) < days, rest * factor, rest)


def creeping(a_day: float) -> Callable[[Floats], Floats]:
    return lambda rest: rest * a_day ** np.arange(1, len(rest) + 1)


CHANGES: dict[str, Change] = {
    "spike x3, one day": Change(for_days(3, 1), 1),
    "spike x10, one day": Change(for_days(10, 1), 1),
    "burst x2, five days": Change(for_days(2, 5), 5),
    "shift +12 %": Change(lambda rest: rest * 1.12, 30),
    "shift +20 %": Change(lambda rest: rest * 1.2, 30),
    "shift +50 %": Change(lambda rest: rest * 1.5, 30),
    "shift +100 %": Change(lambda rest: rest * 2.0, 30),
    "creep +1 % a day": Change(creeping(1.01), 30),
    "creep +2 % a day": Change(creeping(1.02), 30),
    "drop to zero": Change(lambda rest: rest * 0.0, 30, is_drop=True),
    "drop by half": Change(lambda rest: rest * 0.5, 30, is_drop=True),
}


def ours(history: CostHistory) -> list[Report]:
    """The product's detection, at normal sensitivity."""
    rows, days = history.daily.shape
    changes = find_changes(history, np.full(rows, FLOOR), [JUDGED_FROM] * rows, [days - 1] * rows)
    return [Report(change.row, change.noticed, change.is_drop) for change in changes]


def three_sigma(history: CostHistory) -> list[Report]:
    """Above (below) the mean of the last thirty days by three of their standard deviations."""
    windows = np.lib.stride_tricks.sliding_window_view(history.daily, 30, axis=1)[:, JUDGED_FROM - 30 : -1]
    mean, sigma = windows.mean(axis=-1), windows.std(axis=-1)
    off = history.daily[:, JUDGED_FROM:] - mean
    return _reports(off, np.maximum(3 * sigma, FLOOR))


def percentage_and_amount(history: CostHistory) -> list[Report]:
    """Above (below) the mean of the weekday of four weeks by 40 % and by an amount, as providers' alerts are set."""
    weeks = np.stack([history.daily[:, JUDGED_FROM - 7 * week : DAYS - 7 * week] for week in range(1, 5)])
    mean = weeks.mean(axis=0)
    return _reports(history.daily[:, JUDGED_FROM:] - mean, np.maximum(0.4 * np.abs(mean), 2 * FLOOR))


def _reports(off: Floats, limit: Floats) -> list[Report]:
    """Days within three of each other are one report."""
    reports = []
    for sign in (1, -1):
        last: dict[int, int] = {}
        for row, column in np.argwhere(sign * off > limit):
            if column - last.get(row, -9) > 3:
                reports.append(Report(int(row), int(column) + JUDGED_FROM, sign < 0))
            last[row] = column
    return reports


DETECTORS: dict[str, Detector] = {
    "ours": ours,
    "mean + 3 sigma of 30 days": three_sigma,
    "40 % and 20 over the weekday's mean": percentage_and_amount,
}


def main(many: int = 20, detectors: Mapping[str, Detector] = DETECTORS) -> None:
    print_false_alarms(many, detectors)
    print_hits(many, detectors)
    print_speed(detectors)


def print_false_alarms(many: int, detectors: Mapping[str, Detector]) -> None:
    """Reports per series and year, of series that nothing was put into."""
    years = many * (DAYS - JUDGED_FROM) / 365
    sums = dict.fromkeys(detectors, 0.0)
    print(f"\n| reports per series and year | {' | '.join(detectors)} |\n|---|{'---|' * len(detectors)}")
    for name, shape in SHAPES.items():
        history = history_of(shape, many, DAYS, seed=1)
        a_year = {label: len(detect(history)) / years for label, detect in detectors.items()}
        for label, value in a_year.items():
            sums[label] += value / len(STEADY) if name in STEADY else 0
        note = "" if name in STEADY else " (changes by itself)"
        print(f"| {name}{note} | {' | '.join(f'{value:.1f}' for value in a_year.values())} |")
    print(f"| **mean of the {len(STEADY)} that do not** | {' | '.join(f'**{v:.2f}**' for v in sums.values())} |")


def print_hits(many: int, detectors: Mapping[str, Detector]) -> None:
    """Of the changes put in, the share found in time, and after how many days (the middle).

    What would have been reported without the change, too, is no hit.
    """
    print(f"\n| change put in | {' | '.join(detectors)} |\n|---|{'---|' * len(detectors)}")
    for title, change in CHANGES.items():
        cells = []
        days: dict[str, list[int]] = {label: [] for label in detectors}
        for name in STEADY:
            history, begins = _with_change(name, change, many)
            for label, detect in detectors.items():
                anyway = set(detect(history_of(SHAPES[name], many, DAYS, seed=1)))
                days[label] += _days_to_notice([one for one in detect(history) if one not in anyway], begins, change)
        for hits in days.values():
            after = f", day {median(hits):.0f}" if hits else ""
            cells.append(f"{100 * len(hits) / (many * len(STEADY)):.0f} %{after}")
        print(f"| {title} | {' | '.join(cells)} |")


def _with_change(name: str, change: Change, many: int) -> tuple[CostHistory, list[int]]:
    daily = history_of(SHAPES[name], many, DAYS, seed=1).daily.copy()
    random, begins = np.random.default_rng(2), []
    for row in daily:
        begin = int(random.integers(*PUT_IN))
        # On a day that costs something: three times nothing is no change.
        while row[begin] < 2 * FLOOR:
            begin += 1
        row[begin:] = change.put_in(row[begin:])
        begins.append(begin)
    return CostHistory(FIRST, daily), begins


def _days_to_notice(reports: list[Report], begins: list[int], change: Change) -> list[int]:
    days: dict[int, int] = {}
    for report in reports:
        after = report.noticed - begins[report.row] + 1
        if report.is_drop == change.is_drop and 1 <= after <= change.within:
            days[report.row] = min(after, days.get(report.row, after))
    return list(days.values())


def print_speed(detectors: Mapping[str, Detector]) -> None:
    """CPU seconds for a thousand series of 400 days, and the peak of memory."""
    shapes = list(SHAPES.values())
    daily = np.concatenate([history_of(shape, 1000 // len(shapes), 400, seed=3).daily for shape in shapes])
    history = CostHistory(FIRST, daily)
    print(f"\n{len(daily):,} series of 400 days, CPU seconds:")
    for label, detect in detectors.items():
        if detect is not percentage_and_amount:
            start = time.process_time()
            detect(history)
            print(f"  {label}: {time.process_time() - start:.2f}")
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20)
