"""The life of a bill: receive, load, activate. Pages, API, commands and tasks all come through here.

A crash at any point leaves the last good month standing: nothing counts until `activate` flips it in one transaction,
and a load that is started again first removes what the dead one left.
"""

import errno
import hashlib
import json
import logging
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from costs.charges import duckdb_session, files, read_bill
from costs.formats.base import BadBill, Options
from costs.ingest import overlaps, restatements, store_cost_lines
from costs.models import Delivery, DeliveryFile, DeliveryMonth, Reject, Source
from costs.signals import cost_data_changed
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.ops.locks import wait_for

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5
ROOM_FACTOR = 3


class AlreadyDelivered(Exception):
    """The same files with the same options are here already: a message, not double cost."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        super().__init__(
            f"This bill is already here: delivery {delivery.pk} of {delivery.source}, "
            f"received {delivery.received_at:%Y-%m-%d %H:%M} UTC, {delivery.get_status_display()}."
        )


class Taken(Exception):
    """Another worker loads this delivery, or it needs no loading."""


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery and whether it is new; a bill that is here already is not received twice."""

    delivery: Delivery
    is_new: bool


def receive(
    source_name: str,
    paths: Sequence[Path],
    *,
    user: Person | None = None,
    month: Month | None = None,
    format: str = "auto",
    mode: str | None = None,
    bill_stopped: bool = False,
    currency: str | None = None,
) -> list[Received]:
    """Keeps the files of a bill and returns its deliveries, one for each manifest and one for all loose files.

    Raises BadBill when a path holds no bill.
    """
    options = {
        "month": str(month) if month else None,
        "format": format,
        "bill_stopped": bill_stopped,
        "currency": currency.upper() if currency else None,
    }
    found = files.bundles(paths)
    source = _source(source_name, mode)
    return [_receive(source, bundle, options, user) for bundle in found]


def _source(name: str, mode: str | None) -> Source:
    name = name.strip()
    if not name:
        raise BadBill("A bill needs the name of the source it comes from.")
    source, _ = Source.objects.get_or_create(name=name, defaults={"delivery_mode": mode or Source.Mode.REPLACE})
    if mode and source.delivery_mode != mode:
        source.delivery_mode = mode
        source.save(update_fields=["delivery_mode"])
    return source


def _receive(source: Source, bundle: files.Bundle, options: dict[str, Any], user: Person) -> Received:
    parked = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    parked.mkdir(parents=True)
    try:
        kept = [_keep(path, parked, number) for number, path in enumerate(bundle.files)]
        return _record(source, kept, parked, options, user)
    except OSError as error:
        raise _readable(error) from error
    finally:
        shutil.rmtree(parked, ignore_errors=True)


def _keep(path: Path, folder: Path, number: int) -> DeliveryFile:
    files.kind(path, path.name)
    name = f"{number:03}-{path.name}"
    shutil.copyfile(path, folder / name)
    size = (folder / name).stat().st_size
    return DeliveryFile(name=path.name, path=f"delivered/{name}", sha256=files.sha256(folder / name), bytes=size)


def _record(source: Source, kept: list[DeliveryFile], parked: Path, options: dict[str, Any], user: Person) -> Received:
    fingerprint = _fingerprint(kept, options)
    try:
        with transaction.atomic():
            delivery = Delivery.objects.create(
                source=source, fingerprint=fingerprint, options=options, received_by=user
            )
            for file in kept:
                file.delivery = delivery
            DeliveryFile.objects.bulk_create(kept)
            _put_aside(delivery.folder)
            delivery.folder.mkdir(parents=True)
            parked.rename(delivery.folder / "delivered")
    except IntegrityError:
        return Received(_same(source, fingerprint), is_new=False)
    return Received(delivery, is_new=True)


def _put_aside(folder: Path) -> None:
    """A folder of this number from before the database was restored is not ours to write into, nor to delete."""
    if folder.exists():
        aside = folder.with_name(f"{folder.name}.left-{uuid.uuid4().hex[:8]}")
        logger.warning("%s is there already: moved to %s", folder, aside)
        folder.rename(aside)


def _same(source: Source, fingerprint: str) -> Delivery:
    waiting = [Delivery.Status.RECEIVED, Delivery.Status.LOADING, Delivery.Status.CURRENT]
    return Delivery.objects.get(source=source, fingerprint=fingerprint, status__in=waiting)


