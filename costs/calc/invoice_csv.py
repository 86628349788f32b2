"""Invoices out of a CSV: every cell that cannot be read is named by line, column and reason. Pure: no Django."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT, BadAmount, decimal_marks, parse_amount
from finops_site.lib.periods import Month
from finops_site.lib.words import number_text

MOST_BYTES = 5_000_000
MOST_ROWS = 10_000
MOST_PROBLEMS = 200
MOST_AMOUNT = Decimal("1E19")
STORED = Decimal("1E-18")
# In the order of the template.
COLUMNS = ("issuer", "billing_account", "billing_month", "currency", "invoice_id", "total", "tax", "issued_on")
OPTIONAL = ("tolerance_amount", "tolerance_percent", "explanation")
NEEDED = ("billing_account", "billing_month", "currency", "total")
WIDTHS = {"issuer": 200, "billing_account": 200, "invoice_id": 200, "explanation": 2000}
AMOUNTS = ("total", "tax", "tolerance_amount", "tolerance_percent")
EXAMPLE = (
    "Amazon Web Services, Inc.",
    "111122223333",
    "2026-03",
    "USD",
    "EUINGB26-1234567",
    "1234.56",
    "",
    "2026-04-02",
)
# A number of an account that a spreadsheet has rounded: 1.11122E+11.
ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice as a file or a program states it; None: it does not say."""

    billing_account: str
    billing_month: date
    currency: str
    total: Decimal
    invoice_id: str = ""
    issuer: str | None = None
    tax: Decimal | None = None
    issued_on: date | None = None
    tolerance_amount: Decimal | None = None
    tolerance_percent: Decimal | None = None
    explanation: str | None = None

    @property
    def key(self) -> tuple[str, date, str, str]:
        """What makes it the same invoice when it comes again."""
        return self.billing_account, self.billing_month, self.currency, self.invoice_id


@dataclass(frozen=True, slots=True)
class InvoiceProblem:
    """A cell that cannot be read, and why."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        place = (
            _("line {line}, column {column}").format(line=self.line, column=self.column)
            if self.column
            else _("line {line}").format(line=self.line)
        )
        return f"{place}: {self.reason}"


@dataclass(slots=True)
class InvoiceFile:
    """What a file holds: its invoices, what is wrong with it, and its columns that nothing was read from."""

    rows: list[InvoiceRow] = field(default_factory=list)
    problems: list[InvoiceProblem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return bool(self.rows) and not self.problems


class _BadCell(ValueError):
    """Why a cell cannot be read."""


def decode_csv(content: bytes) -> str:
    """The file's text; raises ValueError with the reason where it is none."""
    if len(content) > MOST_BYTES:
        raise ValueError(
            _("The file has {bytes} bytes: {most} at most.").format(
                bytes=number_text(len(content)), most=number_text(MOST_BYTES)
            )
        )
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError(_("The file is not UTF-8 text: save it as CSV UTF-8.")) from None


def read_invoices(text: str, *, decimal_mark: str = "") -> InvoiceFile:
    """The invoices of a CSV with a header; separated by commas, semicolons or tabs.

    `decimal_mark` is "." or ","; without it each column of amounts must show which it is.
    """
    result = InvoiceFile()
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text.replace("\0", "")), delimiter=delimiter)
    try:
        table = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        result.problems.append(InvoiceProblem(reader.line_num, "", _("This is no CSV: {error}.").format(error=error)))
        return result
    places = _columns(table[0][1] if table else [], result)
    lines = table[1:]
    if not result.problems and not lines:
        result.problems.append(InvoiceProblem(2, "", _("The file has a header and no invoices.")))
    if len(lines) > MOST_ROWS:
        result.problems.append(
            InvoiceProblem(
                MOST_ROWS + 2, "", _("More than {most_rows} invoices at once.").format(most_rows=number_text(MOST_ROWS))
            )
        )
    if result.problems:
        return result
    cells = [
        (line, {name: row[place].strip() if place < len(row) else "" for name, place in places.items()})
        for line, row in lines
    ]
    marks = {name: _mark_of(name, cells, decimal_mark, delimiter, result) for name in AMOUNTS if name in places}
    marked = {(problem.line, problem.column) for problem in result.problems}
    seen: dict[tuple[str, date, str, str], int] = {}
    for line, values in cells:
        if len(result.problems) >= MOST_PROBLEMS:
            break
        problems, row = _read_row(line, values, marks)
        result.problems += [problem for problem in problems if (problem.line, problem.column) not in marked]
        if row and row.key in seen:
            reason = _("The same account, month, currency and invoice id stand in line")
            result.problems.append(InvoiceProblem(line, "invoice_id", f"{reason} {seen[row.key]}."))
        elif row:
            seen[row.key] = line
            result.rows.append(row)
    return result


