"""Scheduled reports with faults, injected for real: kill -9 at any moment, two beats at once, a mail server that goes.

FINOPS_KILLS=50 makes the long run of it.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from finops_site.mail import outbox
from finops_site.models import OutgoingEmail
from programme.models import MadeReport, ReportDelivery, ReportRun
from programme.models.reports import LEASE
from tests.costs.ingest.test_ingest import ROOT, _environment
from tests.finops_site.mail.test_outbox import server  # noqa: F401
from tests.programme.reports.conftest import NOW
from tests.tagging.test_faults import WorkerProcess

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults"), pytest.mark.django_db(transaction=True)]

FIRST_SECONDS = 0.2
KILLS = int(os.environ.get("FINOPS_KILLS", "5"))
READERS = ["lea@demo.example", "max@demo.example", "ola@demo.example"]


@pytest.fixture
def worker():
    """Starts workers: each is a function ``tell(verb, argument, now, seconds)`` that returns the outcome."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("worker.py")],
            cwd=ROOT,
            env=_environment() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return WorkerProcess(process)

    yield start
    for process in started:
        process.stdin.close()
        process.wait(10)


def made():
    """{who sees it: (number, SHA-256) of her report}: of no scope are there two."""
    rows = list(MadeReport.objects.values_list("scope_key", "pk", "sha256"))
    assert len(rows) == len({key for key, *_ in rows}), "a scope has two reports"
    return {key: (pk, sha256) for key, pk, sha256 in rows}


def letters():
    """{to: Message-ID} of the mails that wait or went: nobody has two."""
    rows = list(OutgoingEmail.objects.filter(kind="scheduled-report").values_list("to", "message_id"))
    assert len(rows) == len(dict(rows)), "somebody has two"
    return dict(rows)


def assert_each_has_one(server):  # noqa: F811
    """The server took one report for each reader, after it had gone away in the middle of the first."""
    server.answers = ["451 try again later"]
    for hours in (1, 3, 6):
        outbox.send_queued_emails(NOW + timedelta(days=1, hours=hours))
    assert Counter(to for to, _ in server.taken) == dict.fromkeys(READERS, 1)
    assert set(server.ids().values()) == {1}


def test_a_worker_that_is_killed_at_any_moment_leaves_what_the_next_goes_on_with(monthly, worker, server):  # noqa: F811
    tell, chance, now, killed, full_time = worker(), random.Random(17), NOW, 0, 4.0
    reports, mails = {}, {}
    while killed < KILLS:
        began = time.monotonic()
        # The first is killed before it can end, however quick the machine.
        outcome = tell("due", "-", now, chance.uniform(0.02, full_time if killed else FIRST_SECONDS))
        if outcome == "ended 0":
            full_time = time.monotonic() - began
        killed += outcome == "killed"
        assert made().items() >= reports.items(), "what was made stays, and is not made again"
        assert letters().items() >= mails.items(), "who was written to is not written to again"
        reports, mails = made(), letters()
        assert ReportRun.objects.count() <= 1
        if outcome == "ended 0" and sorted(mails) == READERS:
            break
        now += LEASE + timedelta(seconds=1)
    assert killed
    assert tell("due", "-", now, 120) == "ended 0"
    run = ReportRun.objects.get()
    assert run.state == "done"
    assert sorted(letters()) == READERS
    assert sorted(ReportDelivery.objects.values_list("to", flat=True)) == READERS
    assert len(made()) == 3
    assert_each_has_one(server)
    print(f"{killed} kills, {run.attempts} attempts")


def test_beat_that_starts_two_workers_at_once_makes_and_sends_each_report_once(monthly, worker, server):  # noqa: F811
    two = [worker(), worker()]
    for minutes in (0, 5):
        for one in two:
            one.begin("due", "-", NOW + timedelta(minutes=minutes), 120)
        assert [one.answer() for one in two] == ["ended 0", "ended 0"]
    assert (ReportRun.objects.count(), len(made())) == (1, 3)
    assert sorted(letters()) == READERS
    assert_each_has_one(server)
