"""Bills that say themselves what ran on their machines: AWS reports with split cost allocation data."""

import logging
import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.dispatch import receiver
from django.utils.translation import gettext as _

from costs.charges import zips
from costs.clusters.receive import OtherFilesStand, receive_allocations
from costs.formats.aws_cur import SPLIT
from costs.formats.base import BadBill
from costs.ingest.workspace import full_disk_as_bad_bill, limited_duckdb, scratch_folder
from costs.models import ClusterFile, Delivery, DeliveryMonth
from costs.signals import cost_data_changed
from finops_site.celery import task
from finops_site.lib.words import counted
from finops_site.registry import NightlyCheckFailed

logger = logging.getLogger(__name__)

FORMAT = "aws-cur"
# What came in longer ago and was not read by then was not there to be read.
LOOK_BACK = timedelta(days=35)


@receiver(cost_data_changed)
def split_machines_of_bills(sender: Any, *, rows: Sequence[DeliveryMonth], **_ignored: Any) -> None:
    """Queues `split_by_bill` for the reports that count now."""
    candidates = _unread().filter(pk__in={row.delivery_id for row in rows}).values_list("pk", flat=True)
    for pk in candidates:
        task("costs.tasks.split_by_bill").delay_on_commit(pk)


def split_by_bill(delivery: Delivery) -> ClusterFile | None:
    """Keeps what a report that counts says ran on which machine; None where nothing of it is used.

    Days that somebody brought in another file of the cluster stay as they are. Raises BadBill for rows of pods that
    cannot be read.
    """
    if not _has_pods(delivery):
        return None
    scratch = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    with full_disk_as_bad_bill(), scratch_folder(scratch):
        delivered = [(file.name, file.full_path) for file in delivery.files.all()]
        bundle, _ignored = zips.unpacked(delivered, scratch, limit=settings.BILL_MAX_BYTES)
        try:
            return receive_allocations(bundle, delivery=delivery)
        except OtherFilesStand:
            return None


def split_nightly(as_of: date) -> str:
    """Reads the reports of the last weeks that nobody read when they came; fails naming those that cannot be."""
    read, problems = 0, []
    for delivery in _unread().filter(received_at__date__gte=as_of - LOOK_BACK):
        try:
            read += split_by_bill(delivery) is not None
        except BadBill as error:
            problems.append(str(error))
    if problems:
        raise NightlyCheckFailed(_("The rows of pods could not be read: {names}").format(names="; ".join(problems)))
    return f"{counted(read, 'report')} read."


def _unread() -> Any:
    """Reports that count, and of which nothing is known on the page of clusters."""
    counting = DeliveryMonth.objects.filter(is_current=True).values("delivery")
    reports = Delivery.objects.filter(pk__in=counting, format__startswith=FORMAT, files_removed_at=None)
    return reports.filter(cluster_files=None)


def _has_pods(delivery: Delivery) -> bool:
    """Whether rows of the bill split the cost of a machine among its pods or tasks."""
    with limited_duckdb() as db:
        return any(
            db.execute(
                f"SELECT 1 FROM read_parquet($charges) WHERE x_Operation IN ({SPLIT}) LIMIT 1",
                {"charges": month.charges_glob},
            ).fetchone()
            for month in delivery.months.filter(is_current=True)
        )
