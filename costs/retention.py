"""How long files are kept of bills that no longer count, and giving them up without losing what anybody stands on.

A bill as delivered and its charges are given up `FINOPS_KEEP_SUPERSEDED_DAYS` after it stopped counting: deleted, or
moved to `FINOPS_ARCHIVE_FOLDER`. What counts, waits or is held is always kept, and so is the newest version before the
one that counts (it may be counted again), and what an app above stands on (`register_protection`: closed statements).
The rows about a delivery stay for ever: fingerprints, sums, rejects, who brought it.

The delivery is marked first and its files go after the commit, so that nobody counts on files that are half gone; what
a killed process left is done by the next run.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum, Value
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from costs.charges.files import sha256
from costs.models import Delivery, DeliveryFile, DeliveryMonth, Source
from finops_site.files.product import product_files
from finops_site.lib.periods import day_text
from finops_site.lib.words import counted
from finops_site.translation import gettext_lazy as _lazy

# Neither counts nor waits for anything.
ENDED = (
    Delivery.Status.SUPERSEDED,
    Delivery.Status.WITHDRAWN,
    Delivery.Status.FAILED,
    Delivery.Status.REJECTED,
    Delivery.Status.EMPTY,
)
NEWEST_BEFORE = _lazy("the newest version before the one that counts")

# Of the apps above: {delivery: why its files must stay}, of these billing months or of all.
Protection = Callable[[Collection[date] | None], Mapping[int, str]]
PROTECTIONS: list[Protection] = []


def register_protection(protection: Protection) -> None:
    """Lets an app keep the files that its own records stand on: call it from AppConfig.ready()."""
    if protection not in PROTECTIONS:
        PROTECTIONS.append(protection)


class FilesRemoved(Exception):
    """A delivery is to be read again and its files were given up; the message says when, and what helps."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(
            _(
                "The files of {delivery} were {when}, long after it stopped counting. Deliver the "
                "same files again to count them."
            ).format(delivery=delivery, when=removal_words(delivery))
        )


def removal_words(delivery: Delivery) -> str:
    """``removed on 29 Nov 2026``, or where they were moved to."""
    day = day_text(delivery.files_removed_at)
    return (
        _("moved to {folder} on {day}").format(folder=delivery.files_moved_to, day=day)
        if delivery.files_moved_to
        else _("removed on {day}").format(day=day)
    )


@dataclass(frozen=True, slots=True)
class FileRetention:
    """Until when the files of a delivery that does not count are kept; where no day is set, a `reason` keeps them."""

    delivery: Delivery
    bytes: int
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What a run gave up (or would have), and what it could not: {delivery: why}."""

    removed: list[FileRetention]
    problems: dict[int, str]

    @property
    def bytes(self) -> int:
        return sum(row.bytes for row in self.removed)


def prune_files(now: datetime, *, dry_run: bool = False) -> PruneResult:
    """Gives up the files whose time is over; an archive that cannot be written to leaves them where they are."""
    if settings.FINOPS_KEEP_SUPERSEDED_DAYS <= 0:
        return PruneResult([], {})
    due = [row for row in list_retention() if row.until and row.until <= now]
    if dry_run:
        return PruneResult(due, {})
    problems = {}
    archive = _archive()
    for delivery in _half_removed():
        try:
            _move_files(delivery)
        except OSError as error:
            problems[delivery.pk] = f"{delivery}: {error.strerror or error}"
    removed = []
    for row in due:
        if not _mark(row.delivery, now, archive):
            continue
        try:
            _archive_files(row.delivery)
        except OSError as error:
            # Nothing is deleted before all of it is in the archive.
            Delivery.objects.filter(pk=row.delivery.pk).update(files_removed_at=None, files_moved_to="")
            problems[row.delivery.pk] = f"{row.delivery}: {error.strerror or error}"
            continue
        try:
            product_files().remove(row.delivery.place)
            removed.append(row)
        except OSError as error:
            # Some may be gone: it stays marked, and the next run does the rest.
            problems[row.delivery.pk] = f"{row.delivery}: {error.strerror or error}"
    return PruneResult(removed, problems)


def retention_of(delivery: Delivery) -> FileRetention | None:
    """Until when the files of this delivery are kept; None for one that counts, waits, or has none any more."""
    months = set(delivery.months.values_list("billing_month", flat=True))
    return next(iter(list_retention(Delivery.objects.filter(pk=delivery.pk), months)), None)


def list_retention(
    deliveries: QuerySet[Delivery] | None = None, months: Collection[date] | None = None
) -> list[FileRetention]:
    """Every delivery that has files and does not count, the oldest first: the end of its time, or what protects it.

    `months` are the billing months of `deliveries`, where they are only some.
    """
    rows = Delivery.objects.all() if deliveries is None else deliveries
    rows = rows.filter(status__in=ENDED, files_removed_at=None).exclude(months__is_current=True)
    # What failed to take the place of a withdrawn bill is tried again.
    rows = rows.exclude(instead_of__status=Delivery.Status.WITHDRAWN, instead_of__months__is_current=True)
    ended = list(rows.select_related("source").annotate(bytes=Sum("files__bytes")).order_by("received_at", "pk"))
    if not ended:
        return []
    by_part = find_versions(months)
    protected: dict[int, str] = dict.fromkeys(_newest_before_current(by_part.values()), str(NEWEST_BEFORE))
    for protection in PROTECTIONS:
        protected |= protection(months)
    replaced_at = _replaced_at(by_part.values())
    kept_for = timedelta(days=settings.FINOPS_KEEP_SUPERSEDED_DAYS)
    listed = []
    for delivery in ended:
        stopped = max(filter(None, [delivery.received_at, delivery.loaded_at, replaced_at.get(delivery.pk)]))
        reason = protected.get(delivery.pk, "" if kept_for else _("everything is kept"))
        listed.append(FileRetention(delivery, delivery.bytes or 0, None if reason else stopped + kept_for, reason))
    return listed


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a billing month that was loaded once."""

    delivery: int
    status: str
    received_at: datetime
    loaded_at: datetime
    is_current: bool


