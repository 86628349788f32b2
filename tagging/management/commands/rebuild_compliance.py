"""Works tag compliance out anew."""

from argparse import ArgumentParser
from typing import Any

from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput, PlainCommand
from tagging.policy import compliance


class Command(PlainCommand):
    help = "Works the tag compliance of charge months out anew from the cost lines and the policy."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", help="only this charge month: 2025-11")
        parser.add_argument("--stale", action="store_true", help="only months whose books or policy have changed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            only = [Month.parse(options["month"])] if options["month"] else None
        except ValueError as error:
            raise BadInput(error) from None
        built = compliance.refresh_compliance(only=only, force=not options["stale"])
        figures = [
            {"month": str(each.month), "resources": each.resources, "decisions": each.decisions} for each in built
        ]
        words = "\n".join(f"{each.month}: {each.resources:,} rows by {each.decisions:,} decisions" for each in built)
        self.answer(figures, words or "Nothing to do.", as_json=options["json"])
