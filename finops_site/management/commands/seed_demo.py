"""Makes the demo organisation: its people, then the bills and rules each pillar brings."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils import timezone

from finops_site.first_day import remove_demo
from finops_site.models import DemoCompany, Team, User
from finops_site.ops.commands import BadInput, PlainCommand
from finops_site.people import demo


class Command(PlainCommand):
    help = "Makes a believable organisation to try the product with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there is anybody already")
        parser.add_argument(
            "--with-commitments",
            action="store_true",
            help="add a second organisation that owns commitments, also to a demo that is there already",
        )
        parser.add_argument("--as-of", help="the day the demo ends before: 2025-11-23 (today)")

    def handle(self, *args: Any, **options: Any) -> None:
        half_made = DemoCompany.objects.filter(removed_at=None).exclude(ids_before={}).first()
        was_removed = DemoCompany.objects.exclude(removed_at=None).exists()
        if options["if_empty"] and not half_made and (User.objects.exists() or was_removed):
            return
        others = User.objects.exclude(email__endswith=f"@{demo.DOMAIN}").count()
        if others:
            raise BadInput(f"there are {others} people who are not the demo's: it is made in an empty site only.")
        as_of, demo_password = _day(options["as_of"]), demo.password()
        progress: list[str] = []
        write = progress.append if options["json"] else self.stderr.write
        if half_made:
            write("the demo was left half made: it is made anew")
            remove_demo.remove_half_made(half_made)
        switches = ["commitments"] if options["with_commitments"] else []
        adds = bool(switches) and User.objects.exists()
        demo.make_demo(write, as_of=as_of, demo_password=demo_password, switches=switches, adds=adds)
        figures = {"people": User.objects.count(), "teams": Team.objects.count(), "as_of": as_of.isoformat()}
        words = f"The demo organisation stands: {figures['people']} people in {figures['teams']} teams."
        self.answer(figures | {"said": progress}, words, as_json=options["json"])


def _day(text: str | None) -> date:
    if not text:
        return timezone.now().date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is not a day: write it like 2025-11-23") from None
