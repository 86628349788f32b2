"""What commitments do when a bill becomes current."""

from collections.abc import Sequence

from django.dispatch import receiver

from costs.models import DeliveryMonth
from costs.signals import cost_data_changed
from finops_site.celery import task


@receiver(cost_data_changed)
def refresh_touched_months(sender: object, *, rows: Sequence[DeliveryMonth], **_: object) -> None:
    """Use and coverage of the touched charge months are worked out anew, and the savings ledger after them."""
    months = sorted({day[:7] for row in rows for day in row.charge_months})
    if months:
        # The signal comes after the commit: there is nothing left to wait for.
        task("reservations.tasks.refresh_months").delay_or_wait(months)
