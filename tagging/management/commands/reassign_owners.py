"""Asks the ownership rules again of months that are loaded already."""

from argparse import ArgumentParser
from typing import Any

from finops_site.commands import BadInput, PlainCommand
from finops_site.periods import Month
from tagging import services


class Command(PlainCommand):
    help = "Names the owners of every current month anew by today's rules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", help="only this billing month: 2025-11")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = Month.parse(options["month"]) if options["month"] else None
        except ValueError as error:
            raise BadInput(error) from None
        done = [str(row) for row in services.reassign_owners(month)]
        self.answer({"reassigned": done}, f"Named the owners of {len(done)} months.", as_json=options["json"])
