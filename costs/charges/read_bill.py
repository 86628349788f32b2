"""From the files of a bill to its charges in Parquet. Pure: no Django, and no Python loop over rows.

One pass over the text writes every row, mapped and cast, with the problem it has if it has one. In the usual case
(one billing month, nothing rejected) that file is the charges; otherwise it is cut into its months.
"""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from costs.calc import fee_spreading
from costs.calc.providers import provider_name
from costs.charges import conventions, gzips, text_files, zips
from costs.charges.bill_files import (
    BillFile,
    check_one_format,
    join_prices,
    open_bill_file,
    pages_once,
    unreadable,
    view_of,
    views_of_parts,
)
from costs.charges.charge_sql import BLANK, select_charges
from costs.charges.conformance import Conformance, judge_charges
from costs.charges.duckdb_session import is_out_of_space
from costs.charges.rejects import MAX_REJECTS, RejectedRow, broken_rows, has_broken_rows, rows_with_bad_cells
from costs.charges.totals import Totals, control_totals, stored_totals
from costs.formats.base import BadBill, Format, Options
from costs.formats.normalise import SEPARATOR
from costs.formats.sql import FULL, STORED, is_mended, is_plain, literal, repeats_a_key, tags
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.language import ngettext
from finops_site.lib.money import NO_CURRENCY
from finops_site.lib.periods import moment_text
from finops_site.lib.words import counted, number_text

logger = logging.getLogger(__name__)

METRIC_NAMES = {"EffectiveCost": _noop("effective cost"), "ListCost": _noop("list cost")}

# Small row groups: two threads that write big ones wait for each other and for memory. Nobody looks for single values.
# So many kinds of changes are listed on the delivery.
MOST_CHANGES = 20
PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 30720, WRITE_BLOOM_FILTER false"


class NoCharges(BadBill):
    """A bill that is as it should be and has no rows; the message says so."""


@dataclass(frozen=True, slots=True)
class MonthOfCharges:
    """The charges of one billing month as written: rows, and sums as stored; `folder` as DuckDB reads it."""

    billing_month: date
    folder: Path | str
    rows: int
    charge_months: tuple[date, ...]
    totals: Totals
    view: str = ""


@dataclass(slots=True)
class BillContents:
    """What a bill holds. `totals` are exact to the digits of the text, `residual` what storing cannot keep."""

    format: str
    # The format whose bill has the same costs, and the accounts that this one has them of.
    repeats: str = ""
    accounts: tuple[str, ...] = ()
    provider: str = ""
    rows_read: int = 0
    rows_rejected: int = 0
    months: list[MonthOfCharges] = field(default_factory=list)
    rejects: list[RejectedRow] = field(default_factory=list)
    totals: Totals = field(default_factory=dict)
    residual: Totals = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    conformance: Conformance | None = None

    @property
    def rows_loaded(self) -> int:
        return self.rows_read - self.rows_rejected


