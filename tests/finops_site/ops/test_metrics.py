"""What programs ask: whether this host is ready, and figures for Prometheus that name nobody."""

from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from costs.models import Delivery, Source
from finops_site.models import Backup, NightlyRun, OutgoingEmail, RestoreDrill
from finops_site.ops import health, metrics
from finops_site.registry import MetricSource, registry
from finops_site.tasks import watch_queues

pytestmark = pytest.mark.django_db
NOWHERE = "redis://127.0.0.1:1/0"


def figures(client, **headers):
    """{(name, values of the labels by their names): number} as Prometheus reads the answer."""
    answer = client.get("/metrics", **headers)
    assert answer.status_code == 200, answer.content
    families = text_string_to_metric_families(answer.content.decode())
    return {(row.name, *row.labels.values()): row.value for family in families for row in family.samples}


def test_a_host_is_ready_when_all_its_parts_are_and_says_which_is_not(client, settings, monkeypatch):
    ready = {"database": "ok", "migrations": "ok", "cache": "ok", "broker": "ok", "files": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, ready)
    monkeypatch.setattr(health, "_tables_are_there_until", 0.0)
    MigrationRecorder.Migration.objects.filter(app="finops_site").last().delete()
    assert client.get("/readyz").json() == ready | {"migrations": "down"}
    settings.CELERY_BROKER_URL = NOWHERE
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["broker"]) == (503, "down")
    assert "127.0.0.1" not in answer.content.decode()


def test_metrics_are_for_this_machine_or_for_the_holder_of_the_token(client, settings):
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.7").status_code == 403
    # A proxy on this machine hands on what comes from anywhere.
    assert client.get("/metrics", HTTP_X_FORWARDED_FOR="10.0.0.7").status_code == 403
    assert client.get("/metrics", HTTP_X_FORWARDED_FOR="strange").status_code == 403, "handed on, whatever it says"
    settings.FINOPS_METRICS_TOKEN = "for-prometheus-only"
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer something-else").status_code == 403
    read = client.get("/metrics", HTTP_AUTHORIZATION="Bearer for-prometheus-only", REMOTE_ADDR="10.0.0.7")
    assert read.status_code == 200


def test_the_business_is_told_and_what_is_not_known_is_no_zero(client, fay):
    before = figures(client)
    absent = ("finops_backup_age_seconds", "finops_restore_drill_ok", "finops_books_green", "finops_night_age_seconds")
    assert not {name for name, *_ in before} & set(absent)
    now = timezone.now()
    source = Source.objects.create(name="Northwind")
    Delivery.objects.create(source=source, status=Delivery.Status.HELD, fingerprint="a")
    NightlyRun.objects.create(as_of=date(2026, 3, 15), check_name="books", outcome="failed")
    Backup.objects.create(path="/b/a", bytes=1, made_at=now - timedelta(hours=3))
    RestoreDrill.objects.create(path="/b/a", outcome="done", started_at=now - timedelta(days=3))
    due = {"created_at": now - timedelta(hours=2), "send_after": now - timedelta(hours=2)}
    OutgoingEmail.objects.create(key="k", to=fay.email, content=b"", message_id="m", **due)
    after = figures(client)
    assert after[("finops_held_bills", "Northwind")] == 1
    assert after[("finops_books_green",)] == 0
    assert after[("finops_night_ok", "books")] == 0
    assert after[("finops_backup_age_seconds",)] == pytest.approx(3 * 3600, abs=60)
    assert after[("finops_restore_drill_age_seconds",)] == pytest.approx(3 * 86400, abs=60)
    assert after[("finops_restore_drill_ok",)] == 1
    assert after[("finops_unsent_age_seconds", "emails")] == pytest.approx(2 * 3600, abs=60)
    assert {value for (name, *_), value in after.items() if name == "finops_metrics_failed"} == {0}
    assert ("finops_known_until_age_seconds", "Northwind") not in after, "nothing was delivered yet"
    assert fay.email not in client.get("/metrics").content.decode()


def test_requests_are_counted_by_view_and_status(client, fay, client_of):
    browser = client_of(fay)
    key = ("finops_http_requests_total", "GET", "200", "costs:explorer")
    before = figures(client).get(key, 0)
    browser.get("/costs/")
    browser.get("/nobody-is-here-1234/")
    after = figures(client)
    assert after[key] == before + 1
    assert after[("finops_http_requests_total", "GET", "404", "none")] >= 1
    assert after[("finops_http_request_seconds_count", "costs:explorer")] >= 1


def test_a_task_that_waits_has_an_age_and_one_that_ended_is_counted(client):
    cache.delete(metrics.TASKS)
    with metrics._client(metrics.settings.CELERY_BROKER_URL) as broker:
        broker.delete(metrics.QUEUE)
        watch_queues.delay()
        assert figures(client)[("finops_queue_tasks", "waiting")] == 1
        assert 0 <= figures(client)[("finops_queue_age_seconds",)] < 60
        broker.delete(metrics.QUEUE)
    metrics.note_task("finops_site.tasks.watch_queues", "failure", 1.5)
    after = figures(client)
    assert after[("finops_tasks_ended", "failure", "finops_site.tasks.watch_queues")] >= 1
    assert after[("finops_tasks_seconds", "finops_site.tasks.watch_queues")] >= 1.5
    assert after[("finops_queue_age_seconds",)] == 0


def test_a_part_that_fails_spoils_no_other(client, settings, monkeypatch):
    def fails(now):
        raise ValueError("no answer")
        yield

    monkeypatch.setitem(registry.entries, MetricSource, [MetricSource("finops_odd", "Odd.", fails)])
    settings.CELERY_BROKER_URL = NOWHERE
    read = figures(client)
    assert read[("finops_metrics_failed", "finops_odd")] == 1
    assert read[("finops_metrics_failed", "finops_queue_tasks")] == 1
    assert read[("finops_metrics_failed", "finops_night_ok")] == 0
