"""Writes the database and the bills into one file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from finops_site.ops import backups
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Writes the database and the bills into one file, which is there only when it is whole."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help="where to: /backups/tuesday.finops")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backup = backups.make_backup(Path(options["file"]), timezone.now())
        except backups.BackupProblem as problem:
            raise BadInput(problem) from None
        words = f"{backup.path}: the database and {backup.files:,} files of bills, {backup.bytes:,} bytes."
        self.answer(backup.figures(), words, as_json=options["json"])
