"""Celery's doors to ownership and to the tag policy."""

from celery import shared_task
from django.utils import timezone

from tagging import compliance, reminders, services


@shared_task
def reassign_owners() -> None:
    for _ in services.reassign_owners():
        pass


@shared_task
def refresh_compliance() -> None:
    """Works out the months whose books or policy have changed."""
    compliance.refresh()


@shared_task
def watch_tags() -> None:
    """Every night: the months as they stand, and since when which resource is wrong."""
    compliance.refresh()
    reminders.watch(timezone.now().date())


@shared_task
def remind_of_tags() -> None:
    """The weekly digests, of the months as they stand now."""
    compliance.refresh()
    reminders.remind(timezone.now())
