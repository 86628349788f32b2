"""Faults inside of a test's own transaction: a process that dies at a statement, a database that goes at one, a disk
that is full. What dies for real, by kill -9, is in the tests that have a worker of their own (see tests/forked.py)."""

import resource
from contextlib import contextmanager, suppress

from django.db import OperationalError, connection, transaction

# The ends of what was begun, which the server does by itself when a connection breaks.
ENDS = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class SuddenEnd(BaseException):
    """As after kill -9: nothing that is written for errors sees it."""


class Fault:
    """Raises at statement number `step` and at every one after it; counts them all."""

    def __init__(self, step=None, error=None):
        self.step, self.error, self.count = step, error, 0

    def __call__(self, execute, sql, params, many, context):
        if not str(sql).startswith(ENDS):
            self.count += 1
            if self.step and self.count >= self.step:
                raise self.error
        return execute(sql, params, many, context)


def statements_of(work):
    """How many statements it takes, undisturbed; nothing of it stays."""
    fault = Fault()
    with transaction.atomic(), connection.execute_wrapper(fault):
        work()
        transaction.set_rollback(True)
    return fault.count


def strikes(work, most=6):
    """Does the work in part, as often as `most`: killed at a statement, then without a database from one on.

    Gives (which fault, at which statement) each time; afterwards all is as before.
    """
    count = statements_of(work)
    steps = sorted({1 + number * (count - 1) // max(most - 1, 1) for number in range(most)})
    for error in (SuddenEnd(), OperationalError("the server closed the connection unexpectedly")):
        for step in steps:
            with transaction.atomic():
                with connection.execute_wrapper(Fault(step, error)), suppress(SuddenEnd, OperationalError):
                    work()
                # No statement failed in this transaction, which is the test's own: it goes on.
                connection.needs_rollback = False
                yield type(error).__name__, step
                transaction.set_rollback(True)


@contextmanager
def full_disk(room):
    """No file of this process may grow beyond `room` bytes: what writes more is refused as by a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
