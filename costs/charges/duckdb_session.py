"""DuckDB in this process, bounded and in UTC. Pure: no Django."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb


def is_out_of_space(error: duckdb.Error) -> bool:
    return "no space left" in str(error).lower()


@contextmanager
def duckdb_session(
    *, threads: int = 2, memory_limit: str = "1GB", scratch: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-process DuckDB of its own: bounded in memory, spilling to `scratch`, in UTC, with nothing to download.

    Raises OSError (ENOSPC) where the disk is full.
    """
    connection = duckdb.connect(":memory:")
    try:
        connection.execute(f"SET threads = {threads}")
        connection.execute(f"SET memory_limit = '{memory_limit}'")
        connection.execute("SET TimeZone = 'UTC'")
        # The bar goes to standard output, into the middle of what a command prints.
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        connection.execute("SET preserve_insertion_order = false")
        if scratch:
            connection.execute(f"SET temp_directory = '{str(scratch).replace(chr(39), chr(39) * 2)}'")
        yield connection
    except duckdb.Error as error:
        # DuckDB reports a full disk by its message only; everybody else expects the error of the system.
        if is_out_of_space(error):
            raise OSError(errno.ENOSPC, "the disk is full") from error
        raise
    finally:
        connection.close()
