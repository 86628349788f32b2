"""Brings a backup back into an empty installation, and proves the books."""

import io
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError

from finops_site.ops import backups
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Brings back what `backup` wrote, then checks the books; exits with 1 when they do not hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help="what backup wrote")
        parser.add_argument("--replace", action="store_true", help="even if there is something here already")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = backups.restore(Path(options["file"]), replace=options["replace"])
        except backups.BackupProblem as problem:
            raise BadInput(problem) from None
        checks, holds = _check_books()
        held = sum(check["holds"] for check in checks)
        words = f"Restored the backup of {done['made_at']}: {done['files']:,} files of bills, the database."
        words += f" {held} of {len(checks)} checks of the books hold."
        words += f" The bills that were here are in {done['kept_aside']}." if done["kept_aside"] else ""
        figures = done | {"checks": len(checks), "checks_that_hold": held, "green": holds}
        self.answer(figures, words, as_json=options["json"])
        if not holds:
            raise CommandError("the books do not hold: see check_books.", returncode=1)


def _check_books() -> tuple[list[dict[str, Any]], bool]:
    """What `check_books` finds; the ground floor knows it by name only."""
    said = io.StringIO()
    try:
        call_command("check_books", json=True, stdout=said)
    except CommandError:
        return json.loads(said.getvalue())["checks"], False
    return json.loads(said.getvalue())["checks"], True
