"""Work on change sets that is done by workers."""

from celery import shared_task
from django.utils import timezone

from usage.changes import fix_runs
from usage.models import FixSet


@shared_task
def work_on_change_set(pk: int) -> bool:
    """Applies or undoes a change set; whether it was this worker that did."""
    row = FixSet.objects.filter(pk=pk).first()
    return row is not None and fix_runs.work_on(row, clock=timezone.now)


@shared_task
def work_on_stalled_change_sets() -> int:
    """Goes on with change sets whose worker was killed, whose task was lost, or that wait for a snapshot."""
    rows = list(FixSet.objects.stalled(timezone.now()))
    for row in rows:
        work_on_change_set.delay(row.pk)
    return len(rows)
