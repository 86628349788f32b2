"""A month of every source out again as FOCUS 1.2, from the charges, with the totals of the cost lines."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from django.db.models import QuerySet
from django.utils import timezone

from costs import reconciliation
from costs.formats import focus_out
from costs.formats.base import METRICS
from costs.formats.sql import literal, quoted
from costs.ingest.workspace import limited_duckdb
from costs.models import DeliveryMonth, FocusExport
from costs.query.known_until import known_in, known_together
from costs.querysets import METRICS as NAMES
from finops_site.celery import task
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import WholeCompany
from finops_site.models import User

KEPT_FOR = timedelta(days=7)
STALLED_AFTER = timedelta(minutes=15)
COPY_OPTIONS = {
    ".csv": "FORMAT csv, HEADER",
    ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}


class NothingToExport(ValueError):
    """No bill of that month counts."""


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export holds: rows, and {currency: {metric: exact text}}.

    `filled` are metrics the bills left open, `notes` what the month lacks, in sentences.
    """

    rows: int
    totals: dict[str, dict[str, str | None]]
    filled: list[str]
    notes: list[str]

    def figures(self) -> dict[str, Any]:
        return asdict(self)


def request_export(billing_month: date, kind: str, user: User | None) -> FocusExport:
    """Queues the writing of a month's file, and returns the export to follow."""
    export = FocusExport.objects.create(billing_month=billing_month, kind=kind, requested_by=user)
    task("costs.tasks.write_focus_export").delay_on_commit(export.pk)
    return export


def write_export(export: FocusExport) -> FocusExport:
    """Writes the file of a requested export; its status and message show how it went."""
    export.path.parent.mkdir(parents=True, exist_ok=True)
    FocusExport.objects.filter(pk=export.pk).update(status=FocusExport.Status.WRITING)
    try:
        summary = write_month(Month.of(export.billing_month), export.path)
    except (NothingToExport, OSError) as error:
        FocusExport.objects.filter(pk=export.pk).update(status=FocusExport.Status.FAILED, message=str(error))
    else:
        FocusExport.objects.filter(pk=export.pk).update(
            status=FocusExport.Status.READY,
            bytes=export.path.stat().st_size,
            ready_at=timezone.now(),
            **summary.figures(),
        )
    export.refresh_from_db()
    return export


def stalled_exports(now: datetime) -> QuerySet:
    """Exports that nobody writes: the broker lost the task or the worker was killed."""
    return FocusExport.objects.filter(status__in=["waiting", "writing"], created_at__lt=now - STALLED_AFTER)


def remove_old_exports() -> int:
    """Removes exports that are a week old; returns how many went."""
    old = list(FocusExport.objects.filter(created_at__lt=timezone.now() - KEPT_FOR))
    for export in old:
        shutil.rmtree(export.path.parent, ignore_errors=True)
        export.delete()
    return len(old)


def write_month(month: Month, path: Path) -> ExportSummary:
    """Writes the current bills of a billing month, complete, or nothing. Raises NothingToExport and ValueError."""
    endings = [ending for ending in sorted(COPY_OPTIONS, key=len, reverse=True) if path.name.endswith(ending)]
    if not endings:
        raise ValueError(f"{path}: the name must end in {', '.join(COPY_OPTIONS)}.")
    options = COPY_OPTIONS[endings[0]]
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent}: no such folder.")
    rows = list(DeliveryMonth.objects.current().filter(billing_month=month.start).select_related("delivery"))
    if not rows:
        raise NothingToExport(f"No bill of {month} counts, so there is nothing to export.")
    notes = notes_on(month, timezone.now().date())
    if notes and path.suffix == ".parquet":
        # A reader of the file's metadata finds it there, too.
        options += f", KV_METADATA {{notes: {literal(' '.join(notes))}}}"
    half = path.with_name(f".{path.name}.part")
    try:
        with limited_duckdb(path.parent) as db:
            charges = _charges_of_all(db, rows)
            columns = ", ".join(map(quoted if "parquet" in options else focus_out.csv_cell, focus_out.COLUMNS))
            db.execute(f"COPY (SELECT {columns} FROM ({charges})) TO {literal(str(half))} ({options})")
            summary = _summarise(db, charges, rows, notes)
        half.replace(path)
        return summary
    finally:
        half.unlink(missing_ok=True)


def notes_on(month: Month, as_of: date) -> list[str]:
    """What the bills of a month lack, of billed and of effective cost."""
    known = known_together(
        known_in(WholeCompany(), month.period, as_of, metric=metric) for metric in ("billed_cost", "effective_cost")
    )
    return list(known.notes)


def _charges_of_all(db: duckdb.DuckDBPyConnection, rows: Sequence[DeliveryMonth]) -> str:
    """SQL for the charges of all these months as FOCUS 1.2."""
    # {source: metrics that its bill of the month states, in whichever of its halves}.
    stated: dict[int, set[str]] = {row.delivery.source_id: set() for row in rows}
    for row in rows:
        for amounts in row.totals.values():
            stated[row.delivery.source_id] |= {
                metric for metric, name in zip(METRICS, NAMES, strict=True) if amounts[name] is not None
            }
    selects = []
    for row in rows:
        table = f"read_parquet({literal(row.charges_glob)})"
        present = [name for name, *_ in db.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
        came_as_focus = row.delivery.format.startswith("focus")
        selects.append(focus_out.export_sql(table, present, stated[row.delivery.source_id], own=came_as_focus))
    return " UNION ALL ".join(selects)


def _summarise(
    db: duckdb.DuckDBPyConnection, charges: str, rows: Sequence[DeliveryMonth], notes: list[str]
) -> ExportSummary:
    metrics = ", ".join(f"sum({name})" for name in METRICS)
    sums = db.execute(f"SELECT BillingCurrency, count(*), {metrics} FROM ({charges}) GROUP BY 1 ORDER BY 1").fetchall()
    totals = {code: dict(zip(NAMES, map(exact_text, amounts), strict=True)) for code, _count, *amounts in sums}
    stored = reconciliation.add_totals({}, *(row.totals for row in rows))
    filled = [name for name in NAMES if any(stored[code][name] != amounts[name] for code, amounts in totals.items())]
    return ExportSummary(sum(count for _, count, *_ in sums), totals, filled, notes)