def find_versions(months: Collection[date] | None = None) -> dict[tuple[Any, ...], list[Version]]:
    """The versions of every part of every billing month (of these, or of all), in the order they were received.

    A part is what a newer version replaces: the same part of its stream; of loose files, the same account.
    """
    rows = DeliveryMonth.objects.filter(delivery__loaded_at__isnull=False).order_by("delivery__received_at", "delivery")
    rows = rows if months is None else rows.filter(billing_month__in=months)
    is_loose = Q(stream__export="", delivery__part="")
    by_part: dict[tuple[Any, ...], list[Version]] = {}
    for some, account in ((rows.exclude(is_loose), Value("")), (rows.filter(is_loose), F("accounts__sub_account"))):
        for *part, delivery, status, received_at, loaded_at, is_current in some.annotate(account=account).values_list(
            *("stream", "billing_month", "delivery__part", "account"),
            *("delivery", "delivery__status", "delivery__received_at", "delivery__loaded_at", "is_current"),
        ):
            version = Version(delivery, status, received_at, loaded_at, is_current)
            by_part.setdefault(tuple(part), []).append(version)
    return by_part


def versions_behind(moments: Collection[datetime], versions: Iterable[Version]) -> set[int]:
    """The deliveries that may have made up a part of a month at these moments in the past.

    Nothing records which version counted when: it is the last that had been received by then, and the last that had
    been loaded. One that was withdrawn may have counted or not, so that the one before it stays too.
    """
    ordered = list(versions)
    behind = set()
    for moment in moments:
        received = [version for version in ordered if version.received_at <= moment]
        loaded = sorted((v for v in ordered if v.loaded_at <= moment), key=lambda version: version.loaded_at)
        standing = [version for version in received if version.status != Delivery.Status.WITHDRAWN]
        behind |= {some[-1].delivery for some in (received, loaded, standing) if some}
    return behind


def _newest_before_current(parts: Iterable[list[Version]]) -> set[int]:
    """The last version of each part that does not count, and the last of those that nobody withdrew."""
    counted_once = {Delivery.Status.SUPERSEDED, Delivery.Status.WITHDRAWN, Delivery.Status.CURRENT}
    newest = set()
    for versions in parts:
        replaced = [version for version in versions if not version.is_current and version.status in counted_once]
        standing = [version for version in replaced if version.status != Delivery.Status.WITHDRAWN]
        newest |= {some[-1].delivery for some in (replaced, standing) if some}
    return newest


