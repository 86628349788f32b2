"""The night with faults, injected for real: one mail for each alert and recipient, unless its letter is doubtful.

FINOPS_KILLS=200 makes the long run of it; the counts are printed.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time as clock
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from django.db import connection
from django.utils import timezone
from kombu import Connection

import run
from budgets import tasks
from budgets.alerts import notifications
from budgets.evaluation import evaluate
from budgets.models import Alert, AlertDelivery, Budget, Night, Recipient
from budgets.planning import budget_changes
from finops_site.lib.periods import Month
from finops_site.mail import outbox
from finops_site.models import OutgoingEmail
from tests.budgets.conftest import at
from tests.costs.ingest.test_ingest import ROOT, _environment
from tests.finops_site.mail.test_outbox import Server, free_port
from tests.shared_fixtures import shared

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults"), pytest.mark.django_db(transaction=True)]

KILLS = int(os.environ.get("FINOPS_KILLS", "10"))
MARCH_20TH = date(2026, 3, 20)
DUTY = ("duty@demo.example", "night@demo.example", "cfo@demo.example")


class Sink(Server):
    """Beside what Server does it can be silent after it has taken a message."""

    async def handle_DATA(self, server, session, envelope):
        if self.answers and self.answers[0] == "silent":
            self.answers.pop(0)
            self.taken.append((envelope.rcpt_tos[0], envelope.content.decode()))
            await asyncio.sleep(2)
            return "250 OK"
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def sink(settings):
    handler = Sink()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", controller.port, 1
    yield handler
    controller.stop()


@shared
def budget(a_quarter, payments, budget_of):
    """Half of 3,000 is crossed in March, and all of it by its end: four are told."""
    budget = budget_of("Payments", "3000", team=payments)
    tell_duty(budget)
    return budget


def tell_duty(budget):
    Recipient.objects.bulk_create(Recipient(budget=budget, kind="address", address=address) for address in DUTY)


def whole_night(day, now=None):
    """What beat starts, one after the other."""
    now = now or at(day)
    evaluate.evaluate_nights(day, now=now, catch_up=False)
    notifications.send_due_notifications(now)
    outbox.send_queued_emails(now)


def finish(now):
    """The sweeps of the next hours, until nothing waits."""
    for _ in range(60):
        now += timedelta(minutes=6)
        notifications.send_due_notifications(now)
        outbox.send_queued_emails(now)
        notifications.update_outcomes()
        if not AlertDelivery.objects.queued().exists() and not OutgoingEmail.objects.filter(outcome="waiting").exists():
            return
    raise AssertionError("something waits for ever")


def assert_told_once(sink):
    """Every (alert, recipient) is in one letter, which arrived once or is doubtful; returns the counts."""
    rows = AlertDelivery.objects.exclude(outcome="cancelled")
    assert rows.exists()
    assert not rows.exclude(outcome__in=["sent", "unknown"]).exists()
    arrived = Counter({line.split(": ")[1].strip(): times for line, times in sink.ids().items()})
    letters = dict(OutgoingEmail.objects.filter(key__startswith="alert ").values_list("message_id", "may_be_duplicate"))
    assert set(rows.values_list("message_id", flat=True)) == set(letters) == set(arrived), "nothing is lost or made up"
    twice = {identity for identity, times in arrived.items() if times > 1}
    assert twice <= {identity for identity, doubtful in letters.items() if doubtful}
    assert max(arrived.values()) <= 2
    assert Alert.objects.count() == Alert.objects.values("budget", "period", "threshold", "kind").distinct().count()
    return {"messages": rows.count(), "letters": len(letters), "doubtful": sum(letters.values()), "twice": len(twice)}


class Worker:
    """A real worker with a broker of its own; its pool's process is what is killed."""

    def __init__(self, folder, port):
        self.broker, self.url = run.start_valkey(folder / "valkey", "only-for-tests", log=folder / "valkey.log")
        env = _environment() | {
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": self.url,
            "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        }
        celery = [sys.executable, "-m", "celery", "-A", "finops_site.celery", "worker", "-c", "1"]
        self.log = (folder / "worker.log").open("w")
        more = ["--without-gossip", "--without-mingle", "-l", "INFO"]
        self.process = subprocess.Popen([*celery, *more], cwd=ROOT, env=env, stdout=self.log, stderr=self.log)

    def hand(self, task, *arguments):
        with Connection(f"{self.url}/0") as broker:
            task.apply_async(arguments, connection=broker)

    def child(self):
        """The process that works, once there is one: a killed one lies there until the pool has looked."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((int(pid) for pid in pids if _lives(pid)), None)

    def kill_child(self, after):
        """Kills what works, after so many seconds; the worker starts another, the broker hands it the task again."""
        until(self.child)
        clock.sleep(after)
        pid = self.child()
        if pid:
            os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.broker.stop()
        self.log.close()


def _lives(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.fixture
def worker(tmp_path, sink, settings):
    worker = Worker(tmp_path, settings.EMAIL_PORT)
    yield worker
    worker.stop()


def until(true, seconds=60):
    deadline = clock.monotonic() + seconds
    while not true():
        assert clock.monotonic() < deadline, "waited in vain"
        clock.sleep(0.02)


def budget_of_today(number, team, today):
    """Crossed at once, in every way: a period that holds today and has spent its amount."""
    start = Month.of(today - timedelta(days=20))
    span = type(start.period)(start.start, Month.of(today).next.next.start)
    made = Budget(
        name=f"Budget {number}", team=team, kind="custom", start=span.start, end=span.end, with_tax=bool(number % 2)
    )
    budget_changes.create_budget(made, {span: Decimal(100)}, by=None)
    tell_duty(made)


def test_a_worker_killed_at_random_points_of_the_night_tells_everybody_once(payments, deliver, worker, sink, lea, fay):
    today = timezone.now().date()
    deliver(str(Month.of(today).plus(-2)), "100.00", months=3, until=today)
    chance, killed = random.Random(20261125), set()
    budget_of_today(0, payments, today)
    worker.hand(tasks.evaluate_months, [str(Month.of(today))])
    until(lambda: len(sink.taken) >= 4)
    for number in range(1, KILLS + 1):
        budget_of_today(number, payments, today)
        worker.hand(tasks.evaluate_months, [str(Month.of(today))])
        killed.add(worker.kill_child(after=chance.uniform(0.05, 1.5)))
    assert len(killed) >= KILLS * 0.9, "processes were killed while they worked"
    until(lambda: Alert.objects.values("budget").distinct().count() == KILLS + 1, seconds=60 + 3 * KILLS)
    worker.stop()
    finish(timezone.now())
    counts = assert_told_once(sink)
    assert counts["messages"] == Alert.objects.count() * 4
    print(f"{len(killed)} processes killed: {Alert.objects.count()} alerts to 4 each, {counts}")


@pytest.mark.parametrize(
    ("answers", "doubtful"),
    [
        (["450 greylisted, come back"] * 4, 0),
        (["421 too busy", "451 later"] * 3, 0),
        (["hang up"], 1),
        (["silent"], 1),
        (["hang up", "silent", "450 greylisted"], 2),
    ],
)
def test_a_mail_server_with_faults_gets_one_letter_for_each_or_a_doubtful_one(budget, sink, lea, answers, doubtful):
    sink.answers = answers
    whole_night(MARCH_20TH)
    finish(at(MARCH_20TH))
    counts = assert_told_once(sink)
    assert (counts["letters"], counts["doubtful"], counts["twice"]) == (4, doubtful, doubtful)


def test_a_mail_server_that_is_gone_for_hours_loses_nothing(budget, sink, lea, settings):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    whole_night(MARCH_20TH)
    whole_night(MARCH_20TH, at(MARCH_20TH) + timedelta(hours=2))
    assert sink.taken == []
    settings.EMAIL_PORT = port
    finish(at(MARCH_20TH) + timedelta(hours=3))
    assert assert_told_once(sink)["letters"] == 4


def test_beat_started_twice_and_four_workers_on_one_budget_tell_once(budget, sink, lea):
    barrier, wrong = threading.Barrier(4), []

    def work():
        try:
            barrier.wait(10)
            whole_night(MARCH_20TH)
        except Exception as error:
            wrong.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join(60)
    assert wrong == []
    finish(at(MARCH_20TH))
    counts = assert_told_once(sink)
    assert (counts["letters"], counts["twice"], Night.objects.count()) == (4, 0, 1)


def test_a_clock_that_jumps_back_and_forth_tells_once(budget, sink, lea):
    for days in (0, -1, 0, 2, 1, -3, 2):
        whole_night(MARCH_20TH + timedelta(days=days))
    finish(at(MARCH_20TH) + timedelta(days=3))
    counts = assert_told_once(sink)
    assert counts["messages"] == Alert.objects.count() * 4
    assert counts["twice"] == 0


@pytest.mark.parametrize("changes", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_night_whose_clocks_change_tells_once_and_after_the_quiet_hours(
    payments, deliver, budget_of, sink, lea, changes
):
    first = Month.of(changes)
    deliver(str(first.plus(-2)), "100.00", months=3, until=changes)
    budget = budget_of("Payments", "2500", team=payments, start=first.start)
    tell_duty(budget)
    budget.recipients.update(quiet_from=time(22), quiet_until=time(2, 30), time_zone="Europe/Berlin")
    begun = datetime.combine(changes, time(0, 10), UTC)
    whole_night(changes, begun)
    assert sink.taken == [], "it is ten past one or two in Berlin"
    finish(begun)
    assert assert_told_once(sink)["twice"] == 0
    sent = OutgoingEmail.objects.filter(key__startswith="alert ").values_list("sent_at", flat=True)
    assert min(sent) >= datetime.combine(changes, time(1, 0) if changes.month == 3 else time(0, 30), UTC)


def test_a_month_that_closes_during_the_run_keeps_its_alerts_apart_and_tells_them_once(budget, sink, lea):
    last = datetime(2026, 3, 31, 23, 59, 50, tzinfo=UTC)
    evaluate.evaluate_nights(last.date(), now=last, catch_up=False)
    after = last + timedelta(seconds=20)
    notifications.send_due_notifications(after)
    evaluate.evaluate_nights(after.date(), now=after, catch_up=False)
    finish(after)
    assert_told_once(sink)
    assert set(Alert.objects.values_list("period__start", flat=True)) == {date(2026, 3, 1)}
    assert Alert.objects.filter(kind="actual", period__start=date(2026, 3, 1)).count() == 3
