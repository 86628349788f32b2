"""Which worker loads a delivery: one claims it and shows that it is alive; a silent one is taken over."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from costs.models import Delivery

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5


class DeliveryTaken(Exception):
    """Another worker loads this delivery, or it needs no loading."""


def claim(delivery: Delivery) -> Delivery:
    """Makes this process the one that loads: an UPDATE that must hit one row, else DeliveryTaken is raised."""
    now = timezone.now()
    free = Q(status=Delivery.Status.RECEIVED) | _is_silent(now)
    claimed = Delivery.objects.filter(free, pk=delivery.pk).update(
        status=Delivery.Status.LOADING, attempt=F("attempt") + 1, heartbeat_at=now, progress=0, stage="", message=""
    )
    if not claimed:
        raise DeliveryTaken(f"delivery {delivery.pk} is not waiting to be loaded")
    return Delivery.objects.select_related("source").get(pk=delivery.pk)


def running_attempt(delivery: Delivery) -> QuerySet:
    """The delivery's row, as long as no other attempt took it over."""
    return Delivery.objects.filter(pk=delivery.pk, attempt=delivery.attempt, status=Delivery.Status.LOADING)


def report_progress(delivery: Delivery, stage: str, progress: float) -> None:
    """Writes the progress; raises DeliveryTaken when another attempt took the delivery over."""
    if not running_attempt(delivery).update(stage=stage, progress=progress, heartbeat_at=timezone.now()):
        raise DeliveryTaken(f"delivery {delivery.pk}")


@contextmanager
def heartbeat(delivery: Delivery) -> Iterator[None]:
    """Writes every few seconds that the load is alive, from a thread of its own: one step may take minutes."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(HEARTBEAT_SECONDS):
                running_attempt(delivery).update(heartbeat_at=timezone.now())
        except Exception:
            logger.warning("no heartbeat for delivery %s", delivery.pk, exc_info=True)
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{delivery.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def stalled_deliveries(now: datetime) -> QuerySet:
    """Deliveries whose worker died, and those whose task the broker lost."""
    silent_since = now - timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    lost = Q(status=Delivery.Status.RECEIVED, received_at__lt=silent_since)
    return Delivery.objects.filter(_is_silent(now) | lost)


def _is_silent(now: datetime) -> Q:
    silent_since = now - timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    return Q(status=Delivery.Status.LOADING, heartbeat_at__lt=silent_since)
