"""Imports metrics, inventories and recommendations: ``manage.py load_usage_facts FILE...``."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from finops_site.ops.commands import BadInput, PlainCommand
from usage.sources.imports import CannotImport, receive


class Command(PlainCommand):
    help = "Imports metrics, inventories and providers' recommendations; what a file is is seen by its header."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = []
        for name in options["files"]:
            path = Path(name)
            if not path.is_file():
                raise BadInput(f"{name}: there is no such file.")
            try:
                row = receive(path, path.name)
            except CannotImport as error:
                raise BadInput(error) from None
            read = {"rows_read": row.rows_read, "rows_rejected": row.rows_rejected}
            rows.append({"file": name, "id": row.pk, "kind": row.kind, "layout": row.layout, **read})
        words = [
            f"{row['file']}: {row['layout']}, {row['rows_read']} rows read, {row['rows_rejected']} not." for row in rows
        ]
        self.answer(rows, "\n".join(words), as_json=options["json"])
