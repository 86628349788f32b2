"""How the cells of a bill are written: which number of a date is the month, and which mark decimals follow. Pure.

No cell shows it by itself: ``03/04/2026`` and ``1,234`` have two readings, one of them wrong by a month or a thousand
times. So it is decided for each column, from what the column, the file and the other files of the bill show; where
nothing decides, the bill is refused. The columns then read as ISO dates and plain numbers, whatever rule reads them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import chain
from typing import Generic, TypeVar

import duckdb

from costs.charges.bill_files import BillFile, unreadable
from costs.formats.base import CHARGE_COLUMNS, METRICS, BadBill, squeezed
from costs.formats.sql import (
    DATE_SHAPE,
    SERIAL_SHAPE,
    DateOrder,
    DecimalMark,
    dates_in_order,
    dates_of_serials,
    is_amount,
    is_other_money,
    plain_number,
)
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop

# So many rows of a file are looked at before it is read; more only where they leave a doubt.
SAMPLE_ROWS = 2_000
# Cells that contradict so many times as many others are mistakes of their own: their rows are rejected.
FEW_DATES, FEW_AMOUNTS = 20, 4
PLAIN = "'-?[0-9]*[.]?[0-9]+([eE][-+]?[0-9]+)?'"
OFFSET = "':[0-9.]+( ?[AaPp][Mm])? ?[+-](0[1-9]|1[0-4]):?[0-9]{2}'"

DATE_OPTION = _noop(
    "State it: --date-order day-first or --date-order month-first, or the date order on the upload page, in the API or "
    "at the source."
)
DECIMAL_OPTION = _noop(
    "State it: --decimal-comma or --decimal-point, or the decimal mark on the upload page, in the API or at the source."
)

# A column of a bill: the place of its file, and its name.
Place = tuple[int, str]
Choice = TypeVar("Choice", DateOrder, DecimalMark)


class Contradiction(Exception):
    """A column is written in both ways."""


@dataclass(frozen=True, slots=True)
class Dates:
    """What a column shows of dates of numbers alone: {``01/03/2026``: how many}; of day numbers, months and offsets.

    `serials` are the day numbers where every value of the column is one, `months` those of its ISO dates (``2026-03``).
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    serials: tuple[int, ...] = ()
    months: frozenset[str] = frozenset()
    offset: str = ""

    def numbers(self) -> Iterable[tuple[int, int, int, int]]:
        """(first number, second number, year, how many) of every date."""
        for text, count in self.counts.items():
            first, second, year = map(int, re.split("[/.-]", text))
            yield first, second, year % 100 + 2000, count

    @property
    def example(self) -> str:
        """A date whose two readings differ, if there is one."""
        differing = (text for text in self.counts if len(set(re.split("[/.-]", text)[:2])) == 2)
        return next(differing, next(iter(self.counts), ""))

    def own_order(self) -> DateOrder | None:
        """What the column shows by itself: a number over twelve is a day. Raises Contradiction."""
        day_first = sum(count for first, second, _ignored, count in self.numbers() if second <= 12 < first <= 31)
        month_first = sum(count for first, second, _ignored, count in self.numbers() if first <= 12 < second <= 31)
        if min(day_first, month_first) * FEW_DATES > max(day_first, month_first):
            raise Contradiction
        if day_first or month_first:
            return "day-first" if day_first > month_first else "month-first"
        # Nobody puts points between a month and a day.
        return "day-first" if any("." in text for text in self.counts) else None

    def order_of_firsts(self) -> DateOrder | None:
        """The order by which all are the first of a month, as starts and ends of billing periods are."""
        return _one_of(*(all(row[at] == 1 for row in self.numbers()) for at in (0, 1)))

    def order_within(self, months: frozenset[str]) -> DateOrder | None:
        """The order by which all lie in `months`, the billing periods of the file, where by the other some do not."""
        return _one_of(*(all(f"{row[2]}-{row[at]:02}" in months for row in self.numbers()) for at in (1, 0)))

    def order_of_neighbours(self) -> DateOrder | None:
        """The order by which three days or more lie in one month, if by the other each is in a month of its own.

        Firsts of months may be days of a month as well as months: they decide nothing.
        """
        dates = {row[:3] for row in self.numbers()}
        months = [{(row[at], row[2]) for row in dates} for at in (1, 0)]
        if len(dates) < 3 or any({row[at] for row in dates} == {1} for at in (0, 1)):
            return None
        return _one_of(*(len(months[at]) == 1 and len(months[1 - at]) >= 3 for at in (0, 1)))


