"""The scheduler of periodic tasks: the database's, where an administrator's edit lasts."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from finops_site.audit.context import as_acting
from finops_site.celery import task_exists
from finops_site.pillars import beat_schedule

logger = logging.getLogger(__name__)
STOPS = (signal.SIGTERM, signal.SIGINT)


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


class Scheduler(DatabaseScheduler):
    """Writes the entries that the apps declare and it does not know yet, and leaves the others as the admin has them.

    django-celery-beat's own writes what is declared over the database at each start.
    """

    def setup_schedule(self) -> None:
        # Asked to stop, celery makes the schedule that it does not have yet, to write it: in the middle of one of
        # these queries that waits for itself, for ever.
        with stops_wait(), as_acting("command", "beat"):
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
