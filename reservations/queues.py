"""Work handed to Celery; without a broker a recommendation waits for the sweep, and nobody's request fails for it."""

import logging
from collections.abc import Sequence

from kombu.exceptions import OperationalError

from reservations.models import Plan
from reservations.tasks import buy_purchase, refresh_months, work_out

logger = logging.getLogger(__name__)


def work(plan: Plan) -> None:
    try:
        work_out.delay(plan.pk)
    except OperationalError:
        logger.warning("no broker: recommendation %s waits for the next sweep", plan.pk)


def buy(purchase_id: int) -> None:
    try:
        buy_purchase.delay(purchase_id)
    except OperationalError:
        logger.warning("no broker: purchase %s waits for the next sweep", purchase_id)


def refresh(months: Sequence[str]) -> None:
    try:
        refresh_months.delay(list(months))
    except OperationalError:
        logger.warning("no broker: commitments of %s wait for the next sweep", ", ".join(months))
