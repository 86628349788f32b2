"""What an administrator changes in the schedule stays changed."""

import os
import signal

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from finops_site.celery import app
from finops_site.ops.beat import Scheduler

# Beat closes its connections as it likes.
pytestmark = pytest.mark.django_db(transaction=True)
NIGHT = "run-nightly-checks"


def test_the_settings_fill_an_empty_schedule():
    Scheduler(app=app).setup_schedule()
    assert PeriodicTask.objects.get(name=NIGHT).crontab.hour == "5"


def test_an_edit_in_the_admin_survives_a_restart_of_beat():
    Scheduler(app=app).setup_schedule()
    later, _ = CrontabSchedule.objects.get_or_create(hour="6", minute="0")
    PeriodicTask.objects.filter(name=NIGHT).update(crontab=later, enabled=False)
    Scheduler(app=app).setup_schedule()
    task = PeriodicTask.objects.get(name=NIGHT)
    assert (task.crontab, task.enabled) == (later, False)


def test_an_entry_whose_task_no_app_has_any_more_is_disabled_and_the_others_are_not():
    Scheduler(app=app).setup_schedule()
    hourly, _ = CrontabSchedule.objects.get_or_create(minute="0")
    PeriodicTask.objects.create(name="of-an-app-that-left", task="carbon.tasks.weigh", crontab=hourly)
    Scheduler(app=app).setup_schedule()
    disabled = PeriodicTask.objects.get(enabled=False)
    assert disabled.name == "of-an-app-that-left"
    assert disabled.description == "Disabled: no app has its task any more."


def test_an_entry_follows_a_task_that_was_renamed_and_keeps_its_times():
    Scheduler(app=app).setup_schedule()
    later, _ = CrontabSchedule.objects.get_or_create(hour="6", minute="0")
    PeriodicTask.objects.filter(name=NIGHT).update(crontab=later, task="finops_site.tasks.look_after_the_night")
    Scheduler(app=app).setup_schedule()
    task = PeriodicTask.objects.get(name=NIGHT)
    assert (task.task, task.crontab, task.enabled) == ("finops_site.tasks.run_nightly_checks", later, True)


def test_a_stop_that_comes_while_the_schedule_is_made_is_heard_when_it_stands(monkeypatch):
    entries_when_heard = []
    handler = signal.signal(signal.SIGTERM, lambda *_: entries_when_heard.append(PeriodicTask.objects.count()))
    monkeypatch.setattr(Scheduler, "follow_renamed_tasks", lambda self: os.kill(os.getpid(), signal.SIGTERM))
    try:
        Scheduler(app=app)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert entries_when_heard == [PeriodicTask.objects.count()]
