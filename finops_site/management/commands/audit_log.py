"""Prints the audit log as JSON lines, or verifies its chain."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime

from finops_site.audit import chain
from finops_site.audit.lines import as_dict, as_line
from finops_site.models import AuditEntry
from finops_site.ops.commands import BadInput, PlainCommand

AT_ONCE = 2_000


class Command(PlainCommand):
    help = "Prints the audit log, a JSON object a line, the oldest first; --verify counts its chain anew."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--since", help="entries from this day or moment on: 2026-03-01, 2026-03-01T12:00+00:00")
        parser.add_argument("--after", type=int, help="sealed entries behind this number")
        parser.add_argument("--who", help="entries of this person's address")
        parser.add_argument("--model", help="entries about rows of this kind: budgets.budget")
        parser.add_argument("--verify", action="store_true", help="seal what waits, and count the chain anew; exit 1")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verify"]:
            self.verify(options["json"])
        else:
            self.print_entries(options)

    def verify(self, as_json: bool) -> None:
        chain.seal()
        result = chain.verify()
        words = result.problem or f"{result.entries:,} entries, all as they were sealed; the last is {result.number:,}."
        figures = {"entries": result.entries, "number": result.number, "hash": result.hash, "problem": result.problem}
        self.answer(figures, words, as_json=as_json)
        if result.problem:
            raise SystemExit(1)

    def print_entries(self, options: dict[str, Any]) -> None:
        rows = AuditEntry.objects.order_by("id")
        if options["since"]:
            rows = rows.filter(at__gte=moment(options["since"]))
        if options["after"] is not None:
            rows = rows.filter(number__gt=options["after"]).order_by("number")
        if options["who"]:
            rows = rows.filter(who__iexact=options["who"])
        if options["model"]:
            rows = rows.filter(model=options["model"].lower())
        for entry in rows.iterator(AT_ONCE):
            self.stdout.write(as_line(entry) if options["json"] else plain(entry))


def moment(text: str) -> datetime:
    """A day or a moment; raises BadInput."""
    try:
        day = parse_date(text)
        result = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(text)
    except ValueError:
        result = None
    if result is None:
        raise BadInput(f"--since: {text!r} is no day and no moment: write 2026-03-01 or 2026-03-01T12:00+00:00.")
    return result if result.tzinfo else result.replace(tzinfo=UTC)


def plain(entry: AuditEntry) -> str:
    row = as_dict(entry)
    about = " ".join(filter(None, (entry.model, entry.object_pk, entry.name)))
    return f"{row['at'][:19]} {entry.who or '-'} {entry.door}:{entry.through} {entry.action} {about}".rstrip()
