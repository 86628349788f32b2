"""Signals other apps listen to: a bill is being loaded, and what counts has changed."""

import logging
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.dispatch import Signal

from costs.models import DeliveryMonth

logger = logging.getLogger(__name__)

# Sent while a delivery is loaded: its charges are written, its cost lines are about to be copied. Receivers get
# `lines`, a costs.charges.build_cost_lines.MonthLines, and may call lines.apply_virtual_tags(tags) and then
# lines.assign_owners(rules): what is set now is written once with the line.
delivery_loaded = Signal()

# Sent after the commit that changed what counts: a bill became current, was withdrawn, or its owners were assigned
# again. Receivers get `rows`, the DeliveryMonths that count now or did, and compute again what they derive from them.
# It is a signal of its own because `delivery_loaded` comes too early for that: nobody sees those lines yet, and they
# may never count. A receiver must be quick (hand the work to Celery); one that fails is logged and harms nobody.
cost_data_changed = Signal()


def announce_on_commit(rows: Iterable[DeliveryMonth]) -> None:
    """Sends `cost_data_changed` for these months once the transaction is committed."""
    months = list(rows)
    transaction.on_commit(lambda: announce_changes(months))


def announce_changes(rows: Sequence[DeliveryMonth]) -> None:
    """Sends `cost_data_changed` for these months; a receiver that fails is logged, the others are still called."""
    for receiver, answer in cost_data_changed.send_robust(sender=DeliveryMonth, rows=rows):
        if isinstance(answer, Exception):
            logger.error("%r failed after the cost data changed", receiver, exc_info=answer)
