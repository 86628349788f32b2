"""Bills that come through a browser or the API: saved under harmless names, checked, received, queued."""

import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from costs.charges import files, text_files, zips
from costs.charges.bill_files import csv_sheet, price_list_of
from costs.charges.bundles import find_bundles
from costs.formats import detect
from costs.formats.base import BadBill, Options
from costs.ingest.receive import Receipt, receive_bill
from costs.ingest.workspace import full_disk_as_bad_bill, scratch_folder
from finops_site.celery import task
from finops_site.lib.periods import Month
from finops_site.models import User

# With the number that `receive` puts in front it must fit into the 255 bytes of a file system.
MAX_NAME_BYTES = 200


def deliver(
    uploaded: Sequence[UploadedFile],
    source_name: str,
    *,
    user: User,
    month: Month | None = None,
    format: str = "auto",
    currency: str | None = None,
    one: bool = False,
    **options: Any,
) -> list[Receipt]:
    """Receives uploaded files as bills and queues their loads; all of them or, with BadBill, none.

    Takes the options of `receive_bill`. What a header shows is checked here, before anything is queued.
    With `one`, files that are several bills (each manifest is one) are refused.
    """
    incoming = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    with full_disk_as_bad_bill(), scratch_folder(incoming):
        paths = _save_files(uploaded, incoming / "files")
        bundles, _ignored = find_bundles(paths)
        if one and len(bundles) > 1:
            raise BadBill(
                _("These files are {count} bills: send each by itself, a manifest together with its files.").format(
                    count=len(bundles)
                )
            )
        for path in (path for bundle in bundles for path in bundle.files):
            if path not in paths:
                # A manifest may name any file above its folder; only what came with it is the sender's to deliver.
                raise BadBill(
                    _("{path}: the manifest names this file, but it was not delivered with it.").format(path=path.name)
                )
            _check_header(path, incoming / "head", Options(month=month, currency=currency), format)
        with transaction.atomic():
            receipts = receive_bill(
                source_name, paths, user=user, month=month, format=format, currency=currency, **options
            )
            for receipt in receipts:
                if receipt.is_new:
                    task("costs.tasks.load_delivery").delay_on_commit(receipt.delivery.pk)
        return receipts


def too_big(uploaded: Sequence[UploadedFile]) -> str:
    """Why these files cannot be taken together; empty when they can."""
    size, limit = sum(file.size or 0 for file in uploaded), settings.BILL_MAX_UPLOAD_BYTES
    if size <= limit:
        return ""
    return _(
        "That is {size}; at most {limit} can be uploaded at once. Deliver a "
        "bigger bill as CSV.gz or Parquet, or load it on the server with load_bill."
    ).format(size=filesizeformat(size), limit=filesizeformat(limit))


def safe_name(name: str) -> str:
    """The last part of a file's name without what cannot be printed, short enough for any disk, its ending kept."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(char for char in last if char.isprintable()).strip().lstrip(".") or "bill"
    return plain if len(plain.encode()) <= MAX_NAME_BYTES else f"{plain[:24]}…{plain[-20:]}"


def _save_files(uploaded: Sequence[UploadedFile], folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    paths: list[Path] = []
    for number, file in enumerate(uploaded, start=1):
        path = folder / safe_name(file.name or "")
        if path.exists():
            path = folder / f"{number}-{path.name}"
        if hasattr(file, "temporary_file_path"):
            # A rename where it lies on the same disk: big bills are not written twice.
            shutil.move(file.temporary_file_path(), path)
        else:
            with path.open("wb") as target:
                target.writelines(file.chunks())
        paths.append(path)
    return paths


def _check_header(path: Path, head: Path, options: Options, format_name: str) -> None:
    text, name = path, path.name
    if files.kind(text, name) == "zip":
        text, name = head, zips.head_of(path, head, name)
    if files.kind(text, name) == "gzip":
        unpacked = head.with_suffix(".text")
        files.head_of_gzip(text, unpacked, name, limit=settings.BILL_MAX_BYTES)
        text = unpacked
    if files.kind(text, name) != "csv":
        return
    try:
        _ignored, sheet = csv_sheet(text, name, options)
    except BadBill:
        if text_files.in_windows_1252(text, name, limit=settings.BILL_MAX_BYTES):
            # It is written anew as it loads, and judged then.
            return
        raise
    if price_list_of(sheet):
        return
    detected = detect(sheet, wanted=format_name, file=name)
    if detected.needs_month and options.month is None:
        raise BadBill(
            _("{name}: {detected} has no dates; say which month it is for.").format(name=name, detected=detected.title)
        )
