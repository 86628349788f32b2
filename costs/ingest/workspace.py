"""Where work on a bill takes place: a scratch folder, a DuckDB that spills into it, a disk that may be full."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import duckdb
from django.conf import settings
from django.utils.translation import gettext as _

from costs.charges.duckdb_session import duckdb_session
from costs.formats.base import BadBill


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Makes the folder, and removes it with all that is in it at the end."""
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def limited_duckdb(scratch: Path | None = None) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A DuckDB with the threads and the memory that the settings allow one worker."""
    return duckdb_session(threads=settings.DUCKDB_THREADS, memory_limit=settings.DUCKDB_MEMORY_LIMIT, scratch=scratch)


@contextmanager
def full_disk_as_bad_bill() -> Iterator[None]:
    """A full disk is something a person can mend, so it is reported in words like a bill that cannot be read."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BadBill(_("The disk is full: free some space and try again. Nothing was changed.")) from error
        raise
