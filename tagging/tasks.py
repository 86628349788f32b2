"""Celery's doors to ownership."""

from celery import shared_task
from django.utils import timezone

from tagging import services


@shared_task
def apply_ownership(application_id: int) -> None:
    services.run_application(application_id)


@shared_task
def resume_applications() -> None:
    """Starts applications again whose worker was killed or whose task was lost."""
    for pk in services.stalled_applications(timezone.now()):
        apply_ownership.delay(pk)
