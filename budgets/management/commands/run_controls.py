"""``manage.py run_controls``: what the schedule does for controls every minute, by hand."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from budgets.calc.controls import rules as control_rules
from budgets.controls.approvals import withdrawal_reason
from budgets.controls.role_access import role_objection
from budgets.models import ControlChangeSet
from budgets.tasks import run_controls
from finops_site.ops.commands import PlainCommand


class Command(PlainCommand):
    help = "Begins what armed controls proposed, ends time boxes, lets old proposals expire, takes up lost work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")

    def handle(self, *args: Any, dry_run: bool, json: bool, **options: Any) -> None:
        now, lines = timezone.now(), []
        rows = ControlChangeSet.objects.select_related("control__budget", "control__threshold")
        for row in rows.filter(state=control_rules.PROPOSED, is_automatic=True, expires_at__gt=now):
            if row.control.is_armed(now) and not withdrawal_reason(row, now):
                lines.append(("armed", row, role_objection(row) or "runs by itself"))
        for row in rows.filter(state__in=control_rules.IN_FORCE, ends_at__lte=now, undo_mailed_at=None):
            lines.append(("time is over", row, "is undone by role" if row.by_role else "is to be undone by hand"))
        for row in rows.filter(state__in=control_rules.OPEN):
            if row.expires_at <= now:
                lines.append(("old", row, "expires"))
            elif reason := withdrawal_reason(row, now):
                lines.append(("not wanted any more", row, f"expires: {reason}"))
        figures = [{"change_set": row.pk, "title": row.title, "state": what, "what": text} for what, row, text in lines]
        if not dry_run:
            run_controls()
        texts = [f"{what}: change set {row.pk}, {row.title}: {text}" for what, row, text in lines]
        self.answer({"dry_run": dry_run, "change_sets": figures}, "\n".join(texts) or "Nothing is due.", as_json=json)
