"""What our commands share: plain errors with exit code 2, and --json."""

import json
import re
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from finops_site.audit.context import as_acting
from finops_site.audit.events import record_safely
from finops_site.models import AuditEntry
from finops_site.people.reader_language import in_company_language

BAD_INPUT = 2


class BadInput(CommandError):
    """One line that says what is wrong with what the person gave; the command exits with 2."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()), returncode=BAD_INPUT)


class PlainCommand(BaseCommand):
    """A command that prints sentences for people, or with --json figures for programs."""

    requires_system_checks: list[str] = []
    # Whether a run of it is an entry of the audit log: not where it may have no database, or only looks.
    is_audited = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print figures as JSON, and nothing else")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Runs it; what it writes for nobody in particular is in the company's language."""
        name = type(self).__module__.rpartition(".")[2]
        with in_company_language(), as_acting("command", name):
            if self.is_audited:
                record_safely(
                    AuditEntry.Action.COMMAND_RUN, name=name, changes={"options": (None, _shown(args, options))}
                )
            return super().execute(*args, **options)

    def answer(self, figures: object, words: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) if as_json else words)


# What every command has, and what nobody should read.
NOT_TOLD = ("settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks", "verbosity", "json")
SECRET = re.compile("password|token|secret|key", re.IGNORECASE)


def _shown(args: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run as text, for the audit log."""
    shown = {
        name: "(hidden)" if SECRET.search(name) else str(value)[:500]
        for name, value in options.items()
        if name not in NOT_TOLD and value not in (None, False, [], "") and not hasattr(value, "write")
    }
    return shown | ({"args": [str(arg)[:500] for arg in args]} if args else {})
