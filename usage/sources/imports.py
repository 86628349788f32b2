"""Files of facts as they come in: kept as received, read into Parquet, withdrawn. Every door calls these."""

import hashlib
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.ingest.workspace import limited_duckdb
from finops_site.files.places import FilesUnreachable
from finops_site.files.product import product_files
from finops_site.lib.person import Person
from finops_site.models import User
from usage.calc.fact_json import BadFacts
from usage.calc.fact_layouts import Reject
from usage.calc.fact_reading import MOST_BYTES, FactFile, read_facts
from usage.models import FactImport
from usage.sources.carbon_rows import store_carbon

FOLDER = "usage-facts"
CHUNK_BYTES = 2**20
MOST_NAME, MOST_LAYOUT = 200, 60


class CannotImport(ValueError):
    """A file cannot be taken; the message names it and says what to do."""


def receive(path: Path, name: str, person: User | None = None) -> FactImport:
    """Keeps a file and reads it; the same file again is refused with the import that has it. Raises CannotImport.

    What cannot be read as a whole is refused and not kept; rows that cannot be read are listed and the rest counts.
    """
    if path.stat().st_size == 0:
        raise CannotImport(_("{name} is empty.").format(name=name))
    if path.stat().st_size > MOST_BYTES:
        raise CannotImport(
            _("{name} is larger than {most} MB: part it by account or month.").format(
                name=name, most=MOST_BYTES // 2**20
            )
        )
    digest = _digest(path)
    _refuse_again(digest, name)
    today = timezone.now().date()
    try:
        with tempfile.TemporaryDirectory() as folder, limited_duckdb() as db:
            parquet = Path(folder) / f"{digest}.parquet"
            facts = read_facts(db, path, name, parquet, today)
            product_files().put(path, f"{FOLDER}/{digest}.received")
            if parquet.exists():
                product_files().put(parquet, f"{FOLDER}/{digest}.parquet")
            row = _store(db, facts, digest, name, person, today)
    except BadFacts as error:
        raise CannotImport(str(error)) from None
    except FilesUnreachable as error:
        raise CannotImport(str(error)) from error
    except IntegrityError:
        _refuse_again(digest, name)
        raise
    return row


def receive_upload(upload: UploadedFile, person: User) -> FactImport:
    """The same of a file that came through a browser or the API."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
        return receive(path, upload.name or "", person)


def _refuse_again(digest: str, name: str) -> None:
    same = FactImport.objects.filter(sha256=digest).exclude(state__in=AGAIN).first()
    if same:
        raise CannotImport(
            _("{name} is here already: it was imported as {source}.").format(name=name, source=same.source)
        )


GONE = (FactImport.State.WITHDRAWN,)
# What counts no more may be imported again: the newer of two inventories was the wrong one.
AGAIN = (*GONE, FactImport.State.REPLACED)


@transaction.atomic
def _store(
    db: duckdb.DuckDBPyConnection, facts: FactFile, digest: str, name: str, person: User | None, today: date
) -> FactImport:
    row = FactImport.objects.create(
        kind=facts.kind,
        layout=facts.layout[:MOST_LAYOUT],
        source=name[:MOST_NAME],
        state=FactImport.State.CURRENT,
        sha256=digest,
        path=f"{FOLDER}/{digest}.received",
        parquet=f"{FOLDER}/{digest}.parquet",
        rows_read=facts.rows_read,
        rows_rejected=facts.rows_rejected,
        first_day=facts.first_day,
        last_day=facts.last_day,
        accounts=[list(account) for account in facts.accounts],
        rejects=[[one.line, one.column, one.reason, one.value] for one in facts.rejects],
        made_by=person,
    )
    if facts.kind == FactImport.Kind.INVENTORY:
        _replace_older(row, set(facts.accounts))
    if facts.kind == FactImport.Kind.CARBON:
        store_carbon(db, row)
    return row


def _replace_older(row: FactImport, accounts: set[tuple[str, str]]) -> None:
    """An inventory replaces older ones of its layout whose accounts it all has: what left is in the older alone."""
    alike = FactImport.objects.filter(kind=row.kind, layout=row.layout, connection=None, state=FactImport.State.CURRENT)
    older = alike.exclude(pk=row.pk)
    replaced = [one.pk for one in older if {(pair[0], pair[1]) for pair in one.accounts} <= accounts]
    FactImport.objects.filter(pk__in=replaced).update(state=FactImport.State.REPLACED)


def withdraw(person: Person, row: FactImport) -> None:
    """It counts no more from the next evaluation on; the file is kept. Raises CannotImport."""
    if not person.has_perm("usage.change_factimport"):
        raise CannotImport(_("Your role withdraws no imports."))
    if row.state in GONE:
        raise CannotImport(_("It is withdrawn already."))
    row.state = FactImport.State.WITHDRAWN
    row.save(update_fields=["state"])


def rejects_of(row: FactImport) -> Iterator[Reject]:
    """The rows that were not read, the first thousand."""
    for line, column, reason, value in row.rejects:
        yield Reject(line, column, reason, value)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
