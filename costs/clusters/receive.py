"""Files of allocations coming in: read, and put in the place of what the same clusters had on the same days."""

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from costs.charges import files
from costs.charges.allocations import COLUMNS, TABLE, days_by_cluster, read_allocations
from costs.ingest.postgres_copy import copy_across
from costs.ingest.workspace import full_disk_as_bad_bill, limited_duckdb, scratch_folder
from costs.models import ClusterFile, ClusterUsage
from finops_site.models import User


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
    bundle: Sequence[tuple[str, Path]], *, cluster: str = "", user: User | None = None
) -> ClusterFile:
    """Keeps what the named files say together ran on which machine; the days of their clusters are replaced.

    `cluster` names the cluster where the files do not. The same files again are answered with what is there. Nothing
    of it is a cost: pages split the cost lines of the machines by it. Raises BadBill for what cannot be read.
    """
    marks = sorted(files.sha256(path) for _, path in bundle)
    fingerprint = hashlib.sha256("\n".join([cluster, *marks]).encode()).hexdigest()
    if known := ClusterFile.objects.filter(fingerprint=fingerprint).first():
        return known
    name = ", ".join(name for name, _ in bundle)[:300]
    scratch = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    with scratch_folder(scratch), limited_duckdb(scratch) as db:
        usage = read_allocations(db, bundle, cluster=cluster, scratch=scratch)
        days = days_by_cluster(db)
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
                first_day=min(first for first, _ in days.values()),
                last_day=max(last for _, last in days.values()),
                rows=usage.rows,
                notes=" ".join(usage.notes),
                received_by=user,
            )
            select = f"SELECT {row.pk}, {', '.join(COLUMNS)} FROM {TABLE}"
            table = ClusterUsage._meta.db_table
            copy_across(db, select, table, ("file_id", *COLUMNS), scratch / "usage.csv")
    return row
