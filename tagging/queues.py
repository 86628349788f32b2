"""Work of tagging handed to Celery; without a broker it waits for the sweep of every minute."""

import logging
from typing import Any

from kombu.exceptions import OperationalError

from tagging.tasks import apply_change_set, apply_virtual_tags

logger = logging.getLogger(__name__)


def apply_tags(batch: Any) -> None:
    _hand_over(apply_virtual_tags, batch.pk)


def apply_changes(change_set: Any) -> None:
    _hand_over(apply_change_set, change_set.pk)


def _hand_over(task: Any, pk: int) -> None:
    try:
        task.delay(pk)
    except OperationalError:
        logger.warning("no broker: %s(%s) waits for the next sweep", task.name, pk)
