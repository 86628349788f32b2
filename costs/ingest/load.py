"""Loading a bill: its files are read, its cost lines stored, and all of it made current at once.

A crash at any point leaves the last good month standing: nothing counts until `activate_delivery` flips it in one
transaction, and a load that is started again first removes what the dead one left.
"""

import errno
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.charges.conformance import conformance_figures, cost_as_text
from costs.charges.read_bill import BillContents, MonthOfCharges, NoCharges, read_bill
from costs.charges.totals import totals_as_text
from costs.formats.base import BadBill, Options
from costs.ingest.activate import activate_delivery, activate_empty
from costs.ingest.claims import DeliveryTaken, claim, heartbeat, report_progress, running_attempt
from costs.ingest.publications import LayersDiffer, discard_publications, lines_lock, remove_publications
from costs.ingest.store_cost_lines import store_cost_lines
from costs.ingest.workspace import full_disk_as_bad_bill, limited_duckdb, scratch_folder
from costs.models import ConformanceResult, DeliveredAccount, Delivery, DeliveryMonth, Reject
from costs.retention import FilesRemoved
from costs.versions.decisions import AlreadyDelivered, same_bill, tell_not_read_again
from finops_site.audit.events import record
from finops_site.celery import task
from finops_site.files.product import product_files
from finops_site.lib.periods import Month
from finops_site.lib.words import number_text
from finops_site.models import AuditEntry
from finops_site.ops.locks import wait_for

logger = logging.getLogger(__name__)

# So many times the size of the files must be free on the disk.
ROOM_FACTOR = 3


def load_bill(delivery: Delivery) -> Delivery:
    """Loads a received delivery to the end; its status and message show how it went.

    Raises DeliveryTaken when another worker has it. What is wrong with the bill never raises: the delivery's message
    names it. What is wrong with us (the database is gone, a defect) does, after writing it down where that is still
    possible.
    """
    claimed = claim(delivery)
    scratch = claimed.folder / f"scratch-{claimed.attempt}"
    try:
        with heartbeat(claimed), full_disk_as_bad_bill(), scratch_folder(scratch):
            _load(claimed, scratch)
    except (BadBill, LayersDiffer, OSError) as error:
        mark_failed(claimed, str(error))
    except DeliveryTaken:
        logger.warning("delivery %s was taken over while it loaded", claimed.pk)
    claimed.refresh_from_db()
    return claimed


def _load(delivery: Delivery, scratch: Path) -> None:
    report_progress(delivery, "reading", 0.05)
    _remove_remains(delivery, scratch)
    packed_bytes = sum(file.bytes for file in delivery.files.all())
    if shutil.disk_usage(scratch).free < packed_bytes * ROOM_FACTOR:
        raise OSError(errno.ENOSPC, "the disk is full")
    with limited_duckdb(scratch) as db:
        try:
            contents = _read(db, delivery, scratch)
        except NoCharges as error:
            activate_empty(delivery, str(error))
            return
        _refuse_repeated_costs(contents)
        _record_contents(delivery, contents)
        contents.months = _store_charges(delivery, contents.months, scratch)
        months: list[DeliveryMonth] = []
        try:
            for number, month in enumerate(contents.months):
                share = 0.55 + 0.4 * number / len(contents.months)
                report_progress(delivery, _("cost lines of {month}").format(month=Month.of(month.billing_month)), share)
                months.append(store_cost_lines(db, delivery, month, scratch=scratch))
            report_progress(delivery, "activating", 0.97)
            activate_delivery(delivery, months)
        except Exception:
            # An attempt that took over removed what it saw, and these may have come after it looked.
            discard_publications(months)
            raise


def _refuse_repeated_costs(contents: BillContents) -> None:
    """Raises BadBill where a report that counts has the costs of this one too, of the same accounts and months."""
    if not contents.repeats:
        return
    months = [month.billing_month for month in contents.months]
    there = DeliveredAccount.objects.filter(
        delivery_month__is_current=True,
        delivery_month__billing_month__in=months,
        delivery_month__delivery__format=contents.repeats,
        sub_account__in=contents.accounts,
    ).select_related("delivery_month")
    if row := there.order_by("delivery_month__billing_month").first():
        raise BadBill(
            _(
                "These costs are in the usage report of {account} for {month} already, which counts: they would "
                "count twice. Deliver that report again where it is not up to date."
            ).format(account=row.sub_account or _("the same account"), month=Month.of(row.delivery_month.billing_month))
        )


def _remove_remains(delivery: Delivery, scratch: Path) -> None:
    """What an attempt that died left behind: publications nobody sees, scratch folders.

    Its charges stay until those of this one take their place: of a bill that is read again they may count meanwhile.
    """
    with transaction.atomic():
        wait_for(lines_lock(delivery.pk))
        remains = delivery.months.filter(is_current=False)
        remove_publications(remains)
        remains.delete()
    delivery.rejects.all().delete()
    delivery.conformance_results.all().delete()
    for folder in delivery.folder.glob("scratch-*"):
        if folder != scratch:
            shutil.rmtree(folder, ignore_errors=True)


def _read(db: duckdb.DuckDBPyConnection, delivery: Delivery, scratch: Path) -> BillContents:
    return read_bill(
        db,
        [(file.name, file.full_path) for file in delivery.files.select_related("delivery")],
        target=scratch / "charges",
        scratch=scratch,
        options=stated_options(delivery),
        format_name=delivery.options.get("format") or "auto",
        limit=settings.BILL_MAX_BYTES,
        progress=lambda stage, share: report_progress(delivery, stage, share),
    )