def _one_of(is_day_first: bool, is_month_first: bool) -> DateOrder | None:
    if is_day_first == is_month_first:
        return None
    return "day-first" if is_day_first else "month-first"


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many cells of a column are amounts only with a decimal point, only with a comma, or with either.

    `either_comma` are those like ``1,234``, `either_point` those like ``1.234``; `dressed` are amounts with a decimal
    point that are no plain numbers, like ``$5`` or ``(1.50)``.
    """

    point: int = 0
    comma: int = 0
    either_comma: int = 0
    either_point: int = 0
    dressed: int = 0
    examples: tuple[str, ...] = ()

    def own_mark(self) -> DecimalMark | None:
        """What the column shows by itself. Raises Contradiction."""
        fewer, more = sorted((self.point, self.comma))
        unsure = self.either_comma if self.comma < self.point else self.either_point
        if fewer and (unsure or fewer * FEW_AMOUNTS > more):
            raise Contradiction
        if not more:
            return None
        return "point" if self.point > self.comma else "comma"


@dataclass(frozen=True, slots=True)
class Cells:
    """What the columns of a file show; `has_commas`: columns that are not read have decimal commas."""

    dates: Mapping[str, Dates]
    amounts: Mapping[str, Amounts]
    has_commas: bool = False

    def with_more(self, more: "Cells") -> "Cells":
        return Cells({**self.dates, **more.dates}, {**self.amounts, **more.amounts}, self.has_commas)


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns of a file are read as what; `money` and `starts` are those that no charge can do without."""

    dates: frozenset[str]
    amounts: frozenset[str]
    money: frozenset[str]
    starts: frozenset[str]


@dataclass(slots=True)
class Decision(Generic[Choice]):
    """What was decided for each column, where nothing decides, and where only the provider's habit did."""

    values: dict[Place, Choice] = field(default_factory=dict)
    doubts: set[Place] = field(default_factory=set)
    assumed: set[Place] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Reading:
    """The files of a bill with columns that read as ISO dates and plain numbers, and what was decided, in words."""

    bill: list[BillFile]
    notes: list[str]


def settle(
    db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile], *, problems: Mapping[int, Iterable[str]] | None = None
) -> Reading:
    """Decides how the cells of the files are written.

    The first rows of each file are looked at, and all of them only of columns that leave a doubt. `problems` are the
    charge columns of each file that could not be read by what the first rows showed. Raises BadBill where a column that
    charges need can be read in two ways and nothing decides.
    """
    parts = [_roles(file) for file in bill]
    cells = [
        _look(db, file, role.dates, role.amounts, limit=SAMPLE_ROWS) for file, role in zip(bill, parts, strict=True)
    ]
    orders, marks = _orders(bill, cells), _marks(bill, cells)
    for number, file in enumerate(bill):
        troubled = _columns_of(file, (problems or {}).get(number, ()))
        dates = {name for at, name in orders.doubts if at == number} | parts[number].dates & troubled
        amounts = {name for at, name in marks.doubts if at == number} | parts[number].amounts & troubled
        if dates or amounts:
            cells[number] = cells[number].with_more(_look(db, file, dates, amounts))
        if file.layout and file.layout.delimiter != "," and _may_count_thousands(cells[number]):
            # Such cells need no quotes around a comma: other columns, or other rows, may show that it marks decimals.
            others = set(file.layout.columns) - parts[number].amounts - parts[number].dates
            unread = _look(db, file, (), others, limit=SAMPLE_ROWS).amounts.values()
            more = _look(db, file, (), parts[number].amounts)
            has_commas = any(column.comma > column.point for column in unread)
            cells[number] = replace(cells[number].with_more(more), has_commas=has_commas)
    orders, marks = _orders(bill, cells, everything=True), _marks(bill, cells)
    for at, name in sorted(orders.doubts):
        if name in parts[at].starts:
            raise _two_dates(bill[at].name, name, cells[at].dates[name])
    for at, name in sorted(marks.doubts):
        if name in parts[at].money:
            raise _two_amounts(bill[at].name, name, cells[at].amounts[name])
    settled = [_with_columns(file, at, cells[at], orders, marks) for at, file in enumerate(bill)]
    return Reading(settled, _notes(cells, orders, marks))


