"""The command line as a door of the audit log: what a command of anybody's writes is written by that command."""

from django.core.management import BaseCommand, ManagementUtility

from finops_site.audit.context import as_acting

# They change nothing, or only what is not there yet: the tables.
NOT_NOTED = {
    *("help", "version", "check", "migrate", "makemigrations", "showmigrations", "sqlmigrate", "collectstatic"),
    *(
        "prepare_database",
        "runserver",
        "test",
        "testserver",
        "diffsettings",
        "compilemessages",
        "makemessages",
        "spectacular",
    ),
}


class CommandLine(ManagementUtility):
    """Says who acts, and notes that a command ran which does not note it itself (ops/commands.py): shell, flush, ..."""

    def execute(self) -> None:
        with as_acting("command", self.argv[1] if len(self.argv) > 1 else ""):
            super().execute()

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        if subcommand not in NOT_NOTED and not hasattr(command, "is_audited"):
            from finops_site.audit.events import record_safely
            from finops_site.models import AuditEntry

            record_safely(AuditEntry.Action.COMMAND_RUN, name=subcommand)
        return command
