"""The night and the health of the system: one failing check stops no other, and ada sees what is wrong."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.conf import settings
from django.db.utils import ConnectionHandler
from django.utils import timezone

from finops_site.models import Backup, NightlyRun, OutgoingEmail
from finops_site.ops import health, health_views, nightly
from finops_site.pillars import beat_schedule
from finops_site.registry import NightlyCheck, NightlyCheckFailed, registry
from finops_site.tasks import run_nightly_checks

NIGHT = date(2026, 3, 15)
NOWHERE = "redis://127.0.0.1:1/0"


def fails(as_of):
    raise ValueError(f"no tariff of {as_of}")


@pytest.mark.django_db
def test_a_check_that_fails_stops_no_other_and_says_why():
    checks = [NightlyCheck("prices", fails), NightlyCheck("tags", lambda as_of: f"looked at {as_of}")]
    nightly.run_checks(NIGHT, checks=checks)
    outcomes = {run.check_name: (run.outcome, run.summary) for run in nightly.latest_runs()}
    assert outcomes == {
        "prices": ("failed", "ValueError: no tariff of 2026-03-15"),
        "tags": ("done", "looked at 2026-03-15"),
    }


@pytest.mark.django_db
def test_a_night_run_again_repeats_only_what_is_not_done():
    ran = []
    good = NightlyCheck("tags", lambda as_of: ran.append(as_of) or "done")
    nightly.run_checks(NIGHT, checks=[good, NightlyCheck("prices", fails)])
    NightlyRun.objects.create(as_of=NIGHT, check_name="died", started_at=timezone.now())
    mended = [NightlyCheck("prices", lambda as_of: "mended"), NightlyCheck("died", lambda as_of: "at last")]
    again = nightly.run_checks(NIGHT, checks=[good, *mended])
    assert ran == [NIGHT]
    assert {run.check_name: run.summary for run in again} == {"prices": "mended", "died": "at last"}
    assert NightlyRun.objects.filter(as_of=NIGHT, outcome="done").count() == 3


@pytest.mark.django_db
def test_nights_of_three_months_ago_are_forgotten():
    NightlyRun.objects.create(as_of=NIGHT - timedelta(days=91), check_name="tags")
    nightly.run_checks(NIGHT, checks=[])
    assert not NightlyRun.objects.exists()


@pytest.mark.django_db
def test_the_task_runs_every_registered_check_and_the_books_are_one():
    assert run_nightly_checks() == len(registry.of(NightlyCheck))
    assert NightlyRun.objects.get(check_name="books").outcome == "done"
    assert {"finops_site.tasks.run_nightly_checks"} <= {entry["task"] for entry in beat_schedule().values()}


@pytest.mark.django_db
def test_a_check_that_did_what_it_could_reports_its_own_words():
    def half(as_of):
        raise NightlyCheckFailed("2 of 9 budgets could not be evaluated: Data, Web")

    (row,) = nightly.run_checks(NIGHT, checks=[NightlyCheck("budgets", half)])
    assert (row.outcome, row.summary) == ("failed", "2 of 9 budgets could not be evaluated: Data, Web")


@pytest.fixture
def checks(monkeypatch):
    """Two registered checks, and no other."""
    checks = [NightlyCheck("prices", lambda as_of: "3 prices"), NightlyCheck("tags", lambda as_of: "4 tags")]
    monkeypatch.setitem(registry.entries, NightlyCheck, checks)
    return checks


def nightly_statuses():
    groups = {group.title: group.statuses for group in health.groups(timezone.now())}
    return {status.label: (str(status.state), status.message) for status in groups["Last night"]}


@pytest.mark.django_db
def test_health_lists_every_registered_check_before_its_first_night(checks):
    none = ("calm", "No night yet: they run at 05:10 UTC.")
    assert nightly_statuses() == {"prices": none, "tags": none}


@pytest.mark.django_db
def test_a_check_that_has_never_run_is_on_health_and_not_green(checks):
    nightly.run_checks(NIGHT, checks=checks[:1])
    assert nightly_statuses() == {
        "prices, 15 Mar": ("good", "3 prices"),
        "tags": ("warn", "Has never run; others did on 15 Mar."),
    }


@pytest.mark.django_db
def test_a_check_that_missed_the_newest_night_is_red_and_so_is_one_that_did_not_end(checks):
    nightly.run_checks(NIGHT, checks=checks)
    tomorrow = NIGHT + timedelta(days=1)
    NightlyRun.objects.create(
        as_of=tomorrow, check_name="tags", outcome="running", started_at=timezone.now() - timedelta(hours=7)
    )
    assert nightly_statuses() == {
        "prices, 15 Mar": ("bad", "Did not run on 16 Mar. Before: 3 prices"),
        "tags, 16 Mar": ("bad", "Began and did not end: did its worker die?"),
    }


def test_every_registered_check_that_fails_is_red_on_health(ada, client_of, monkeypatch):
    failing = [replace(check, run=fails) for check in registry.of(NightlyCheck)]
    monkeypatch.setitem(registry.entries, NightlyCheck, failing)
    assert run_nightly_checks() == len(failing) > 0
    statuses = nightly_statuses()
    assert [label.rpartition(",")[0] for label in statuses] == [str(check.label or check.name) for check in failing]
    assert {state for state, _ in statuses.values()} == {"bad"}
    assert f"{len(failing)} things are broken." in client_of(ada).get("/health/").content.decode()


def test_ada_sees_last_night_letters_and_the_backup(ada, client_of):
    NightlyRun.objects.create(as_of=NIGHT, check_name="prices", outcome="failed", summary="no tariff <b>")
    OutgoingEmail.objects.create(key="k", to="x@demo.example", content=b"", message_id="m", outcome="refused")
    Backup.objects.create(path="/backups/tuesday.finops", bytes=12_345_678)
    html = client_of(ada).get("/health/").content.decode()
    for text in ("no tariff &lt;b&gt;", "1 in the last 7 days", "/backups/tuesday.finops", "12.3 MB", "GB are free"):
        assert text in html, text


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
