"""Removes the demo company and leaves what is real."""

from argparse import ArgumentParser
from typing import Any

from finops_site.first_day import remove_demo
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = "Removes the demo company: its bills, people, teams and all that was made of them. What is real stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="say what would go and what would stay")

    def handle(self, *args: Any, **options: Any) -> None:
        if reason := remove_demo.why_not():
            raise BadInput(reason)
        rows = remove_demo.what_goes()
        figures = {label: {"goes": goes, "stays": stays} for label, goes, stays in rows}
        if not options["dry_run"]:
            remove_demo.remove_demo((lambda _: None) if options["json"] else self.stderr.write)
        lines = [
            f"{label}: {goes} {'would go' if options['dry_run'] else 'went'}, {stays} stay"
            for label, goes, stays in rows
        ]
        self.answer({"dry_run": options["dry_run"], "rows": figures}, "\n".join(lines), as_json=options["json"])
