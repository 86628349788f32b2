"""Connections read what there is: claimed by one worker, every day, with what they lack. Every door calls these."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.ingest.workspace import scratch_folder
from costs.sources.storage import hurried
from finops_site.celery import task
from finops_site.files.places import FilesUnreachable
from finops_site.lib.person import Person
from finops_site.lib.words import number_text
from finops_site.models import User
from usage.models import Connection
from usage.models.connections import listed
from usage.sources import aws_reading, azure_reading, google_reading
from usage.sources.collected_facts import Collection, ConnectionGone, store
from usage.sources.readings import CannotRead, Reading

State = Connection.State
READ = "usage.change_connection"
ABANDONED_AFTER = timedelta(hours=6)
# The night's evaluation begins later.
EARLIEST_HOUR = 1
MOST_PROBLEMS = 20
READERS: Mapping[str, Callable[[Reading], None]] = {
    Connection.Provider.AWS: aws_reading.read_aws,
    Connection.Provider.AZURE: azure_reading.read_azure,
    Connection.Provider.GOOGLE: google_reading.read_google,
}
TESTS: Mapping[str, Callable[[Connection], tuple[str, list[str], list[str]]]] = {
    Connection.Provider.AWS: aws_reading.missing_rights,
    Connection.Provider.AZURE: azure_reading.missing_rights,
    Connection.Provider.GOOGLE: google_reading.missing_rights,
}


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What a test of a connection came to; `missing` are the rights that are denied."""

    is_ok: bool
    words: str
    missing: Sequence[str] = ()

    def as_row(self) -> dict[str, object]:
        return {**asdict(self), "missing": list(self.missing)}


def try_connection(connection: Connection) -> TestOutcome:
    """Asks a little of each kind, in the first account and region; stores nothing. It need not be saved.

    Nothing is raised for what a person can mend: the answer says it.
    """
    try:
        with hurried():
            account, denied, problems = TESTS[connection.provider](connection)
    except CannotRead as problem:
        return TestOutcome(False, str(problem), [problem.right] if problem.right else [])
    except ValidationError as error:
        return TestOutcome(False, error.messages[0])
    if denied or problems:
        words = _("Account {account} answers, and not to everything.").format(account=account)
        return TestOutcome(False, " ".join([words, *problems[:3]]), list(dict.fromkeys(denied)))
    return TestOutcome(True, _("It works: account {account} answers to everything.").format(account=account))


def queue_reading(connection: Connection, person: Person) -> None:
    """Lets a worker read it now. Raises PermissionDenied."""
    if not person.has_perm(READ):
        raise PermissionDenied
    task("usage.tasks.read_connection").delay_on_commit(connection.pk, person.pk)


def due_connections(now: datetime) -> list[int]:
    """Those that nobody read today; what failed is tried again every three hours."""
    if now.hour < EARLIEST_HOUR:
        return []
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    not_today = Q(read_at=None) | Q(read_at__lt=midnight)
    failed = Q(state=State.FAILED, read_at__lt=now - timedelta(hours=3))
    rows = Connection.objects.filter(not_today | failed, _free(now), is_enabled=True)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _free(now: datetime) -> Q:
    return ~Q(state=State.RUNNING) | Q(started_at=None) | Q(started_at__lt=now - ABANDONED_AFTER)


def read(pk: int, now: datetime, person: User | None = None) -> bool:
    """Reads a connection and stores what it answers; whether it was this worker that did, and it is still there.

    What could not be read is written beside it: nothing of it counts as gone.
    """
    claimed = Connection.objects.filter(_free(now), pk=pk).update(state=State.RUNNING, started_at=now)
    connection = Connection.objects.select_related("credential").filter(pk=pk).first() if claimed else None
    if connection is None:
        return False
    ours = Connection.objects.filter(pk=pk, state=State.RUNNING, started_at=now)
    try:
        _read(connection, now, person)
    except ConnectionGone:
        return False
    except (CannotRead, FilesUnreachable) as problem:
        ours.update(state=State.FAILED, message=str(problem)[:2000], parts=[], read_at=now)
    except ValidationError as error:
        ours.update(state=State.FAILED, message=error.messages[0][:2000], parts=[], read_at=now)
    except Exception:
        words = _("Something went wrong on our side; the log says what.")
        ours.update(state=State.FAILED, message=words, parts=[], read_at=now)
        raise
    return True


def _read(connection: Connection, now: datetime, person: User | None) -> None:
    with scratch_folder(Path(settings.FINOPS_VAR) / "incoming" / f"connection-{uuid.uuid4().hex}") as folder:
        reading = Reading(connection, Collection(folder), now)
        READERS[connection.provider](reading)
        imports = store(reading.collection, connection, now.date(), person)
    parts = [
        {"part": part.label, "rows": part.rows, "problems": part.problems[:MOST_PROBLEMS]}
        for part in reading.parts.values()
    ]
    problems = sum(len(part.problems) for part in reading.parts.values())
    rows = sum(row.rows_read for row in imports)
    words = ngettext("{count} row read.", "{count} rows read.", rows).format(count=number_text(rows))
    if problems:
        words += " " + ngettext(
            "{count} question was not answered in full.", "{count} questions were not answered in full.", problems
        ).format(count=number_text(problems))
    Connection.objects.filter(pk=connection.pk, started_at=now).update(
        state=State.PARTLY if problems else State.DONE, message=words, parts=parts, read_at=now
    )


def normalised(text: str) -> str:
    """Accounts as they are kept: one a line, each once."""
    return "\n".join(listed(text))
