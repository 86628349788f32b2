"""Celery's doors to the night."""

from celery import shared_task
from django.utils import timezone

from budgets.alerts import escalation, ignored_thresholds, notifications
from budgets.anomalies import detection
from budgets.evaluation import evaluate
from finops_site.lib.periods import Month


@shared_task
def evaluate_budgets() -> None:
    """The night: today, and the nights that were missed."""
    now = timezone.now()
    evaluate.evaluate_all(now.date(), now=now)
    detection.notice(now.date(), now=now)
    notifications.tell_waiting(now)


@shared_task
def evaluate_touched(months: list[str]) -> None:
    """The budgets whose periods a new bill touched, as of today; a night of its own is not made of it."""
    now = timezone.now()
    touched = [Month.parse(month) for month in months]
    evaluate.evaluate_all(now.date(), now=now, budgets=evaluate.touched(touched), months=touched)
    notifications.tell_waiting(now)


@shared_task
def tell_alerts() -> int:
    """Writes what is queued to those it is for; after a night, and every ten minutes for what is due later."""
    return notifications.tell_waiting(timezone.now())


@shared_task
def escalate_alerts() -> int:
    """Passes on what nobody has answered for a day, and tells those it is passed on to."""
    now = timezone.now()
    passed_on = escalation.escalate_unanswered(now)
    notifications.tell_waiting(now)
    return passed_on


@shared_task
def tell_of_ignored_alerts() -> int:
    return ignored_thresholds.tell_finance(timezone.now())
