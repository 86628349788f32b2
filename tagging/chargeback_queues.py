"""Work of chargeback handed to Celery; without a broker it waits for the sweep of every ten minutes."""

import logging
from typing import Any

from kombu.exceptions import OperationalError

from tagging.tasks import post_statements as post
from tagging.tasks import refresh_chargeback as refresh

logger = logging.getLogger(__name__)


def refresh_chargeback() -> None:
    """Drafts are made anew where the books, a split or a metric changed."""
    _hand_over(refresh)


def after_closing() -> None:
    """Leads are told, and the next month takes over where corrections are booked."""
    _hand_over(post)
    refresh_chargeback()


def _hand_over(task: Any) -> None:
    try:
        task.delay()
    except OperationalError:
        logger.warning("no broker: %s waits for the next sweep", task.name)
