"""Throws the rollups away and sums them again from the cost lines; with --lines, the lines from the charges first."""

from argparse import ArgumentParser
from typing import Any

from costs.charges.build_cost_lines import charges_sql
from costs.ingest.republish import republish_month
from costs.ingest.rollups import roll_up, sum_by_invoice
from costs.ingest.workspace import limited_duckdb
from costs.models import DeliveryMonth
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Rebuilds the rollups of every current month, or of one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", help="only this billing month: 2025-11")
        parser.add_argument("--lines", action="store_true", help="make the cost lines anew from the charges, too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = Month.parse(options["month"]) if options["month"] else None
        except ValueError as error:
            raise BadInput(error) from None
        publications = DeliveryMonth.objects.current().select_related("delivery__source").order_by("billing_month")
        rows = list(publications.filter(billing_month=month.start) if month else publications)
        for row in rows:
            if options["lines"]:
                republish_month(row)
            else:
                roll_up(row)
                with limited_duckdb() as db:
                    sum_by_invoice(db, charges_sql(row.charges_glob), row)
        done = [str(row) for row in rows]
        self.answer({"rebuilt": done}, f"Rebuilt {counted(len(done), 'month')}.", as_json=options["json"])
