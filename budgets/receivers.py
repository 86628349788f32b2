"""When a bill becomes current, the budgets of its months are evaluated."""

from collections.abc import Sequence

from django.dispatch import receiver

from costs.models import DeliveryMonth
from costs.signals import cost_data_changed
from finops_site.celery import task
from finops_site.lib.periods import Month


@receiver(cost_data_changed)
def evaluate_touched_months(sender: object, *, rows: Sequence[DeliveryMonth], **_: object) -> None:
    """Evaluates the months of its charge days, whichever month they were invoiced in."""
    months = sorted({day[:7] for row in rows for day in row.charge_months})
    if months:
        task("budgets.tasks.evaluate_months").delay_on_commit([str(Month.parse(month)) for month in months])
