"""Removing what no bill needs any more: superseded lines, folders of nobody, scratch of killed workers."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from costs.ingest.partitions import drop_tables_of_nobody
from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth
from finops_site.files.places import Place
from finops_site.files.product import product_files

HOUR_SECONDS = 3600
# Where every host sees which months are being made again, and by what delivery.
REPUBLISHING = "republishing"


def remove_leftovers(now: datetime) -> int:
    """Removes lines and tables that count no longer, and files of no delivery; returns how many folders went."""
    place = product_files()
    bills, incoming = place.work_folder("bills"), Path(settings.FINOPS_VAR) / "incoming"
    republished = _republished(place, now)
    superseded = DeliveryMonth.objects.filter(is_current=False).exclude(delivery__status=Delivery.Status.LOADING)
    remove_publications(superseded.exclude(delivery__in=republished))
    drop_tables_of_nobody()
    known = set(Delivery.objects.values_list("pk", flat=True))
    orphans = [name for name in place.folders("bills") if name.isdigit() and int(name) not in known]
    orphans = [f"bills/{name}" for name in orphans if _is_old(_changed_at(place, f"bills/{name}"), now)]
    for name in orphans:
        place.remove(name)
    # Scratch folders of loads that were killed after their bill counted.
    loading = Delivery.objects.filter(status=Delivery.Status.LOADING).values_list("pk", flat=True)
    busy = {str(pk) for pk in [*loading, *republished]}
    leftovers = [path for path in incoming.glob("*") if _is_old(_touched_at(path), now)]
    leftovers += [path for path in bills.glob("*/scratch-*") if path.parent.name not in busy]
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    if not place.is_here:
        for folder in bills.glob("*"):
            # Nothing is made there any more; what has something in it is from before the files were in a bucket.
            with suppress(OSError):
                folder.rmdir()
    return len(orphans) + len(leftovers)


@contextmanager
def republishing(delivery: Delivery) -> Iterator[None]:
    """Lets every host see meanwhile that a month of the delivery is being made again: nobody tidies that up."""
    place, name = product_files(), f"{REPUBLISHING}/{delivery.pk}-{uuid.uuid4().hex}"
    with tempfile.NamedTemporaryFile() as empty:
        place.put(Path(empty.name), name)
    try:
        yield
    finally:
        place.remove(name)


def _republished(place: Place, now: datetime) -> list[int]:
    """Deliveries of which a month is being made again."""
    marks = place.list(REPUBLISHING).values()
    return [int(mark.name.split("/")[1].split("-")[0]) for mark in marks if not _is_old(mark.changed_at, now)]


def _changed_at(place: Place, name: str) -> datetime | None:
    """When anything below the name changed last."""
    moments = [file.changed_at for file in place.list(name).values()]
    if place.is_here and (touched := _touched_at(place.work_folder(name))):
        moments.append(touched)
    return max(moments, default=None)


def _touched_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _is_old(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and (now - moment).total_seconds() > HOUR_SECONDS
