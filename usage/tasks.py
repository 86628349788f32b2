"""The tasks of Celery: ids and days in, a service called, nothing else."""

from datetime import date

from celery import shared_task

from usage.findings.evaluate import CannotEvaluate, evaluate


@shared_task
def evaluate_resources(day: str) -> int:
    """Judges every resource by what is known on a day; returns how many findings there are. The night sweeps it up."""
    try:
        return evaluate(date.fromisoformat(day)).findings
    except CannotEvaluate:
        # Another run does it, or did it already.
        return 0
