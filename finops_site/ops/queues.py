"""Work handed to Celery in a way that fails nobody's request."""

import logging
from typing import Any

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def hand_over(task: Any, *arguments: Any) -> None:
    """Queues the task; without a broker it waits for the sweep that every such task has in the beat schedule."""
    try:
        task.delay(*arguments)
    except OperationalError:
        logger.warning("no broker: %s%r waits for the next sweep", task.name, arguments)
