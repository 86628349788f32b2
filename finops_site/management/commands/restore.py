"""Brings a backup back into an empty installation, and proves the books."""

import io
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError

from finops_site.audit.events import record_safely
from finops_site.models import AuditEntry
from finops_site.ops.backup_targets import TargetProblem, split_address
from finops_site.ops.backups import BackupProblem
from finops_site.ops.commands import BadInput, PlainCommand
from finops_site.ops.restore import restore_backup
from finops_site.ops.scheduled_backups import scratch_folder


class Command(PlainCommand):
    # Before it there may be no table to write to, and what was written would be replaced.
    is_audited = False
    help = "Brings back what `backup` wrote, then checks the books; exits with 1 when they do not hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help="what backup wrote: a file, or its address at the target (s3://…)")
        parser.add_argument("--replace", action="store_true", help="even if there is something here already")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = self._restore(options["file"], replace=options["replace"])
        except (BackupProblem, TargetProblem) as problem:
            raise BadInput(problem) from None
        record_safely(AuditEntry.Action.COMMAND_RUN, name="restore", changes={"options": (None, options["file"])})
        # The ground floor knows this command by its name only.
        output, holds = io.StringIO(), True
        try:
            call_command("check_books", json=True, stdout=output)
        except CommandError:
            holds = False
        checks = json.loads(output.getvalue())["checks"]
        held = sum(check["holds"] for check in checks)
        words = f"Restored the backup of {done['made_at']}: {done['files']:,} files of bills, the database."
        words += f" {held} of {len(checks)} checks of the books hold."
        words += f" The bills that were here are in {done['kept_aside']}." if done["kept_aside"] else ""
        figures = done | {"checks": len(checks), "checks_that_hold": held, "green": holds}
        self.answer(figures, words, as_json=options["json"])
        if not holds:
            raise CommandError("the books do not hold: see check_books.", returncode=1)

    def _restore(self, file: str, *, replace: bool) -> dict[str, Any]:
        if "://" not in file:
            return restore_backup(Path(file), replace=replace)
        target, name = split_address(file)
        with scratch_folder("restore") as folder:
            target.fetch(name, folder / name)
            return restore_backup(folder / name, replace=replace)
