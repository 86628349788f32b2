"""Which worker loads a delivery: one claims it and shows that it is alive; a silent one is taken over."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.models import Delivery
from finops_site.ops import heartbeats

# A bill whose worker died so often is not the worker's fault: it needs more memory than there is, or hits a defect.
MOST_ATTEMPTS = 5


class DeliveryTaken(Exception):
    """Another worker loads this delivery, or it needs no loading."""


def claim(delivery: Delivery) -> Delivery:
    """Makes this process the one that loads: an UPDATE that must hit one row, else DeliveryTaken is raised."""
    now = timezone.now()
    _give_up(delivery, now)
    free = Q(status=Delivery.Status.RECEIVED) | _is_silent(now)
    claimed = Delivery.objects.filter(free, pk=delivery.pk).update(
        status=Delivery.Status.LOADING, attempt=F("attempt") + 1, heartbeat_at=now, progress=0, stage="", message=""
    )
    if not claimed:
        raise DeliveryTaken(f"delivery {delivery.pk} is not waiting to be loaded")
    return Delivery.objects.select_related("source").get(pk=delivery.pk)


def _give_up(delivery: Delivery, now: datetime) -> None:
    """Ends a load whose worker died each time; people may retry it, once for each time they ask."""
    worn = Delivery.objects.filter(_is_silent(now), pk=delivery.pk, attempt__gte=MOST_ATTEMPTS)
    problem = _("Its worker ended {times} times before the bill was read: the log of that time says why.")
    worn.update(status=Delivery.Status.FAILED, message=problem.format(times=MOST_ATTEMPTS))


def running_attempt(delivery: Delivery) -> QuerySet:
    """The delivery's row, as long as no other attempt took it over."""
    return Delivery.objects.filter(pk=delivery.pk, attempt=delivery.attempt, status=Delivery.Status.LOADING)


def report_progress(delivery: Delivery, stage: str, progress: float) -> None:
    """Writes the progress; raises DeliveryTaken when another attempt took the delivery over."""
    if not running_attempt(delivery).update(stage=stage, progress=progress, heartbeat_at=timezone.now()):
        raise DeliveryTaken(f"delivery {delivery.pk}")


def heartbeat(delivery: Delivery) -> AbstractContextManager[None]:
    """Writes every few seconds that the load is alive: one step may take minutes."""
    return heartbeats.heartbeat(
        f"delivery {delivery.pk}", lambda: running_attempt(delivery).update(heartbeat_at=timezone.now())
    )


def stalled_deliveries(now: datetime) -> QuerySet:
    """Deliveries whose worker died, and those whose task the broker lost."""
    silent_since = now - timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    lost = Q(status=Delivery.Status.RECEIVED, received_at__lt=silent_since)
    return Delivery.objects.filter(_is_silent(now) | lost)


def _is_silent(now: datetime) -> Q:
    after = timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    return heartbeats.is_silent("heartbeat_at", now, after) & Q(status=Delivery.Status.LOADING)
