"""Faults, injected for real: whatever dies or is full or gone, the last good month stands and nothing counts twice."""

import os
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.utils import timezone
from kombu import Connection

import run
from costs import tasks
from costs.ingest.claims import stalled_deliveries
from costs.ingest.leftovers import remove_leftovers
from costs.ingest.load import load_bill, retry_delivery
from costs.ingest.receive import receive_bill
from costs.models import CostLine, DayRollup, Delivery, DeliveryMonth, MonthRollup, ResourceRollup
from costs.versions.decisions import accept_delivery
from finops_site.models import OutgoingEmail
from tests import bills
from tests.costs.ingest.test_ingest import ROOT, _environment, assert_green, billed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults"), pytest.mark.django_db(transaction=True)]

ROWS = 3_000
# So many moments, and more until each of these stages was met; FINOPS_KILLS=100 takes five minutes.
MOMENTS, MOST_MOMENTS = int(os.environ.get("FINOPS_KILLS", "15")), 100
STAGES = {"reading", "checking", "cost lines of 2026-03"}
# How long servers are gone. Nothing waits longer than five seconds for an answer or gives up trying, so that ten tell
# as much as the minute that FINOPS_OUTAGE=60 makes of them; a load counts as stalled after as long.
OUTAGE = int(os.environ.get("FINOPS_OUTAGE", "10"))


@pytest.fixture
def worker():
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("worker.py")],
        cwd=ROOT,
        env=_environment() | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    yield lambda delivery, seconds: _tell(process, delivery, seconds)
    process.stdin.close()
    process.wait(10)