def _roles(file: BillFile) -> Roles:
    """The columns of the file that its format reads as dates and as amounts."""
    read = {
        kind: _columns_of(file, [name for name in CHARGE_COLUMNS if CHARGE_COLUMNS[name] == kind])
        for kind in ("moment", "number", "money")
    }
    if period_end := file.format.period_end:
        read["moment"] |= _columns_in(file, [period_end(file.written)])
    read["money"] |= _columns_in(file, [rule(file.written) for rule in file.format.aside.values()])
    # What is no text in the file (Parquet) has one reading only.
    texts = {column for column, cell in file.written.columns.items() if not cell.startswith("CAST(")}
    evidence = {column for column in texts if "billingperiod" in squeezed(column)}
    return Roles(
        dates=frozenset(texts & (read["moment"] | evidence)),
        amounts=frozenset(texts & (read["number"] | read["money"])),
        money=frozenset(texts & read["money"]),
        starts=frozenset(texts & _columns_of(file, ("BillingPeriodStart", "ChargePeriodStart"))),
    )


def _columns_of(file: BillFile, names: Iterable[str]) -> set[str]:
    """The columns of the file that charge columns are made of."""
    rules = [rule for name in names if (rule := file.format.columns.get(name))]
    return _columns_in(file, [rule(file.written) for rule in rules])


def _columns_in(file: BillFile, rules: Iterable[str | None]) -> set[str]:
    sql = "\n".join(filter(None, rules))
    return {column for column, cell in file.written.columns.items() if cell in sql}


def _look(
    db: duckdb.DuckDBPyConnection, file: BillFile, dates: Iterable[str], amounts: Iterable[str], *, limit: int = 0
) -> Cells:
    """What the columns show in the first `limit` rows of the file, or in all of them."""
    days, sums = sorted(dates), sorted(amounts)
    if not (days or sums):
        return Cells({}, {})
    names = [*days, *sums]
    cells = ", ".join(f"{file.written.columns[name]} AS cell{number}" for number, name in enumerate(names))
    rows = f"SELECT {cells} FROM {file.source(store_rejects=False, head=bool(limit))}{f' LIMIT {limit}' * bool(limit)}"
    # A row for each cell: a plan with the patterns of every column in it takes longer to make than to run.
    stacked = ", ".join(f"cell{number}" for number in range(len(names)))
    stack = f"(SELECT unnest(range({len(names)})) AS number, unnest([{stacked}]) AS cell FROM ({rows}))"
    marked = ", ".join(f"{is_amount('cell', mark)} AS cell_{mark}" for mark in ("point", "comma"))
    try:
        if limit:
            db.execute(f"CREATE OR REPLACE TEMP TABLE sampled_cells AS FROM {stack}")
            stack = "sampled_cells"
        of_dates = f"SELECT number, {', '.join(_date_facts('cell'))} FROM {stack} WHERE number < {len(days)} GROUP BY 1"
        of_amounts = f"""SELECT number, {", ".join(_amount_facts("cell"))}
            FROM (SELECT *, {marked} FROM {stack} WHERE number >= {len(days)}) GROUP BY 1"""
        date_facts = {number: facts for number, *facts in db.execute(of_dates).fetchall()} if days else {}
        amount_facts = {number: facts for number, *facts in db.execute(of_amounts).fetchall()} if sums else {}
    except duckdb.Error as error:
        raise unreadable([file], error) from error
    no_date = (None, None, 0, None, None)
    no_examples: list[str | None] = []
    no_amount = (0, 0, 0, 0, 0, 0, no_examples)
    return Cells(
        {name: _dates(*date_facts.get(number, no_date)) for number, name in enumerate(days)},
        {name: _amounts(*amount_facts.get(number, no_amount)) for number, name in enumerate(sums, len(days))},
    )


