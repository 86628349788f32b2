"""Trying a source before anything is loaded: what lies there, or which right is missing, for page, API and admin."""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from costs.charges.layouts import Package, packages
from costs.charges.read_bill import NoCharges, read_bill
from costs.formats.base import BadBill, Options
from costs.ingest.workspace import limited_duckdb, scratch_folder
from costs.models import Source
from costs.sources.kinds import storage_of
from costs.sources.storage import Storage, StorageProblem, hurried
from costs.sources.sync import read_manifest
from finops_site.lib.periods import Month, moment_text
from finops_site.lib.words import counted, number_text
from finops_site.translation import gettext_lazy as _lazy

Result = TypeVar("Result")

MOST_LISTED = 20_000
MOST_READ_BYTES = 32 << 20
# What each kind of place needs, by what failed.
RIGHTS = {
    (Source.Kind.S3, "connect"): (
        _lazy(
            "sts:AssumeRole: the role's trust policy must name whoever runs this site, with the external "
            "id of the credential."
        )
    ),
    (Source.Kind.S3, "list"): (
        _lazy(
            "s3:ListBucket on arn:aws:s3:::{bucket}. Give it to the role or the user by the policy "
            "below, and look whether the bucket's own policy denies it."
        )
    ),
    (Source.Kind.S3, "read"): (
        _lazy(
            "s3:GetObject on arn:aws:s3:::{bucket}/{prefix}*. Give it by the policy below; a bucket that "
            "is encrypted with a key of your own needs kms:Decrypt on that key, too."
        )
    ),
    (Source.Kind.AZURE, "list"): (
        _lazy(
            "to list the container {bucket}: make a SAS token with the permissions rl (read and list) "
            "that is still valid, and have an administrator write it into the credential. A firewall of "
            "the storage account denies too."
        )
    ),
    (Source.Kind.AZURE, "read"): _lazy("to read blobs of {bucket}: the SAS token needs the permission r beside l."),
    (Source.Kind.GCS, "list"): (
        _lazy(
            "storage.objects.list on gs://{bucket}: give the service account roles/storage.objectViewer "
            "by the command below."
        )
    ),
    (Source.Kind.GCS, "read"): (
        _lazy(
            "storage.objects.get on gs://{bucket}: give the service account roles/storage.objectViewer "
            "by the command below."
        )
    ),
    (Source.Kind.FOLDER, "list"): _lazy(
        "to read the folder: give the user that runs this site the right to read and enter."
    ),
    (Source.Kind.FOLDER, "read"): _lazy("to read its files: give the user that runs this site the right to read them."),
}
WORDS = {
    "connect": _lazy("The connection could not be made."),
    "list": _lazy("Nothing could be listed."),
    "read": _lazy("What is listed could not be read."),
}


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """What a test found. `missing` is the right that is missing, empty where none is or nobody knows.

    `files` counts what was listed, `bills` what would be fetched. The rest is about the newest of them: its name, its
    format and its billing months, empty where it is too big to be looked into.
    """

    is_ok: bool
    words: str
    missing: str = ""
    files: int = 0
    bills: int = 0
    newest: str = ""
    written_at: str = ""
    format: str = ""
    months: tuple[str, ...] = ()
    rows: int | None = None

    def as_row(self) -> dict[str, object]:
        return {**asdict(self), "months": list(self.months)}


class _StepProblem(Exception):
    def __init__(self, step: str, problem: StorageProblem) -> None:
        self.step, self.problem = step, problem


def try_connection(source: Source) -> ConnectionTest:
    """Lists the source's place and looks into its newest bill, as far as a few seconds allow; loads and keeps nothing.

    The source need not be saved. Nothing is raised for what a person can mend: the answer says it.
    """
    if not source.is_fetched:
        return ConnectionTest(False, _("There is nothing to connect to: people deliver the bills of this source."))
    try:
        with hurried(), scratch_folder(Path(settings.FINOPS_VAR) / "incoming" / f"test-{uuid.uuid4().hex}") as folder:
            return _look(source, folder)
    except _StepProblem as refused:
        right = RIGHTS.get((Source.Kind(source.kind), refused.step), "") if refused.problem.is_denied else ""
        missing = right.format(bucket=source.bucket, prefix=source.prefix)
        return ConnectionTest(False, f"{WORDS[refused.step]} {refused.problem}", missing)
    except ValidationError as error:
        return ConnectionTest(False, error.messages[0])


