"""The place of this installation's files, as FINOPS_FILES names it; FINOPS_VAR where it names none."""

import logging
import time
import uuid
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from finops_site.files.places import Bucket, FilesUnreachable, Place, open_store, place_of, plainly

logger = logging.getLogger(__name__)

# What is in the place, beside what a host keeps for itself below FINOPS_VAR.
FOLDERS = ("bills", "exports", "usage-facts")
HURRIED = {"connect_timeout": "2s", "timeout": "3s"}


def product_files() -> Place:
    """Where all hosts keep the files of the product."""
    var = Path(settings.FINOPS_VAR)
    # A cluster sees the bucket itself, and no copy of a host.
    copies = settings.FINOPS_FILES_COPIES_GB if settings.FINOPS_CHARGES_ENGINE == "duckdb" else -1
    return _place(settings.FINOPS_FILES or str(var), var, copies)


@lru_cache(maxsize=8)
def _place(address: str, var: Path, gigabytes: float) -> Place:
    return place_of(address, var=var, copies_limit=round(gigabytes * 1024**3))


def forget_place() -> None:
    """For tests: another environment has other credentials."""
    _place.cache_clear()


def place_at(address: str) -> Place:
    """A place that may become that of the product. Raises ValueError where it can be none."""
    return place_of(address, var=Path(settings.FINOPS_VAR), copies_limit=0)


def probe(*, writes: bool = False) -> float:
    """Asks the place for an answer, or to take and give back a file; returns how many seconds that took.

    Raises FilesUnreachable, or OSError for a folder that cannot be written to, within a few seconds.
    """
    place, begin = product_files(), time.monotonic()
    name = f"probes/{uuid.uuid4().hex}"
    if isinstance(place, Bucket):
        memory = place.address.startswith("memory://")
        store = place.store if memory else open_store(place.address, HURRIED, retries=0)
        with plainly(place.address):
            if writes:
                store.put(name, name.encode())
                answer = bytes(store.get(name).bytes())
                store.delete(name)
                if answer != name.encode():
                    raise FilesUnreachable(f"{place.address} gave back something else than it took.")
            else:
                store.list_with_delimiter("probes")
    elif writes:
        path = place.work_folder(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_text(name)
        finally:
            path.unlink(missing_ok=True)
    else:
        folder = place.work_folder("")
        next(folder.iterdir(), None) if folder.exists() else folder.parent.stat()
    return time.monotonic() - begin