def read_bill(
    db: duckdb.DuckDBPyConnection,
    bundle: Sequence[tuple[str, Path]],
    *,
    target: Path,
    scratch: Path,
    options: Options,
    format_name: str = "auto",
    limit: int,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> BillContents:
    """Reads the named files as one bill and writes ``target/<month>/charges.parquet`` for each billing month.

    Raises BadBill, naming the file and what to do, when the bill as a whole cannot be read.
    """
    staging = scratch / "staging.parquet"
    notes_on_pages: list[str] = []
    unpacked, left_out = zips.unpacked(bundle, scratch, limit=limit)
    with gzips.readable(db, limit) as unfolded:

        def opened(*, anew: bool) -> list[BillFile]:
            bill, notes_on_pages[:] = open_bill(
                db,
                unpacked,
                scratch=scratch,
                options=options,
                format_name=format_name,
                unfolded=unfolded,
                anew=anew,
            )
            progress("reading", 0.1)
            return bill

        def stage() -> conventions.Reading:
            try:
                reading = _stage(db, opened(anew=False), staging)
            except BadBill:
                if unfolded.bad or unfolded.misjudged or not _is_written_oddly(unpacked, unfolded):
                    raise
            else:
                # DuckDB may take all lines for one, and skip it with what stands above the header.
                is_doubtful = has_broken_rows(db) or _is_empty(db, staging)
                if not (is_doubtful and _is_written_oddly(unpacked, unfolded)):
                    return reading
            return _stage(db, opened(anew=True), staging)

        reading = unfolded.read_all(stage)
        bill = reading.bill
        remarks = [*_spread_fees(db, bill[0].format, staging), *_leave_unknown(db, bill, staging)]
        progress("checking", 0.5)
        rows_of_view = {
            view: f"x_File IN ({', '.join(str(n) for n, file in enumerate(bill) if file.format.view == view)})"
            for view in sorted({file.format.view for file in bill})
        }
        # {view: (billing month, charges, months of use), the earliest first}
        months = {
            view: db.execute(
                f"""SELECT x_BillingMonth, count(*),
                list_sort(list(DISTINCT date_trunc('month', ChargePeriodStart)::DATE))
                FROM {_table(staging)} WHERE x_Problem IS NULL AND {condition} GROUP BY 1 ORDER BY 1"""
            ).fetchall()
            for view, condition in rows_of_view.items()
        }
        listed = sorted({month for of_view in months.values() for month, _ignored, _ignored in of_view})
        contents = _summarise(db, bill, staging, listed, options)
        for view, condition in rows_of_view.items():
            # Both views in one delivery are two versions that later deliveries replace apart.
            inside = view if len(rows_of_view) > 1 else ""
            contents.months += _write_months(
                db, months[view], staging, target, view=view, condition=condition, inside=inside
            )
        contents.notes += [*remarks, *notes_on_pages, *reading.notes, *left_out]
        return contents


def open_bill(
    db: duckdb.DuckDBPyConnection,
    files: Sequence[tuple[str, Path]],
    *,
    scratch: Path,
    options: Options,
    format_name: str,
    unfolded: gzips.Gzips,
    anew: bool,
) -> tuple[list[BillFile], list[str]]:
    """The files of a bill, recognised, in the order in which charges number them; what is to be said of its pages."""
    bill = [
        open_bill_file(
            db, name, path, scratch=scratch, options=options, format_name=format_name, unfolded=unfolded, anew=anew
        )
        for name, path in files
    ]
    bill = join_prices(db, bill)
    if format_name == "auto":
        bill = views_of_parts(db, bill)
    check_one_format(bill)
    return pages_once(db, bill)


def _is_written_oddly(bundle: Sequence[tuple[str, Path]], unfolded: gzips.Gzips) -> bool:
    """Whether a text among the files is in Windows-1252, or its lines end in several ways; DuckDB reads neither."""
    return any(
        text_files.in_windows_1252(path, name, limit=unfolded.limit)
        or text_files.has_mixed_endings(path, name, limit=unfolded.limit)
        for name, path in bundle
    )


def _is_empty(db: duckdb.DuckDBPyConnection, staging: Path) -> bool:
    return db.execute(f"SELECT 1 FROM {_table(staging)} LIMIT 1").fetchone() is None


def _stage(db: duckdb.DuckDBPyConnection, files: Sequence[BillFile], staging: Path) -> conventions.Reading:
    """Writes every row of the files, as charges, into one Parquet file, and returns how their cells were read.

    Where rows have cells that could not be read, all cells of their columns are looked at, and if that shows another
    way to read them the rows are written again.
    """
    reading = conventions.settle(db, files)
    _write(db, reading.bill, staging)
    problems: dict[int, list[str]] = {}
    for number, column in db.execute(
        f"SELECT DISTINCT x_File, x_Problem FROM {_table(staging)} WHERE x_Problem <> '{BLANK}'"
    ).fetchall():
        problems.setdefault(number, []).append(column)
    if problems:
        again = conventions.settle(db, files, problems=problems)
        if again.bill != reading.bill:
            _write(db, again.bill, staging)
        return again
    return reading


def _write(db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile], staging: Path) -> None:
    selects = " UNION ALL BY NAME ".join(select_charges(number, file) for number, file in enumerate(bill))
    for table in ("reject_errors", "reject_scans"):
        # What DuckDB could not read of a bill before is not this one's.
        db.execute(f"DROP TABLE IF EXISTS {table}")
    try:
        db.execute(f"COPY ({selects}) TO {literal(str(staging))} ({PARQUET})")
    except duckdb.Error as error:
        raise unreadable(bill, error) from error


