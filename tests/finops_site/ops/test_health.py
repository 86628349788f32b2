"""The night and the health of the system: one failing check stops no other, and ada sees what is wrong."""

from datetime import date, timedelta

import pytest
from django.conf import settings
from django.db.utils import ConnectionHandler
from django.utils import timezone

from finops_site.models import Backup, NightlyRun, OutgoingEmail
from finops_site.ops import health, health_views, nightly
from finops_site.pillars import beat_schedule
from finops_site.registry import NightlyCheck, registry
from finops_site.tasks import run_nightly_checks

NIGHT = date(2026, 3, 15)
NOWHERE = "redis://127.0.0.1:1/0"


def fails(as_of):
    raise ValueError(f"no tariff of {as_of}")


@pytest.mark.django_db
def test_a_check_that_fails_stops_no_other_and_says_why():
    checks = [NightlyCheck("prices", fails), NightlyCheck("tags", lambda as_of: f"looked at {as_of}")]
    nightly.run(NIGHT, checks=checks)
    found = {run.check_name: (run.outcome, run.summary) for run in nightly.last()}
    assert found == {
        "prices": ("failed", "ValueError: no tariff of 2026-03-15"),
        "tags": ("done", "looked at 2026-03-15"),
    }


@pytest.mark.django_db
def test_a_night_run_again_repeats_only_what_is_not_done():
    ran = []
    good = NightlyCheck("tags", lambda as_of: ran.append(as_of) or "done")
    nightly.run(NIGHT, checks=[good, NightlyCheck("prices", fails)])
    NightlyRun.objects.create(as_of=NIGHT, check_name="died", started_at=timezone.now())
    mended = [NightlyCheck("prices", lambda as_of: "mended"), NightlyCheck("died", lambda as_of: "at last")]
    again = nightly.run(NIGHT, checks=[good, *mended])
    assert ran == [NIGHT]
    assert {run.check_name: run.summary for run in again} == {"prices": "mended", "died": "at last"}
    assert NightlyRun.objects.filter(as_of=NIGHT, outcome="done").count() == 3


@pytest.mark.django_db
def test_nights_of_three_months_ago_are_forgotten():
    NightlyRun.objects.create(as_of=NIGHT - timedelta(days=91), check_name="tags")
    nightly.run(NIGHT, checks=[])
    assert not NightlyRun.objects.exists()


@pytest.mark.django_db
def test_the_task_runs_every_registered_check_and_the_books_are_one():
    assert run_nightly_checks() == len(registry.nightly_checks)
    assert NightlyRun.objects.get(check_name="books").outcome == "done"
    assert {"finops_site.tasks.run_nightly_checks"} <= {each["task"] for each in beat_schedule().values()}


def test_ada_sees_last_night_letters_and_the_backup(ada, client_of):
    NightlyRun.objects.create(as_of=NIGHT, check_name="prices", outcome="failed", summary="no tariff <b>")
    OutgoingEmail.objects.create(key="k", to="x@demo.example", content=b"", message_id="m", outcome="refused")
    Backup.objects.create(path="/backups/tuesday.finops", bytes=12_345_678)
    html = client_of(ada).get("/health/").content.decode()
    for said in ("no tariff &lt;b&gt;", "1 in the last 7 days", "/backups/tuesday.finops", "12.3 MB", "GB are free"):
        assert said in html, said


def test_a_night_that_did_not_come_is_told(ada, client_of):
    NightlyRun.objects.create(
        as_of=NIGHT, check_name="prices", outcome="done", started_at=timezone.now() - timedelta(days=2)
    )
    assert "did not run last night" in client_of(ada).get("/health/").content.decode()


@pytest.mark.django_db
def test_a_load_balancer_needs_no_login_and_learns_nothing_else(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "cache": "ok", "broker": "ok"})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_without_broker_and_cache_pages_are_served_and_healthz_says_so(client, settings):
    settings.CELERY_BROKER_URL = NOWHERE
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": NOWHERE}}
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "cache": "down", "broker": "down"})


@pytest.mark.django_db
def test_without_the_database_healthz_is_503_and_tells_no_address(client, monkeypatch):
    gone = ConnectionHandler({"default": {**settings.DATABASES["default"], "PORT": "1"}})["default"]
    assert not health.database_answers(gone)
    monkeypatch.setattr(health_views.health, "connection", gone)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")
    assert "127.0.0.1" not in answer.content.decode()
