"""Work handed to Celery; without a broker it waits for the sweep of every minute, and nobody's request fails for it."""

import logging
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError

from tagging import services
from tagging.models import Application
from tagging.tasks import apply_ownership

logger = logging.getLogger(__name__)


def apply(user: Any = None, reason: str = "") -> Application:
    """Has today's rules and tags applied to the open months in the background, once this is committed."""
    application = services.request_application(user, reason)
    transaction.on_commit(lambda: _hand_over(application.pk))
    return application


def _hand_over(pk: int) -> None:
    try:
        apply_ownership.delay(pk)
    except OperationalError:
        logger.warning("no broker: application %s waits for the next sweep", pk)
