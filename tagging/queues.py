"""Work handed to Celery; without a broker it waits for the sweep of every minute, and nobody's request fails for it."""

import logging
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError

from tagging import services
from tagging.models import Application
from tagging.tasks import apply_change_set, apply_ownership, apply_virtual_tags

logger = logging.getLogger(__name__)


def apply(user: Any = None, reason: str = "") -> Application:
    """Has today's rules and tags applied to the open months in the background, once this is committed."""
    application = services.request_application(user, reason)
    transaction.on_commit(lambda: _hand_over(apply_ownership, application.pk))
    return application


def apply_tags(batch: Any) -> None:
    _hand_over(apply_virtual_tags, batch.pk)


def apply_changes(change_set: Any) -> None:
    _hand_over(apply_change_set, change_set.pk)


def _hand_over(task: Any, pk: int) -> None:
    try:
        task.delay(pk)
    except OperationalError:
        logger.warning("no broker: %s(%s) waits for the next sweep", task.name, pk)
