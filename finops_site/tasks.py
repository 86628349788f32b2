"""Celery's doors to the ground floor."""

from celery import shared_task
from django.utils import timezone

from finops_site.mail import outbox
from finops_site.ops import nightly


@shared_task
def send_outgoing_emails() -> int:
    """Sends what is due; called after a commit that queued an email, and by beat for what is left."""
    return outbox.send_queued_emails(timezone.now())


@shared_task
def clear_old_emails() -> int:
    return outbox.clear_old_contents(timezone.now())


@shared_task
def run_nightly_checks() -> int:
    """Every registered check, for today; returns how many ran."""
    return len(nightly.run_checks(timezone.now().date()))
