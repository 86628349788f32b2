"""What somebody asks the price of, read from a typed line or a CSV: ``10 x m7g.large in eu-west-1, 24x7``. Pure.

Nothing is guessed without being shown: what a line leaves out gets the usual value (one, all hours, on demand, Linux),
and the page shows the line as it was read.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from finops_site.lib.language import gettext as _
from finops_site.lib.money import BadAmount, parse_amount
from usage.calc.facts import MONTH_HOURS

# More than this on one line is a slip of the hand.
MOST_COUNT = Decimal(1_000_000)
# An exabyte.
MOST_GIGABYTES = Decimal(10**9)
MOST_LINES = 2_000
MOST_LINE = 500
WEEKS_A_MONTH = Decimal(MONTH_HOURS) / 168
SYSTEMS = ("linux", "windows", "rhel", "suse")
PAYMENTS = {"no": "none", "partial": "partial", "all": "all"}
HOUR_PLACES = Decimal("0.0001")
HOURS, AMOUNT_A_MONTH = "Hrs", "GB-Mo"

COUNT = re.compile(r"(?P<count>[0-9][0-9.,' ]*)\s*(?:[x×*]\s*|(?=\D))", re.IGNORECASE)
SIZE = re.compile(r"(?P<size>[0-9][0-9.,']*)\s*(?P<unit>[KMGTP]i?B)\s+(?:of\s+)?(?P<item>\S.*)", re.IGNORECASE)
A_WEEK = re.compile(r"(?P<hours>[0-9]{1,2})\s*[x×]\s*(?P<days>[1-7])", re.IGNORECASE)
A_MONTH = re.compile(r"(?P<hours>[0-9][0-9.,']*)\s*(?:h|hours?)(?:\s*(?:/|a|per)\s*month)?", re.IGNORECASE)
A_DAY = re.compile(r"(?P<hours>[0-9]{1,2})\s*(?:h|hours?)\s*(?:/|a|per)\s*day", re.IGNORECASE)
TERM = re.compile(r"(?P<years>[13])\s*(?:years?|yrs?|y)(?:\s+(?P<payment>no|partial|all)\s+upfront)?", re.IGNORECASE)
GIGABYTES = {"kb": Decimal(1) / 10**6, "mb": Decimal(1) / 1000, "gb": Decimal(1), "tb": Decimal(1000)} | {
    "pb": Decimal(10**6),
    "kib": Decimal(1024) / 10**9,
    "mib": Decimal(1024**2) / 10**9,
    "gib": Decimal(1024**3) / 10**9,
    "tib": Decimal(1024**4) / 10**9,
    "pib": Decimal(1024**5) / 10**9,
}
CSV_COLUMNS = ("count", "item", "region", "hours", "system", "term", "size")


class BadLine(ValueError):
    """A line that cannot be read as something with a price; the message says what is wrong and how to write it."""


@dataclass(frozen=True, slots=True)
class PricedItem:
    """So many of a thing: `count` times `monthly_quantity` of `unit` in an average month.

    `term_months` is 0 on demand; `payment` is none, partial or all of a commitment. `text` is what was typed. A
    negative count is what is taken away.
    """

    text: str
    item: str
    region: str = ""
    count: Decimal = Decimal(1)
    monthly_quantity: Decimal | None = Decimal(MONTH_HOURS)
    unit: str = HOURS
    system: str = "linux"
    term_months: int = 0
    payment: str = ""
    provider: str = ""
    service: str = ""
    problem: str = ""

    @property
    def quantity(self) -> Decimal | None:
        """Units of all of them in an average month; None where it depends on use that nobody stated."""
        return None if self.monthly_quantity is None else self.count * self.monthly_quantity


def read_lines(text: str) -> list[PricedItem]:
    """Every line of a typed text; empty ones and those that begin with # are left out. Raises BadLine with its line."""
    items = []
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    if len(lines) > MOST_LINES:
        raise BadLine(_("These are more than {most} lines: make several estimates.").format(most=MOST_LINES))
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            try:
                items.append(read_line(line))
            except BadLine as error:
                raise BadLine(_("Line {number}: {problem}").format(number=number, problem=error)) from None
    if not items:
        raise BadLine(_("Write at least one line, like {example}.").format(example=EXAMPLE))
    return items


