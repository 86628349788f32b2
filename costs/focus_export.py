"""A month of every source out again as FOCUS 1.2, from the charges, with totals that are the books'."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django_tables2
from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from costs import reconciliation
from costs.charges.duckdb_session import duckdb_session
from costs.formats import focus_out
from costs.formats.base import METRICS, literal, quoted
from costs.models import DeliveryMonth, FocusExport
from costs.querysets import METRICS as NAMES
from costs.web.tables import BilledTotalsColumn
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.ui.tables import BaseTable, MonthColumn, NumberColumn, StatusColumn

KEPT_FOR = timedelta(days=7)
FORGOTTEN_AFTER = timedelta(minutes=15)
KINDS = {".csv": "FORMAT csv, HEADER", ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip"}
KINDS |= {".parquet": "FORMAT parquet, COMPRESSION zstd"}


class NothingToExport(ValueError):
    """No bill of that month counts."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an export holds: rows, and {currency: {metric: exact text}}. `filled` are metrics the bills left open."""

    rows: int
    totals: dict[str, dict[str, str | None]]
    filled: list[str]

    def figures(self) -> dict[str, Any]:
        return {"rows": self.rows, "totals": self.totals, "filled": self.filled}


def suffix(path: Path) -> str:
    """The kind of file a name asks for. Raises ValueError for any other."""
    found = next((each for each in sorted(KINDS, key=len, reverse=True) if path.name.endswith(each)), None)
    if not found:
        raise ValueError(f"{path}: the name must end in {', '.join(KINDS)}.")
    return found


def write(month: Month, path: Path) -> Written:
    """Writes the current bills of a billing month, whole, or nothing. Raises NothingToExport and ValueError."""
    kind = KINDS[suffix(path)]
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent}: no such folder.")
    rows = list(DeliveryMonth.objects.current().filter(billing_month=month.start).select_related("delivery"))
    if not rows:
        raise NothingToExport(f"No bill of {month} counts, so there is nothing to export.")
    half = path.with_name(f".{path.name}.part")
    try:
        with duckdb_session(
            threads=settings.DUCKDB_THREADS, memory_limit=settings.DUCKDB_MEMORY_LIMIT, scratch=path.parent
        ) as db:
            source = _union(db, rows)
            columns = ", ".join(map(quoted if "parquet" in kind else focus_out.as_text, focus_out.COLUMNS))
            db.execute(f"COPY (SELECT {columns} FROM ({source})) TO {literal(str(half))} ({kind})")
            written = _written(db, source, rows)
        half.replace(path)
        return written
    finally:
        half.unlink(missing_ok=True)


def _union(db: Any, rows: Sequence[DeliveryMonth]) -> str:
    known = _known(rows)
    selects = []
    for row in rows:
        table = f"read_parquet({literal(row.charges_glob)})"
        present = [name for name, *_ in db.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
        own = row.delivery.format.startswith("focus")
        selects.append(focus_out.select(table, present, known[row.delivery.source_id], own=own))
    return " UNION ALL ".join(selects)


def _known(rows: Sequence[DeliveryMonth]) -> dict[int, set[str]]:
    """{source: metrics that its bill of the month states, in whichever of its halves}."""
    known: dict[int, set[str]] = {row.delivery.source_id: set() for row in rows}
    for row in rows:
        for amounts in row.totals.values():
            known[row.delivery.source_id] |= {
                metric for metric, name in zip(METRICS, NAMES, strict=True) if amounts[name] is not None
            }
    return known


def _written(db: Any, source: str, rows: Sequence[DeliveryMonth]) -> Written:
    sums = ", ".join(f"sum({name})" for name in METRICS)
    found = db.execute(f"SELECT BillingCurrency, count(*), {sums} FROM ({source}) GROUP BY 1 ORDER BY 1").fetchall()
    totals = {code: dict(zip(NAMES, map(exact_text, amounts), strict=True)) for code, _count, *amounts in found}
    held = reconciliation.added({}, *(row.totals for row in rows))
    filled = [name for name in NAMES if any(held[code][name] != sums_[name] for code, sums_ in totals.items())]
    return Written(sum(count for _, count, *_ in found), totals, filled)


STATES = {
    FocusExport.Status.WAITING: ("Queued", "warn", "clock"),
    FocusExport.Status.WRITING: ("Being written", "busy", "loader-2"),
    FocusExport.Status.READY: ("Ready", "good", "circle-check"),
    FocusExport.Status.FAILED: ("Failed", "bad", "alert-circle"),
}


class ExportTable(BaseTable):
    billing_month = MonthColumn("Billing month")
    kind = django_tables2.Column("File", orderable=False)
    status = StatusColumn(states=STATES, orderable=False)
    rows = NumberColumn(orderable=False)
    totals = BilledTotalsColumn("Billed cost", orderable=False)
    filled = django_tables2.Column("Filled", orderable=False, empty_values=(None, []))
    created_at = django_tables2.Column("Asked for", orderable=False)

    caption = "FOCUS exports"

    class Meta(BaseTable.Meta):
        pass

    def render_kind(self, record: FocusExport) -> SafeString | str:
        if record.status != FocusExport.Status.READY:
            return record.message or record.get_kind_display()
        address = reverse("costs:export_file", args=[record.pk])
        return format_html('<a href="{}" download>{}</a> {}', address, record.file_name, filesizeformat(record.bytes))

    def value_kind(self, record: FocusExport) -> str:
        return record.file_name

    def render_filled(self, value: list[str]) -> str:
        return ", ".join(name.replace("_", " ") for name in value)

    def render_created_at(self, value: Any, record: FocusExport) -> str:
        return f"{value:%d %b %Y, %H:%M} UTC by {record.requested_by or 'the API'}"


def run(export: FocusExport) -> FocusExport:
    """Makes a requested export; its status and message say how it went."""
    export.path.parent.mkdir(parents=True, exist_ok=True)
    FocusExport.objects.filter(pk=export.pk).update(status=FocusExport.Status.WRITING)
    try:
        written = write(Month.of(export.billing_month), export.path)
    except (NothingToExport, OSError) as error:
        FocusExport.objects.filter(pk=export.pk).update(status=FocusExport.Status.FAILED, message=str(error))
    else:
        FocusExport.objects.filter(pk=export.pk).update(
            status=FocusExport.Status.READY,
            rows=written.rows,
            totals=written.totals,
            filled=written.filled,
            bytes=export.path.stat().st_size,
            ready_at=timezone.now(),
        )
    export.refresh_from_db()
    return export


def forgotten(now: datetime) -> Any:
    """Exports that nobody writes: the broker lost the task or the worker was killed."""
    return FocusExport.objects.filter(status__in=["waiting", "writing"], created_at__lt=now - FORGOTTEN_AFTER)


def tidy_up() -> int:
    """Removes exports that are a week old; returns how many went."""
    old = list(FocusExport.objects.filter(created_at__lt=timezone.now() - KEPT_FOR))
    for export in old:
        shutil.rmtree(export.path.parent, ignore_errors=True)
        export.delete()
    return len(old)
