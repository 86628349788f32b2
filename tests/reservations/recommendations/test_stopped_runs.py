"""A recommendation whose worker was killed is found, ended in words, and run again; nobody waits for it."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from finops_site.celery import app
from reservations import tasks
from reservations.models import Plan, StandingOrder
from reservations.purchases import standing_orders
from reservations.recommendations.plan_parameters import Parameters
from reservations.recommendations.recommend import create_plan
from reservations.recommendations.stopped_runs import SILENT_FOR, STOPPED, end_stopped_runs
from tests.costs.ingest.test_ingest import ROOT, _environment


def waiting(**changes):
    plan = create_plan(None, Parameters(), as_of=timezone.now().date())
    Plan.objects.filter(pk=plan.pk).update(**changes)
    plan.refresh_from_db()
    return plan


@pytest.mark.slow
@pytest.mark.xdist_group("faults")
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_a_run_that_is_found_and_ended(transactional_db):
    plan = waiting()
    command = [sys.executable, "-m", "tests.reservations.recommendations.worker", str(plan.pk)]
    worker = subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, text=True)
    assert worker.stdout.readline() == "working\n"
    worker.send_signal(signal.SIGKILL)
    assert worker.wait(10) == -signal.SIGKILL
    plan.refresh_from_db()
    assert (plan.state, plan.stage) == ("running", "Reading the bills")
    assert end_stopped_runs(timezone.now()) == 0, "it may still be at it"
    assert end_stopped_runs(timezone.now() + SILENT_FOR) == 1
    plan.refresh_from_db()
    assert (plan.state, plan.message) == ("failed", STOPPED)


@pytest.mark.django_db
def test_the_sweep_of_every_minute_ends_what_is_silent(people):
    silent = timezone.now() - SILENT_FOR - timedelta(minutes=1)
    dead = waiting(state="running", heartbeat_at=silent)
    older = waiting(state="running", created_at=silent)
    alive = waiting(state="running", heartbeat_at=timezone.now(), created_at=silent)
    tasks.end_stopped_recommendations()
    assert dict(Plan.objects.values_list("pk", "state")) == {dead.pk: "failed", older.pk: "failed", alive.pk: "running"}
    assert "end-stopped-recommendations-every-minute" in app.conf.beat_schedule


@pytest.mark.django_db
def test_a_standing_order_does_not_wait_for_a_dead_run(people, fay):
    now = timezone.now()
    order = StandingOrder.objects.create(name="Monthly", made_by=fay)
    alive = waiting(state="running", heartbeat_at=now)
    assert "are being looked at" in standing_orders.run_standing_order(order.pk, now)
    Plan.objects.filter(pk=alive.pk).update(heartbeat_at=now - timedelta(hours=1))
    assert "there is no recommendation yet" in standing_orders.run_standing_order(order.pk, now)
    Plan.objects.all().delete()
    waiting(created_at=now - timedelta(hours=2))
    assert "there is no recommendation yet" in standing_orders.run_standing_order(order.pk, now), "no worker took it"


@pytest.mark.django_db
def test_fay_runs_it_again_with_the_same_limits_and_max_does_not(people, fay, max_, client_of):
    plan = waiting(state="failed", message=STOPPED, parameters={"target_coverage": 0.5}, lookback_days=60)
    url = plan.get_absolute_url()
    assert "Run it again" in client_of(fay).get(url).content.decode()
    assert "Run it again" not in client_of(max_).get(url).content.decode()
    assert client_of(max_).post(url).status_code == 403
    page = client_of(fay).post(url, follow=True)
    again = Plan.objects.exclude(pk=plan.pk).get()
    assert page.redirect_chain[-1][0] == again.get_absolute_url()
    assert (again.state, again.lookback_days, again.requested_by) == ("waiting", 60, fay)
    assert again.parameters["target_coverage"] == 0.5
    assert (
        "Only what failed is run again" in client_of(fay).post(again.get_absolute_url(), follow=True).content.decode()
    )
