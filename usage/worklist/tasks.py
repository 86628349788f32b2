"""Work of the worklist that is done by workers."""

from celery import shared_task
from django.utils import timezone

from usage.worklist import tickets


@shared_task
def send_tickets() -> int:
    """Makes the tickets that are due; every ten minutes too, for those that no broker heard of."""
    return tickets.send_tickets(timezone.now())
