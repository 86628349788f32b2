"""A charge as the provider wrote it: the rows of the delivered files that read like it. Pure: no Django.

Charges do not keep the number of their row, for numbering the rows of a file costs a third of its load. So the file is
read once more, in order, for the rows that become the same charge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from costs.charges import conventions, files, gzips, zips
from costs.charges.bill_files import BillFile
from costs.charges.charge_sql import problem_sql, rows_sql, source_columns
from costs.charges.read_bill import open_bill
from costs.charges.rejects import RECORD
from costs.formats.base import CHARGE_COLUMNS, METRICS, BadBill, Options
from costs.formats.sql import STORED, quoted

# What reading may change after a row was mapped (fees that are spread, metrics that are unknown), and our own words.
WORKED_OUT = (*(name for name in METRICS if name != "BilledCost"), "x_Normalised")
MATCHED = tuple(name for name in CHARGE_COLUMNS if name not in WORKED_OUT)
TYPES = {"money": STORED, "number": STORED, "moment": "TIMESTAMP", "text": "VARCHAR", "tags": "VARCHAR"}
# Rows that are alike in all that is read of them.
MOST = 20


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row of a delivered file: its name, the number of the row, and every cell as the provider wrote it.

    `number` counts lines of the file with its header where `is_line`, else the rows of the table in it, from 1.
    `columns` says from which of them each charge column was read.
    """

    file: str
    number: int
    is_line: bool
    cells: dict[str, str]
    columns: dict[str, list[str]] = field(default_factory=dict)


def find_source_rows(
    db: duckdb.DuckDBPyConnection,
    bundle: Sequence[tuple[str, Path]],
    charge: Mapping[str, Any],
    *,
    scratch: Path,
    options: Options,
    format_name: str,
    limit: int,
) -> list[SourceRow]:
    """The rows of the named files that are read as `charge` (its charge columns, and x_File), at most MOST.

    The files are read as they were when the bill was loaded. Empty where no row reads like it; raises BadBill where
    the files are no bill any more.
    """
    unpacked, _ = zips.unpacked(bundle, scratch, limit=limit)
    db.execute("SET preserve_insertion_order = true")

    def bill_as_read(*, anew: bool, doubted: bool) -> list[BillFile]:
        bill, _ = open_bill(
            db, unpacked, scratch=scratch, options=options, format_name=format_name, unfolded=unfolded, anew=anew
        )
        doubts = [name for name, kind in CHARGE_COLUMNS.items() if kind in ("money", "number", "moment")]
        return conventions.settle(db, bill, problems=dict.fromkeys(range(len(bill)), doubts) if doubted else None).bill

    def search() -> list[SourceRow]:
        refusal: BadBill | None = None
        # As most bills are read; then with every cell looked at, and as texts that are written oddly.
        for anew, doubted in ((False, False), (False, True), (True, True)):
            try:
                bill = bill_as_read(anew=anew, doubted=doubted)
                if rows := [row for file in _files_of(bill, charge) for row in _rows_like(db, file, charge)]:
                    return rows[:MOST]
            except BadBill as error:
                refusal = error
        if refusal:
            raise refusal
        return []

    with gzips.readable(db, limit) as unfolded:
        return unfolded.read_all(search)


def _files_of(bill: Sequence[BillFile], charge: Mapping[str, Any]) -> Sequence[BillFile]:
    number = charge.get("x_File")
    return [bill[number]] if number is not None and number < len(bill) else bill


def _rows_like(db: duckdb.DuckDBPyConnection, file: BillFile, charge: Mapping[str, Any]) -> list[SourceRow]:
    # A CSV is read once more as text, for DuckDB shows `NULL` and nothing alike.
    cells = {} if file.layout else _written_cells(file)
    shown = [f"{sql} AS {quoted(f'written {name}')}" for name, sql in cells.items()]
    rows = rows_sql(file, file.source(record=RECORD), RECORD, *shown)
    same = [
        f"{quoted(name)} IS NOT DISTINCT FROM CAST(${number} AS {TYPES[CHARGE_COLUMNS[name]]})"
        for number, name in enumerate(MATCHED, 1)
    ]
    selected = ", ".join([RECORD, *(quoted(f"written {name}") for name in cells)])
    found_rows = db.execute(
        f"SELECT DISTINCT {selected} FROM {rows} WHERE {problem_sql(file)} IS NULL AND {' AND '.join(same)} "
        f"ORDER BY {RECORD} LIMIT {MOST}",
        [None if charge[name] is None else str(charge[name]) for name in MATCHED],
    ).fetchall()
    read_from = {name: columns for name in CHARGE_COLUMNS if (columns := source_columns(file, name))}
    if file.layout is None:
        return [
            SourceRow(
                file.name,
                record,
                False,
                {name: "" if value is None else str(value) for name, value in zip(cells, values, strict=True)},
                read_from,
            )
            for record, *values in found_rows
        ]
    texts = files.rows_of_records(file.text(), file.layout, [record for record, *_ in found_rows])
    return [
        SourceRow(file.name, line, True, dict(zip(file.layout.columns, row, strict=False)), read_from)
        for line, row in texts.values()
    ]


def _written_cells(file: BillFile) -> dict[str, str]:
    """{column: SQL for its cell as it is written}; a struct is shown as one."""
    columns = file.written.columns
    return {name: sql for name, sql in columns.items() if name.partition(".")[0] not in columns or "." not in name}
