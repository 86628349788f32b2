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

from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT, exact_sum, ratio
from finops_site.lib.periods import Month
from finops_site.lib.words import number_text

DAY, MONTH = "day", "month"
# What a metric is counted for: each team, the whole company, or each value of a dimension of cost (``tag:Product``).
TEAM, COMPANY = "team", "company"
TAG = "tag:"
MOST_BYTES = 2_000_000
MOST_PROBLEMS = 200
MOST_OF = 500
PLACES = Decimal("1E-18")
MOST = Decimal("1E19")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?\Z")
DAY_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class MetricEntry:
    """How many on a day (of a month: on its first day), for a team, `of` a product or a tag, or for the company."""

    team: int | None
    day: date
    value: Decimal
    of: str = ""

    @property
    def key(self) -> "EntryKey":
        return self.team, self.of, self.day


# Team, product or tag, and day: there is one value for each.
EntryKey = tuple[int | None, str, date]


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

    team: int | None
    first: date
    last: date
    count: int
    of: str = ""


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
        raise ValueError(
            _("The file has {content_count} bytes: {most_bytes} at most.").format(
                content_count=number_text(len(content)), most_bytes=number_text(MOST_BYTES)
            )
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(_("The file is not UTF-8 text: save it as CSV UTF-8.")) from None


def read_metric_csv(
    text: str, *, teams: Mapping[str, int], grain: str, counted_for: str = TEAM, known: Mapping[str, str] | None = None
) -> MetricFile:
    """Reads ``team,day,value`` (or ``team,month,value``), the header first; `teams` are {name in small letters: id}.

    Of a metric that is counted for something else its column stands in the place of the team's (``tag:Product`` or
    ``Product``), with one of the `known` values of it where these are known; for the company there is none.
    """
    parsed = MetricFile()
    reader = csv.reader(io.StringIO(text.replace("\0", "")))
    try:
        rows = list(reader)
    except csv.Error as error:
        parsed.problems.append(MetricProblem(reader.line_num, "", "", _("Not a CSV: {error}.").format(error=error)))
        return parsed
    places = _columns(rows[0] if rows else [], grain, counted_for, parsed)
    if places:
        seen: dict[EntryKey, int] = {}
        for line, row in enumerate(rows[1:], 2):
            if any(cell.strip() for cell in row) and len(parsed.problems) < MOST_PROBLEMS:
                _read_row(parsed, line, row, places, teams, grain, counted_for, known, seen)
        if not parsed.values and not parsed.problems:
            parsed.problems.append(MetricProblem(2, "", "", _("The file has a header and no values.")))
    parsed.gaps = gaps(parsed.values, grain)
    return parsed


def group_column(counted_for: str) -> str:
    """What the column is called that says what a value was counted for; empty for the company."""
    return "" if counted_for == COMPANY else counted_for.removeprefix(TAG)


def _columns(head: Sequence[str], grain: str, counted_for: str, parsed: MetricFile) -> dict[str, int]:
    """Where each column stands; none, with a problem, where one is missing."""
    names = [cell.strip().lower() for cell in head]
    when = next((name for name in (grain, "date", DAY, MONTH) if name in names), grain)
    wanted = {"when": when, "value": "value"}
    if group := group_column(counted_for):
        wanted["group"] = counted_for.lower() if counted_for.lower() in names else group.lower()
    missing = [name for name in wanted.values() if name not in names]
    if missing:
        listed = ", ".join(name for name in (group, grain) if name)
        reason = _("The first line must name the columns {listed} and value; {names} is not there.").format(
            listed=listed, names=", ".join(missing)
        )
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
    counted_for: str,
    known: Mapping[str, str] | None,
    seen: dict[EntryKey, int],
) -> None:
    cells = {role: row[place].strip() if place < len(row) else "" for role, place in places.items()}
    group = cells.get("group", "")
    try:
        team, of = as_group(group, counted_for, teams, known)
        entry = MetricEntry(team, as_day(cells["when"], grain), as_value(cells["value"]), of)
    except InvalidValue as error:
        parsed.problems.append(MetricProblem(line, error.column, error.text[:100], str(error)))
        return
    if entry.key in seen:
        reason = _("{value} has {when} in line {seen} already.").format(
            value=group or _("The company"), when=cells["when"], seen=seen[entry.key]
        )
        parsed.problems.append(MetricProblem(line, group_column(counted_for), group[:100], reason))
        return
    seen[entry.key] = line
    parsed.values.append(entry)


class InvalidValue(ValueError):
    """A value that cannot be used: its column, its text, and why."""

    def __init__(self, column: str, text: str, reason: str) -> None:
        self.column, self.text = column, text
        super().__init__(reason)


def as_team(text: str, teams: Mapping[str, int]) -> int:
    """The team's id; raises InvalidValue for an unknown team."""
    team = teams.get(text, teams.get(text.lower()))
    if team is None:
        raise InvalidValue("team", text, _("There is no team {text!r}.").format(text=text[:60]))
    return team


