"""Celery's doors to the night."""

from celery import shared_task
from django.utils import timezone

from budgets import evaluating
from finops_site.periods import Month


@shared_task
def evaluate_budgets() -> None:
    """The night: today, and the nights that were missed."""
    now = timezone.now()
    evaluating.evaluate_all(now.date(), now=now)


@shared_task
def evaluate_touched(months: list[str]) -> None:
    """The budgets whose periods a new bill touched, as of today; a night of its own is not made of it."""
    now = timezone.now()
    touched = [Month.parse(month) for month in months]
    evaluating.evaluate_all(now.date(), now=now, budgets=evaluating.touched(touched), months=touched)