EXAMPLE = "10 x m7g.large in eu-west-1, 24x7, 1 year no upfront"


def read_line(line: str) -> PricedItem:
    """One line: a count and a thing, `in` a region; then, parted by commas, hours, system and term in any order.

    ``3 x db.r6g.xlarge in us-east-1, 12x5`` runs twelve hours on five days a week, ``2 TB gp3 in eu-west-1`` is
    storage for a month. Raises BadLine.
    """
    if len(line) > MOST_LINE:
        raise BadLine(_("it has more than {most} characters.").format(most=MOST_LINE))
    first, *rest = [part.strip() for part in re.split(r"(?<!\d),|,(?!\d)|;", line)]
    thing, place, region = re.match(r"(.*?)(?:\s+(in)\b\s*(.*))?\Z", first, re.DOTALL | re.IGNORECASE).groups("")  # type: ignore[union-attr]
    item = replace(_read_thing(thing.strip(), line), region=region.strip().lower())
    if place and not item.region:
        raise BadLine(_("after “in” there is no region."))
    if re.search(r"\s", item.region):
        raise BadLine(_("{region!r} is no region: part what follows it by a comma.").format(region=item.region[:60]))
    kinds: list[str] = []
    for part in filter(None, rest):
        changed = _read_part(item, part)
        kind = _kind_of(part)
        if kind in kinds:
            raise BadLine(_("{part!r} contradicts what stands before it.").format(part=part[:60]))
        kinds.append(kind)
        item = changed
    return item


def _kind_of(part: str) -> str:
    """What a part of a line states: hours, a system or a term; each is stated once."""
    if TERM.fullmatch(part) or part.lower() in ("on demand", "on-demand"):
        return "term"
    return "system" if part.lower() in SYSTEMS else "hours"


def _read_thing(thing: str, line: str) -> PricedItem:
    if thing.startswith(("-", "\u2212")):
        raise BadLine(_("less than none cannot be priced: write how many there will be."))
    if size := SIZE.fullmatch(thing):
        return _stored(size, line, Decimal(1))
    counted = COUNT.match(thing)
    count, name = (_number(counted["count"]), thing[counted.end() :].strip()) if counted else (Decimal(1), thing)
    sized = SIZE.fullmatch(name)
    if counted and sized:
        return _stored(sized, line, _checked(count))
    if not name or not re.search(r"[a-z]", name, re.IGNORECASE):
        raise BadLine(_("it names no machine or storage. Write it like {example}.").format(example=EXAMPLE))
    if re.search(r"\s", name):
        raise BadLine(
            _("{name!r} is more than one word: write a type as the provider does, like {example}.").format(
                name=name[:60], example=EXAMPLE
            )
        )
    return PricedItem(line, name, count=_checked(count))


def _checked(count: Decimal) -> Decimal:
    """A count that there can be. Raises BadLine."""
    if count == 0:
        raise BadLine(_("none of it costs nothing: write how many."))
    if count > MOST_COUNT:
        raise BadLine(_("{count} of them are more than a provider has.").format(count=f"{count:f}"[:20]))
    return count


def _stored(size: re.Match[str], line: str, count: Decimal) -> PricedItem:
    gigabytes = _number(size["size"]) * GIGABYTES[size["unit"].lower()]
    if gigabytes == 0:
        raise BadLine(_("none of it costs nothing: write how many."))
    if gigabytes > MOST_GIGABYTES:
        raise BadLine(_("{size} is more than a provider has.").format(size=f"{size['size']} {size['unit']}"[:40]))
    return PricedItem(
        line, size["item"].strip(), count=count, monthly_quantity=gigabytes, unit=AMOUNT_A_MONTH, system=""
    )


def _read_part(item: PricedItem, part: str) -> PricedItem:
    """The item with one more part of its line understood. Raises BadLine for what is none."""
    word = part.lower()
    if word in ("on demand", "on-demand"):
        return replace(item, term_months=0, payment="")
    if word in SYSTEMS:
        return replace(item, system=word)
    if term := TERM.fullmatch(part):
        return replace(item, term_months=int(term["years"]) * 12, payment=PAYMENTS[(term["payment"] or "no").lower()])
    hours = _hours_a_month(part)
    if hours is None:
        raise BadLine(
            _("{part!r} is neither hours (24x7, 12x5, 200 hours), a system nor a term (1 year no upfront).").format(
                part=part[:60]
            )
        )
    if item.unit != HOURS:
        raise BadLine(_("storage is paid by the month, not by hours: leave {part!r} out.").format(part=part[:60]))
    return replace(item, monthly_quantity=hours)


