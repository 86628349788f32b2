"""The catalogs of translations from what the code says; translations stay, what is new waits for its translator."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from finops_site.lib.catalogs import compile_catalogs
from finops_site.ops.catalogs import wanted_catalogs
from finops_site.ops.commands import PlainCommand


class Command(PlainCommand):
    is_audited = False
    help = "Writes <app>/locale/<language>/LC_MESSAGES/django.po (and djangojs.po) anew, and compiles them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where one is not in step")
        parser.add_argument("--compile", action="store_true", help="only make the .mo files that the site reads")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["compile"]:
            compiled = [str(path) for path in compile_catalogs(settings.BASE_DIR)]
            self.answer({"compiled": compiled}, f"{len(compiled)} catalogs compiled.", as_json=options["json"])
            return
        files = wanted_catalogs(settings.BASE_DIR)
        behind = [file for file in files if not file.is_in_step]
        if options["check"] and behind:
            names = ", ".join(str(file.path.relative_to(settings.BASE_DIR)) for file in behind)
            raise CommandError(f"Not in step with the code: {names}. Run make_catalogs.")
        for file in behind:
            file.write()
        compile_catalogs(settings.BASE_DIR)
        rows = {
            str(file.path.relative_to(settings.BASE_DIR)): {
                "messages": file.messages,
                "untranslated": file.untranslated,
            }
            for file in files
        }
        words = [
            f"{name}: {row['messages']} messages, {row['untranslated']} not translated" for name, row in rows.items()
        ]
        self.answer(rows, "\n".join(words) or "No text is marked.", as_json=options["json"])
