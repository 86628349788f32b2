"""Gives up the files of bills that stopped counting long ago; the same as every night."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from costs import retention
from finops_site.lib.words import counted
from finops_site.ops.commands import PlainCommand


class Command(PlainCommand):
    help = "Removes or archives files of bills that stopped counting FINOPS_KEEP_SUPERSEDED_DAYS ago."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        try:
            pruning = retention.prune_files(timezone.now(), dry_run=dry_run)
        except OSError as error:
            raise CommandError(str(error)) from None
        removed = [
            {"id": row.delivery.pk, "source": row.delivery.source.name, "bytes": row.bytes} for row in pruning.removed
        ]
        figures = {
            "dry_run": dry_run,
            "removed": removed,
            "bytes": pruning.bytes,
            "problems": list(pruning.problems.values()),
            "disk": {**retention.disk_use(), "last_removed_at": str(retention.disk_use()["last_removed_at"] or "")},
        }
        lines = [f"{row.delivery}: {row.bytes:,} bytes" for row in pruning.removed]
        words = "\n".join([*lines, *pruning.problems.values(), retention.pruning_words(pruning, dry_run=dry_run)])
        self.answer(figures, words, as_json=options["json"])
        if pruning.problems:
            left = counted(len(pruning.problems), "delivery was left as it is", "deliveries were left as they are")
            raise CommandError(f"{left}.", returncode=1)
