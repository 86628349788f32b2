"""Proves that every layer of the cost data sums to the same; exits with 1 when one does not."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from costs.models import Delivery
from costs.reconciliation import current_totals, reconcile
from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Checks direct + shared + unowned = the bill, and every layer against the one before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", help="only this billing month: 2025-11")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = Month.parse(options["month"]) if options["month"] else None
        except ValueError as error:
            raise BadInput(error) from None
        checks, sums = reconcile(month), current_totals(month)
        without_files = Delivery.objects.exclude(files_removed_at=None).count()
        figures = {
            "green": all(c.holds for c in checks),
            "files_removed_by_retention": without_files,
            "checks": [c.figures() for c in checks],
            "totals": sums,
        }
        broken = [check for check in checks if not check.holds]
        lines = [f"{row['source']} {row['month']}: {row['billed_cost']} {row['currency']} billed" for row in sums]
        lines += [f"DIFFERS  {check.invariant} ({check.about}):\n  {check.left}\n  {check.right}" for check in broken]
        if without_files:
            lines.append(f"{without_files} deliveries that do not count: files removed by retention.")
        lines.append(f"{len(checks) - len(broken)} of {len(checks)} checks hold.")
        self.answer(figures, "\n".join(lines), as_json=options["json"])
        if broken:
            raise CommandError(f"{len(broken)} of {len(checks)} checks do not hold.", returncode=1)
