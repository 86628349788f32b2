"""Work handed to Celery; what a broker never heard of is taken up by the sweep of every minute."""

from typing import Any

from finops_site.ops.queues import hand_over
from tagging.tasks import apply_change_set, apply_virtual_tags


def apply_tags(batch: Any) -> None:
    hand_over(apply_virtual_tags, batch.pk)


def apply_changes(change_set: Any) -> None:
    hand_over(apply_change_set, change_set.pk)
