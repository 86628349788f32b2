"""What one unit of business costs, and how figures of the business are read from a CSV. Pure: no Django.

Cost per unit = cost of the days (or the month) / units of the same days. A day that was not counted is missing: it is
no zero, and its cost is not divided. Where nothing was counted (0 units) there is no cost per unit either.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from finops_site.lib.money import EXACT, ratio
from finops_site.lib.periods import Month

DAY, MONTH = "day", "month"
MOST_BYTES = 2_000_000
MOST_PROBLEMS = 200
PLACES = Decimal("1E-18")
MOST = Decimal("1E19")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?\Z")
DAY_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class MetricEntry:
    """How many on a day (of a month: on its first day), for a team."""

    team: int
    day: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class MetricProblem:
    """A value of a file that cannot be used, and why."""

    line: int
    column: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Days (or months) between a team's first and last that the file does not have: missing, not zero."""

    team: int
    first: date
    last: date
    count: int


@dataclass(slots=True)
class MetricFile:
    """What a file holds: the values, what is wrong with it, and what is missing from it."""

    values: list[MetricEntry] = field(default_factory=list)
    problems: list[MetricProblem] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return bool(self.values) and not self.problems


def decode_csv(content: bytes) -> str:
    """The file's text; raises ValueError with the reason where it is not text."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"The file has {len(content):,} bytes: {MOST_BYTES:,} at most.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("The file is not UTF-8 text: save it as CSV UTF-8.") from None


def read_metric_csv(text: str, *, teams: Mapping[str, int], grain: str) -> MetricFile:
    """Reads ``team,day,value`` (or ``team,month,value``), the header first; `teams` are {name in small letters: id}."""
    parsed = MetricFile()
    reader = csv.reader(io.StringIO(text.replace("\0", "")))
    try:
        rows = list(reader)
    except csv.Error as error:
        parsed.problems.append(MetricProblem(reader.line_num, "", "", f"Not a CSV: {error}."))
        return parsed
    places = _columns(rows[0] if rows else [], grain, parsed)
    if places:
        seen: dict[tuple[int, date], int] = {}
        for line, row in enumerate(rows[1:], 2):
            if any(cell.strip() for cell in row) and len(parsed.problems) < MOST_PROBLEMS:
                _read_row(parsed, line, row, places, teams, grain, seen)
        if not parsed.values and not parsed.problems:
            parsed.problems.append(MetricProblem(2, "", "", "The file has a header and no values."))
    parsed.gaps = gaps(parsed.values, grain)
    return parsed


def _columns(head: Sequence[str], grain: str, parsed: MetricFile) -> dict[str, int]:
    """Where each column stands; none, with a problem, where one is missing."""
    names = [cell.strip().lower() for cell in head]
    when = next((name for name in (grain, "date", DAY, MONTH) if name in names), grain)
    wanted = {"team": "team", "when": when, "value": "value"}
    missing = [name for name in wanted.values() if name not in names]
    if missing:
        reason = f"The first line must name the columns team, {grain} and value; {', '.join(missing)} is not there."
        parsed.problems.append(MetricProblem(1, missing[0], ",".join(head)[:100], reason))
        return {}
    return {role: names.index(name) for role, name in wanted.items()}


def _read_row(
    parsed: MetricFile,
    line: int,
    row: Sequence[str],
    places: Mapping[str, int],
    teams: Mapping[str, int],
    grain: str,
    seen: dict[tuple[int, date], int],
) -> None:
    cells = {role: row[place].strip() if place < len(row) else "" for role, place in places.items()}
    try:
        team = as_team(cells["team"], teams)
        day = as_day(cells["when"], grain)
        value = as_value(cells["value"])
    except InvalidValue as error:
        parsed.problems.append(MetricProblem(line, error.column, error.text[:100], str(error)))
        return
    if (team, day) in seen:
        reason = f"{cells['team']} has {cells['when']} in line {seen[team, day]} already."
        parsed.problems.append(MetricProblem(line, "team", cells["team"][:100], reason))
        return
    seen[team, day] = line
    parsed.values.append(MetricEntry(team, day, value))


class InvalidValue(ValueError):
    """A value that cannot be used: its column, its text, and why."""

    def __init__(self, column: str, text: str, reason: str) -> None:
        self.column, self.text = column, text
        super().__init__(reason)


def as_team(text: str, teams: Mapping[str, int]) -> int:
    """The team's id; raises InvalidValue for an unknown team."""
    if text.lower() not in teams:
        raise InvalidValue("team", text, f"There is no team {text[:60]!r}.")
    return teams[text.lower()]


