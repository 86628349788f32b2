"""``manage.py evaluate_budgets``: a night by hand."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils import timezone

from budgets.evaluation.evaluate import NightReport, evaluate_nights
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Evaluates every active budget as of a day: breached thresholds, opened alerts and queued messages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", help="the day, like 2026-03-15; today without it")
        parser.add_argument("--dry-run", action="store_true", help="show the night and write nothing")

    def handle(self, *args: Any, as_of: str | None, dry_run: bool, json: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            day = date.fromisoformat(as_of) if as_of else now.date()
        except ValueError:
            raise BadInput(f"--as-of: {as_of!r} is not a day: write it like 2026-03-15.") from None
        reports = evaluate_nights(day, now=now, dry_run=dry_run)
        figures = reports[-1].as_json() | {
            "nights": [report.as_of.isoformat() for report in reports],
            "alerts_made": sum(report.alerts_made for report in reports),
            "mails_queued": sum(report.mails_queued for report in reports),
        }
        self.answer(figures, "\n".join(report_text(report) for report in reports), as_json=json)


def report_text(report: NightReport) -> str:
    """A night in words: the counts, and a line for each breach."""
    lines = []
    for breach in report.crossings:
        unit = "%" if breach["unit"] == "percent" else breach["unit"]
        value, limit = breach["value"], f"{breach['limit']} {breach['currency']}"
        lines.append(f"  {breach['budget']}: {breach['kind']} {breach['threshold']} {unit}: {value} of {limit}")
    would = "would be " if report.dry_run else ""
    counts = f"{report.alerts_made} alerts {would}opened, {report.mails_queued} messages {would}queued"
    head = f"{report.as_of}: {report.budgets} budgets, {len(report.crossings)} breaches, {counts}"
    return "\n".join([head, *lines])