def _replaced_at(parts: Iterable[list[Version]]) -> dict[int, datetime]:
    """{delivery: when the version after it was loaded}, the last of its parts."""
    replaced: dict[int, datetime] = {}
    for versions in parts:
        for version, successor in pairwise(versions):
            replaced[version.delivery] = max(replaced.get(version.delivery, successor.loaded_at), successor.loaded_at)
    return replaced


def _archive() -> Path | None:
    """The folder of the archive; raises OSError where it is none, or lies among the bills."""
    if not settings.FINOPS_ARCHIVE_FOLDER:
        return None
    folder, bills = Path(settings.FINOPS_ARCHIVE_FOLDER).resolve(), product_files().work_folder("bills").resolve()
    if folder == bills or bills in folder.parents:
        raise OSError(_("FINOPS_ARCHIVE_FOLDER ({folder}) lies among the bills themselves.").format(folder=folder))
    if not folder.is_dir():
        raise OSError(_("there is no folder {folder} (FINOPS_ARCHIVE_FOLDER).").format(folder=folder))
    return folder


def _mark(delivery: Delivery, now: datetime, archive: Path | None) -> bool:
    """Writes down that the files go; False where the bill counts again, or is about to."""
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        ended = Delivery.objects.filter(pk=delivery.pk, status__in=ENDED, files_removed_at=None)
        moved_to = str(archive / str(delivery.pk)) if archive else ""
        marked = ended.exclude(months__is_current=True).update(files_removed_at=now, files_moved_to=moved_to)
    delivery.files_removed_at, delivery.files_moved_to = now, moved_to
    return bool(marked)


def _half_removed() -> list[Delivery]:
    """Deliveries that are marked and still have files here: their process was killed."""
    marked = Delivery.objects.exclude(files_removed_at=None).select_related("source")
    present = product_files().folders("bills")
    return [delivery for delivery in marked if str(delivery.pk) in present]


def _move_files(delivery: Delivery) -> None:
    """Puts the files into the archive, if there is one, and then deletes them; may be repeated at any point."""
    _archive_files(delivery)
    product_files().remove(delivery.place)


def _archive_files(delivery: Delivery) -> None:
    if delivery.files_moved_to:
        _copy_to_archive(delivery, Path(delivery.files_moved_to))


def _copy_to_archive(delivery: Delivery, target: Path) -> None:
    """Copies what is there; raises OSError, too, when a file as delivered is not what it was."""
    sums = {file.path: file.sha256 for file in delivery.files.all()}
    place = product_files()
    for name in place.list(delivery.place):
        inside, path = name.removeprefix(f"{delivery.place}/"), place.file_here(name)
        copy = target / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        half = copy.with_name(f"{copy.name}.part")
        shutil.copyfile(path, half)
        expected = sums.get(inside) or sha256(path)
        if sha256(half) != expected:
            half.unlink()
            raise OSError(_("{inside} is not what was delivered; it stays where it is").format(inside=inside))
        half.replace(copy)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    target.mkdir(parents=True, exist_ok=True)
    (target / "sha256sums.txt").write_text(lines)


def disk_use() -> dict[str, Any]:
    """Bytes as delivered: kept, those of them that no longer count, given up so far, and when that was last."""
    removed = Q(delivery__files_removed_at__isnull=False)
    figures = DeliveryFile.objects.aggregate(
        stored=Sum("bytes", filter=~removed),
        ended=Sum("bytes", filter=~removed & Q(delivery__status__in=ENDED)),
        removed=Sum("bytes", filter=removed),
    )
    last = Delivery.objects.exclude(files_removed_at=None).order_by("-files_removed_at").first()
    return {
        **{name: amount or 0 for name, amount in figures.items()},
        "last_removed_at": last.files_removed_at if last else None,
        "days": settings.FINOPS_KEEP_SUPERSEDED_DAYS,
    }


def pruning_words(pruning: PruneResult, *, dry_run: bool = False) -> str:
    if settings.FINOPS_KEEP_SUPERSEDED_DAYS <= 0:
        return "Everything is kept: FINOPS_KEEP_SUPERSEDED_DAYS is 0."
    verb = "Would remove" if dry_run else "Removed"
    days = counted(settings.FINOPS_KEEP_SUPERSEDED_DAYS, "day")
    if not pruning.removed:
        return f"No file of a bill that stopped counting is older than {days}."
    files = f"{counted(len(pruning.removed), 'delivery', 'deliveries')} ({filesizeformat(pruning.bytes)})"
    return f"{verb} the files of {files} that stopped counting {days} ago or earlier."
