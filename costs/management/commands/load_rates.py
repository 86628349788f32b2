"""Loads exchange rates from CSV, the ECB's format included."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from costs.calc import exchange_rates
from costs.query import currency_conversion
from finops_site.lib.words import counted
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Loads exchange rates (CSV: date or month, base, quote, rate; or the ECB's) and prints how many."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("paths", nargs="+", metavar="PATH")
        parser.add_argument("--source", default="", help="who published them, where the file does not name it")

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for path in map(Path, options["paths"]):
            try:
                rates = exchange_rates.parse(path.read_text("utf-8-sig"))
            except exchange_rates.BadRates as error:
                raise BadInput(f"{path.name}: {error}") from None
            except (OSError, UnicodeDecodeError) as error:
                raise BadInput(f"{path}: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}.") from None
            count += currency_conversion.load_rates(rates, options["source"])
        self.answer(
            {"rates": count, "currencies": currency_conversion.currencies()},
            f"{counted(count, 'rate')}.",
            as_json=options["json"],
        )
