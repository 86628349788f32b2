"""The nightly checks of budgets: Health sees them, a failure is not green, and running twice sends nothing twice."""

from datetime import date, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from budgets import nightly_checks, tasks
from budgets.alerts import notifications
from budgets.evaluation import evaluate
from budgets.models import Alert, AlertDelivery, Anomaly, Night
from finops_site.models import NightlyRun, OutgoingEmail
from finops_site.ops import health, nightly
from finops_site.pillars import beat_schedule
from finops_site.registry import NightlyCheck, registry
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
MARCH_20TH = date(2026, 3, 20)


@pytest.fixture
def checks():
    return [check for check in registry.of(NightlyCheck) if check.name in ("budgets", "anomalies")]


@shared
def budget(a_quarter, payments, budget_of):
    return budget_of("Payments", "3000", team=payments)


def last_night():
    (group,) = [group for group in health.groups(timezone.now()) if group.title == "Last night"]
    return {status.label.split(",")[0]: (status.state, status.message) for status in group.statuses}


def test_the_night_is_two_checks_whose_summaries_health_shows(
    budget, lea, checks, django_capture_on_commit_callbacks, monkeypatch
):
    sent = []
    monkeypatch.setattr(tasks.send_notifications, "delay", lambda: sent.append("queued"))
    with django_capture_on_commit_callbacks(execute=True):
        nightly.run_checks(MARCH_20TH, checks=checks)
    assert sent == ["queued"], "what the night queued is sent once it is committed"
    done = dict(NightlyRun.objects.values_list("check_name", "summary"))
    assert done == {
        "budgets": "1 budget evaluated, 2 thresholds breached, 2 alerts opened, 2 messages queued",
        "anomalies": "0 new anomalies",
    }
    assert Alert.objects.count() == 2


def test_a_night_run_again_sends_nothing_twice(budget, lea, checks):
    for _ in range(2):
        nightly.run_checks(MARCH_20TH, checks=checks)
        notifications.send_due_notifications(timezone.now())
        NightlyRun.objects.all().delete()
    assert (Alert.objects.count(), AlertDelivery.objects.count(), Night.objects.count()) == (2, 2, 1)
    assert OutgoingEmail.objects.count() == 1, "two thresholds of one cause are one e-mail"


def test_a_failed_evaluation_is_not_green_and_is_run_again(budget, lea, checks, monkeypatch):
    def fails(*args, **options):
        raise ValueError("no forecast")

    with monkeypatch.context() as broken:
        broken.setattr(evaluate, "forecast_periods", fails)
        nightly.run_checks(MARCH_20TH, checks=checks)
    states = last_night()
    assert states["budgets"] == ("bad", "ValueError: no forecast")
    assert states["anomalies"][0] == "good", "one check that fails stops no other"
    assert not Alert.objects.exists()
    nightly.run_checks(MARCH_20TH, checks=checks)
    assert last_night()["budgets"][0] == "good"
    assert Alert.objects.count() == 2


def test_nights_missed_are_caught_up_thirty_one_at_most(budget, lea):
    nightly_checks.evaluate_budgets(date(2026, 3, 1))
    assert nightly_checks.evaluate_budgets(date(2026, 3, 4)).startswith("3 nights: 1 budget evaluated")
    nightly_checks.evaluate_budgets(date(2026, 3, 4) + timedelta(days=100))
    assert Night.objects.count() == 1 + 3 + evaluate.MOST_NIGHTS


def test_an_anomaly_of_the_night_is_in_its_summary(payments, deliver, lea):
    deliver("2026-01", "100.00", months=2)
    deliver("2026-03", lambda day: "600.00" if day.day == 17 else "100.00", until=MARCH_20TH)
    assert nightly_checks.detect_new_anomalies(date(2026, 3, 21)) == "1 new anomaly"
    assert Anomaly.objects.count() == 1


def test_the_schedule_has_no_evaluation_of_its_own():
    tasks = [entry["task"] for entry in beat_schedule().values()]
    assert not [task for task in tasks if task.startswith("budgets.") and "evaluate" in task]
    assert "finops_site.tasks.run_nightly_checks" in tasks


def test_an_existing_schedule_is_renamed_and_back():
    migration = import_module("budgets.migrations.0003_name_fields_in_plain_terms")
    hourly, _ = CrontabSchedule.objects.get_or_create(minute="0")
    PeriodicTask.objects.all().delete()
    for (name, task), _ in migration.ENTRIES:
        PeriodicTask.objects.create(name=name, task=task, crontab=hourly, enabled=False)
    PeriodicTask.objects.create(name=migration.FORMER_ENTRY, task="budgets.tasks.evaluate_budgets", crontab=hourly)
    migration.rename_entries(apps, None)
    new = {entry for _, entry in migration.ENTRIES}
    assert set(PeriodicTask.objects.values_list("name", "task")) == new
    assert {name: entry["task"] for name, entry in beat_schedule().items()}.items() >= new
    assert not PeriodicTask.objects.filter(enabled=True).exists(), "an administrator's edit lasts"
    migration.restore_entries(apps, None)
    assert set(PeriodicTask.objects.values_list("name", "task")) == {entry for entry, _ in migration.ENTRIES}
