"""What commitments do when a bill becomes current."""

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from costs.models import DeliveryMonth
from costs.signals import cost_data_changed
from reservations import queues


@receiver(cost_data_changed)
def follow_commitments(sender: Any, *, rows: Sequence[DeliveryMonth], **_: Any) -> None:
    """Use and coverage of the touched charge months are worked out anew, and the savings ledger after them."""
    months = sorted({day[:7] for row in rows for day in row.charge_months})
    if months:
        queues.refresh(months)
