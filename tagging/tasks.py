"""Celery's doors to ownership."""

from celery import shared_task

from tagging import services


@shared_task
def reassign_owners() -> None:
    for _ in services.apply_to_books():
        pass
