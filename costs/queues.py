"""Work handed to Celery; without a broker it waits for the sweep of every minute, and nobody's request fails for it."""

import logging
from typing import Any

from kombu.exceptions import OperationalError

from costs.models import Delivery, FocusExport, Source
from costs.tasks import load_delivery, synchronise_source, write_focus_export

logger = logging.getLogger(__name__)


def load(delivery: Delivery) -> None:
    _hand_over(load_delivery, delivery.pk)


def write(export: FocusExport) -> None:
    _hand_over(write_focus_export, export.pk)


def synchronise(source: Source) -> None:
    _hand_over(synchronise_source, source.pk)


def _hand_over(task: Any, pk: int) -> None:
    try:
        task.delay(pk)
    except OperationalError:
        logger.warning("no broker: %s(%s) waits for the next sweep", task.name, pk)