def _date_facts(cell: str) -> list[str]:
    day = f"regexp_extract({cell}, '^ *([0-9]{{1,2}}[/.-][0-9]{{1,2}}[/.-]([0-9]{{4}}|[0-9]{{2}}))', 1)"
    is_serial = f"regexp_full_match({cell}, '{SERIAL_SHAPE}')"
    return [
        f"histogram({day}) FILTER (regexp_matches({cell}, '{DATE_SHAPE}'))",
        f"list(DISTINCT split_part({cell}, '.', 1)) FILTER ({is_serial})",
        f"count({cell}) FILTER (NOT {is_serial})",
        f"list(DISTINCT left({cell}, 7)) FILTER ({cell} LIKE '____-__-%')",
        f"any_value({cell}) FILTER (regexp_matches({cell}, {OFFSET}))",
    ]


def _dates(
    counts: dict[str, int] | None, serials: list[str] | None, others: int, months: list[str] | None, offset: str | None
) -> Dates:
    days = () if others else tuple(map(int, serials or ()))
    return Dates(counts or {}, days, frozenset(months or ()), offset or "")


def _amount_facts(cell: str) -> list[str]:
    point, comma = f"{cell}_point", f"{cell}_comma"
    either = f"{point} AND {comma}"
    examples = [
        f"{comma} AND NOT {point}",
        f"{either} AND contains({cell}, ',')",
        f"{either} AND contains({cell}, '.')",
    ]
    return [
        f"count(*) FILTER ({point} AND NOT {comma})",
        f"count(*) FILTER ({comma} AND NOT {point})",
        f"count(*) FILTER ({either} AND contains({cell}, ','))",
        f"count(*) FILTER ({either} AND contains({cell}, '.'))",
        f"count(*) FILTER ({point} AND NOT regexp_full_match({cell}, {PLAIN}))",
        f"2 * count(*) FILTER ({point} OR {comma}) - count({cell})",
        f"[{', '.join(f'any_value({cell}) FILTER ({condition})' for condition in examples)}]",
    ]


def _amounts(
    point: int, comma: int, either_comma: int, either_point: int, dressed: int, surplus: int, examples: list[str | None]
) -> Amounts:
    if surplus < 0:
        # More texts than amounts: a column of texts, like units.
        return Amounts()
    shown = tuple(example for example in examples if example)
    return Amounts(point, comma, either_comma, either_point, dressed, shown)


def _orders(bill: Sequence[BillFile], cells: Sequence[Cells], *, everything: bool = False) -> Decision[DateOrder]:
    """The order of the numbers in every column that has dates of numbers alone.

    With `everything` the cells are those of all rows; only then neighbouring days and the provider's habit count.
    """
    columns = {
        (at, name): dates for at, shown in enumerate(cells) for name, dates in shown.dates.items() if dates.counts
    }
    decision: Decision[DateOrder] = Decision()
    orders = decision.values
    if stated := bill[0].written.options.date_order:
        orders.update(dict.fromkeys(columns, stated))
        return decision
    for place, dates in columns.items():
        try:
            order = dates.own_order()
        except Contradiction:
            decision.doubts.add(place)
            continue
        if order is None and "billingperiod" in squeezed(place[1]):
            order = dates.order_of_firsts()
        if order:
            orders[place] = order
    for at, name in columns.keys() - orders.keys() - decision.doubts:
        periods = (dates.months for other, dates in cells[at].dates.items() if "billingperiodstart" in squeezed(other))
        same_file = {order for (other, _ignored), order in orders.items() if other == at}
        peers = same_file or set(orders.values())
        own = columns[at, name].order_within(frozenset(chain.from_iterable(periods)))
        peer = next(iter(peers)) if len(peers) == 1 else None
        if decided := own or peer:
            orders[at, name] = decided
    rest = columns.keys() - orders.keys() - decision.doubts
    for name in {name for _ignored, name in rest} if everything else ():
        places = [place for place in rest if place[1] == name]
        together = Dates({text: count for place in places for text, count in columns[place].counts.items()})
        order = together.order_of_neighbours()
        if order is None and all(first == second for first, second, _ignored, _ignored in together.numbers()):
            order = "month-first"
        if order is None and (habit := bill[0].format.date_order):
            decision.assumed.update(places)
        if chosen := order or habit:
            orders.update(dict.fromkeys(places, chosen))
    decision.doubts |= columns.keys() - orders.keys()
    return decision