def _fingerprint(kept: Sequence[DeliveryFile], options: dict[str, Any]) -> str:
    parts = [*sorted(file.sha256 for file in kept), json.dumps(options, sort_keys=True)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def load(delivery: Delivery) -> Delivery:
    """Loads a received delivery to the end; its status and message say how it went.

    Raises Taken when another worker has it. What is wrong with the bill never raises: the delivery says it. What is
    wrong with us (the database is gone, a defect) does, after saying so where that is still possible.
    """
    mine = _claim(delivery)
    try:
        with _heartbeat(mine), _scratch(mine) as scratch:
            _load(mine, scratch)
    except (BadBill, store_cost_lines.BooksDiffer) as error:
        _fail(mine, str(error))
    except OSError as error:
        _fail(mine, str(_readable(error)))
    except Taken:
        logger.warning("delivery %s was taken over while it loaded", mine.pk)
    mine.refresh_from_db()
    return mine


def _claim(delivery: Delivery) -> Delivery:
    """Makes this process the one that loads: an UPDATE that must hit one row."""
    now = timezone.now()
    waiting = Q(status=Delivery.Status.RECEIVED) | _stalled(now)
    claimed = Delivery.objects.filter(waiting, pk=delivery.pk).update(
        status=Delivery.Status.LOADING, attempt=F("attempt") + 1, heartbeat_at=now, progress=0, stage="", message=""
    )
    if not claimed:
        raise Taken(f"delivery {delivery.pk} is not waiting to be loaded")
    return Delivery.objects.select_related("source").get(pk=delivery.pk)


def _stalled(now: datetime) -> Q:
    silent = now - timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    return Q(status=Delivery.Status.LOADING) & Q(heartbeat_at__lt=silent)


@contextmanager
def _heartbeat(delivery: Delivery) -> Iterator[None]:
    """Says every few seconds that the load is alive, from a thread of its own: one step may take minutes."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(HEARTBEAT_SECONDS):
                _mine(delivery).update(heartbeat_at=timezone.now())
        except Exception:
            logger.warning("no heartbeat for delivery %s", delivery.pk, exc_info=True)
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{delivery.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _mine(delivery: Delivery) -> Any:
    """The delivery as long as no other attempt took it over."""
    return Delivery.objects.filter(pk=delivery.pk, attempt=delivery.attempt, status=Delivery.Status.LOADING)


@contextmanager
def _scratch(delivery: Delivery) -> Iterator[Path]:
    folder = delivery.folder / f"scratch-{delivery.attempt}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(delivery: Delivery, scratch: Path) -> None:
    _say(delivery, "reading", 0.05)
    _remove_remains(delivery, scratch)
    _need_room(delivery)
    with duckdb_session.connect(
        threads=settings.DUCKDB_THREADS, memory_limit=settings.DUCKDB_MEMORY_LIMIT, scratch=scratch
    ) as db:
        reading = _read(db, delivery, scratch)
        _write_down(delivery, reading)
        months: list[DeliveryMonth] = []
        try:
            for number, month in enumerate(reading.months):
                share = 0.55 + 0.4 * number / len(reading.months)
                _say(delivery, f"cost lines of {Month.of(month.billing_month)}", share)
                months.append(store_cost_lines.publish(db, delivery, month, scratch=scratch))
            _say(delivery, "activating", 0.97)
            activate(delivery, months)
        except Exception:
            # An attempt that took over removed what it found, and these may have come after it looked.
            store_cost_lines.give_up(months)
            raise


def _say(delivery: Delivery, stage: str, progress: float) -> None:
    """Writes the progress; raises Taken when another attempt took the delivery over."""
    if not _mine(delivery).update(stage=stage, progress=progress, heartbeat_at=timezone.now()):
        raise Taken(f"delivery {delivery.pk}")


def _remove_remains(delivery: Delivery, scratch: Path) -> None:
    """What an attempt that died left behind: publications nobody sees, charges, scratch folders."""
    with transaction.atomic():
        wait_for(store_cost_lines.lines_of(delivery.pk))
        remains = delivery.months.filter(is_current=False)
        store_cost_lines.remove(remains)
        remains.delete()
    delivery.rejects.all().delete()
    shutil.rmtree(delivery.folder / "charges", ignore_errors=True)
    for folder in delivery.folder.glob("scratch-*"):
        if folder != scratch:
            shutil.rmtree(folder, ignore_errors=True)


def _need_room(delivery: Delivery) -> None:
    packed = sum(file.bytes for file in delivery.files.all())
    free = shutil.disk_usage(delivery.folder).free
    if free < packed * ROOM_FACTOR:
        raise OSError(errno.ENOSPC, "the disk is full")


def _read(db: Any, delivery: Delivery, scratch: Path) -> read_bill.Reading:
    return read_bill.read(
        db,
        [(file.name, file.full_path) for file in delivery.files.select_related("delivery")],
        target=delivery.folder / "charges",
        scratch=scratch,
        options=_options(delivery),
        wanted=delivery.options.get("format") or "auto",
        limit=settings.BILL_MAX_BYTES,
        progress=lambda stage, share: _say(delivery, stage, share),
    )


def _options(delivery: Delivery) -> Options:
    said = delivery.options
    return Options(
        month=Month.parse(said["month"]) if said.get("month") else None,
        bill_stopped=bool(said.get("bill_stopped")),
        currency=said.get("currency"),
    )


def _write_down(delivery: Delivery, reading: read_bill.Reading) -> None:
    delivery.format = reading.format
    delivery.provider = reading.provider
    delivery.rows_read = reading.rows_read
    delivery.rows_loaded = reading.rows_loaded
    delivery.rows_rejected = reading.rows_rejected
    delivery.totals = store_cost_lines.as_text(reading.totals)
    delivery.residual = store_cost_lines.as_text(reading.residual)
    delivery.message = " ".join([*_rejects_message(reading), *reading.notes])
    with transaction.atomic():
        _write_rejects(delivery, reading)
        delivery.save(
            update_fields=[
                "format",
                "provider",
                "rows_read",
                "rows_loaded",
                "rows_rejected",
                "totals",
                "residual",
                "message",
            ]
        )


def _write_rejects(delivery: Delivery, reading: read_bill.Reading) -> None:
    Reject.objects.bulk_create(
        Reject(
            delivery=delivery, file=each.file, line=each.line, column=each.column, value=each.value, reason=each.reason
        )
        for each in reading.rejects
    )


def _rejects_message(reading: read_bill.Reading) -> list[str]:
    if not reading.rows_rejected:
        return []
    return [f"{reading.rows_rejected:,} of {reading.rows_read:,} rows not read."]


def activate(delivery: Delivery, months: Sequence[DeliveryMonth]) -> None:
    """Makes the months count, all at once: readers see the old bill or the new one, never a part of either.

    In a source that replaces, the bill received last wins, in whatever order the loads end.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        if not _mine(delivery).update(status=Delivery.Status.CURRENT, progress=1, stage="", loaded_at=timezone.now()):
            raise Taken(f"delivery {delivery.pk}")
        replaces = delivery.source.delivery_mode == Source.Mode.REPLACE
        gone = [row for month in months for row in _make_current(delivery, month, replaces)]
        _tell(months)
        _supersede(delivery.source)
        if twice := overlaps.warning(delivery.source):
            Delivery.objects.filter(pk=delivery.pk).update(message=f"{delivery.message} {twice}".strip())
    # These and no others: bills of the source that are loaded at the same time do not count yet.
    store_cost_lines.remove(gone)


def _tell(months: Iterable[DeliveryMonth]) -> None:
    """Tells the pillars, once it is committed, that these months changed."""
    rows = list(months)
    transaction.on_commit(lambda: tell(rows))


def tell(rows: Sequence[DeliveryMonth]) -> None:
    """Tells the pillars that the books of these months changed; one that fails is logged, the others hear it."""
    for receiver, answer in cost_data_changed.send_robust(sender=DeliveryMonth, rows=rows):
        if isinstance(answer, Exception):
            logger.error("%r failed after the books changed", receiver, exc_info=answer)


def _make_current(delivery: Delivery, month: DeliveryMonth, replaces: bool) -> list[DeliveryMonth]:
    """Lets the month count unless a bill that was received later does; returns those that do not count any more."""
    rivals = DeliveryMonth.objects.current().filter(
        delivery__source=delivery.source_id, billing_month=month.billing_month
    )
    if month.view:
        # The two halves of a bill stand beside each other; a bill that is both replaces either.
        rivals = rivals.filter(view__in=["", month.view])
    if replaces and rivals.filter(delivery__pk__gt=delivery.pk).exists():
        return [month]
    replaced = rivals if replaces else rivals.filter(delivery=delivery)
    restatements.note(month, replaced.exclude(delivery=delivery))
    gone = list(replaced)
    DeliveryMonth.objects.filter(pk__in=[row.pk for row in gone]).update(is_current=False)
    DeliveryMonth.objects.filter(pk=month.pk).update(is_current=True)
    return gone


def _supersede(source: Source) -> None:
    """A delivery none of whose months counts any more is superseded."""
    source.deliveries.filter(status=Delivery.Status.CURRENT).exclude(
        pk__in=DeliveryMonth.objects.current().filter(delivery__source=source).values("delivery")
    ).update(status=Delivery.Status.SUPERSEDED)


def withdraw(delivery: Delivery) -> bool:
    """Takes a bill that counts out of the books; the one it had replaced does not come back. False when it counts not.

    The files stay, so that the same bill may be delivered again.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        current = Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.CURRENT)
        withdrawn = current.update(status=Delivery.Status.WITHDRAWN, stage="", progress=0)
        if withdrawn:
            delivery.months.update(is_current=False)
            _tell(delivery.months.all())
    store_cost_lines.remove(delivery.months.filter(is_current=False))
    return bool(withdrawn)


def republish(month: DeliveryMonth) -> DeliveryMonth | None:
    """Makes the cost lines of a current month anew from its charges, owners and rollups with them.

    Readers see the old lines until the new ones are whole. None when the month was replaced meanwhile.
    """
    scratch = month.delivery.folder / f"scratch-republish-{uuid.uuid4().hex}"
    scratch.mkdir(parents=True)
    try:
        with duckdb_session.connect(
            threads=settings.DUCKDB_THREADS, memory_limit=settings.DUCKDB_MEMORY_LIMIT, scratch=scratch
        ) as db:
            fresh = store_cost_lines.publish(db, month.delivery, _as_written(db, month), scratch=scratch)
        return fresh if _swap(month, fresh) else None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _as_written(db: Any, month: DeliveryMonth) -> read_bill.MonthOfCharges:
    totals = read_bill.stored_totals(db, f"read_parquet({read_bill.literal(month.charges_glob)})")
    days = tuple(date.fromisoformat(day) for day in month.charge_months)
    folder = Path(month.charges_glob).parent
    return read_bill.MonthOfCharges(month.billing_month, folder, month.charges, days, totals, month.view)


def _swap(old: DeliveryMonth, fresh: DeliveryMonth) -> bool:
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=old.delivery.source_id)
        swapped = DeliveryMonth.objects.current().filter(pk=old.pk).update(is_current=False)
        if swapped:
            DeliveryMonth.objects.filter(pk=fresh.pk).update(is_current=True)
            _tell([fresh])
    gone = [old if swapped else fresh]
    store_cost_lines.remove(gone)
    DeliveryMonth.objects.filter(pk__in=[row.pk for row in gone]).delete()
    return bool(swapped)


def _fail(delivery: Delivery, message: str) -> None:
    failed = _mine(delivery).update(status=Delivery.Status.FAILED, message=message, stage="", progress=0)
    if failed:
        store_cost_lines.remove(delivery.months.filter(is_current=False))
        delivery.months.filter(is_current=False).delete()


def _readable(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BadBill("The disk is full: free some space and try again. Nothing was changed.")
    return error


def retry(delivery: Delivery) -> bool:
    """Puts a failed delivery back in the queue; False when it is not a failed one."""
    failed = Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.FAILED)
    try:
        with transaction.atomic():
            return bool(failed.update(status=Delivery.Status.RECEIVED, message="", progress=0))
    except IntegrityError:
        raise AlreadyDelivered(_same(delivery.source, delivery.fingerprint)) from None


def stalled(now: datetime) -> Any:
    """Deliveries whose worker died, and those whose task the broker lost."""
    silent = now - timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    lost = Q(status=Delivery.Status.RECEIVED, received_at__lt=silent)
    return Delivery.objects.filter(_stalled(now) | lost)


def tidy_up(now: datetime) -> int:
    """Removes lines that do not count any more and files nobody knows; returns how many folders went."""
    gone = DeliveryMonth.objects.filter(is_current=False).exclude(delivery__status=Delivery.Status.LOADING)
    store_cost_lines.remove(gone.exclude(delivery__in=_republished(now)))
    base, known = Path(settings.FINOPS_VAR), set(Delivery.objects.values_list("pk", flat=True))
    orphans = [each for each in (base / "bills").glob("*") if each.name.isdigit() and int(each.name) not in known]
    removed = [each for each in [*orphans, *(base / "incoming").glob("*")] if _older_than_an_hour(each, now)]
    removed += _left_scratch(base / "bills", now)
    for folder in removed:
        shutil.rmtree(folder, ignore_errors=True)
    return len(removed)


def _left_scratch(folder: Path, now: datetime) -> list[Path]:
    """Working folders of loads that were killed after their bill counted."""
    loading = {str(pk) for pk in Delivery.objects.filter(status=Delivery.Status.LOADING).values_list("pk", flat=True)}
    busy = loading | {str(pk) for pk in _republished(now)}
    return [each for each in folder.glob("*/scratch-*") if each.parent.name not in busy]


def _republished(now: datetime) -> list[int]:
    """Deliveries of which a month is being made anew."""
    folders = (Path(settings.FINOPS_VAR) / "bills").glob("*/scratch-republish-*")
    return [int(each.parent.name) for each in folders if not _older_than_an_hour(each, now)]


def _older_than_an_hour(path: Path, now: datetime) -> bool:
    try:
        return path.stat().st_mtime < now.timestamp() - 3600
    except FileNotFoundError:
        return False
