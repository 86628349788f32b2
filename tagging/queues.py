"""Work handed to Celery; what a broker never heard of is taken up by the sweep of every minute."""

from django.db import transaction

from finops_site.lib.person import Person
from finops_site.ops.queues import hand_over
from tagging.models import Application
from tagging.ownership import rule_application
from tagging.tasks import apply_ownership


def apply(user: Person | None = None, reason: str = "") -> Application:
    """Has today's rules and tags applied to the open months in the background, once this is committed."""
    application = rule_application.request_application(user, reason)
    transaction.on_commit(lambda: hand_over(apply_ownership, application.pk))
    return application
