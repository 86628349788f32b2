"""FOCUS files in a bucket by schedule: every night the months that changed since they were last written there."""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.core.exceptions import ValidationError

from costs import focus_export
from costs.ingest.workspace import scratch_folder
from costs.models import DeliveryMonth, ExportPlace
from costs.models.exports import export_name
from costs.sources.aws import S3Bucket
from costs.sources.azure_blob import AzureContainer
from costs.sources.folder import ExportFolder
from costs.sources.google_cloud import GoogleBucket
from costs.sources.places import place_problem
from costs.sources.storage import StorageProblem
from finops_site.audit.events import record
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry


class Target(Protocol):
    """Somewhere that files can be written to."""

    def store(self, key: str, path: Path) -> None:
        """Writes the file as an object of that key, in the place of what was there. Raises StorageProblem."""


TARGETS: Mapping[str, Callable[[ExportPlace], Target]] = {
    ExportPlace.Kind.FOLDER: ExportFolder,
    ExportPlace.Kind.S3: S3Bucket,
    ExportPlace.Kind.AZURE: AzureContainer,
    ExportPlace.Kind.GCS: GoogleBucket,
}


def check_place(place: ExportPlace) -> None:
    """Raises ValidationError where no file could be written there, as it is described."""
    problem: tuple[str, str] | None
    if place.kind == ExportPlace.Kind.FOLDER:
        try:
            ExportFolder(place)
            problem = None
        except StorageProblem as error:
            problem = ("bucket", str(error))
    else:
        problem = place_problem(place.kind, place.bucket, place.region, place.endpoint)
    if problem:
        raise ValidationError(dict([problem]))


def write_all(now: datetime) -> list[str]:
    """Writes what changed to every place in use; returns a sentence for each that failed, which is tried again."""
    problems = []
    for place in ExportPlace.objects.filter(is_enabled=True).select_related("credential"):
        try:
            write_place(place, now)
        except (StorageProblem, ValidationError, OSError, ValueError) as error:
            place.problem = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            place.save(update_fields=["problem"])
            problems.append(f"{place}: {place.problem}")
    return problems


def write_place(place: ExportPlace, now: datetime) -> list[Month]:
    """Writes the months of a place that changed, each with a manifest beside it; returns them.

    A month whose bills were all withdrawn is written once more, without rows: what was there counts no more.
    The manifest is written last: whoever waits for it reads a whole file.
    """
    target, written = TARGETS[place.kind](place), []
    for month, mark in _marks(place).items():
        if mark and place.marks.get(str(month)) == mark:
            continue
        name = export_name(month, place.version, place.file)
        with scratch_folder(Path(settings.FINOPS_VAR) / "exports" / f"scheduled-{uuid.uuid4().hex}") as scratch:
            summary = focus_export.write_month(month, scratch / name, place.version, may_be_empty=not mark)
            manifest = {
                "file": name,
                "focus_version": place.version,
                "billing_month": str(month),
                "written_at": now.isoformat(timespec="seconds"),
                "sha256": _sha256(scratch / name),
                **summary.figures(),
            }
            (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1))
            folder = "/".join(filter(None, [place.prefix.strip("/"), f"billing_month={month}"]))
            target.store(f"{folder}/{name}", scratch / name)
            target.store(f"{folder}/manifest.json", scratch / "manifest.json")
            exported = {"file": (None, f"{folder}/{name}"), "sha256": (None, manifest["sha256"])}
            record(AuditEntry.Action.EXPORT, place, changes=exported)
        if mark:
            place.marks[str(month)] = mark
        else:
            del place.marks[str(month)]
        place.save(update_fields=["marks"])
        written.append(month)
    place.written_at, place.problem = now, ""
    place.save(update_fields=["written_at", "problem"])
    return written


def _marks(place: ExportPlace) -> dict[Month, str]:
    """{month: what its file is made of and where it stands}, of the latest months that the place gets.

    Empty for a month that the place has and no bill counts of any more.
    """
    current = DeliveryMonth.objects.current().order_by("-billing_month", "pk").values_list("billing_month", "pk")
    bills: dict[Month, list[int]] = {}
    for billing_month, pk in current:
        bills.setdefault(Month.of(billing_month), []).append(pk)
    chosen = list(bills.items())[: place.months]
    where = [place.kind, place.bucket, place.prefix, place.region, place.endpoint]
    gone = {Month.parse(month) for month in place.marks} - set(bills)
    files = {month: json.dumps([place.version, place.file, *where, keys]) for month, keys in chosen}
    return files | dict.fromkeys(sorted(gone), "")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
