"""Brings a backup back beside the site, proves its books, and throws it away."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from finops_site.models import RestoreDrill
from finops_site.ops.commands import BadInput, PlainCommand
from finops_site.ops.restore_drill import run_drill


class Command(PlainCommand):
    help = "Tries the newest backup in a scratch database and folder; exits with 1 when it does not come back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file", nargs="?", default="", help="a certain backup: a file, or its address at the target"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        drill = run_drill(timezone.now(), options["file"])
        if drill is None:
            raise BadInput("a drill runs already.")
        figures = {"path": drill.path, "outcome": drill.outcome, "summary": drill.summary}
        self.answer(figures, f"{drill.path}: {drill.summary}", as_json=options["json"])
        if drill.outcome != RestoreDrill.Outcome.DONE:
            raise CommandError("the backup did not come back.", returncode=1)
