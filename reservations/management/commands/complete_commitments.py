"""Completes owned commitments from the providers' own lists."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reservations.calc.commitment_lists import BadList
from reservations.inventory import provider_lists
from reservations.models import BuyingPolicy


class Command(BaseCommand):
    help = (
        "Completes owned commitments from lists of AWS, Azure or Google as files, or with --aws by asking AWS's API as "
        "whom the buying policy names. What a person wrote is never changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, help="answers of describe-reserved-instances and the like")
        parser.add_argument("--aws", action="store_true", help="ask AWS's API")
        parser.add_argument("--region", action="append", default=[], help="where to ask for reservations; repeatable")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["files"] and not options["aws"]:
            raise CommandError("Name a file, or --aws with at least one --region.")
        for path in options["files"]:
            try:
                self._say(path.name, provider_lists.load_list(path.read_text(encoding="utf-8-sig")))
            except (BadList, OSError, UnicodeDecodeError) as error:
                raise CommandError(f"{path.name}: {error} Nothing of it was loaded.") from None
        if options["aws"]:
            policy = BuyingPolicy.get()
            try:
                result = provider_lists.ask_aws(options["region"], policy.endpoint, policy.credential)
            except (provider_lists.CannotAsk, BadList) as error:
                raise CommandError(str(error)) from None
            self._say("AWS", result)

    def _say(self, name: str, result: provider_lists.ListResult) -> None:
        counts = f"{result.listed} listed, {result.new} new, {result.completed} completed."
        self.stdout.write(f"{name}: {counts} {result.words}".strip())
