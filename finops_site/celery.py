"""The Celery application, and how a service queues its own follow-up.

A service names the task as Django names a view, by a string, so that services and tasks import one another in one
direction only::

    task("tagging.tasks.apply_ownership").delay_on_commit(application.pk)
"""

import ctypes
import logging
import os
import signal
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from celery import Celery
from celery.contrib.django.task import DjangoTask
from celery.exceptions import NotRegistered
from celery.signals import before_task_publish, worker_process_init
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

# Read in the worker itself, before it makes its pool.
WORKER = os.getpid()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops_site.settings")


# Of a message that asks for a task: who caused it.
HEADER = "finops_cause"


@dataclass(frozen=True, slots=True)
class Cause:
    """Who caused a task, as far as the audit log needs it: a person by her number and address."""

    pk: int
    email: str


class FollowUpTask(DjangoTask):
    """A task that is queued once the transaction is committed, and whose queueing fails nobody's request.

    Every task that is queued like this has a sweep in the beat schedule, which does what a lost broker never heard of.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The work of a task; what it writes for nobody in particular is in the company's language."""
        from finops_site.audit.context import as_acting
        from finops_site.people.reader_language import in_company_language

        with in_company_language(), as_acting("task", self.name, **self._who_asked()):
            return super().__call__(*args, **kwargs)

    def _who_asked(self) -> dict[str, Any]:
        """For the audit log: the id of this run, and who caused it, as whoever queued it noted."""
        facts = {"request_id": self.request.id} if self.request.id else {}
        cause = getattr(self.request, HEADER, None) or (self.request.headers or {}).get(HEADER) or {}
        return facts | ({"person": Cause(**cause)} if cause else {})

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """Queues the task after the commit; at once where there is no transaction."""

        # Not a partial: Django names the callback by its __qualname__ where it fails.
        def queue() -> None:
            self.delay_or_wait(*args, **kwargs)

        transaction.on_commit(queue, robust=True)

    def delay_or_wait(self, *args: Any, **kwargs: Any) -> None:
        """Queues the task now; without a broker it waits for its sweep."""
        try:
            self.delay(*args, **kwargs)
        except OperationalError:
            logger.warning("no broker: %s%r waits for the next sweep", self.name, args)


app = Celery("finops", task_cls=FollowUpTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def task(name: str) -> FollowUpTask:
    """The task that is registered as `name`, such as "costs.tasks.load_delivery"; celery's NotRegistered if none is."""
    if name not in app.tasks:
        # The module alone: having Celery look for all tasks would run every system check too.
        import_module(name.rpartition(".")[0])
    return app.tasks[name]


def task_exists(name: str) -> bool:
    try:
        return task(name) is not None
    except (ImportError, ValueError, NotRegistered):
        return False


@before_task_publish.connect
def note_the_cause(headers: dict[str, Any] | None = None, **_: object) -> None:
    """A task that somebody's click has queued is hers in the audit log, done by the task."""
    from finops_site.audit.context import current_facts

    facts = current_facts()
    if headers is not None and "actor" in facts:
        headers[HEADER] = {"pk": facts["actor"], "email": facts.get("who", "")}


@worker_process_init.connect
def watch(**_: object) -> None:
    from finops_site.ops.observers import watch_process

    watch_process()


@worker_process_init.connect
def die_with_the_worker(**_: object) -> None:
    """Ends a pool process when its worker is killed: left alone it would hold its database for ever."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != WORKER:
        # It was killed before it could be asked to take this process with it.
        os._exit(1)
