"""Removing what no bill needs any more: superseded lines, folders of nobody, scratch of killed workers."""

import shutil
from datetime import datetime
from pathlib import Path

from django.conf import settings

from costs.ingest.partitions import drop_tables_of_nobody
from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth


def remove_leftovers(now: datetime) -> int:
    """Removes lines and tables that count no longer, and files of no delivery; returns how many folders went."""
    bills, incoming = Path(settings.FINOPS_VAR) / "bills", Path(settings.FINOPS_VAR) / "incoming"
    superseded = DeliveryMonth.objects.filter(is_current=False).exclude(delivery__status=Delivery.Status.LOADING)
    remove_publications(superseded.exclude(delivery__in=_republishing(bills, now)))
    drop_tables_of_nobody()
    known = set(Delivery.objects.values_list("pk", flat=True))
    orphans = [path for path in bills.glob("*") if path.name.isdigit() and int(path.name) not in known]
    leftovers = [path for path in [*orphans, *incoming.glob("*")] if _is_older_than_an_hour(path, now)]
    # Scratch folders of loads that were killed after their bill counted.
    loading = Delivery.objects.filter(status=Delivery.Status.LOADING).values_list("pk", flat=True)
    busy = {str(pk) for pk in [*loading, *_republishing(bills, now)]}
    leftovers += [path for path in bills.glob("*/scratch-*") if path.parent.name not in busy]
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    return len(leftovers)


def _republishing(bills: Path, now: datetime) -> list[int]:
    """Deliveries of which a month is being made again."""
    folders = bills.glob("*/scratch-republish-*")
    return [int(folder.parent.name) for folder in folders if not _is_older_than_an_hour(folder, now)]


def _is_older_than_an_hour(path: Path, now: datetime) -> bool:
    try:
        return path.stat().st_mtime < now.timestamp() - 3600
    except FileNotFoundError:
        return False
