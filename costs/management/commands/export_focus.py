"""Writes a billing month of all sources as FOCUS 1.2, 1.3 or 1.4."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from costs import focus_export
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Writes the bills of a month as FOCUS (CSV or Parquet) and prints rows and exact totals."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", required=True, help="the billing month: 2025-11")
        parser.add_argument("--focus-version", default="1.2", help="1.2, 1.3 or 1.4")
        parser.add_argument("--out", required=True, help="the file: .csv, .csv.gz or .parquet")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["out"]).resolve()
        try:
            written = focus_export.write_month(Month.parse(options["month"]), path, options["focus_version"])
        except ValueError as error:
            raise BadInput(error) from None
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror or error}") from None
        sums = ", ".join(f"{sums['billed_cost']} {code} billed" for code, sums in written.totals.items())
        words = f"{path}: {counted(written.rows, 'row')} of {options['month']}, {sums}."
        if written.filled:
            names = ", ".join(name.replace("_", " ") for name in written.filled)
            words += f" The bills leave open, and the file fills: {names}."
        words = " ".join([words, *written.notes])
        self.answer({"file": str(path), **written.figures()}, words, as_json=options["json"])
