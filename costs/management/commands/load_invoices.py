"""Loads invoices from CSV: all of them, or none and the reasons."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from costs.calc import invoice_csv
from costs.invoices.records import SignedAlready, upsert_invoices
from costs.models import Source
from finops_site.ops.commands import BadInput, PlainCommand

SHOWN_PROBLEMS = 20


class Command(PlainCommand):
    help = "Loads providers' invoices (CSV: billing_account, billing_month, currency, total ...) and prints how many."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("path", metavar="FILE")
        parser.add_argument("--decimal-mark", choices=[".", ","], default="", help="where the file does not show it")
        parser.add_argument("--source", default="", help="the source that brings the bills of these accounts")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["path"])
        try:
            text = invoice_csv.decode_csv(path.read_bytes())
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}.") from None
        except ValueError as error:
            raise BadInput(f"{path.name}: {error}") from None
        source = Source.objects.filter(name=options["source"]).first() if options["source"] else None
        if options["source"] and source is None:
            raise BadInput(f"There is no source named {options['source']!r}.")
        read = invoice_csv.read_invoices(text, decimal_mark=options["decimal_mark"])
        if not read.is_good:
            raise BadInput(f"{path.name}: {'; '.join(map(str, read.problems[:SHOWN_PROBLEMS]))} Nothing was saved.")
        try:
            result = upsert_invoices(read.rows, user=None, now=timezone.now(), source=source)
        except SignedAlready as error:
            raise BadInput(f"{path.name}: {error}") from None
        figures = {"new": result.new, "changed": result.changed, "same": result.same, "ignored_columns": read.ignored}
        self.answer(figures, f"Invoices: {result}.", as_json=options["json"])
