"""The scheduler of periodic tasks: the database's, where an administrator's edit lasts, and one of several works.

Every host may run beat. One leads, by a lock in the database that ends with its connection; the others wait, and one of
them goes on within seconds where it stopped.
"""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.db import connection
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from finops_site.audit.context import as_acting
from finops_site.celery import task_exists
from finops_site.pillars import beat_schedule

logger = logging.getLogger(__name__)
STOPS = (signal.SIGTERM, signal.SIGINT)
LEADS, SETS_UP = "finops beat leads", "finops beat sets up"
ASKS_EVERY_SECONDS = 2.0
# A host that is gone without a word is given up by the database after some 30 seconds.
GIVE_UP_SILENT = (
    "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), "
    "set_config('tcp_keepalives_count', '4', false)"
)


@contextlib.contextmanager
def stops_wait() -> Iterator[None]:
    """Signals to stop are heard afterwards. A mask would not do: any thread may receive them for the main one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _frame: heard.append(number)) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for stop in heard:
            signal.raise_signal(stop)


class Leadership:
    """A lock that one process has, by a connection of its own: the end of either ends it. No pooler may lie between."""

    def __init__(self) -> None:
        self.session: psycopg.Connection | None = None
        self.is_held = False

    def ask(self) -> bool:
        """Whether this process leads: the lock is its own, and the connection that holds it is there."""
        try:
            if not self.is_held:
                self.is_held = bool(self._one("SELECT pg_try_advisory_lock(hashtext(%s))", LEADS))
            else:
                self._one("SELECT true")
        except psycopg.Error:
            self.is_held, self.session = False, None
        return self.is_held

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other process sets up its schedule."""
        self._one("SELECT pg_advisory_lock(hashtext(%s))", SETS_UP)
        try:
            yield
        finally:
            self._one("SELECT pg_advisory_unlock(hashtext(%s))", SETS_UP)

    def _one(self, query: str, *values: str) -> Any:
        if self.session is None:
            self.session = psycopg.connect(**connection.get_connection_params(), autocommit=True)
            self.session.execute(GIVE_UP_SILENT)
        row = self.session.execute(query.encode(), values).fetchone()
        return row[0] if row else None


class Scheduler(DatabaseScheduler):
    """Writes the entries that the apps declare and it does not know yet, and leaves the others as the admin has them.

    django-celery-beat's own writes what is declared over the database at each start.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.leadership, self.leads = Leadership(), False
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Queues what is due, where this is the process that leads; returns the seconds until the next look."""
        led, self.leads = self.leads, self.leadership.ask()
        if not self.leads:
            if led:
                logger.warning("the lock of beat is lost: another may lead")
                # What another knows better by now.
                self._dirty.clear()
            return ASKS_EVERY_SECONDS
        if not led:
            logger.warning("this beat leads")
            # When each entry ran last, as the one before wrote it down.
            self._initial_read = self._heap_invalidated = True
        return min(super().tick(*args, **kwargs), ASKS_EVERY_SECONDS)

    def setup_schedule(self) -> None:
        # Asked to stop, celery makes the schedule that it does not have yet, to write it: in the middle of one of
        # these queries that waits for itself, for ever.
        with stops_wait(), self.leadership.alone(), as_acting("command", "beat"):
            self.follow_renamed_tasks()
            self.disable_entries_without_a_task()
            super().setup_schedule()

    def update_from_dict(self, mapping: Mapping[str, Any]) -> None:
        in_database = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in in_database})

    def follow_renamed_tasks(self) -> None:
        """An entry that an app declares runs the task that the app names now, at the times that the admin has."""
        for name, entry in beat_schedule().items():
            PeriodicTask.objects.filter(name=name).exclude(task=entry["task"]).update(task=entry["task"])

    def disable_entries_without_a_task(self) -> None:
        """Disables what would fail each time it is due: the app that had its task is gone, or has renamed it."""
        enabled = PeriodicTask.objects.filter(enabled=True)
        for entry in (entry for entry in enabled if not task_exists(entry.task)):
            logger.warning("the schedule %r is disabled: no app has the task %s", entry.name, entry.task)
            entry.enabled = False
            entry.description = "Disabled: no app has its task any more."
            entry.save()
