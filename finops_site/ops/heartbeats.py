"""A sign of life of whoever does something long, from a thread of its own: one step of it may take minutes."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5
# The clocks of two machines are no further apart: a sign of life from later was written by a clock that went wrong.
CLOCKS_DIFFER = timedelta(minutes=15)


def is_silent(field: str, now: datetime, after: timedelta) -> Q:
    """Rows whose worker gave no sign of life for so long, or gave one by a clock that was set back since."""
    return Q(**{f"{field}__lt": now - after}) | Q(**{f"{field}__gt": now + after + CLOCKS_DIFFER})


@contextmanager
def heartbeat(name: str, write: Callable[[], object]) -> Iterator[None]:
    """Calls `write` every few seconds until the work inside is done; one that fails is in the log, and ends no work."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(HEARTBEAT_SECONDS):
                write()
        except Exception:
            logger.warning("no heartbeat for %s", name, exc_info=True)
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat of {name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
