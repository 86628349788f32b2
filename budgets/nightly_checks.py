"""The nightly checks of budgets: evaluation, with the nights that were missed, and anomaly detection."""

from datetime import date

from django.utils import timezone

from budgets.anomalies.detection import detect_anomalies
from budgets.evaluation.evaluate import evaluate_nights
from finops_site.celery import task


def evaluate_budgets(as_of: date) -> str:
    """Evaluates the night and those missed before it; what that queued is sent at once, and by the sweep."""
    reports = evaluate_nights(as_of, now=timezone.now())
    task("budgets.tasks.send_notifications").delay_on_commit()
    nights = f"{len(reports)} nights: " if len(reports) > 1 else ""
    alerts, messages = sum(r.alerts_made for r in reports), sum(r.mails_queued for r in reports)
    breaches = len(reports[-1].crossings)
    return (
        f"{nights}{reports[-1].budgets} budgets evaluated, {breaches} thresholds breached, "
        f"{alerts} alerts opened, {messages} messages queued"
    )


def detect_new_anomalies(as_of: date) -> str:
    """Checks the days whose bills are complete since the last check, and notifies of what is new."""
    count = detect_anomalies(as_of, now=timezone.now())
    return f"{count} new anomalies" if count != 1 else "1 new anomaly"
