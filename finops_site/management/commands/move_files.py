"""Copies the files of this installation to another place, so that several hosts may use them."""

import sys
from argparse import ArgumentParser
from typing import Any

from finops_site.files.move import move_files
from finops_site.files.product import place_at, product_files
from finops_site.lib.words import counted
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = (
        "Copies the files of bills, exports and imports to another place and reads each back; those here stay. "
        "Stopped or repeated, it sends what is missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--to", required=True, help="a folder, s3://bucket/folder, gs:// or az://")
        parser.add_argument("--from", dest="source", default="", help="where they are; by default FINOPS_FILES")
        parser.add_argument("--compare", action="store_true", help="send nothing, and say what is missing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            source = place_at(options["source"]) if options["source"] else product_files()
            target = place_at(options["to"])
            if source.address == target.address:
                raise BadInput(f"the files are at {target.address} already.")
            move = move_files(source, target, self._tell, only_compare=options["compare"])
        except (OSError, ValueError) as error:
            raise BadInput(error) from None
        if not move.is_done:
            raise BadInput(
                f"{counted(len(move.differ), 'file')} of {move.files} not the same, such as {move.differ[0]}."
            )
        figures = {"from": source.address, "to": target.address, "files": move.files, "bytes": move.bytes}
        words = (
            f"{target.address} has all {counted(move.files, 'file')} ({move.bytes:,} bytes), of which {move.sent} were "
            f"sent now; each was read back. Set FINOPS_FILES={target.address} for every process, and start them again."
        )
        self.answer({**figures, "sent": move.sent}, words, as_json=options["json"])

    def _tell(self, number: int, count: int, name: str) -> None:
        if sys.stderr.isatty() and number % 100 == 0:
            self.stderr.write(f"  {number} of {count}: {name}")
