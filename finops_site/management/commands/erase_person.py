"""Replaces the name and the address of a person by a pseudonym, wherever they are stored as text."""

from argparse import ArgumentParser
from typing import Any

from finops_site.models import User
from finops_site.ops.commands import BadInput, PlainCommand
from finops_site.people import erasure


class Command(PlainCommand):
    help = "Says where a person is named; with --erase replaces it, and ends her account for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email", help="the address that she signs in with")
        parser.add_argument("--erase", action="store_true", help="do it: there is no way back but a backup")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"]).first()
        if user is None:
            raise BadInput(f"nobody here has the address {options['email']}.")
        pseudonym, email = erasure.pseudonym_of(user), user.email
        try:
            traces = erasure.erase(user) if options["erase"] else erasure.find_traces(user)
        except erasure.ErasureProblem as problem:
            raise BadInput(problem) from None
        rows = [
            {"table": trace.table, "column": trace.column, "rows": trace.rows, "outcome": trace.outcome.value}
            for trace in traces
        ]
        figures = {"pseudonym": pseudonym, "erased": options["erase"], "places": rows}
        words = f"{email} {'is now' if options['erase'] else 'would become'} {pseudonym}:\n"
        words += "\n".join(f"  {row['table']}.{row['column']}: {row['rows']:,} rows, {row['outcome']}" for row in rows)
        words += "" if options["erase"] else "\nNothing was changed: --erase does it."
        self.answer(figures, words, as_json=options["json"])
