"""The tasks of Celery: ids and days in, a service called, nothing else."""

from datetime import date

from celery import shared_task
from django.utils import timezone

from finops_site.models import User
from usage.findings.evaluate import CannotEvaluate, evaluate
from usage.sources import connections


@shared_task
def evaluate_resources(day: str) -> int:
    """Judges every resource by what is known on a day; returns how many findings there are. The night sweeps it up."""
    try:
        return evaluate(date.fromisoformat(day)).findings
    except CannotEvaluate:
        # Another run does it, or did it already.
        return 0


@shared_task
def read_connections() -> int:
    """Lets workers read the connections that nobody read today; returns how many there are."""
    due = connections.due_connections(timezone.now())
    for pk in due:
        read_connection.delay(pk)
    return len(due)


@shared_task
def read_connection(pk: int, person: int | None = None) -> bool:
    """Asks a provider what there is; whether no other worker was at it."""
    user = User.objects.filter(pk=person).first() if person else None
    return connections.read(pk, timezone.now(), user)
