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
            made = backups.make(Path(options["file"]), timezone.now())
        except backups.BackupProblem as problem:
            raise BadInput(problem) from None
        words = f"{made.path}: the database and {made.files:,} files of bills, {made.bytes:,} bytes."
        self.answer(made.figures(), words, as_json=options["json"])