def _store_charges(delivery: Delivery, months: Sequence[MonthOfCharges], scratch: Path) -> list[MonthOfCharges]:
    """Puts the charges where every host reads them; returns the months with the folders in which they are now."""
    place, name = product_files(), f"{delivery.place}/charges"
    # Another attempt may have taken over while this one read: what it stores stays.
    report_progress(delivery, "storing", 0.52)
    insides = [Path(month.folder).relative_to(scratch / "charges").as_posix() for month in months]
    if months:
        place.put_folder(scratch / "charges", name)
    return [
        replace(month, folder=place.folder_here(f"{name}/{inside}"))
        for month, inside in zip(months, insides, strict=True)
    ]


def stated_options(delivery: Delivery) -> Options:
    """What was stated about the bill when it was delivered, as reading it takes it."""
    options = delivery.options
    return Options(
        month=Month.parse(options["month"]) if options.get("month") else None,
        bill_stopped=bool(options.get("bill_stopped")),
        currency=options.get("currency"),
        date_order=options.get("date_order"),
        decimal_mark=options.get("decimal_mark"),
        view=options.get("view", ""),
    )


def _record_contents(delivery: Delivery, contents: BillContents) -> None:
    delivery.format = contents.format
    delivery.provider = contents.provider
    delivery.rows_read = contents.rows_read
    delivery.rows_loaded = contents.rows_loaded
    delivery.rows_rejected = contents.rows_rejected
    delivery.totals = totals_as_text(contents.totals)
    delivery.residual = totals_as_text(contents.residual)
    unread = ngettext(
        "{rows_rejected} of {rows_read} row not read.",
        "{rows_rejected} of {rows_read} rows not read.",
        contents.rows_read,
    ).format(rows_rejected=number_text(contents.rows_rejected), rows_read=number_text(contents.rows_read))
    missing = delivery.expected_rows is not None and contents.rows_read < delivery.expected_rows
    fewer = ngettext(
        "The manifest states {rows} row, and {rows_read} are here.",
        "The manifest states {rows} rows, and {rows_read} are here.",
        delivery.expected_rows or 0,
    ).format(rows=number_text(delivery.expected_rows or 0), rows_read=number_text(contents.rows_read))
    delivery.message = " ".join(
        [
            *[unread] * bool(contents.rows_rejected),
            *[fewer] * missing,
            *delivery.options.get("notes", []),
            *contents.notes,
        ]
    )
    conformance = contents.conformance
    delivery.conformance = conformance_figures(conformance) if conformance else {}
    counts = ["rows_read", "rows_loaded", "rows_rejected", "conformance"]
    with transaction.atomic():
        Reject.objects.bulk_create(
            Reject(
                delivery=delivery, file=row.file, line=row.line, column=row.column, value=row.value, reason=row.reason
            )
            for row in contents.rejects
        )
        ConformanceResult.objects.bulk_create(
            ConformanceResult(
                delivery=delivery,
                rule=result.rule.id,
                family=result.rule.family,
                sentence=result.rule.sentence,
                severity=result.rule.severity,
                verdict=result.verdict,
                judged=result.judged,
                rows=result.rows,
                cost=cost_as_text(result.cost),
                examples={"columns": result.example_columns, "rows": result.examples},
            )
            for result in (conformance.results if conformance else ())
        )
        delivery.save(update_fields=["format", "provider", *counts, "totals", "residual", "message"])


def mark_failed(delivery: Delivery, message: str) -> None:
    """Fails the delivery and removes its lines, unless another attempt took it over."""
    # One that is counted again may still count while that fails.
    counts = delivery.months.filter(is_current=True).exists()
    status = Delivery.Status.CURRENT if counts else Delivery.Status.FAILED
    failed = running_attempt(delivery).update(status=status, message=message, stage="", progress=0)
    if failed:
        remove_publications(delivery.months.filter(is_current=False))
        delivery.months.filter(is_current=False).delete()
        if delivery.is_awaited:
            delivery.message = message
            tell_not_read_again(delivery)


def may_be_retried(delivery: Delivery) -> bool:
    """Whether it failed; one that is to take a withdrawn bill's place may count in other months all the same."""
    awaited = delivery.status == Delivery.Status.CURRENT and delivery.is_awaited
    return delivery.status == Delivery.Status.FAILED or awaited


def retry_delivery(delivery: Delivery) -> bool:
    """Puts a failed delivery back in the queue; False when it is not a failed one.

    Raises AlreadyDelivered, and FilesRemoved where there is nothing left to read.
    """
    try:
        with transaction.atomic():
            failed = Delivery.objects.select_for_update().filter(pk=delivery.pk).first()
            if failed is None or not may_be_retried(failed):
                return False
            if failed.files_removed_at:
                raise FilesRemoved(failed)
            failed.status, failed.message, failed.progress = Delivery.Status.RECEIVED, "", 0
            failed.save(update_fields=["status", "message", "progress"])
            record(AuditEntry.Action.RETRY, failed)
            task("costs.tasks.load_delivery").delay_on_commit(failed.pk)
    except IntegrityError:
        raise AlreadyDelivered(same_bill(delivery.source, delivery.fingerprint)) from None
    return True