def _look(source: Source, folder: Path) -> ConnectionTest:
    storage = _step("connect", lambda: storage_of(source))
    entries = _step("list", lambda: list(islice(storage.listing(), MOST_LISTED)))
    if not entries:
        words = (
            _("It can be listed, and nothing lies below {prefix} yet: a first export may take a day.").format(
                prefix=source.prefix
            )
            if source.prefix
            else _("It can be listed, and nothing lies there yet: a first export may take a day.")
        )
        return ConnectionTest(True, words)
    bills, problems = _step("read", lambda: packages(entries, lambda key: read_manifest(storage, key, folder)))
    files = counted(len(entries), "file")
    if len(entries) == MOST_LISTED:
        files = _("{files} or more").format(files=files)
    if not bills:
        words = (
            _("It can be listed, and no bill is among {files}. {names}")
            .format(files=files, names=" ".join(problems))
            .strip()
        )
        return ConnectionTest(False, words, files=len(entries))
    by_key = {entry.key: entry for entry in entries}
    newest = max(bills, key=lambda bill: max(by_key[key].modified for key in bill.keys))
    written = max(by_key[key].modified for key in newest.keys)
    look = _read(source, storage, newest, sum(by_key[key].size for key in newest.keys), folder)
    counts = _("{files}, {bills} to fetch").format(files=files, bills=counted(len(bills), "bill"))
    about = _("The newest, {newest}, was written {written}: {words}").format(
        newest=newest.name, written=moment_text(written), words=look.words
    )
    return ConnectionTest(
        is_ok=not look.is_bad,
        words=(_("It can be read: {counts}. {about}") if look.is_bad else _("It works: {counts}. {about}")).format(
            counts=counts, about=about
        ),
        files=len(entries),
        bills=len(bills),
        newest=newest.name,
        written_at=written.isoformat(),
        format=look.format,
        months=look.months,
        rows=look.rows,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """What is in a bill; `is_bad` where it cannot be read as one."""

    words: str
    is_bad: bool = False
    format: str = ""
    months: tuple[str, ...] = ()
    rows: int | None = None


def _read(source: Source, storage: Storage, bill: Package, size: int, folder: Path) -> _Look:
    if size > MOST_READ_BYTES:
        return _Look(
            _("with {size} MB it is too big to be looked into here.").format(size=number_text(size // (1 << 20)))
        )
    files = []
    for number, key in enumerate(bill.keys):
        path = folder / str(number) / key.rpartition("/")[2][-200:]
        path.parent.mkdir()
        _step("read", partial(storage.fetch, key, path))
        files.append((key, path))
    stated: dict[str, Any] = {
        name: getattr(source, name) or None for name in ("currency", "date_order", "decimal_mark")
    }
    scratch = folder / "scratch"
    scratch.mkdir()
    try:
        with limited_duckdb(scratch) as db:
            contents = read_bill(
                db,
                files,
                target=folder / "charges",
                scratch=scratch,
                options=Options(**stated, view=bill.view),
                format_name=bill.format or source.format or "auto",
                limit=settings.BILL_MAX_BYTES,
            )
    except NoCharges as error:
        return _Look(str(error))
    except BadBill as error:
        return _Look(str(error), is_bad=True)
    months = tuple(dict.fromkeys(str(Month.of(month.billing_month)) for month in contents.months))
    rows = counted(contents.rows_read, "row")
    return _Look(f"{contents.format}, {rows}, {', '.join(months)}.", False, contents.format, months, contents.rows_read)


def _step(step: str, take: Callable[[], Result]) -> Result:
    """Does a step of the test; a problem of the storage says in which it came."""
    try:
        return take()
    except StorageProblem as problem:
        raise _StepProblem(step, problem) from None
    except PermissionError:
        raise _StepProblem(step, StorageProblem(_("It may not be read."), is_denied=True)) from None
