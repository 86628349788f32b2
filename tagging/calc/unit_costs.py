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

from finops_site.lib.money import EXACT, exact_sum, ratio
from finops_site.lib.periods import Month

DAY, MONTH = "day", "month"
MOST_BYTES = 2_000_000
MOST_PROBLEMS = 200
PLACES = Decimal("1E-18")
MOST = Decimal("1E19")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?\Z")
DAY_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class Value:
    """How many on a day (of a month: on its first day), for a team."""

    team: int
    day: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class Problem:
    """What of a file cannot be used, and why."""

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
class Read:
    """What a file says: the values, what is wrong with it, and what is missing from it."""

    values: list[Value] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return bool(self.values) and not self.problems


def decoded(content: bytes) -> str:
    """The file's text; raises ValueError, saying so, where it is none."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"The file has {len(content):,} bytes: {MOST_BYTES:,} at most.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("The file is not UTF-8 text: save it as CSV UTF-8.") from None


def read(text: str, *, teams: Mapping[str, int], grain: str) -> Read:
    """Reads ``team,day,value`` (or ``team,month,value``), the header first; `teams` are {name in small letters: id}."""
    found = Read()
    reader = csv.reader(io.StringIO(text.replace("\0", "")))
    try:
        rows = list(reader)
    except csv.Error as error:
        found.problems.append(Problem(reader.line_num, "", "", f"Not a CSV: {error}."))
        return found
    places = _places(rows[0] if rows else [], grain, found)
    if places:
        seen: dict[tuple[int, date], int] = {}
        for line, row in enumerate(rows[1:], 2):
            if any(cell.strip() for cell in row) and len(found.problems) < MOST_PROBLEMS:
                _row(found, line, row, places, teams, grain, seen)
        if not found.values and not found.problems:
            found.problems.append(Problem(2, "", "", "The file has a header and no values."))
    found.gaps = gaps(found.values, grain)
    return found


def _places(head: Sequence[str], grain: str, found: Read) -> dict[str, int]:
    """Where each column stands; none, with a problem, where one is missing."""
    names = [cell.strip().lower() for cell in head]
    when = next((name for name in (grain, "date", DAY, MONTH) if name in names), grain)
    wanted = {"team": "team", "when": when, "value": "value"}
    missing = [name for name in wanted.values() if name not in names]
    if missing:
        said = f"The first line must name the columns team, {grain} and value; {', '.join(missing)} is not there."
        found.problems.append(Problem(1, missing[0], ",".join(head)[:100], said))
        return {}
    return {role: names.index(name) for role, name in wanted.items()}


def _row(
    found: Read,
    line: int,
    row: Sequence[str],
    places: Mapping[str, int],
    teams: Mapping[str, int],
    grain: str,
    seen: dict[tuple[int, date], int],
) -> None:
    told = {role: row[place].strip() if place < len(row) else "" for role, place in places.items()}
    try:
        team = as_team(told["team"], teams)
        day = as_day(told["when"], grain)
        value = as_value(told["value"])
    except Refused as refused:
        found.problems.append(Problem(line, refused.column, refused.text[:100], str(refused)))
        return
    if (team, day) in seen:
        words = f"{told['team']} has {told['when']} in line {seen[team, day]} already."
        found.problems.append(Problem(line, "team", told["team"][:100], words))
        return
    seen[team, day] = line
    found.values.append(Value(team, day, value))


class Refused(ValueError):
    """A value that cannot be used: which column, what it says, and why."""

    def __init__(self, column: str, text: str, reason: str) -> None:
        self.column, self.text = column, text
        super().__init__(reason)


def as_team(text: str, teams: Mapping[str, int]) -> int:
    """The team's id; raises Refused for a team nobody knows."""
    if text.lower() not in teams:
        raise Refused("team", text, f"There is no team {text[:60]!r}.")
    return teams[text.lower()]


def as_day(text: str, grain: str) -> date:
    """The day, or the first of the month; raises Refused for anything else."""
    try:
        if grain == MONTH:
            return Month.parse(text if text.count("-") == 1 else _first_of_month(text)).start
        if not DAY_TEXT.match(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        like = "2026-03" if grain == MONTH else "2026-03-31"
        raise Refused(grain, text, f"{text[:40]!r} is not a {grain}: write it like {like}.") from None


def _first_of_month(text: str) -> str:
    day = date.fromisoformat(text)
    if day.day != 1:
        raise ValueError
    return text[:7]


def as_value(text: str) -> Decimal:
    """An exact number that is not negative and not finer than 18 decimals; raises Refused."""
    if not text:
        raise Refused("value", text, "There is no value: leave the line out where nothing was counted.")
    if not NUMBER.match(text):
        raise Refused("value", text, f"{text[:40]!r} is not a number: digits, with a point for decimals.")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Refused("value", text, f"{text[:40]!r} is not a number.") from None
    if value < 0:
        raise Refused("value", text, f"{text[:40]} is negative: nothing is counted less than zero times.")
    if value >= MOST:
        raise Refused("value", text, f"{text[:40]} is too large.")
    if value != value.quantize(PLACES, context=EXACT):
        raise Refused("value", text, f"{text[:40]} has more than 18 decimals.")
    return value


def gaps(values: Iterable[Value], grain: str) -> list[Gap]:
    """What is missing between the first and the last of each team."""
    by_team: dict[int, list[date]] = {}
    for each in values:
        by_team.setdefault(each.team, []).append(each.day)
    found = []
    for team, days in by_team.items():
        ordered = sorted(days)
        for before, after in pairwise(ordered):
            first, last, count = _between(before, after, grain)
            if count:
                found.append(Gap(team, first, last, count))
    return found


def _between(before: date, after: date, grain: str) -> tuple[date, date, int]:
    if grain == DAY:
        return before + timedelta(1), after - timedelta(1), (after - before).days - 1
    one, other = Month.of(before).next, Month.of(after)
    return one.start, other.previous.start, (other.year - one.year) * 12 + other.number - one.number


@dataclass(frozen=True, slots=True)
class Point:
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


def points(costs: Mapping[date, Decimal], units: Mapping[date, Decimal], days: Iterable[date]) -> list[Point]:
    """A point for each day, missing ones included."""
    return [Point(day, costs.get(day), units.get(day)) for day in days]


def by_month(many: Iterable[Point]) -> list[Point]:
    """A point for each month, of its days that have both a cost and units: the sums, so that their ratio is right."""
    months: dict[date, list[Point]] = {}
    for point in many:
        months.setdefault(point.day.replace(day=1), []).append(point)
    return [
        Point(month, _sum([p.cost for p in both(days)]), _sum([p.units for p in both(days)]))
        for month, days in months.items()
    ]


def both(many: Iterable[Point]) -> list[Point]:
    return [point for point in many if point.cost is not None and point.units is not None]


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    return exact_sum(amount or Decimal(0) for amount in amounts) if amounts else None


def whole(many: Iterable[Point]) -> Decimal | None:
    """Cost per unit of all points that have both: the sum of costs / the sum of units, not a mean of ratios."""
    days = both(many)
    return ratio(_sum([p.cost for p in days]) or Decimal(0), _sum([p.units for p in days]) or Decimal(0))