def _marks(bill: Sequence[BillFile], cells: Sequence[Cells]) -> Decision[DecimalMark]:
    """The decimal mark of every column that shows one, or that has amounts to undress."""
    columns = {(at, name): amounts for at, shown in enumerate(cells) for name, amounts in shown.amounts.items()}
    decision: Decision[DecimalMark] = Decision()
    marks = decision.values
    if stated := bill[0].written.options.decimal_mark:
        marks.update((place, stated) for place, amounts in columns.items() if amounts != Amounts())
        return decision
    for place, amounts in columns.items():
        try:
            mark = amounts.own_mark()
        except Contradiction:
            decision.doubts.add(place)
            continue
        if mark:
            marks[place] = mark
    shown = dict(marks)
    for at, name in columns.keys() - marks.keys() - decision.doubts:
        amounts, layout = columns[at, name], bill[at].layout
        peers = {mark for (other, _ignored), mark in shown.items() if other == at} or set(shown.values())
        choice: DecimalMark = "point"
        if amounts.either_comma:
            # Semicolons between cells are there because commas are in them: no commas between thousands then.
            is_clear = len(peers) == 1 and not ("point" in peers and layout and layout.delimiter == ";")
            choice = "comma" if "comma" in peers else "point"
        else:
            is_clear = not amounts.either_point or not ("comma" in peers or cells[at].has_commas)
        if is_clear:
            marks[at, name] = choice
        else:
            decision.doubts.add((at, name))
    return decision


def _may_count_thousands(cells: Cells) -> bool:
    """Whether there are amounts like ``1.234`` and none in any column that shows what the point is."""
    columns = cells.amounts.values()
    return any(column.either_point for column in columns) and not any(
        column.point or column.comma for column in columns
    )


def _with_columns(
    file: BillFile, at: int, cells: Cells, orders: Decision[DateOrder], marks: Decision[DecimalMark]
) -> BillFile:
    """The file with columns that read as ISO dates and plain numbers."""
    columns = dict(file.written.columns)
    currency, money = _currency_of(file), _columns_of(file, METRICS)
    for name, dates in cells.dates.items():
        if order := orders.values.get((at, name)):
            columns[name] = dates_in_order(columns[name], order)
        elif dates.serials and _are_days_of_the_file(cells):
            columns[name] = dates_of_serials(columns[name])
    for name, amounts in cells.amounts.items():
        mark = marks.values.get((at, name))
        if mark and (amounts.dressed or mark == "comma"):
            cell = columns[name]
            columns[name] = plain_number(cell, mark)
            if currency and name in money:
                other = f"{cell} || ' in a bill in ' || {currency}"
                columns[name] = f"CASE WHEN {is_other_money(cell, currency)} THEN {other} ELSE {columns[name]} END"
        elif (at, name) in marks.doubts:
            # No cost depends on it, or the bill would be refused.
            columns[name] = f"CASE WHEN regexp_full_match({columns[name]}, '[0-9]*') THEN {columns[name]} END"
    return replace(file, sheet=replace(file.written, columns=columns))


