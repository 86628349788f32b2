"""Where work on a bill takes place: a scratch folder, a DuckDB that spills into it, a disk that may be full."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from django.conf import settings
from django.utils.translation import gettext as _

from costs.charges.duckdb_session import duckdb_session
from costs.formats.base import BadBill
from finops_site.files.direct import read_stored


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Makes the folder, and removes it with all that is in it at the end."""
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def limited_duckdb(scratch: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB with the threads and the memory that settings allow one worker; it reads charges wherever they are."""
    threads, memory = settings.DUCKDB_THREADS, settings.DUCKDB_MEMORY_LIMIT
    with duckdb_session(threads=threads, memory_limit=memory, scratch=scratch) as db:
        yield read_stored(db)


@contextmanager
def full_disk_as_bad_bill() -> Iterator[None]:
    """A full disk is something a person can mend, so it is reported in words like a bill that cannot be read."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BadBill(_("The disk is full: free some space and try again. Nothing was changed.")) from error
        raise
