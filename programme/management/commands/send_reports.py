"""``manage.py send_reports``: what schedules of reports send up to the end of a day, by hand."""

from argparse import ArgumentParser
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from finops_site.ops.commands import BadInput, PlainCommand
from programme.models import ReportSchedule
from programme.reports import runs


class Command(PlainCommand):
    help = "Lists the schedules of reports with what is due up to a day, makes it and queues its mails: each once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", help="the day, like 2026-03-15; now without it")
        parser.add_argument("--schedule", help="of this name alone; all without it")
        parser.add_argument("--dry-run", action="store_true", help="list what is due, make and send nothing")

    def handle(
        self, *args: Any, as_of: str | None, schedule: str | None, dry_run: bool, json: bool, **options: Any
    ) -> None:
        moment = moment_of(as_of, timezone.now())
        if moment > timezone.now() and not dry_run:
            raise BadInput(f"--as-of: {as_of} is not over: only --dry-run looks ahead.")
        if schedule and not ReportSchedule.objects.filter(name=schedule).exists():
            raise BadInput(f"--schedule: there is no schedule {schedule!r}.")
        names = [schedule] if schedule else None
        made = queued = 0
        if not dry_run:
            made, queued = runs.make_due_of(moment, names)
        rows = [row.as_json() for row in runs.list_due(moment, names)]
        figures = {
            "as_of": moment.isoformat(),
            "dry_run": dry_run,
            "schedules": rows,
            "runs_made": made,
            "mails_queued": queued,
        }
        lines = [f"{moment:%Y-%m-%d %H:%M} UTC: {len(rows)} schedules, {made} runs made, {queued} messages queued"]
        lines += [line_of(row) for row in rows]
        self.answer(figures, "\n".join(lines), as_json=json)


def moment_of(as_of: str | None, now: datetime) -> datetime:
    """The end of the day, or now where that is today. Raises BadInput."""
    if not as_of:
        return now
    try:
        day = date.fromisoformat(as_of)
    except ValueError:
        raise BadInput(f"--as-of: {as_of!r} is not a day: write it like 2026-03-15.") from None
    if day == now.astimezone(UTC).date():
        return now
    return datetime.combine(day, time(), UTC) + timedelta(days=1, seconds=-1)


def line_of(row: dict[str, Any]) -> str:
    due = f"due {row['due_at']}, about {row['from']} to {row['to']}" if row["due_at"] else "nothing due"
    to = ", ".join(row["recipients"]) or "nobody"
    return f"  {row['name']} ({row['kind']}): {due}: {row['state']}; to {to}; next {row['next_due'] or 'never'}"