def _spread_fees(db: duckdb.DuckDBPyConnection, bill_format: Format, staging: Path) -> list[str]:
    """Lets usage carry the fees of its commitments in effective cost, where the provider bills them apart."""
    table, spread = _table(staging), bill_format.spread
    if spread is None:
        return []
    fees = f"sum(abs(EffectiveCost)) FILTER (x_Problem IS NULL AND {spread.fee})"
    (before,) = db.execute(f"SELECT {fees} FROM {table}").fetchone() or (None,)
    if not before:
        return []
    spread_path = staging.with_name("spread.parquet")
    db.execute(f"COPY ({fee_spreading.spread_fees_sql(spread, table)}) TO {literal(str(spread_path))} ({PARQUET})")
    spread_path.replace(staging)
    # Fees whose commitment no usage shows stay where they are.
    (after,) = db.execute(f"SELECT {fees} FROM {table}").fetchone() or (None,)
    return [spread.remark] if after != before else []


def _leave_unknown(db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile], staging: Path) -> list[str]:
    """Makes a metric unknown in all of the bill where rows that need columns of their own lack them; says which."""
    table, needs = _table(staging), bill[0].format.metric_columns
    if not needs:
        return []
    counts = ", ".join(f"count(*) FILTER ({need.rows}), count({need.metric}) FILTER ({need.rows})" for need in needs)
    by_file = db.execute(f"SELECT x_File, {counts} FROM {table} WHERE x_Problem IS NULL GROUP BY 1").fetchall()
    unknown, notes = set(), []
    for number, need in enumerate(needs):
        metric = _(METRIC_NAMES[need.metric])
        rows_of_file = {file: (rows, known) for file, *pairs in by_file for rows, known in [pairs[2 * number :][:2]]}
        rows, known = (sum(pair[at] for pair in rows_of_file.values()) for at in (0, 1))
        lacking = [
            name
            for name in need.columns
            if any(rows_of_file[at][0] and name not in file.sheet for at, file in enumerate(bill) if at in rows_of_file)
        ]
        columns = " and ".join(lacking or need.columns)
        if known == rows or (need.may_be_empty and known):
            continue
        if not known or lacking:
            unknown.add(need.metric)
        if lacking:
            notes.append(
                _(
                    "The export lacks {columns}, and with it the {metric} of {rows} ({what}): the {metric} of "
                    "this bill is unknown, which is not zero. Add it to the export and deliver the bill again."
                ).format(columns=columns, metric=metric, rows=counted(rows - known, "row"), what=need.what)
            )
        elif not need.may_be_empty:
            of_bill = _("the {metric} of this bill is unknown, which is not zero").format(metric=metric)
            of_rows = _("their {metric} is unknown and in no total").format(metric=metric)
            notes.append(
                _("Of {rows} ({what}) {count} have nothing in {columns}: {consequence}.").format(
                    rows=counted(rows, "row"),
                    what=need.what,
                    count=number_text(rows - known),
                    columns=columns,
                    consequence=of_rows if known else of_bill,
                )
            )
    if unknown:
        emptied = ", ".join(f"NULL::{STORED} AS {name}, 0::{FULL} AS x_{name}Beyond" for name in sorted(unknown))
        without = staging.with_name("unknown.parquet")
        db.execute(f"COPY (SELECT * REPLACE ({emptied}) FROM {table}) TO {literal(str(without))} ({PARQUET})")
        without.replace(staging)
    return notes


