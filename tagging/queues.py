"""Work handed to Celery; what a broker never heard of is taken up by the sweep of every minute."""

from typing import Any

from django.db import transaction

from finops_site.lib.person import Person
from finops_site.ops.queues import hand_over
from tagging.models import Application
from tagging.ownership import rule_application
from tagging.tasks import apply_change_set, apply_ownership, apply_virtual_tags


def apply(user: Person | None = None, reason: str = "") -> Application:
    """Has today's rules and tags applied to the open months in the background, once this is committed."""
    application = rule_application.request_application(user, reason)
    transaction.on_commit(lambda: hand_over(apply_ownership, application.pk))
    return application


def apply_tags(batch: Any) -> None:
    hand_over(apply_virtual_tags, batch.pk)


def apply_changes(change_set: Any) -> None:
    hand_over(apply_change_set, change_set.pk)
