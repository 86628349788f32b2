"""Recomputes tag compliance."""

from argparse import ArgumentParser
from typing import Any

from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput, PlainCommand
from tagging.policy import compliance


class Command(PlainCommand):
    help = "Recomputes the tag compliance of charge months from the cost lines and the policy."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", help="only this charge month: 2025-11")
        parser.add_argument("--stale", action="store_true", help="only months whose bills or policy have changed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            only = [Month.parse(options["month"])] if options["month"] else None
        except ValueError as error:
            raise BadInput(error) from None
        rebuilt = compliance.refresh_compliance(only=only, force=not options["stale"])
        figures = [{"month": str(row.month), "resources": row.resources, "decisions": row.decisions} for row in rebuilt]
        lines = [f"{row.month}: {row.resources:,} rows by {row.decisions:,} decisions" for row in rebuilt]
        self.answer(figures, "\n".join(lines) or "Nothing to do.", as_json=options["json"])
