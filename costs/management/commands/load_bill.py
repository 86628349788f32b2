"""Loads bills from this machine: the same way as the upload page, without a worker."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from costs.formats import NAMES
from costs.ingest.load import load_bill
from costs.ingest.receive import NotAllReceived, receive_bill
from costs.models import ConformanceResult, Delivery, Source
from costs.querysets import METRICS
from costs.versions.beside import neighbours_of
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Loads bills (files, folders or manifests) and prints what was read, to the last digit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder or a CUR manifest")
        parser.add_argument("--source", required=True, help="the name of the source the bill comes from")
        parser.add_argument("--month", help="the billing month, for bills without dates: 2025-11")
        parser.add_argument("--format", default="auto", choices=["auto", *NAMES])
        parser.add_argument("--mode", choices=Source.Mode.values, help="whether a delivery replaces its months")
        parser.add_argument("--currency", help="the currency of a bill that names none")
        parser.add_argument("--date-order", choices=Source.DateOrder.values, help="of dates like 03/04/2026")
        decimals = parser.add_mutually_exclusive_group()
        for mark in Source.DecimalMark.values:
            decimals.add_argument(
                f"--decimal-{mark}",
                action="store_const",
                const=mark,
                dest="decimal_mark",
                help=f"amounts like 1,234 have a decimal {mark}",
            )
        parser.add_argument("--bill-stopped", action="store_true", help="inventory: charge stopped machines too")
        parser.add_argument(
            "--accept", action="store_true", help="let it count however much it changes the version before it"
        )
        parser.add_argument(
            "--beside",
            type=int,
            action="append",
            default=[],
            metavar="DELIVERY",
            help="a delivery that it stands beside, with other rows of the same accounts and days; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        problems = []
        try:
            receipts = receive_bill(
                options["source"],
                [Path(path) for path in options["paths"]],
                month=Month.parse(options["month"]) if options["month"] else None,
                format=options["format"],
                mode=options["mode"],
                bill_stopped=options["bill_stopped"],
                currency=options["currency"],
                date_order=options["date_order"],
                decimal_mark=options["decimal_mark"],
                is_accepted=options["accept"],
                beside=options["beside"],
            )
        except NotAllReceived as error:
            receipts, problems = error.receipts, [f"Not loaded, for it is not complete: {error}"]
        except ValueError as error:
            raise BadInput(error) from None
        deliveries = []
        # Two exports may deliver the same file: it is one delivery.
        for receipt in {receipt.delivery.pk: receipt for receipt in reversed(receipts)}.values():
            waits = receipt.is_new or receipt.delivery.status == Delivery.Status.RECEIVED
            deliveries.append((load_bill(receipt.delivery) if waits else receipt.delivery, receipt.is_new))
        figures = [delivery_figures(delivery, is_new) for delivery, is_new in deliveries]
        words = "\n".join(delivery_in_words(delivery, is_new) for delivery, is_new in deliveries)
        self.answer(figures, words, as_json=options["json"])
        problems += [delivery.message for delivery, _ in deliveries if delivery.status == Delivery.Status.FAILED]
        if problems:
            raise BadInput(" ".join(problems))


def delivery_figures(delivery: Delivery, is_new: bool) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "source": delivery.source.name,
        "format": delivery.format,
        "provider": delivery.provider,
        "billing_months": delivery.billing_months,
        "rows_read": delivery.rows_read,
        "rows_loaded": delivery.rows_loaded,
        "rows_rejected": delivery.rows_rejected,
        "conformance": conformance_of(delivery),
        "totals": {code: {metric: sums.get(metric) for metric in METRICS} for code, sums in delivery.totals.items()},
        "status": delivery.status,
        "already_delivered": not is_new,
        "held_because": delivery.held_because,
        "message": delivery.message,
    }


def conformance_of(delivery: Delivery) -> dict[str, Any] | None:
    """The score, and the rules that its rows break; None for a bill that was not judged."""
    if not delivery.conformance:
        return None
    broken = delivery.conformance_results.filter(verdict=ConformanceResult.Verdict.BROKEN)
    rules = [{"rule": row.rule, "severity": row.severity, "rows": row.rows, "cost": row.cost} for row in broken]
    return {**delivery.conformance, "broken": rules}


def delivery_in_words(delivery: Delivery, is_new: bool) -> str:
    if delivery.status == Delivery.Status.FAILED:
        return f"{delivery}: not loaded."
    if delivery.status == Delivery.Status.EMPTY:
        return f"{delivery}: {delivery.message}"
    sums = ", ".join(f"{sums['billed_cost']} {code} billed" for code, sums in delivery.totals.items())
    before = "" if is_new else "was here already; "
    rows = f"{delivery.rows_loaded:,} of {counted(delivery.rows_read, 'row')}"
    months = ", ".join(delivery.billing_months)
    notes = delivery.message
    if delivery.status == Delivery.Status.HELD:
        held = ["Held:", *delivery.held_because, "Accept it on its page or load it with --accept."]
        if neighbours := neighbours_of(delivery):
            options = " ".join(f"--beside {row.delivery.pk}" for row in neighbours if row.stands_beside)
            held.append(f"If its rows are other rows, load it with {options}: both count.")
        notes = " ".join([*held, delivery.message])
    return f"{delivery}: {before}{rows} of {months}, {sums} ({delivery.status}). {notes}".strip()
