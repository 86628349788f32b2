"""Proves that every layer of the books sums to the same; exits with 1 when one does not."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from costs import reconciliation
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
        checks, sums = reconciliation.reconcile(month), reconciliation.totals(month)
        figures = {"green": all(c.holds for c in checks), "checks": [c.figures() for c in checks], "totals": sums}
        self.answer(figures, _words(checks, sums), as_json=options["json"])
        broken = [check for check in checks if not check.holds]
        if broken:
            raise CommandError(f"{len(broken)} of {len(checks)} checks do not hold.", returncode=1)


def _words(checks: list[reconciliation.Check], sums: list[dict[str, Any]]) -> str:
    lines = [f"{row['source']} {row['month']}: {row['billed_cost']} {row['currency']} billed" for row in sums]
    for check in checks:
        if not check.holds:
            lines.append(f"DIFFERS  {check.invariant} ({check.about}):\n  {check.left}\n  {check.right}")
    held = sum(check.holds for check in checks)
    return "\n".join([*lines, f"{held} of {len(checks)} checks hold."])
