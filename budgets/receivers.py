"""What budgets do when a bill becomes current."""

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from budgets import tasks
from costs.models import DeliveryMonth
from costs.signals import cost_data_changed
from finops_site.lib.periods import Month


@receiver(cost_data_changed)
def judge_touched_months(sender: Any, *, rows: Sequence[DeliveryMonth], **_: Any) -> None:
    """Judges again what the bill touched: by the days of its charges, however they were invoiced."""
    months = sorted({day[:7] for row in rows for day in row.charge_months})
    if months:
        tasks.evaluate_touched.delay([str(Month.parse(month)) for month in months])
