"""Celery's doors to the ground floor."""

from celery import shared_task
from django.utils import timezone

from finops_site.mail import outbox
from finops_site.ops import nightly


@shared_task
def send_letters() -> int:
    """Sends what waits; called after a commit that posted a letter, and by beat for what is left."""
    return outbox.send_waiting(timezone.now())


@shared_task
def forget_old_letters() -> int:
    return outbox.tidy_up(timezone.now())


@shared_task
def run_nightly_checks() -> int:
    """Every registered check, for today; returns how many ran."""
    return len(nightly.run(timezone.now().date()))