def _currency_of(file: BillFile) -> str | None:
    """SQL of the currency that the row states; None where the file has no column for it."""
    rule = file.format.columns.get("BillingCurrency")
    return None if rule is None or file.format.prices else rule(file.written)


def _are_days_of_the_file(cells: Cells) -> bool:
    """Whether day numbers are clearly a spreadsheet's days: the billing periods then start on firsts of months."""
    starts = [dates.serials for name, dates in cells.dates.items() if "billingperiodstart" in squeezed(name)]
    days = [date(1899, 12, 30) + timedelta(days=serial) for serials in starts for serial in serials]
    return bool(days) and all(day.day == 1 for day in days)


def _two_dates(file: str, column: str, dates: Dates) -> BadBill:
    day_first, month_first = ([text for text in dates.counts if int(re.split("[/.-]", text)[at]) > 12] for at in (0, 1))
    if day_first and month_first:
        return BadBill(
            _(
                "{file}: some dates in {column} have the day first and some the month, like {day_first} and "
                "{month_first}. {date_option}"
            ).format(
                file=file, column=column, day_first=day_first[0], month_first=month_first[0], date_option=_(DATE_OPTION)
            )
        )
    first, second, _ignored = map(int, re.split("[/.-]", dates.example))
    by_day, by_month = date(2000, second, first), date(2000, first, second)
    return BadBill(
        _(
            "{file}: {example} in {column} may be {by_day} or {by_month}, and nothing in the bill "
            "decides. {date_option}"
        ).format(
            file=file,
            example=dates.example,
            column=column,
            by_day=f"{by_day:%-d %B}",
            by_month=f"{by_month:%-d %B}",
            date_option=_(DATE_OPTION),
        )
    )


def _two_amounts(file: str, column: str, amounts: Amounts) -> BadBill:
    return BadBill(
        _(
            "{file}: the comma or point in {column} (like {names}) may be a decimal mark or stand "
            "between thousands, and nothing in the bill decides. {decimal_option}"
        ).format(file=file, column=column, names=" and ".join(amounts.examples[:2]), decimal_option=_(DECIMAL_OPTION))
    )


def _notes(cells: Sequence[Cells], orders: Decision[DateOrder], marks: Decision[DecimalMark]) -> list[str]:
    """What was decided that a reader of the bill may want to check."""
    notes = []
    day_first = sorted(place for place, order in orders.values.items() if order == "day-first")
    if day_first:
        notes.append(
            _("Dates like {example} were read with the day first ({named}).").format(
                example=_example(cells, day_first), named=_named(day_first)
            )
        )
    if assumed := sorted(orders.assumed):
        notes.append(
            _(
                "Dates like {example} were read with the month first, as this provider writes them; nothing "
                "in the bill shows it ({named})."
            ).format(example=_example(cells, assumed), named=_named(assumed))
        )
    serials = [
        (at, name)
        for at, shown in enumerate(cells)
        for name, dates in sorted(shown.dates.items())
        if dates.serials and _are_days_of_the_file(shown)
    ]
    if serials:
        notes.append(_("Day numbers of a spreadsheet were read as dates ({named}).").format(named=_named(serials)))
    if with_comma := sorted(place for place, mark in marks.values.items() if mark == "comma"):
        notes.append(_("Amounts were read with a decimal comma ({named}).").format(named=_named(with_comma)))
    if left_out := sorted(orders.doubts | marks.doubts):
        notes.append(
            _(
                "Cells of {named} can be read in two ways and were left out; no cost and no day of use depends on them."
            ).format(named=_named(left_out))
        )
    offsets = [dates.offset for dates in chain.from_iterable(shown.dates.values() for shown in cells) if dates.offset]
    if offsets:
        notes.append(
            _("Times have an offset from UTC (like {offsets}): their days are those of that place.").format(
                offsets=offsets[0]
            )
        )
    return notes


def _example(cells: Sequence[Cells], places: Sequence[Place]) -> str:
    at, name = places[0]
    return cells[at].dates[name].example


def _named(places: Iterable[Place]) -> str:
    return ", ".join(dict.fromkeys(name for _ignored, name in places))