def _summarise(
    db: duckdb.DuckDBPyConnection, bill: Sequence[BillFile], staging: Path, months: Sequence[date], options: Options
) -> BillContents:
    """All about the bill but its months; raises BadBill when it has no charge, or is not for the month of `options`."""
    table = _table(staging)
    contents = BillContents(format=bill[0].format.label(bill[0].sheet), repeats=bill[0].format.repeats)
    # A row that carries two charges is one row of the bill.
    unused = bill[0].format.unused
    is_row = f"x_Problem IS NULL AND NOT ({unused.added})" if unused else "x_Problem IS NULL"
    good, bad = db.execute(
        f"SELECT count(*) FILTER ({is_row}), count(*) FILTER (x_Problem <> '{BLANK}') FROM {table}"
    ).fetchone() or (0, 0)
    broken = broken_rows(db, bill)
    contents.rows_rejected = bad + len(broken)
    contents.rows_read = good + contents.rows_rejected
    contents.rejects = [*broken, *(rows_with_bad_cells(db, bill, table) if bad else [])][:MAX_REJECTS]
    if not good:
        raise _no_charges(bill, contents)
    providers = db.execute(
        f"""SELECT DISTINCT ProviderName FROM {table}
        WHERE x_Problem IS NULL AND ProviderName IS NOT NULL ORDER BY 1 LIMIT 20"""
    ).fetchall()
    contents.provider = ", ".join(sorted({provider_name(name) for (name,) in providers})[:5])[:200]
    if contents.repeats:
        accounts = db.execute(f"SELECT DISTINCT coalesce(SubAccountId, '') FROM {table} WHERE x_Problem IS NULL")
        contents.accounts = tuple(account for (account,) in accounts.fetchall())
    contents.notes = [*_notes_on_rows(db, table), *_notes_on_months(db, table), *_notes_on_format(db, table, bill)]
    if options.month and list(months) != [options.month.start]:
        listed = ", ".join(f"{month:%Y-%m}" for month in months)
        raise BadBill(
            _("{name}: the bill is for {listed}, not for {month}.").format(
                name=bill[0].name, listed=listed, month=options.month
            )
        )
    contents.totals, contents.residual = control_totals(db, table)
    others = sorted(contents.totals.keys() - {(options.currency or "").strip().upper()})
    if options.currency and others:
        raise BadBill(
            _(
                "{name}: the bill is in {names}, and not in {currency}. A currency is stated for bills that "
                "name none; load this one without."
            ).format(name=bill[0].name, names=", ".join(others), currency=options.currency.upper())
        )
    try:
        contents.conformance = judge_charges(
            db,
            str(staging),
            bill_format=bill[0].format.name,
            stated={name for file in bill for name in _stated_columns(file)},
            files=[file.name for file in bill],
        )
    except duckdb.Error as error:
        if is_out_of_space(error):
            raise
        # A score is no reason to refuse a bill.
        logger.exception("no conformance score for %s", bill[0].name)
        contents.notes.append(_("It could not be judged by the rules of FOCUS; the log says why."))
    return contents


def _stated_columns(file: BillFile) -> set[str]:
    """The charge columns that a file has something to say about: its own, or what its format knows of all rows."""
    stated = {name for name, rule in file.format.columns.items() if rule(file.sheet)}
    names_currency = file.sheet.options.currency or file.format.needs_month
    return stated | {"BillingCurrency"} if names_currency else stated


def _no_charges(bill: Sequence[BillFile], contents: BillContents) -> BadBill:
    names = ", ".join(file.name for file in bill)
    if not contents.rows_rejected:
        return NoCharges(
            _("{names}: no rows. The bill has a header and no charges; nothing was changed.").format(names=names)
        )
    worst = contents.rejects[0]
    rows = contents.rows_rejected
    none = ngettext("its only row could not be read", "none of its {count} rows could be read; the first", rows).format(
        count=number_text(rows)
    )
    place = _("{file}, line {line}").format(file=worst.file, line=worst.line)
    return BadBill(f"{names}: {none}: {place}: {worst.column} {worst.value[:80]!r} {worst.reason}.")


