"""Celery's doors to the programme."""

from celery import shared_task
from django.utils import timezone

from programme.reports import archive, runs


@shared_task
def make_due_reports() -> int:
    """Scheduled reports that are due, or were and nobody made; what a dead worker left is gone on with."""
    return runs.make_due(timezone.now())


@shared_task
def make_report_run(pk: int) -> bool:
    """One report that somebody asked for; the sweep makes it where the broker lost this."""
    return runs.make_run(pk, timezone.now())


@shared_task
def remove_old_reports() -> int:
    return archive.remove_old(timezone.now())
