"""Celery's doors to ownership and chargeback."""

from celery import shared_task
from django.utils import timezone

from tagging import mailing, services, statements


@shared_task
def apply_ownership(application_id: int) -> None:
    services.run_application(application_id)


@shared_task
def resume_applications() -> None:
    """Starts applications again whose worker was killed or whose task was lost."""
    for pk in services.stalled_applications(timezone.now()):
        apply_ownership.delay(pk)


@shared_task
def refresh_chargeback() -> None:
    """Makes anew the drafts that do not say what the books say; nothing when all do."""
    statements.refresh_stale(timezone.now())


@shared_task
def post_statements() -> None:
    """Writes the letters of closed statements that nobody was told of."""
    mailing.post_statements(timezone.now())