def _tell(process, delivery, seconds):
    process.stdin.write(f"{delivery.pk} {seconds}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def receive(folder, cost, rows=ROWS, is_accepted=True):
    """A bill that counts however much it changes: these costs double from one to the next."""
    text = bills.focus_csv({"BilledCost": cost, "ResourceId": f"i-{n}"} for n in range(rows))
    (received,) = receive_bill("northwind", [bills.write(folder, "bill.csv.gz", text)], is_accepted=is_accepted)
    return received.delivery


def resumed(worker, delivery):
    """What the sweep of every minute does once the heartbeat is silent."""
    long_ago = timezone.now() - timedelta(hours=1)
    Delivery.objects.filter(status=Delivery.Status.LOADING).update(heartbeat_at=long_ago)
    Delivery.objects.filter(status=Delivery.Status.RECEIVED).update(received_at=long_ago)
    if delivery in stalled_deliveries(timezone.now()):
        assert worker(delivery, 60) == "ended 0"
    delivery.refresh_from_db()
    return delivery


def assert_whole(delivery, cost):
    """The books hold this bill once and nothing else, in the database and on the disk."""
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    assert billed() == {"USD": cost * ROWS}
    remove_leftovers(timezone.now())
    current = DeliveryMonth.objects.get(is_current=True)
    for model in (CostLine, MonthRollup, ResourceRollup, DayRollup):
        assert set(model.objects.values_list("delivery_month", flat=True)) == {current.pk}, model
    assert CostLine.objects.count() == ROWS
    assert sorted(path.name for path in delivery.folder.iterdir()) == ["charges", "delivered"]
    assert [path.name for path in delivery.folder.glob("charges/*/*")] == ["charges.parquet"]


def test_a_worker_killed_at_any_moment_costs_nothing_but_time(tmp_path, worker):
    chance = random.Random(20261124)
    good = receive(tmp_path, "1")
    began = time.monotonic()
    assert worker(good, 60) == "ended 0"
    undisturbed = time.monotonic() - began
    stages, before = set(), 1
    for moment in range(MOST_MOMENTS):
        if moment >= MOMENTS and {stage for _, stage in stages} >= STAGES:
            break
        cost = 2 + moment
        delivery = receive(tmp_path, str(cost))
        worker(delivery, chance.uniform(0, undisturbed))
        delivery.refresh_from_db()
        stages.add((delivery.status, delivery.stage))
        loaded = delivery.status == Delivery.Status.CURRENT
        assert billed() == {"USD": (cost if loaded else before) * ROWS}, "the last good month stands"
        assert_whole(resumed(worker, delivery), cost)
        before = cost
    assert_green()
    assert {stage for _, stage in stages} >= STAGES, stages


def test_a_worker_killed_while_it_holds_a_bill_and_while_an_accepted_one_loads_costs_nothing_but_time(
    tmp_path, worker, people
):
    chance = random.Random(20261129)
    good = receive(tmp_path, "1000")
    began = time.monotonic()
    assert worker(good, 60) == "ended 0"
    undisturbed = time.monotonic() - began
    for moment in range(12):
        held = receive(tmp_path, str(moment + 1), is_accepted=False)
        worker(held, chance.uniform(0, undisturbed))
        assert billed() == {"USD": 1000 * ROWS}, "the last good month stands"
        assert resumed(worker, held).status == Delivery.Status.HELD
        assert billed() == {"USD": 1000 * ROWS}
        assert_green()
    mails = OutgoingEmail.objects.filter(subject__startswith="A bill is held")
    assert mails.count() == 1, "newer versions that are held take the place of the older ones"
    assert Delivery.objects.filter(status=Delivery.Status.HELD).count() == 1
    assert accept_delivery(held, people["fay"])
    worker(held, undisturbed / 2)
    assert billed() in ({"USD": 1000 * ROWS}, {"USD": 12 * ROWS})
    assert_whole(resumed(worker, held), 12)
    assert_green()


def test_a_disk_that_fills_up_in_the_middle_is_said_and_the_load_can_be_tried_again(tmp_path, settings):
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", str(small)]).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        settings.FINOPS_VAR = small
        rows = [
            {"BilledCost": "1", "ResourceId": f"i-{n:032x}", "Tags": f'{{"n": "{n * 7919:x}"}}'} for n in range(30_000)
        ]
        path = bills.write(tmp_path, "bill.csv.gz", bills.focus_csv(rows))
        (received,) = receive_bill("northwind", [path])
        failed = load_bill(received.delivery)
        assert failed.message == "The disk is full: free some space and try again. Nothing was changed."
        assert CostLine.objects.count() == 0
        assert_green()
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        assert retry_delivery(failed)
        assert load_bill(failed).status == Delivery.Status.CURRENT
        assert billed() == {"USD": 30_000}
        assert_green()
    finally:
        subprocess.run(["umount", str(small)], check=True)


@contextmanager
def no_database():
    """The server throws everybody out of the test's database and lets nobody in again."""
    server_settings = connection.settings_dict
    address = {
        "host": server_settings["HOST"],
        "port": server_settings["PORT"],
        "user": server_settings["USER"],
        "password": server_settings["PASSWORD"],
    }
    connection.close()
    with psycopg.connect(dbname="postgres", autocommit=True, **address) as server:
        name = server_settings["NAME"]
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_a_database_that_goes_away_in_the_middle_costs_nothing_but_time(tmp_path, worker):
    good = receive(tmp_path, "1")
    assert worker(good, 60) == "ended 0"
    delivery, endings = receive(tmp_path, "2"), []
    loading = threading.Thread(target=lambda: endings.append(worker(delivery, 60)))
    loading.start()
    while not Delivery.objects.filter(pk=delivery.pk, stage="reading").exists():
        time.sleep(0.002)
    with no_database():
        loading.join(30)
        with pytest.raises(OperationalError):
            billed()
    assert endings == ["ended 1"], "the load was under way and did not end well"
    assert billed() == {"USD": ROWS}
    assert_whole(resumed(worker, delivery), 2)
    assert_green()


def test_without_a_broker_a_bill_waits_for_the_sweep(tmp_path, worker, monkeypatch):
    nobody = Connection("redis://127.0.0.1:1/0", transport_options={"socket_connect_timeout": 1})
    task = tasks.load_delivery
    monkeypatch.setattr(task, "delay", lambda pk: task.apply_async([pk], connection=nobody, retry=False))
    delivery = receive(tmp_path, "3")
    task.delay_on_commit(delivery.pk)
    assert delivery.status == Delivery.Status.RECEIVED
    assert_whole(resumed(worker, delivery), 3)
    assert_green()


class Broker:
    """A Valkey of its own that can be killed and comes back on its port, with what it had written down."""

    def __init__(self, folder):
        self.log = folder.with_suffix(".log")
        self.server, self.url = run.start_valkey(folder, "only-for-tests", log=self.log)
        self.command = [*self.server.process.args]

    def kill(self):
        self.server.process.kill()
        self.server.process.wait()

    def start(self):
        self.server = run.Child("valkey", self.command, log=self.log)


@pytest.fixture
def site(tmp_path):
    """A real Celery worker and beat, as run.py starts them, with a broker of their own: {name: process}, broker."""
    broker = Broker(tmp_path / "valkey")
    env = _environment() | {"PYTHONPATH": str(ROOT), "REDIS_URL": broker.url, "LOAD_STALLED_AFTER_SECONDS": str(OUTAGE)}
    celery = [sys.executable, "-m", "celery", "-A", "finops_site.celery"]
    options = {
        "worker": ["worker", "-c", "1", "--without-gossip", "--without-mingle", "-l", "INFO"],
        "beat": ["beat", "--pidfile="],
    }
    logs = {name: (tmp_path / f"{name}.log").open("w") for name in options}
    started = {
        name: subprocess.Popen([*celery, *more], cwd=ROOT, env=env, stdout=logs[name], stderr=logs[name])
        for name, more in options.items()
    }
    yield started, broker
    for process in started.values():
        process.terminate()
    for process in started.values():
        process.wait(30)
    broker.kill()


def sweep(broker):
    """Hands out what beat hands out every minute."""
    with Connection(f"{broker.url}/0") as at:
        tasks.resume_stalled_deliveries.apply_async(connection=at)


def until_current(delivery, broker, seconds=240):
    """Sweeps until the delivery counts: how often does not matter, for a load is claimed once."""
    deadline = time.monotonic() + seconds
    while delivery.status != Delivery.Status.CURRENT:
        assert time.monotonic() < deadline, (delivery.status, delivery.stage, delivery.message)
        sweep(broker)
        time.sleep(1)
        delivery.refresh_from_db()


def test_a_minute_without_database_and_another_without_broker_cost_nothing_but_time(tmp_path, site):
    processes, broker = site
    good = receive(tmp_path, "1")
    Delivery.objects.filter(pk=good.pk).update(received_at=timezone.now() - timedelta(hours=1))
    until_current(good, broker)

    delivery = receive(tmp_path, "2", rows=30_000)
    Delivery.objects.filter(pk=delivery.pk).update(received_at=timezone.now() - timedelta(hours=1))
    sweep(broker)
    until(lambda: Delivery.objects.filter(pk=delivery.pk, stage="reading").exists())
    with no_database():
        sweep(broker)
        time.sleep(OUTAGE)
    assert billed() == {"USD": ROWS}, "the last good month stands"
    until_current(delivery, broker)
    assert billed() == {"USD": 2 * 30_000}

    broker.kill()
    late = receive(tmp_path, "3")
    time.sleep(OUTAGE)
    assert Delivery.objects.get(pk=late.pk).status == Delivery.Status.RECEIVED
    broker.start()
    until_current(late, broker)
    assert [name for name, process in processes.items() if process.poll() is not None] == [], "both live on"
    assert_whole(late, 3)
    assert_green()


def until(true, seconds=240):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_the_folder_of_the_test_is_the_folder_of_the_worker():
    assert str(django_settings.FINOPS_VAR) == _environment()["FINOPS_VAR"]


def test_a_process_that_only_serves_pages_hands_tasks_to_our_broker():
    code = (
        "import django; django.setup(); from costs.tasks import load_delivery as task; print(task.app.conf.broker_url)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=_environment(), capture_output=True, text=True)
    assert result.stdout.strip() == django_settings.CELERY_BROKER_URL, result.stderr
