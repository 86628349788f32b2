"""The Celery application: tasks are thin doors, found in each app's tasks.py."""

import ctypes
import os
import signal

from celery import Celery
from celery.signals import worker_process_init

# Read in the worker itself, before it makes its pool.
WORKER = os.getpid()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops_site.settings")

app = Celery("finops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def die_with_the_worker(**_: object) -> None:
    """Ends a pool process when its worker is killed: left alone it would hold its database for ever."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != WORKER:
        # It was killed before it could be asked to take this process with it.
        os._exit(1)