def as_day(text: str, grain: str) -> date:
    """The day, or the first of the month; raises InvalidValue for anything else."""
    try:
        if grain == MONTH:
            # A whole day of a metric by month must be the first of the month.
            if text.count("-") == 1:
                return Month.parse(text).start
            if (day := date.fromisoformat(text)).day == 1:
                return day
            raise ValueError
        if not DAY_TEXT.match(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        like = "2026-03" if grain == MONTH else "2026-03-31"
        raise InvalidValue(grain, text, f"{text[:40]!r} is not a {grain}: write it like {like}.") from None


def as_value(text: str) -> Decimal:
    """An exact number that is not negative and not finer than 18 decimals; raises InvalidValue."""
    if not text:
        raise InvalidValue("value", text, "There is no value: leave the line out where nothing was counted.")
    if not NUMBER.match(text):
        raise InvalidValue("value", text, f"{text[:40]!r} is not a number: digits, with a point for decimals.")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise InvalidValue("value", text, f"{text[:40]!r} is not a number.") from None
    if value < 0:
        raise InvalidValue("value", text, f"{text[:40]} is negative: nothing is counted less than zero times.")
    if value >= MOST:
        raise InvalidValue("value", text, f"{text[:40]} is too large.")
    if value != value.quantize(PLACES, context=EXACT):
        raise InvalidValue("value", text, f"{text[:40]} has more than 18 decimals.")
    return value


def gaps(values: Iterable[MetricEntry], grain: str) -> list[Gap]:
    """What is missing between the first and the last of each team."""
    by_team: dict[int, list[date]] = {}
    for entry in values:
        by_team.setdefault(entry.team, []).append(entry.day)
    missing = []
    for team, days in by_team.items():
        for before, after in pairwise(sorted(days)):
            if grain == DAY:
                gap = Gap(team, before + timedelta(1), after - timedelta(1), (after - before).days - 1)
            else:
                first, end = Month.of(before).next, Month.of(after)
                count = (end.year - first.year) * 12 + end.number - first.number
                gap = Gap(team, first.start, end.previous.start, count)
            if gap.count:
                missing.append(gap)
    return missing


@dataclass(frozen=True, slots=True)
class UnitCostPoint:
    """A day or month: its cost (None: no bill), its units (None: not counted), and the cost of one (None: no such)."""

    day: date
    cost: Decimal | None
    units: Decimal | None

    @property
    def per_unit(self) -> Decimal | None:
        if self.cost is None or self.units is None:
            return None
        return ratio(self.cost, self.units)

    @property
    def why(self) -> str:
        """Why there is no cost per unit; empty where there is one."""
        if self.units is None:
            return "not counted"
        if self.cost is None:
            return "no cost in the bills"
        return "" if self.units else "nothing was counted"


def unit_cost_points(
    costs: Mapping[date, Decimal], units: Mapping[date, Decimal], days: Iterable[date]
) -> list[UnitCostPoint]:
    """A point for each day, missing ones included."""
    return [UnitCostPoint(day, costs.get(day), units.get(day)) for day in days]


def points_by_month(days: Iterable[UnitCostPoint]) -> list[UnitCostPoint]:
    """A point for each month, of its days that have both a cost and units: the sums, so that their ratio is right."""
    months: dict[date, list[UnitCostPoint]] = {}
    for point in days:
        months.setdefault(point.day.replace(day=1), []).append(point)
    return [_combined(month, points) for month, points in months.items()]


def overall_per_unit(points: Iterable[UnitCostPoint]) -> Decimal | None:
    """Cost per unit of all points that have both: the sum of costs / the sum of units, not a mean of ratios."""
    return _combined(date.min, points).per_unit


def _combined(day: date, points: Iterable[UnitCostPoint]) -> UnitCostPoint:
    """One point for those that have both a cost and units; a point without either where none has."""
    cost: Decimal | None = None
    units: Decimal | None = None
    for point in points:
        if point.cost is not None and point.units is not None:
            cost = EXACT.add(cost or Decimal(0), point.cost)
            units = EXACT.add(units or Decimal(0), point.units)
    return UnitCostPoint(day, cost, units)
