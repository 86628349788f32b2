"""What our commands share: plain errors with exit code 2, and --json."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from finops_site.people.reader_language import in_company_language

BAD_INPUT = 2


class BadInput(CommandError):
    """One line that says what is wrong with what the person gave; the command exits with 2."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()), returncode=BAD_INPUT)


class PlainCommand(BaseCommand):
    """A command that prints sentences for people, or with --json figures for programs."""

    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print figures as JSON, and nothing else")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Runs it; what it writes for nobody in particular is in the company's language."""
        with in_company_language():
            return super().execute(*args, **options)

    def answer(self, figures: object, words: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) if as_json else words)
