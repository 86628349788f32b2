"""Fetching what is new at a source: claimed by one worker, incremental, retried, with progress."""

import shutil
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.charges.bundles import Bundle
from costs.charges.layouts import Package, packages
from costs.charges.layouts.manifests import BadManifest, read_json
from costs.formats.base import BadBill
from costs.ingest.receive import Receipt, load_options, receive_bundle
from costs.ingest.workspace import scratch_folder
from costs.models import Credential, FetchedBill, Source
from costs.sources.kinds import storage_of
from costs.sources.storage import Storage, StorageProblem
from finops_site.celery import task

MAX_MANIFEST_BYTES = 64 << 20
ABANDONED_AFTER = timedelta(hours=6)


class Busy(Exception):
    """Another worker synchronises this source."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one synchronisation did."""

    received: list[Receipt]
    unchanged: int
    problems: list[str]

    def in_words(self) -> str:
        new = sum(receipt.is_new for receipt in self.received)
        known = self.unchanged + len(self.received) - new
        counts = ngettext(
            "{count} new delivery, {known} unchanged.", "{count} new deliveries, {known} unchanged.", new
        ).format(count=new, known=known)
        return " ".join([counts, *self.problems])


def queue_sync(source: Source) -> bool:
    """Lets a worker look for the source's bills now; False where people deliver them."""
    if source.is_fetched:
        task("costs.tasks.synchronise_source").delay_on_commit(source.pk)
    return source.is_fetched


def sync_after_change(source: Source) -> bool:
    """What follows when a source was described or changed: its bills are looked for, unless that is switched off."""
    return source.is_enabled and queue_sync(source)


def sync_after_credential_change(credential: Credential) -> None:
    """What follows when a credential was changed: every source that uses it is tried with it at once."""
    for source in Source.objects.filter(credential=credential):
        sync_after_change(source)


def queue_due_syncs() -> None:
    """Lets workers look at every source that is fetched from by itself."""
    for source in Source.objects.filter(is_enabled=True).exclude(kind=Source.Kind.UPLOAD):
        queue_sync(source)


def synchronise(source: Source) -> SyncResult:
    """Fetches and receives what changed since the last time, and queues the loads; the source shows how it went.

    Raises Busy when another worker is at it, and StorageProblem after writing it down.
    """
    claim_source(source)
    try:
        result = _fetch_changes(source)
    except (StorageProblem, ValidationError) as error:
        message = str(error) if isinstance(error, StorageProblem) else error.messages[0]
        _finish(source, Source.Sync.FAILED, message)
        raise StorageProblem(message, is_temporary=getattr(error, "is_temporary", False)) from None
    except Exception:
        _finish(source, Source.Sync.FAILED, _("Something went wrong on our side; the log says what."))
        raise
    _finish(source, Source.Sync.FAILED if result.problems else Source.Sync.DONE, result.in_words())
    for receipt in result.received:
        if receipt.is_new:
            task("costs.tasks.load_delivery").delay_on_commit(receipt.delivery.pk)
    return result


def claim_source(source: Source) -> None:
    now = timezone.now()
    free = ~Q(sync=Source.Sync.RUNNING) | Q(sync_started_at__lt=now - ABANDONED_AFTER) | Q(sync_started_at=None)
    claimed = Source.objects.filter(free, pk=source.pk).update(
        sync=Source.Sync.RUNNING, sync_started_at=now, sync_message=_("Looking for bills"), sync_progress=0
    )
    if not claimed:
        raise Busy(f"{source} is being synchronised")


def _finish(source: Source, state: str, message: str) -> None:
    Source.objects.filter(pk=source.pk).update(
        sync=state, sync_message=message, sync_progress=1, synced_at=timezone.now()
    )
    source.refresh_from_db()


def _fetch_changes(source: Source) -> SyncResult:
    storage = storage_of(source)
    with scratch_folder(Path(settings.FINOPS_VAR) / "incoming" / f"sync-{uuid.uuid4().hex}") as folder:
        latest, problems = packages(storage.listing(), lambda key: read_manifest(storage, key, folder))
        fetched = dict(source.fetched.values_list("name", "mark"))
        changed = [package for package in latest if fetched.get(package.name) != package.mark]
        received: list[Receipt] = []
        for number, package in enumerate(changed):
            Source.objects.filter(pk=source.pk).update(
                sync_message=_("Fetching {package}").format(package=package.name), sync_progress=number / len(changed)
            )
            try:
                received.append(_receive_package(source, storage, package, folder / str(number)))
            except BadBill as error:
                problems.append(str(error))
        return SyncResult(received, len(latest) - len(changed), problems)


def read_manifest(storage: Storage, key: str, folder: Path) -> Any:
    path = folder / "manifest"
    storage.fetch(key, path)
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BadManifest(_("{key}: too big for a manifest.").format(key=key))
    return read_json(key, path)


def _receive_package(source: Source, storage: Storage, package: Package, folder: Path) -> Receipt:
    """Fetches and receives a package; marked as fetched only when it is received, so that nothing is lost."""
    # Parts of one bill may have the same name in different folders: each is put into one of its own.
    paths = [folder / str(number) / key.rpartition("/")[2][-200:] for number, key in enumerate(package.keys)]
    for key, path in zip(package.keys, paths, strict=True):
        path.parent.mkdir(parents=True)
        storage.fetch(key, path)
    layout = (package.export, package.part, package.partition, package.format, package.rows)
    bundle = Bundle(tuple(paths), *layout, view=package.view, name=package.name)
    options = load_options(
        format=source.format,
        currency=source.currency,
        date_order=source.date_order,
        decimal_mark=source.decimal_mark,
    )
    received = receive_bundle(source, bundle, options)
    FetchedBill.objects.update_or_create(
        source=source,
        name=package.name[:1000],
        defaults={"mark": package.mark, "delivery": received.delivery, "at": timezone.now()},
    )
    shutil.rmtree(folder, ignore_errors=True)
    return received
