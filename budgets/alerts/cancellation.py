"""Messages that nobody needs any more: they are cancelled, with the reason, and not sent."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from budgets.alerts.readers import why_not_needed
from budgets.models import Alert, AlertDelivery, Budget
from finops_site.lib.language import gettext_noop
from finops_site.mail import outbox

CANCELLED = AlertDelivery.Outcome.CANCELLED
# Asked for in the database: stored as it is here, and translated where it is shown.
ARCHIVED = gettext_noop("The budget was archived before it was sent.")


def cancel_queued(alerts: Iterable[Alert | int], why: str) -> int:
    """Cancels what waits of these alerts (or their ids) and keeps `why` with it; returns how many messages those are.

    A message that a worker is handing over at this moment goes out: it cannot be called back.
    """
    pks = [alert if isinstance(alert, int) else alert.pk for alert in alerts]
    with transaction.atomic():
        waiting = AlertDelivery.objects.queued().filter(alert__in=pks)
        count = waiting.filter(message_id="", claimed_at=None).update(outcome=CANCELLED, problem=why)
        written = waiting.exclude(message_id="").values_list("message_id", flat=True).distinct()
        taken_back = AlertDelivery.objects.queued().filter(message_id__in=outbox.take_back(list(written), why))
        count += taken_back.filter(alert__in=pks).update(outcome=CANCELLED, problem=why)
        # An e-mail about other alerts too is written again, without these.
        taken_back.update(message_id="", claimed_at=None, claimed_by="")
    return count


def cancel_of_archived(budget: Budget) -> int:
    """Cancels what waits of all alerts of a budget that was archived."""
    return cancel_queued(Alert.objects.filter(budget=budget).values_list("pk", flat=True), ARCHIVED)


def queue_of_restored(budget: Budget, now: datetime) -> int:
    """Queues again what was cancelled because the budget was archived, as far as its alerts still need it."""
    cancelled = AlertDelivery.objects.filter(alert__budget=budget, outcome=CANCELLED, problem=ARCHIVED)
    rows = cancelled.select_related("alert__budget")
    needed = [row.pk for row in rows if not why_not_needed(row.alert, row.occasion)]
    fresh = {"message_id": "", "claimed_at": None, "claimed_by": "", "not_before": None, "attempts": 0, "problem": ""}
    return AlertDelivery.objects.filter(pk__in=needed).update(outcome="", queued_at=now, **fresh)
