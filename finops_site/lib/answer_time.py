"""How long the answer to one request may take: who reads a page waits, and others wait behind her. Pure: no Django."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("answer_until", default=None)


class TookTooLong(Exception):
    """A question was given up: it takes longer, or more memory, than one answer may."""


@contextmanager
def answer_within(seconds: float) -> Iterator[None]:
    """What is asked inside is given up after so many seconds."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def extend_to(seconds: float) -> None:
    """Inside of `answer_within`: the answer is due so many seconds from now. Where nobody waits, nothing changes."""
    if _until.get() is not None:
        _until.set(time.monotonic() + seconds)


def seconds_left() -> float | None:
    """The seconds until the answer is due, never below 0; None where nobody waits, as in tasks and commands."""
    until = _until.get()
    return None if until is None else max(0.0, until - time.monotonic())
