"""A month of every source out again as FOCUS 1.2, 1.3 or 1.4, from the charges, with the totals of the cost lines."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from costs import reconciliation
from costs.charges.source_rows import TYPES
from costs.formats import focus_out
from costs.formats.base import CHARGE_COLUMNS, METRICS
from costs.formats.sql import literal, quoted
from costs.ingest.workspace import limited_duckdb, scratch_folder
from costs.models import DeliveryMonth, FocusExport
from costs.query.known_until import known_in, known_together
from costs.querysets import METRICS as NAMES
from finops_site.celery import task
from finops_site.files.product import product_files
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import WholeCompany
from finops_site.lib.words import counted
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

    `filled` are metrics the bills left open, `notes` what the month lacks, and what stands in the place of an unknown
    cost, in sentences.
    """

    rows: int
    totals: dict[str, dict[str, str | None]]
    filled: list[str]
    notes: list[str]

    def figures(self) -> dict[str, Any]:
        return asdict(self)


def request_export(
    billing_month: date, kind: str, user: User | None, version: str = FocusExport.Version.V1_2
) -> FocusExport:
    """Queues the writing of a month's file, and returns the export to follow."""
    export = FocusExport.objects.create(billing_month=billing_month, kind=kind, version=version, requested_by=user)
    task("costs.tasks.write_focus_export").delay_on_commit(export.pk)
    return export


def write_export(export: FocusExport) -> FocusExport:
    """Writes the file of a requested export; its status and message show how it went."""
    FocusExport.objects.filter(pk=export.pk).update(status=FocusExport.Status.WRITING)
    try:
        with scratch_folder(Path(settings.FINOPS_VAR) / "incoming" / f"export-{uuid.uuid4().hex}") as scratch:
            path = scratch / export.file_name
            summary = write_month(Month.of(export.billing_month), path, export.version)
            size = path.stat().st_size
            product_files().put(path, export.place)
    except (NothingToExport, OSError) as error:
        FocusExport.objects.filter(pk=export.pk).update(status=FocusExport.Status.FAILED, message=str(error))
    else:
        FocusExport.objects.filter(pk=export.pk).update(
            status=FocusExport.Status.READY,
            bytes=size,
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
        product_files().remove(export.folder)
        export.delete()
    return len(old)


def write_month(month: Month, path: Path, version: str = "1.2", *, may_be_empty: bool = False) -> ExportSummary:
    """Writes the current bills of a billing month, complete, or nothing. Raises NothingToExport and ValueError.

    `may_be_empty`: of a month without a bill a file without rows is written, in the place of what was there.
    """
    if version not in focus_out.VERSIONS:
        raise ValueError(
            _("FOCUS {version} is not written: use {names}.").format(
                version=version, names=", ".join(focus_out.VERSIONS)
            )
        )
    endings = [ending for ending in sorted(COPY_OPTIONS, key=len, reverse=True) if path.name.endswith(ending)]
    if not endings:
        raise ValueError(_("{path}: the name must end in {names}.").format(path=path, names=", ".join(COPY_OPTIONS)))
    options = COPY_OPTIONS[endings[0]]
    if not path.parent.is_dir():
        raise ValueError(_("{parent}: no such folder.").format(parent=path.parent))
    rows = list(DeliveryMonth.objects.current().filter(billing_month=month.start).select_related("delivery__source"))
    if not rows and not may_be_empty:
        raise NothingToExport(_("No bill of {month} counts, so there is nothing to export.").format(month=month))
    half = path.with_name(f".{path.name}.part")
    try:
        with limited_duckdb(path.parent) as db:
            if rows:
                notes = [*notes_on(month, timezone.now().date()), *_unknown_costs(db, rows)]
            else:
                notes = [
                    _("No bill of {month} counts any more: they were withdrawn, and nothing is in their place.").format(
                        month=month
                    )
                ]
            if notes and path.suffix == ".parquet":
                # A reader of the file's metadata finds it there, too.
                options += f", KV_METADATA {{notes: {literal(' '.join(notes))}}}"
            charges = _charges_of_all(db, rows, version)
            names = focus_out.VERSIONS[version]
            columns = ", ".join(map(quoted if "parquet" in options else focus_out.csv_cell, names))
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


def _stated_metrics(rows: Sequence[DeliveryMonth]) -> dict[int, set[str]]:
    """{source: metrics that its bill of the month states, in whichever of its halves}."""
    stated: dict[int, set[str]] = {row.delivery.source_id: set() for row in rows}
    for row in rows:
        for amounts in row.totals.values():
            stated[row.delivery.source_id] |= {
                metric for metric, name in zip(METRICS, NAMES, strict=True) if amounts[name] is not None
            }
    return stated


def _unknown_costs(db: duckdb.DuckDBPyConnection, rows: Sequence[DeliveryMonth]) -> list[str]:
    """Effective cost that no bill states: FOCUS wants a figure in every row, and what stands there is no known cost."""
    notes, stated = [], _stated_metrics(rows)
    for row in sorted(rows, key=lambda row: (row.delivery.source.name, row.pk)):
        metrics, source = stated[row.delivery.source_id], row.delivery.source.name
        if "EffectiveCost" not in metrics:
            notes.append(
                _("{source}: the effective cost is not known, and billed cost stands in its place.").format(
                    source=source
                )
            )
        elif not row.view:
            # Of a bill in two halves each row has its effective cost in one of them.
            unknown = "x_Problem IS NULL AND EffectiveCost IS NULL"
            files = f"read_parquet({literal(row.charges_glob)})"
            (count,) = db.execute(f"SELECT count(*) FROM {files} WHERE {unknown}").fetchone() or (0,)
            if count:
                charges = counted(count, "charge")
                notes.append(
                    _("{source}: the effective cost of {charges} is not known, and 0 stands in its place.").format(
                        source=source, charges=charges
                    )
                )
    return list(dict.fromkeys(notes))


def _charges_of_all(db: duckdb.DuckDBPyConnection, rows: Sequence[DeliveryMonth], version: str) -> str:
    """SQL for the charges of all these months as a version of FOCUS."""
    stated, selects = _stated_metrics(rows), []
    for row in rows:
        table = f"read_parquet({literal(row.charges_glob)})"
        present = [name for name, *_ignored in db.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
        selects.append(focus_out.export_sql(table, present, stated[row.delivery.source_id], version))
    return " UNION ALL ".join(selects or [focus_out.export_sql(_no_charges(), CHARGE_COLUMNS, METRICS, version)])


def _no_charges() -> str:
    """SQL of a table of charges without one, with the types that charges have."""
    types = {name: TYPES[kind] for name, kind in CHARGE_COLUMNS.items()} | {"x_Problem": "VARCHAR"}
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in types.items())
    return f"(SELECT {nulls} LIMIT 0)"


def _summarise(
    db: duckdb.DuckDBPyConnection, charges: str, rows: Sequence[DeliveryMonth], notes: list[str]
) -> ExportSummary:
    metrics = ", ".join(f"sum({name})" for name in METRICS)
    sums = db.execute(f"SELECT BillingCurrency, count(*), {metrics} FROM ({charges}) GROUP BY 1 ORDER BY 1").fetchall()
    totals = {code: dict(zip(NAMES, map(exact_text, amounts), strict=True)) for code, _count, *amounts in sums}
    stored = reconciliation.add_totals({}, *(row.totals for row in rows))
    filled = [name for name in NAMES if any(stored[code][name] != amounts[name] for code, amounts in totals.items())]
    return ExportSummary(sum(count for _ignored, count, *_ignored in sums), totals, filled, notes)
