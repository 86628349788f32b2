"""Backups that make themselves: when one is due it is written, brought to the target, and older ones go by the rule.

Beat asks every hour (finops_site.tasks.back_up_if_due). A row that runs keeps a second one from beginning; one whose
worker died is taken for failed when it was silent for so long.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from finops_site.lib.backup_ages import StoredBackup, moment_of, name_of, no_longer_kept, read_keep_rule
from finops_site.models import Backup
from finops_site.ops.backup_targets import Target, TargetProblem, target_of
from finops_site.ops.backups import BackupProblem, Progress, backup_keys, write_backup
from finops_site.ops.heartbeats import is_silent

SILENT_FOR = timedelta(minutes=15)
HEARD_EVERY = timedelta(seconds=5)
# Beat asks at fixed minutes: one that began a moment later yesterday is due today all the same.
SLACK = timedelta(minutes=30)
DIED = "its worker died, or was stopped."


def back_up_if_due(now: datetime) -> Backup | None:
    """Makes the backup that is due, and has those go that are no longer kept; None where none is due."""
    if not settings.FINOPS_BACKUP_TARGET or not is_due(now):
        return None
    return back_up(now)


def is_due(now: datetime) -> bool:
    every = timedelta(hours=settings.FINOPS_BACKUP_EVERY)
    made = Backup.objects.filter(is_scheduled=True, state=Backup.State.DONE)
    # One that was made by a clock which was set back since says nothing about today.
    return not made.filter(made_at__gt=now - every + SLACK, made_at__lte=now + SLACK).exists()


def back_up(now: datetime) -> Backup | None:
    """Makes one now; None where one is being made. What goes wrong is noted, and is on Health."""
    row = _begin(now)
    if row is None:
        return None
    try:
        target, keys = target_of(settings.FINOPS_BACKUP_TARGET), backup_keys()
        if not keys and not target.is_here:
            raise BackupProblem("what leaves this machine is encrypted: FINOPS_BACKUP_KEY is not set.")
        row.is_encrypted = bool(keys)
        with scratch_folder("backup") as folder:
            made = write_backup(folder / name_of(now), now, keys, _noting(row))
            target.put(made.path, made.path.name)
        _prove(target, made.path.name, made.bytes)
        row.bytes, row.state, row.percent = made.bytes, Backup.State.DONE, 100
    except (BackupProblem, TargetProblem, OSError) as problem:
        row.state, row.problem = Backup.State.FAILED, " ".join(str(problem).split())[:1000]
    row.heard_at = timezone.now()
    row.save()
    if row.state == Backup.State.DONE:
        remove_old(target)
    return row


def remove_old(target: Target) -> list[str]:
    """Removes what the rule keeps no longer; files that no backup of ours is named like stay. Returns their names."""
    there = target.sizes()
    noted = {row.path: row for row in Backup.objects.filter(is_scheduled=True)}
    stored = []
    for name, size in there.items():
        made_at, row = moment_of(name), noted.get(f"{target.address}/{name}")
        if made_at:
            # One that is not noted here was made before this database came out of a backup.
            stored.append(StoredBackup(name, made_at, is_good=size == row.bytes if row else size > 0))
    gone = [backup.name for backup in no_longer_kept(stored, read_keep_rule(settings.FINOPS_BACKUP_KEEP))]
    for name in gone:
        target.remove(name)
        Backup.objects.filter(path=f"{target.address}/{name}").update(state=Backup.State.REMOVED)
    return gone


@contextmanager
def scratch_folder(what: str) -> Iterator[Path]:
    """A folder beside the bills, which goes at the end; one that a killed worker left goes first."""
    root = Path(settings.FINOPS_VAR)
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(f"scratch-{what}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"scratch-{what}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _begin(now: datetime) -> Backup | None:
    running = Backup.objects.filter(state=Backup.State.RUNNING)
    running.filter(is_silent("heard_at", now, SILENT_FOR)).update(state=Backup.State.FAILED, problem=DIED)
    path = f"{settings.FINOPS_BACKUP_TARGET.rstrip('/')}/{name_of(now)}"
    try:
        with transaction.atomic():
            return Backup.objects.create(
                made_at=now, path=path[:1000], state=Backup.State.RUNNING, is_scheduled=True, percent=0, heard_at=now
            )
    except IntegrityError:
        return None


def _noting(row: Backup) -> Progress:
    """Notes how far a backup is, every few seconds: its sign of life."""

    def note(percent: int) -> None:
        now = timezone.now()
        if now - row.heard_at >= HEARD_EVERY:
            row.percent, row.heard_at = percent, now
            row.save(update_fields=["percent", "heard_at"])

    return note


def _prove(target: Target, name: str, size: int) -> None:
    there = target.sizes().get(name)
    if there != size:
        raise TargetProblem(f"{target.address} has {there} bytes of {name}, and {size} were written.")
