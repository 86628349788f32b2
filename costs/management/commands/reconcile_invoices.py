"""Compares the invoices of a month with the books; exits with 1 when one differs and is not explained."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from costs.calc.invoices import UNSETTLED
from costs.invoices.comparison import reconcile_invoices
from costs.models import Invoice
from costs.web.invoice_tables import INVOICE_STATES, invoice_rows
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput, PlainCommand

AMOUNTS = ("total", "invoiced", "books", "difference", "tolerance")


class Command(PlainCommand):
    help = "Compares the invoices of a month with the bills and prints each difference to the last digit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", required=True, help="the billing month: 2025-11")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = Month.parse(options["month"])
        except ValueError as error:
            raise BadInput(error) from None
        result = reconcile_invoices(Invoice.objects.filter(billing_month=month.start), month=month)
        rows = invoice_rows(result)
        figures = [
            {name: value for name, value in row.items() if name != "url"}
            | {name: exact_text(row[name]) for name in AMOUNTS}
            | {"billing_month": str(month)}
            for row in rows
        ]
        lines = [
            f"{INVOICE_STATES[row['state']][0]}: {row['invoice_id'] or row['issuer'] or 'no id'}, "
            f"{row['billing_account'] or 'no account'}: invoice {row['total']}, books {row['books']}, "
            f"difference {row['difference']} {row['currency']}. {row['note']}".replace("None", "unknown").rstrip()
            for row in figures
        ]
        unsettled = result.count(*UNSETTLED)
        lines.append(f"{len(result.invoices) - unsettled} of {len(result.invoices)} invoices need nothing.")
        answer = {"month": str(month), "unsettled": unsettled, "invoices": figures}
        self.answer(answer, "\n".join(lines), as_json=options["json"])
        if unsettled:
            raise CommandError(f"{unsettled} of {len(result.invoices)} invoices are to be explained.", returncode=1)
