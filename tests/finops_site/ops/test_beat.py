"""What an administrator changes in the schedule stays changed; of several beats one queues what is due."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

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


# A beat without a worker: what it queues, it prints.
BEAT = """
import sys, time, django
django.setup()
from finops_site.celery import app
from finops_site.ops.beat import Scheduler
scheduler = Scheduler(app=app)
scheduler.apply_entry = lambda entry, producer=None: print(entry.name, flush=True)
print("up", flush=True)
while True:
    scheduler.tick()
    time.sleep(0.1)
"""


class Beat:
    """One of several, in a process of its own; `queued` are the entries that it queued so far."""

    def __init__(self, out):
        database = settings.DATABASES["default"]["NAME"]
        url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}"
        self.out = out
        with out.open("wb") as file:
            env = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "finops_site.settings"}
            self.process = subprocess.Popen([sys.executable, "-c", BEAT], env=env, stdout=file, cwd=settings.BASE_DIR)

    def lines(self):
        return self.out.read_text().split()

    def queued(self):
        return self.lines().count("every-second")


def until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@pytest.mark.slow
def test_of_two_beats_one_leads_and_the_other_goes_on_when_it_is_killed(tmp_path):
    second, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.create(name="every-second", task="finops_site.tasks.send_outgoing_emails", interval=second)
    one = Beat(tmp_path / "one")
    until(lambda: one.queued() > 1)
    other = Beat(tmp_path / "other")
    try:
        until(lambda: "up" in other.lines())
        before = one.queued()
        until(lambda: one.queued() > before + 3)
        assert other.queued() == 0
        one.process.kill()
        one.process.wait()
        until(lambda: other.queued() > 1, 20)
    finally:
        for beat in (one, other):
            beat.process.kill()
            beat.process.wait()
