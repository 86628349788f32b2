"""Files of allocations coming in: read, and put in the place of what the same clusters had on the same days."""

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path

import duckdb
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from costs.charges import files
from costs.charges.allocations import COLUMNS, TABLE, days_by_cluster, read_allocations
from costs.formats.base import BadBill
from costs.ingest.postgres_copy import copy_across
from costs.ingest.workspace import full_disk_as_bad_bill, limited_duckdb, scratch_folder
from costs.models import ClusterFile, ClusterUsage, Delivery
from finops_site.models import User


class OtherFilesStand(BadBill):
    """Nothing of a bill is used, for somebody brought files of the same clusters and days."""


def receive_upload(uploads: Sequence[UploadedFile], *, cluster: str = "", user: User | None = None) -> ClusterFile:
    """Files that somebody uploads; see `receive_allocations`."""
    folder = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    with full_disk_as_bad_bill(), scratch_folder(folder):
        bundle = []
        for number, upload in enumerate(uploads):
            path = folder / f"upload-{number}"
            with path.open("wb") as target:
                for chunk in upload.chunks():
                    target.write(chunk)
            bundle.append((upload.name or path.name, path))
        return receive_allocations(bundle, cluster=cluster, user=user)


def receive_allocations(
    bundle: Sequence[tuple[str, Path]],
    *,
    cluster: str = "",
    user: User | None = None,
    delivery: Delivery | None = None,
) -> ClusterFile:
    """Keeps what the named files say together ran on which machine; the days of their clusters are replaced.

    `cluster` names the cluster where the files do not. The same files again are answered with what is there. Files of
    a `delivery`, which nobody chose for this, replace no days that somebody brought. Nothing of it is a cost: pages
    split the cost lines of the machines by it. Raises BadBill for what cannot be read.
    """
    marks = sorted(files.sha256(path) for _ignored, path in bundle)
    fingerprint = hashlib.sha256("\n".join([cluster, *marks]).encode()).hexdigest()
    if known := ClusterFile.objects.filter(fingerprint=fingerprint).first():
        if delivery and known.delivery is None:
            ClusterFile.objects.filter(pk=known.pk).update(delivery=delivery)
        return known
    name = ", ".join(name for name, _ignored in bundle)[:300]
    scratch = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    with scratch_folder(scratch), limited_duckdb(scratch) as db:
        usage = read_allocations(db, bundle, cluster=cluster, scratch=scratch)
        if delivery:
            _leave_days_of_others(db)
        days = days_by_cluster(db)
        if not days:
            raise OtherFilesStand(_("{name}: somebody loaded other files of all its days.").format(name=name))
        with transaction.atomic():
            for of_cluster, (first, last) in days.items():
                ClusterUsage.objects.filter(cluster=of_cluster, day__gte=first, day__lte=last).delete()
            # A file that nothing is left of says nothing any more.
            ClusterFile.objects.filter(clusterusage=None).delete()
            row = ClusterFile.objects.create(
                name=name,
                fingerprint=fingerprint,
                kind=usage.kind,
                clusters=list(days),
                first_day=min(first for first, _ignored in days.values()),
                last_day=max(last for _ignored, last in days.values()),
                rows=usage.rows,
                notes=" ".join(usage.notes),
                received_by=user,
                delivery=delivery,
            )
            select = f"SELECT {row.pk}, {', '.join(COLUMNS)} FROM {TABLE}"
            table = ClusterUsage._meta.db_table
            copy_across(db, select, table, ("file_id", *COLUMNS), scratch / "usage.csv")
    return row


def _leave_days_of_others(db: duckdb.DuckDBPyConnection) -> None:
    """Takes the days out of what was read on which somebody brought a file of the same cluster."""
    days = days_by_cluster(db)
    brought = ClusterUsage.objects.filter(file__delivery=None, cluster__in=days).values_list("cluster", "day")
    for cluster, day in brought.distinct():
        db.execute(f"DELETE FROM {TABLE} WHERE cluster = $cluster AND day = $day", {"cluster": cluster, "day": day})
