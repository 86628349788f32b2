"""The Celery tasks of budgets. The night itself is run by the site's nightly checks (`budgets/nightly_checks.py`)."""

from celery import shared_task
from django.utils import timezone

from budgets.alerts import escalation, ignored_thresholds, notifications
from budgets.controls import approvals, execution, running
from budgets.evaluation import evaluate
from finops_site.lib.periods import Month


@shared_task
def evaluate_months(months: list[str]) -> None:
    """The budgets whose periods a new bill touched, as of today; this is not recorded as a night."""
    now = timezone.now()
    touched = [Month.parse(month) for month in months]
    try:
        evaluate.evaluate_nights(now.date(), now=now, budgets=evaluate.budgets_in(touched), months=touched)
    finally:
        # What waits leaves, whatever became of the evaluation.
        notifications.send_due_notifications(now)


@shared_task
def send_notifications() -> int:
    """Sends what is queued and due: after a night, and every ten minutes for what is due later."""
    return notifications.send_due_notifications(timezone.now())


@shared_task
def escalate_alerts() -> int:
    """Escalates what nobody has acknowledged for a day, and sends the messages of it."""
    now = timezone.now()
    try:
        return escalation.escalate_unacknowledged(now)
    finally:
        notifications.send_due_notifications(now)


@shared_task
def notify_of_ignored_thresholds() -> int:
    return ignored_thresholds.notify_finance(timezone.now())


@shared_task
def run_control(change_set_id: int) -> None:
    """Runs or undoes by role what was begun."""
    execution.execute(change_set_id, clock=timezone.now)


@shared_task
def run_controls() -> None:
    """Every minute: armed controls begin, time boxes end, old proposals expire, and lost work is taken up again."""
    now = timezone.now()
    approvals.expire_old(now)
    execution.run_armed(now)
    running.end_boxes(now)
    for pk in execution.sweep(now):
        run_control.delay(pk)