def as_group(
    text: str, counted_for: str, teams: Mapping[str, int], known: Mapping[str, str] | None = None
) -> tuple[int | None, str]:
    """The team's id, or the product or value of a tag; neither for the company. Raises InvalidValue.

    `known`: {what people may write: what is stored for it} where every value is known; None where any may come.
    """
    if counted_for == TEAM:
        return as_team(text, teams), ""
    if counted_for == COMPANY:
        if text:
            raise InvalidValue(
                COMPANY, text, _("{text!r}: this is counted for the whole company.").format(text=text[:60])
            )
        return None, ""
    if not text or len(text) > MOST_OF:
        raise InvalidValue(
            group_column(counted_for),
            text,
            _("{text!r} is no value of {counted_for}.").format(text=text[:60], counted_for=counted_for),
        )
    if known is None:
        return None, text
    stored = known.get(text, known.get(text.lower()))
    if stored is None:
        raise InvalidValue(
            group_column(counted_for),
            text,
            _("There is no {counted_for} {text!r}.").format(counted_for=counted_for, text=text[:60]),
        )
    return None, stored


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
        raise InvalidValue(
            grain,
            text,
            _("{text!r} is not a {grain}: write it like {like}.").format(text=text[:40], grain=grain, like=like),
        ) from None


def as_value(text: str) -> Decimal:
    """An exact number that is not negative and not finer than 18 decimals; raises InvalidValue."""
    if not text:
        raise InvalidValue("value", text, _("There is no value: leave the line out where nothing was counted."))
    if not NUMBER.match(text):
        raise InvalidValue(
            "value", text, _("{text!r} is not a number: digits, with a point for decimals.").format(text=text[:40])
        )
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise InvalidValue("value", text, _("{text!r} is not a number.").format(text=text[:40])) from None
    if value < 0:
        raise InvalidValue(
            "value", text, _("{text} is negative: nothing is counted less than zero times.").format(text=text[:40])
        )
    if value >= MOST:
        raise InvalidValue("value", text, _("{text} is too large.").format(text=text[:40]))
    if value != value.quantize(PLACES, context=EXACT):
        raise InvalidValue("value", text, _("{text} has more than 18 decimals.").format(text=text[:40]))
    return value


def gaps(values: Iterable[MetricEntry], grain: str) -> list[Gap]:
    """What is missing between the first and the last of each team, product or tag."""
    by_group: dict[tuple[int | None, str], list[date]] = {}
    for entry in values:
        by_group.setdefault((entry.team, entry.of), []).append(entry.day)
    missing = []
    for (team, of), days in by_group.items():
        for before, after in pairwise(sorted(days)):
            if grain == DAY:
                gap = Gap(team, before + timedelta(1), after - timedelta(1), (after - before).days - 1, of)
            else:
                first, end = Month.of(before).next, Month.of(after)
                count = (end.year - first.year) * 12 + end.number - first.number
                gap = Gap(team, first.start, end.previous.start, count, of)
            if gap.count:
                missing.append(gap)
    return missing


@dataclass(frozen=True, slots=True)
class UnitCostPoint:
    """A day or month: its cost (None: no bill), its units (None: not counted), and the cost of one (None: no such).

    `lack`: why its cost is not all of it, so that it is divided by nothing; empty where it is all there.
    """

    day: date
    cost: Decimal | None
    units: Decimal | None
    lack: str = ""

    @property
    def per_unit(self) -> Decimal | None:
        if self.cost is None or self.units is None or self.lack:
            return None
        return ratio(self.cost, self.units)

    @property
    def margin(self) -> Decimal | None:
        """What revenue leaves after cost, where the units are revenue in the currency of the cost."""
        if self.cost is None or self.units is None or self.lack:
            return None
        return EXACT.subtract(self.units, self.cost)

    @property
    def margin_share(self) -> Decimal | None:
        """The margin of the revenue, 0.6 for 60 %; None without revenue."""
        return None if self.margin is None or not self.units else ratio(self.margin, self.units)

    @property
    def why(self) -> str:
        """Why there is no cost per unit; empty where there is one."""
        if self.lack:
            return self.lack
        if self.units is None:
            return _("not counted")
        if self.cost is None:
            return _("no cost in the bills")
        return "" if self.units else _("nothing was counted")


def unit_cost_points(
    costs: Mapping[date, Decimal],
    units: Mapping[date, Decimal],
    days: Iterable[date],
    lacks: Mapping[date, str] | None = None,
) -> list[UnitCostPoint]:
    """A point for each day, missing ones included; `lacks` say why the cost of a day is not all of it."""
    lacks = lacks or {}
    return [UnitCostPoint(day, costs.get(day), units.get(day), lacks.get(day, "")) for day in days]


def points_by_month(days: Iterable[UnitCostPoint]) -> list[UnitCostPoint]:
    """A point for each month, of its days that have units and all of their cost: the ratio of the sums."""
    months: dict[date, list[UnitCostPoint]] = {}
    for point in days:
        months.setdefault(point.day.replace(day=1), []).append(point)
    return [_combined(month, points) for month, points in months.items()]


def overall(points: Iterable[UnitCostPoint]) -> UnitCostPoint:
    """All points that have units and all of their cost as one: sum of costs / sum of units, not a mean of ratios."""
    return _combined(date.min, points)


def sum_of_units(units: Sequence[Mapping[date, Decimal]]) -> dict[date, Decimal]:
    """What all together counted on the days on which every one of them was counted: a sum without one is none."""
    days = set.intersection(*(set(one) for one in units)) if units else set()
    return {day: exact_sum(one[day] for one in units) for day in days}


def _combined(day: date, points: Iterable[UnitCostPoint]) -> UnitCostPoint:
    """One point for those that count; a point without cost and units where none does, with what the first lacks."""
    cost: Decimal | None = None
    units: Decimal | None = None
    lack = ""
    for point in points:
        if point.cost is not None and point.units is not None and not point.lack:
            cost = EXACT.add(cost or Decimal(0), point.cost)
            units = EXACT.add(units or Decimal(0), point.units)
        elif point.units is not None:
            lack = lack or point.lack
    return UnitCostPoint(day, cost, units, lack if units is None else "")
