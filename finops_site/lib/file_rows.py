"""How many rows of a file are written, and how many there will be: told to the job that makes it, where one does.

Pure: no Django.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class RowCount(Protocol):
    """Who wants to know; what it raises ends the writing."""

    def expect(self, rows: int) -> None: ...

    def add(self, rows: int) -> None: ...


_count: ContextVar[RowCount | None] = ContextVar("rows of a file", default=None)


@contextmanager
def counted_by(count: RowCount) -> Iterator[None]:
    """What is written inside is told to `count`."""
    token = _count.set(count)
    try:
        yield
    finally:
        _count.reset(token)


def is_counted() -> bool:
    return _count.get() is not None


def expect_rows(rows: int) -> None:
    if count := _count.get():
        count.expect(rows)


def rows_written(rows: int) -> None:
    if count := _count.get():
        count.add(rows)
