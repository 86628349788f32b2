"""Rows between DuckDB and PostgreSQL by COPY: nothing passes through Python but bytes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
from django.db import connection

from costs.formats.sql import literal


def copy_out(select: str, path: Path) -> None:
    """Streams a PostgreSQL query into a CSV file."""
    with (
        path.open("wb") as out,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({select}) TO STDOUT (FORMAT csv)") as stream,
    ):
        for block in stream:
            out.write(block)


def copy_across(db: duckdb.DuckDBPyConnection, select: str, table: str, columns: Sequence[str], path: Path) -> None:
    """Streams a DuckDB query into a PostgreSQL table, through the file `path`."""
    unload_csv(db, select, path)
    copy_in(path, table, columns)


def unload_csv(db: duckdb.DuckDBPyConnection, select: str, path: Path, *options: str) -> None:
    """Writes a DuckDB query to a CSV file as PostgreSQL reads them."""
    db.execute(f"COPY ({select}) TO {literal(str(path))} ({', '.join(['FORMAT csv', 'HEADER false', *options])})")


def unload_text(db: duckdb.DuckDBPyConnection, select: str, path: Path, *options: str) -> None:
    """Writes a DuckDB query as PostgreSQL's format `text` has it, which both write and read more quickly than CSV.

    Texts that may have tabs, line feeds or backslashes must be made fit for it before.
    """
    form = ["FORMAT csv", "HEADER false", "QUOTE ''", "ESCAPE ''", "DELIMITER '\\t'", "NULLSTR '\\N'"]
    db.execute(f"COPY ({select}) TO {literal(str(path))} ({', '.join([*form, *options])})")


def copy_in(path: Path, table: str, columns: Sequence[str], form: str = "csv") -> None:
    """Streams a file of PostgreSQL's format csv or text into a table, and removes it."""
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT {form})"
    with connection.cursor() as cursor, path.open("rb") as stream, cursor.copy(statement) as target:
        while block := stream.read(1 << 20):
            target.write(block)
    path.unlink()


def run_both(one: Callable[[], None], other: Callable[[], None]) -> None:
    """Both at once, for PostgreSQL is what is waited for; one after the other inside a transaction.

    Another connection would see nothing of what the transaction made.
    """
    if connection.in_atomic_block:
        one()
        other()
        return

    def run_other() -> None:
        # Django opens a connection for the thread, and nobody else would close it.
        try:
            other()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run_other)
        one()
    running.result()
