"""Applies the ownership rules and virtual tags again to months that are loaded already."""

from argparse import ArgumentParser
from typing import Any

from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.ops.commands import BadInput, PlainCommand
from tagging.ownership import rule_application


class Command(PlainCommand):
    help = "Applies today's virtual tags and ownership rules to every open month; closed months stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", help="only this billing month: 2025-11")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = Month.parse(options["month"]) if options["month"] else None
        except ValueError as error:
            raise BadInput(error) from None
        months = list(rule_application.reallocate_open_months([month] if month else None))
        lines = sum(reallocated.lines for reallocated in months)
        text = f"Reallocated {counted(len(months), 'month')}; {counted(lines, 'line')} changed."
        figures = {"reassigned": [str(reallocated.row) for reallocated in months], "lines": lines}
        self.answer(figures, text, as_json=options["json"])