def _columns(head: Sequence[str], result: InvoiceFile) -> dict[str, int]:
    """{column: its place}; a problem for each that is needed and not there, or there twice."""
    known: dict[str, int] = {}
    for place, cell in enumerate(head):
        name = re.sub(r"[\s-]+", "_", cell.strip().lower())
        if name in known:
            result.problems.append(InvoiceProblem(1, name, _("The header names this column twice.")))
        elif name in (*COLUMNS, *OPTIONAL):
            known[name] = place
        elif cell.strip():
            result.ignored.append(cell.strip())
    for name in NEEDED:
        if name not in known:
            needed = ", ".join(NEEDED)
            result.problems.append(
                InvoiceProblem(1, name, _("The header has no such column; it needs {needed}.").format(needed=needed))
            )
    return known


def _mark_of(
    name: str, cells: Sequence[tuple[int, Mapping[str, str]]], chosen: str, delimiter: str, result: InvoiceFile
) -> str:
    """The decimal mark of a column, by what all its cells show; a problem where they disagree or do not tell."""
    possible, doubtful = {chosen} if chosen else {".", ","}, 0
    for line, values in cells:
        marks = decimal_marks(values[name])
        if not marks & possible:
            before = (
                _("the decimal mark is {chosen!r}").format(chosen=chosen)
                if chosen
                else _("lines above have another decimal mark")
            )
            reason = _("{values!r} does not fit: {before}.").format(values=values[name], before=before)
            result.problems.append(InvoiceProblem(line, name, reason))
            return "."
        possible &= marks
        if not doubtful and len(marks) == 2 and ("." in values[name] or "," in values[name]):
            doubtful = line
    if len(possible) == 1:
        return possible.pop()
    if doubtful:
        text = dict(cells)[doubtful][name]
        # Who writes decimals with a comma parts the columns of a CSV by something else.
        if delimiter == "," and "." in text:
            return "."
        reason = _("{text!r} may have three decimals or thousands: choose the decimal mark.").format(text=text)
        result.problems.append(InvoiceProblem(doubtful, name, reason))
    return "."


def _read_row(
    line: int, cells: Mapping[str, str], marks: Mapping[str, str]
) -> tuple[list[InvoiceProblem], InvoiceRow | None]:
    values: dict[str, object] = {}
    problems = []
    for name, value in cells.items():
        try:
            values[name] = _read_cell(name, value, marks.get(name, "."))
        except _BadCell as error:
            problems.append(InvoiceProblem(line, name, str(error)))
    if problems:
        return problems, None
    values["invoice_id"] = values.get("invoice_id") or ""
    return [], InvoiceRow(**values)  # type: ignore[arg-type]


def _read_cell(name: str, text: str, mark: str) -> object:
    if not text:
        if name in NEEDED and name != "billing_account":
            raise _BadCell(_("There is nothing here."))
        return "" if name == "billing_account" else None
    if name == "billing_month":
        return as_month(text)
    if name == "currency":
        if not (len(text) == 3 and text.isascii() and text.isalpha()):
            raise _BadCell(
                _("{text!r} is no currency: write it as its three letters, like USD.").format(text=text[:40])
            )
        return text.upper()
    if name == "issued_on":
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise _BadCell(_("{text!r} is no day: write it like 2026-04-02.").format(text=text[:40])) from None
    if name in AMOUNTS:
        return as_amount(name, text, mark)
    if name in ("billing_account", "invoice_id") and ROUNDED.match(text):
        raise _BadCell(_("A spreadsheet has rounded this number to {text}: keep the column as text.").format(text=text))
    if len(text) > WIDTHS[name]:
        raise _BadCell(_("This has {count} characters: {most} at most.").format(count=len(text), most=WIDTHS[name]))
    return text


def as_month(text: str) -> date:
    """The first day of a month written 2026-03, or 2026-03-01; raises ValueError."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}(-01)?", text, re.ASCII):
            return Month.parse(text[:7]).start
    except ValueError:
        pass
    raise _BadCell(_("{text!r} is no month: write it like 2026-03.").format(text=text[:40]))


def as_amount(name: str, text: str, mark: str) -> Decimal:
    """The exact amount; raises ValueError where it is none, has more than 18 decimals, or may not be negative."""
    try:
        amount = parse_amount(text, decimal_mark=mark)
    except BadAmount as error:
        raise _BadCell(str(error)) from None
    if problem := amount_problem(amount):
        raise _BadCell(problem)
    if name.startswith("tolerance") and amount < 0:
        raise _BadCell(_("A tolerance is not less than zero."))
    return amount


def amount_problem(amount: Decimal) -> str:
    """Why an amount cannot be stored; empty where it can."""
    if abs(amount) >= MOST_AMOUNT:
        return _("That is more than all the money there is.")
    if amount != amount.quantize(STORED, context=EXACT):
        return _("It has more than 18 decimals.")
    return ""


def template_rows() -> Iterator[Sequence[str]]:
    """A file to fill in: the header and one example."""
    yield COLUMNS
    yield EXAMPLE
