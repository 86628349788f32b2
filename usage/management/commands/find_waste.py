"""Judges every resource by the rules of usage, and prints what could cost less; the same as every night."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils import timezone

from finops_site.lib.money import exact_text, formatted
from finops_site.ops.commands import BadInput, PlainCommand
from usage.findings.evaluate import CannotEvaluate, Result, RuleSum, evaluate


class Command(PlainCommand):
    help = "Judges every resource by bills, metrics and inventories, and stores what could cost less."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", help="by what was known on this day: 2026-03-15 (today)")
        parser.add_argument("--dry-run", action="store_true", help="store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = evaluate(read_day(options["as_of"]), dry_run=options["dry_run"])
        except CannotEvaluate as error:
            raise BadInput(error) from None
        self.answer(as_figures(result), as_words(result), as_json=options["json"])


def read_day(text: str | None) -> date:
    """A day like 2026-03-15; today without one. Raises BadInput."""
    today = timezone.now().date()
    try:
        day = date.fromisoformat(text) if text else today
    except ValueError:
        raise BadInput(f"--as-of: {text!r} is not a day: write it like 2026-03-15.") from None
    if day > today:
        raise BadInput(f"--as-of: {day} is in the future.")
    return day


def as_figures(result: Result) -> dict[str, Any]:
    """The result as programs read it: money as exact decimal text for an average month; unknown is no amount."""
    outcome = result.outcome
    return {
        "as_of": str(result.as_of),
        "first_day": str(result.first_day or ""),
        "last_day": str(result.last_day or ""),
        "resources": result.resources,
        "findings": result.findings,
        "rules": [
            {
                "rule": line.rule,
                "currency": line.currency,
                "findings": line.findings,
                "counted_saving": exact_text(line.counted_saving),
                "unknown_savings": line.unknown,
            }
            for line in result.sums
        ],
        "notes": result.notes,
        "stored": None
        if outcome is None
        else {name: getattr(outcome, name) for name in ("new", "renewed", "back", "reopened", "gone")},
    }


def amount_text(line: RuleSum) -> str:
    """What the findings of a rule save a month; one that is not known is not zero."""
    if line.counted_saving is None:
        return "saving unknown"
    return f"{formatted(line.counted_saving, line.currency)} {line.currency} a month"


def as_words(result: Result) -> str:
    lines = [
        f"{line.rule}: {line.findings:,} findings, {amount_text(line)}"
        + (f", {line.unknown:,} of unknown saving" if line.unknown and line.counted_saving is not None else "")
        for line in result.sums
    ]
    outcome = result.outcome
    what = (
        "Nothing was stored."
        if outcome is None
        else f"{outcome.new:,} new, {outcome.renewed:,} as before, {outcome.back:,} back, "
        f"{outcome.reopened:,} reopened, {outcome.gone:,} gone."
    )
    days = f"{result.first_day} to {result.last_day}" if result.first_day else "no days"
    return "\n".join(
        [*lines, *result.notes, f"{result.resources:,} resources of {days}: {result.findings:,} findings. {what}"]
    )