def _hours_a_month(part: str) -> Decimal | None:
    """Hours in an average month: ``12x5``, ``8 hours a day``, ``200 hours``; None for other text. Raises BadLine."""
    week, day, month = A_WEEK.fullmatch(part), A_DAY.fullmatch(part), A_MONTH.fullmatch(part)
    if week:
        hours = int(week["hours"]) * int(week["days"]) * WEEKS_A_MONTH
    elif day:
        hours = int(day["hours"]) * 7 * WEEKS_A_MONTH
    elif month:
        hours = _number(month["hours"])
    else:
        return None
    if hours == 0:
        raise BadLine(_("{part!r} is no time at all.").format(part=part[:60]))
    if (week and int(week["hours"]) > 24) or (day and int(day["hours"]) > 24) or hours > 744:
        raise BadLine(_("{part!r} is longer than a day or a month is.").format(part=part[:60]))
    return hours.quantize(HOUR_PLACES)


def _number(text: str) -> Decimal:
    try:
        return parse_amount(text.strip())
    except BadAmount as error:
        raise BadLine(str(error)) from None


def delimiter_of(text: str) -> str:
    """What parts the cells of a CSV: what stands most in its first line; Excel writes semicolons in half of Europe."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def header_of(text: str) -> list[str]:
    """The names of the columns of what may be a CSV, in small letters."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    return [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter_of(first)), [])]


def read_csv(text: str, source: str) -> list[PricedItem]:
    """A CSV with columns count, item, region, hours (24x7, 12x5, 200 hours), system, term and size (500 GB).

    Only item is needed. Raises BadLine with file, row and reason.
    """
    text = text.lstrip("\ufeff")
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter_of(text))
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadLine(_("{source}: two columns are called {name}.").format(source=source, name=twice[0][:60]))
    if "item" not in names:
        raise BadLine(
            _("{source}: the header has no column item; it may have {columns}.").format(
                source=source, columns=", ".join(CSV_COLUMNS)
            )
        )
    if unknown := sorted(set(names) - set(CSV_COLUMNS)):
        raise BadLine(
            _("{source}: nobody reads the columns {names}; there are {columns}.").format(
                source=source, names=", ".join(unknown)[:200], columns=", ".join(CSV_COLUMNS)
            )
        )
    rows.fieldnames = names
    items = list(_csv_items(rows, source))
    if not items:
        raise BadLine(_("{source}: there is no row below the header.").format(source=source))
    return items


def _csv_items(rows: "csv.DictReader[str]", source: str) -> Iterator[PricedItem]:
    try:
        for number, row in enumerate(rows, 2):
            if number > MOST_LINES + 1:
                raise BadLine(_("it has more than {most} rows.").format(most=MOST_LINES))
            cells = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
            if any(cells.values()):
                try:
                    yield _csv_item(cells)
                except BadLine as error:
                    place = _("{source}, row {number}").format(source=source, number=number)
                    raise BadLine(f"{place}: {error}") from None
    except csv.Error as error:
        raise BadLine(_("{source}: this is no CSV ({error}).").format(source=source, error=error)) from None


def _csv_item(cells: dict[str, str]) -> PricedItem:
    if not cells["item"]:
        raise BadLine(_("item is empty."))
    if "," in cells["item"] or " in " in cells["item"]:
        raise BadLine(_("item holds more than a name: regions and terms have columns of their own."))
    thing = " ".join(filter(None, (cells.get("size"), cells["item"])))
    count, region = cells.get("count") or "1", cells.get("region")
    parts = [f"{count} x {thing}" + (f" in {region}" if region else "")]
    parts += [cells[name] for name in ("hours", "system", "term") if cells.get(name)]
    return read_line(", ".join(parts))


def unstorable(text: str) -> bool:
    """Whether a text has a character that no database stores: NUL, or half of one."""
    return "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text)
