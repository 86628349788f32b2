"""Writes the database and the bills into one file, or makes the backup of the schedule now."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from finops_site.lib.sealed import new_key
from finops_site.models import Backup
from finops_site.ops import backups, scheduled_backups
from finops_site.ops.commands import BadInput, PlainCommand

# A line for so many per cent.
STEP = 10


class Command(PlainCommand):
    help = "Writes the database and the bills into one file, which is there only when it is whole."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file", nargs="?", help="where to: /backups/tuesday.finops; without it FINOPS_BACKUP_TARGET"
        )
        parser.add_argument("--new-key", action="store_true", help="print a key for FINOPS_BACKUP_KEY, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(new_key())
        elif options["file"]:
            self._write(Path(options["file"]), as_json=options["json"])
        else:
            self._make_scheduled(as_json=options["json"])

    def _write(self, path: Path, *, as_json: bool) -> None:
        try:
            backup = backups.make_backup(path, timezone.now(), self._tell)
        except backups.BackupProblem as problem:
            raise BadInput(problem) from None
        words = f"{backup.path}: the database and {backup.files:,} files of bills, {backup.bytes:,} bytes."
        self.answer(backup.figures(), words, as_json=as_json)

    def _make_scheduled(self, *, as_json: bool) -> None:
        if not settings.FINOPS_BACKUP_TARGET:
            raise BadInput("say where to, or set FINOPS_BACKUP_TARGET.")
        row = scheduled_backups.back_up(timezone.now())
        if row is None:
            raise BadInput("a backup is being made already.")
        if row.state != Backup.State.DONE:
            raise BadInput(row.problem)
        figures = {"path": row.path, "bytes": row.bytes, "made_at": row.made_at.isoformat(timespec="seconds")}
        self.answer(figures, f"{row.path}: {row.bytes:,} bytes.", as_json=as_json)

    last_line = 0

    def _tell(self, percent: int) -> None:
        """How far it is, for whoever sits there; a program reads nothing of it."""
        if percent - self.last_line >= STEP and sys.stderr.isatty():
            self.last_line = percent
            self.stderr.write(f"  {percent}%")
