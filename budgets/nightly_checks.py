"""The nightly checks of budgets: evaluation, with the nights that were missed, and anomaly detection."""

from datetime import date, datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.anomalies.detection import detect_anomalies
from budgets.controls.savings import measure_all
from budgets.evaluation.evaluate import evaluate_nights
from budgets.evaluation.quiet_scopes import tell_finance
from budgets.models import Budget
from finops_site.celery import task
from finops_site.lib.words import counted, some_of
from finops_site.registry import HealthState, HealthStatus, NightlyCheckFailed

MOST_NAMED = 20


def evaluate_budgets(as_of: date) -> str:
    """Evaluates the night and those missed before it; what that queued is sent at once, and by the sweep."""
    reports = evaluate_nights(as_of, now=timezone.now())
    task("budgets.tasks.send_notifications").delay_on_commit()
    tell_finance(as_of, timezone.now())
    alerts, messages = sum(r.alerts_made for r in reports), sum(r.mails_queued for r in reports)
    summary = ", ".join(
        (
            counted(reports[-1].budgets, "budget evaluated", "budgets evaluated"),
            counted(len(reports[-1].crossings), "threshold breached", "thresholds breached"),
            counted(alerts, "alert opened", "alerts opened"),
            counted(messages, "message queued", "messages queued"),
        )
    )
    if len(reports) > 1:
        summary = _("{count} nights: {summary}").format(count=len(reports), summary=summary)
    if reports[-1].not_evaluated:
        # The others are done; the night is red and run again for these.
        raise NightlyCheckFailed(
            _("{summary}; not evaluated: {not_evaluated}").format(
                summary=summary, not_evaluated=some_of(reports[-1].not_evaluated)
            )
        )
    return summary


def budgets_health(now: datetime) -> list[HealthStatus]:
    """Each active budget that could not be evaluated, with the reason; one line where there is none."""
    odd = list(Budget.objects.active().exclude(not_evaluated="").order_by("name")[: MOST_NAMED + 1])
    if not odd:
        return [HealthStatus(_("Evaluation"), HealthState.GOOD, _("Every active budget could be evaluated."))]
    named = [
        HealthStatus(
            str(budget),
            HealthState.BROKEN,
            _("Not evaluated: {not_evaluated}").format(not_evaluated=budget.not_evaluated),
            budget.get_absolute_url(),
        )
        for budget in odd[:MOST_NAMED]
    ]
    more = Budget.objects.active().exclude(not_evaluated="").count() - len(named)
    return (
        [
            *named,
            HealthStatus(
                _("Others"),
                HealthState.BROKEN,
                ngettext("{more} more budget", "{more} more budgets", more).format(more=more),
            ),
        ]
        if more
        else named
    )


def detect_new_anomalies(as_of: date) -> str:
    """Checks the days whose bills are complete since the last check, and notifies of what is new."""
    count = detect_anomalies(as_of, now=timezone.now())
    return ngettext("{count} new anomaly", "{count} new anomalies", count).format(count=count)


def measure_controls(as_of: date) -> str:
    """Compares what controls were to save with the bills that have come since."""
    count = measure_all(timezone.now())
    return _("{change_sets} of controls proved by a bill").format(change_sets=counted(count, "change set"))
