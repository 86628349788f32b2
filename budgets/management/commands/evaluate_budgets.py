"""``manage.py evaluate_budgets``: a night by hand."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils import timezone

from budgets.evaluation import evaluate
from budgets.evaluation.evaluate import Report
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Judges every active budget as of a day: what is crossed, which alerts open, which messages are queued."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", help="the day, like 2026-03-15; today without it")
        parser.add_argument("--dry-run", action="store_true", help="show the night and write nothing")

    def handle(self, *args: Any, as_of: str | None, dry_run: bool, json: bool, **options: Any) -> None:
        now = timezone.now()
        reports = evaluate.evaluate_all(_day(as_of) if as_of else now.date(), now=now, dry_run=dry_run)
        last = reports[-1]
        figures = last.as_json() | {
            "nights": [report.as_of.isoformat() for report in reports],
            "alerts_made": sum(report.alerts_made for report in reports),
            "mails_queued": sum(report.mails_queued for report in reports),
        }
        self.answer(figures, "\n".join(_words(report) for report in reports), as_json=json)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--as-of: {text!r} is not a day: write it like 2026-03-15.") from None


def _words(report: Report) -> str:
    lines = [
        f"  {each['budget']}: {each['kind']} {each['threshold']} {'%' if each['unit'] == 'percent' else each['unit']}: "
        f"{each['value']} of {each['limit']} {each['currency']}"
        for each in report.crossings
    ]
    would = "would be " if report.dry_run else ""
    sums = f"{report.alerts_made} alerts {would}made, {report.mails_queued} messages {would}queued"
    head = f"{report.as_of}: {report.budgets} budgets, {len(report.crossings)} crossings, {sums}"
    return "\n".join([head, *lines])