def _notes_on_rows(db: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """What was noticed though nothing was refused: never silent about what a page will not show."""
    good = f"(SELECT * FROM {table} WHERE x_Problem IS NULL)"
    # Materialised, or the condition would be tried on every row instead of once for each distinct text.
    texts = f"WITH texts AS MATERIALIZED (SELECT Tags, count(*) AS n FROM {good} WHERE Tags IS NOT NULL GROUP BY 1)"
    sums = ", ".join(
        f"coalesce(sum(n) FILTER ({test}), 0)"
        for test in (f"{tags('Tags')} IS NULL", repeats_a_key("Tags"), is_mended("Tags"))
    )
    odd = f"{texts} SELECT {sums} FROM texts WHERE NOT {is_plain('Tags')}"
    unread, repeated, mended = db.execute(odd).fetchone() or (0, 0, 0)
    no_currency = db.execute(f"SELECT 1 FROM {good} WHERE BillingCurrency = '{NO_CURRENCY}' LIMIT 1").fetchone()
    notes = []
    if unread:
        notes.append(
            ngettext(
                "{count} row has tags that are not a JSON object; the cost is loaded without them.",
                "{count} rows have tags that are not a JSON object; the cost is loaded without them.",
                unread,
            ).format(count=number_text(unread))
        )
    if repeated:
        notes.append(
            ngettext(
                "{count} row repeats a tag key; the last value of the key counts.",
                "{count} rows repeat a tag key; the last value of the key counts.",
                repeated,
            ).format(count=number_text(repeated))
        )
    if mended:
        notes.append(
            ngettext(
                "{count} row has tags that are nearly JSON: a backslash or a line break that it does not allow is "
                "read as a plain character, a bare None as no value.",
                "{count} rows have tags that are nearly JSON: a backslash or a line break that it does not allow is "
                "read as a plain character, a bare None as no value.",
                mended,
            ).format(count=number_text(mended))
        )
    if no_currency:
        notes.append(_("The bill names no currency; its costs stand under XXX. Load it with --currency to say which."))
    return notes


def _notes_on_months(db: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Billing periods that start in another month in UTC than the one they are."""
    rows = db.execute(
        f"""SELECT DISTINCT BillingPeriodStart, x_BillingMonth FROM {table}
        WHERE x_Problem IS NULL AND date_trunc('month', BillingPeriodStart) <> x_BillingMonth ORDER BY 1 LIMIT 3"""
    ).fetchall()
    return [
        _(
            "The billing period that starts {start} is {month}: it starts at midnight in another zone. Charge days are "
            "in UTC."
        ).format(start=moment_text(start), month=f"{month:%B %Y}")
        for start, month in rows
    ]


def _notes_on_format(db: duckdb.DuckDBPyConnection, table: str, bill: Sequence[BillFile]) -> list[str]:
    bill_format = bill[0].format
    notes = [] if bill_format.view and not view_of(bill) else list(bill_format.warnings(bill[0].sheet))
    for file in bill:
        if other := file.other_text:
            notes.append(
                _(
                    '{file}: the text is not UTF-8 and was read as Windows-1252, like "{word}" on line {line}. '
                    "If names look wrong, save the file as UTF-8 and deliver it again."
                ).format(file=file.name, word=other.word, line=other.line)
            )
        if file.layout and file.layout.bare:
            bare = ", ".join(file.layout.bare)
            notes.append(
                _("{file}: no row has the last columns of the header ({bare}); they were left out.").format(
                    file=file.name, bare=bare
                )
            )
    notes += _notes_on_changes(db, table)
    for condition, remark in bill_format.remarks.items():
        row = db.execute(f"SELECT count(*) FROM {table} WHERE x_Problem IS NULL AND ({condition})").fetchone()
        notes += [remark.format(number_text(row[0]))] if row and row[0] else []
    return notes


def _notes_on_changes(db: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """What was read otherwise than it is written, with the number of rows of each."""
    changes = f"SELECT x_Normalised AS change, count(*) AS n FROM {table} WHERE x_Problem IS NULL GROUP BY 1"
    notes_of_change = f"unnest(string_split(change, {literal(SEPARATOR)}))"
    rows = db.execute(
        f"""SELECT note, CAST(sum(n) AS BIGINT) FROM (
            SELECT {notes_of_change} AS note, n FROM ({changes}) WHERE change IS NOT NULL
        ) GROUP BY 1 ORDER BY 2 DESC, 1"""
    ).fetchall()
    notes = [
        ngettext("{count} row has {note}.", "{count} rows have {note}.", count).format(
            count=number_text(count), note=note
        )
        for note, count in rows[:MOST_CHANGES]
    ]
    if len(rows) > MOST_CHANGES:
        more = len(rows) - MOST_CHANGES
        notes.append(
            ngettext(
                "{count} more kind of values was read as FOCUS writes them.",
                "{count} more kinds of values were read as FOCUS writes them.",
                more,
            ).format(count=number_text(more))
        )
    return notes


def _write_months(
    db: duckdb.DuckDBPyConnection,
    months: Sequence[tuple[date, int, list[date]]],
    staging: Path,
    target: Path,
    *,
    view: str,
    condition: str,
    inside: str,
) -> list[MonthOfCharges]:
    """Moves what was staged into the folder of its month, or cuts it into its months.

    Only rows that meet `condition`, into the folder `inside` that of the month.
    """
    (staged,) = db.execute(f"SELECT count(*) FROM {_table(staging)}").fetchone() or (0,)
    written = []
    for month, rows, charge_months in months:
        folder = target / f"{month:%Y-%m}" / inside
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "charges.parquet"
        if rows == staged:
            shutil.move(staging, path)
        else:
            db.execute(
                f"""COPY (SELECT * FROM {_table(staging)}
                    WHERE x_Problem IS NULL AND x_BillingMonth = '{month}' AND {condition})
                TO {literal(str(path))} ({PARQUET})"""
            )
        totals = stored_totals(db, _table(path))
        written.append(MonthOfCharges(month, folder, rows, tuple(charge_months), totals, view))
    return written


def _table(path: Path) -> str:
    return f"read_parquet({literal(str(path))})"
