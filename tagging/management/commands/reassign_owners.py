"""Asks the ownership rules again of months that are loaded already."""

from argparse import ArgumentParser
from typing import Any

from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput, PlainCommand
from tagging.ownership import rule_application


class Command(PlainCommand):
    help = "Tags and owns every open month anew by today's virtual tags and rules; closed months stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", help="only this billing month: 2025-11")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = Month.parse(options["month"]) if options["month"] else None
        except ValueError as error:
            raise BadInput(error) from None
        done = list(rule_application.reallocate_open_months([month] if month else None))
        said = f"Named the owners of {len(done)} months; {sum(each.lines for each in done):,} lines changed."
        figures = {"reassigned": [str(each.row) for each in done], "lines": sum(each.lines for each in done)}
        self.answer(figures, said, as_json=options["json"])
