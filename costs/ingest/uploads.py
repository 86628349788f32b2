"""Bills that come through a browser or the API: put away under harmless names, looked at, received, queued."""

import errno
import re
import shutil
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.template.defaultfilters import filesizeformat

from costs import queues
from costs.charges import files
from costs.formats import detect
from costs.formats.base import BadBill, Options, Sheet, quoted
from costs.ingest.receive import Receipt, receive_bill
from finops_site.lib.periods import Month
from finops_site.lib.person import Person

# With the number that `receive` puts in front it must fit into the 255 bytes of a file system.
MAX_NAME_BYTES = 200
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def deliver(
    uploaded: Sequence[UploadedFile],
    source_name: str,
    *,
    user: Person,
    month: Month | None = None,
    format: str = "auto",
    currency: str | None = None,
    one: bool = False,
    **options: Any,
) -> list[Receipt]:
    """Receives uploaded files as bills and queues their loads; all of them or, with BadBill, none.

    Takes the options of `receive_bill`. What can be told from a header is told here, before anything is queued.
    With `one`, files that are several bills (each manifest is one) are refused.
    """
    folder = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    try:
        paths = _put_away(uploaded, folder / "files")
        bundles = files.bundles(paths)
        if one and len(bundles) > 1:
            raise BadBill(f"These files are {len(bundles)} bills: send each manifest with its files by itself.")
        for bundle in bundles:
            _came_along(bundle, paths)
            for path in bundle.files:
                _check_header(path, folder / "head", Options(month=month, currency=currency), format)
        with transaction.atomic():
            found = receive_bill(
                source_name, paths, user=user, month=month, format=format, currency=currency, **options
            )
            for received in found:
                if received.is_new:
                    transaction.on_commit(partial(queues.load, received.delivery))
        return found
    except OSError as error:
        if error.errno in FULL_DISK:
            raise BadBill("The disk is full: free some space and try again. Nothing was changed.") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def too_big(uploaded: Sequence[UploadedFile]) -> str:
    """Why these files cannot be taken together; empty when they can."""
    size, limit = sum(file.size or 0 for file in uploaded), settings.BILL_MAX_UPLOAD_BYTES
    if size <= limit:
        return ""
    return (
        f"That is {filesizeformat(size)}; at most {filesizeformat(limit)} can be uploaded at once. "
        "Deliver a bigger bill as CSV.gz or Parquet, or load it on the server with load_bill."
    )


def safe_name(name: str) -> str:
    """The last part of a file's name without what cannot be printed, short enough for any disk, its ending kept."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(char for char in last if char.isprintable()).strip().lstrip(".") or "bill"
    return plain if len(plain.encode()) <= MAX_NAME_BYTES else f"{plain[:24]}…{plain[-20:]}"


def _put_away(uploaded: Sequence[UploadedFile], folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    paths: list[Path] = []
    for number, file in enumerate(uploaded, start=1):
        path = folder / safe_name(file.name or "")
        if path.exists():
            path = folder / f"{number}-{path.name}"
        _save(file, path)
        paths.append(path)
    return paths


def _save(file: UploadedFile, path: Path) -> None:
    if hasattr(file, "temporary_file_path"):
        # A rename where it lies on the same disk: big bills are not written twice.
        shutil.move(file.temporary_file_path(), path)
        return
    with path.open("wb") as target:
        for chunk in file.chunks():
            target.write(chunk)


def _came_along(bundle: files.Bundle, paths: Sequence[Path]) -> None:
    """A manifest may name any file above its folder; only what came with it is the sender's to deliver."""
    for path in bundle.files:
        if path not in paths:
            raise BadBill(f"{path.name}: the manifest names this file, but it was not delivered with it.")


def _check_header(path: Path, head: Path, options: Options, wanted: str) -> None:
    text = path
    if files.kind(path, path.name) == "gzip":
        files.head_of_gzip(path, head, path.name, limit=settings.BILL_MAX_BYTES)
        text = head
    if files.kind(text, path.name) != "csv":
        return
    columns = files.csv_layout(text, path.name).columns
    sheet = Sheet({column: quoted(column) for column in columns}, options)
    found = detect(sheet, wanted=wanted, file=path.name)
    if found.needs_month and options.month is None:
        raise BadBill(f"{path.name}: {found.title} has no dates; say which month it is for.")
