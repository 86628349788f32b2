"""Celery's doors to ownership."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from tagging import change_sets, fixing, services
from tagging.models import ChangeSet, VirtualTagBatch


@shared_task
def apply_virtual_tags(batch_id: int) -> None:
    batch = VirtualTagBatch.objects.filter(pk=batch_id, applied_at__isnull=True).first()
    if batch:
        fixing.apply(batch, timezone.now())


@shared_task
def apply_change_set(change_set_id: int) -> None:
    row = ChangeSet.objects.filter(pk=change_set_id, state=ChangeSet.State.APPLYING).first()
    if row:
        change_sets.apply(row, clock=timezone.now)


@shared_task
def resume_fixing() -> None:
    """Starts again what a killed worker or a lost task has left undone."""
    now = timezone.now()
    for batch in VirtualTagBatch.objects.filter(applied_at__isnull=True, made_at__lt=now - timedelta(minutes=2)):
        apply_virtual_tags.delay(batch.pk)
    for row in change_sets.forgotten(now):
        apply_change_set.delay(row.pk)


@shared_task
def suggest_tags() -> None:
    fixing.rebuild_suggestions(timezone.now().date())


@shared_task
def apply_ownership(application_id: int) -> None:
    services.run_application(application_id)


@shared_task
def resume_applications() -> None:
    """Starts applications again whose worker was killed or whose task was lost."""
    for pk in services.stalled_applications(timezone.now()):
        apply_ownership.delay(pk)
