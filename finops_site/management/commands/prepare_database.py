"""Brings the database to this version, and says how far it is: a new one takes a while."""

import sys
from typing import Any, TextIO

from django.core.management import BaseCommand, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEGINS = "  Applying "
# A line for so much of it.
STEP = 10


class Progress:
    """Listens to what `migrate` writes, and writes a line for each tenth of the migrations, with what is being made."""

    def __init__(self, out: TextIO, total: int) -> None:
        self.out, self.total = out, total
        self.begun, self.last_percent = 0, 0

    def write(self, text: str) -> None:
        if not text.startswith(BEGINS):
            return
        percent = 100 * self.begun // self.total
        self.begun += 1
        if self.begun == 1 or percent - self.last_percent >= STEP:
            self.last_percent = percent
            app = text.removeprefix(BEGINS).partition(".")[0]
            self.out.write(f"  {percent}%, {self.begun} of {self.total}: tables of {app}\n")
            self.out.flush()

    def flush(self) -> None:
        self.out.flush()


class Command(BaseCommand):
    help = "Applies the migrations that are missing, with progress."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        total = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        # What `migrate` writes beside that is its own; errors reach the caller as they are.
        call_command("migrate", verbosity=1, no_color=True, stdout=Progress(sys.stderr, total))
