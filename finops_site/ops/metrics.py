"""What /metrics tells Prometheus: how the web answers, how tasks go, and how the business stands.

Requests are counted in each process of the web; gunicorn's workers share a folder for it (wsgi.py), so that any of them
answers for its host. All else is read from the database and the broker when it is asked, the same at every host; what a
pillar knows it registers as a MetricSource.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Max
from django.utils import timezone
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from finops_site.models import Backup, NightlyRun, RestoreDrill
from finops_site.ops import nightly
from finops_site.registry import MessageQueue, MetricSource, registry

logger = logging.getLogger(__name__)
CONTENT_TYPE = CONTENT_TYPE_LATEST
# Where workers count their tasks, beside the kept answers: lost with them, which a counter survives.
TASKS = "finops:tasks"
QUEUE, IN_WORK = "celery", "unacked"
QUEUED_AT = "finops_queued_at"
PATIENCE_SECONDS = 2
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

WEB = CollectorRegistry()
REQUESTS = Counter("finops_http_requests", "Requests that were answered.", ["view", "method", "status"], registry=WEB)
SECONDS = Histogram(
    "finops_http_request_seconds",
    "How long answers took.",
    ["view"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=WEB,
)


def note_request(view: str, method: str, status: int, seconds: float) -> None:
    """Counts one answer; a view is named as its address is, so that there are only so many."""
    REQUESTS.labels(view, method if method in METHODS else "other", str(status)).inc()
    SECONDS.labels(view).observe(seconds)


def note_task(name: str, outcome: str, seconds: float) -> None:
    """Counts a task that ended; without a cache it is not counted."""
    try:
        with cache_client() as client, client.pipeline(transaction=False) as pipe:
            pipe.hincrby(TASKS, f"{name}|{outcome}", 1)
            pipe.hincrbyfloat(TASKS, f"{name}|seconds", round(seconds, 3))
            pipe.execute()
    except (RedisError, OSError):
        logger.debug("the task %s is not counted: no cache", name)


def exposition() -> bytes:
    """All of it in Prometheus's text format."""
    web = WEB
    if values.ValueClass.__name__ != "MutexValue":
        web = CollectorRegistry()
        multiprocess.MultiProcessCollector(web)
    own = CollectorRegistry()
    own.register(SiteCollector())
    return generate_latest(web) + generate_latest(own)


class SiteCollector:
    """Asked once for each answer; a part that fails is named in `finops_metrics_failed` and spoils no other."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        failed = GaugeMetricFamily("finops_metrics_failed", "Parts that could not be read.", labels=["part"])
        for source in [*SITE, *registry.of(MetricSource)]:
            family = GaugeMetricFamily(source.name, source.help, labels=source.labels)
            try:
                for labels, value in source.read(now):
                    family.add_metric([str(label) for label in labels], float(value))
                failed.add_metric([source.name], 0)
                yield family
            except (DatabaseError, RedisError, OSError, ValueError):
                logger.warning("the metric %s could not be read", source.name, exc_info=True)
                failed.add_metric([source.name], 1)
        yield failed


def cache_client() -> redis.Redis:
    return _client(settings.CACHES["default"]["LOCATION"])


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS)


Values = Iterable[tuple[tuple[str, ...], float]]


def _queue_length(now: datetime) -> Values:
    with _client(settings.CELERY_BROKER_URL) as client:
        yield ("waiting",), int(client.llen(QUEUE))
        yield ("in work",), int(client.hlen(IN_WORK))


def _queue_age(now: datetime) -> Values:
    """Of the task that has waited for the longest; 0 where none waits."""
    with _client(settings.CELERY_BROKER_URL) as client:
        oldest: Any = client.lindex(QUEUE, -1)
    queued_at = json.loads(oldest).get("headers", {}).get(QUEUED_AT) if oldest else None
    yield (), max(0.0, now.timestamp() - float(queued_at)) if queued_at else 0.0


def _tasks(now: datetime) -> Values:
    for name, outcome, count in _task_counts():
        if outcome != "seconds":
            yield (name, outcome), count


def _task_seconds(now: datetime) -> Values:
    for name, outcome, count in _task_counts():
        if outcome == "seconds":
            yield (name,), count


def _task_counts() -> Iterator[tuple[str, str, float]]:
    with cache_client() as client:
        counted: Any = client.hgetall(TASKS)
    for field, count in sorted(counted.items()):
        name, _, outcome = field.decode().rpartition("|")
        yield name, outcome, float(count)


def _message_age(now: datetime) -> Values:
    for queue in registry.of(MessageQueue):
        state = queue.state(now)
        yield (queue.name,), (now - state.oldest).total_seconds() if state.oldest else 0


def _messages_failed(now: datetime) -> Values:
    for queue in registry.of(MessageQueue):
        yield (queue.name,), queue.state(now).failed


def _night_ok(now: datetime) -> Values:
    for run in nightly.latest_runs():
        yield (run.check_name,), run.outcome == NightlyRun.Outcome.DONE


def _night_age(now: datetime) -> Values:
    last = NightlyRun.objects.aggregate(last=Max("started_at"))["last"]
    if last:
        yield (), (now - last).total_seconds()


def _backup_age(now: datetime) -> Values:
    made = Backup.objects.exclude(state__in=(Backup.State.RUNNING, Backup.State.FAILED)).first()
    if made:
        yield (), (now - made.made_at).total_seconds()


def _drill_age(now: datetime) -> Values:
    """Of the last that went well."""
    done = RestoreDrill.objects.filter(outcome=RestoreDrill.Outcome.DONE).first()
    if done:
        yield (), (now - done.started_at).total_seconds()


def _drill_ok(now: datetime) -> Values:
    ended = RestoreDrill.objects.exclude(outcome=RestoreDrill.Outcome.RUNNING).first()
    if ended:
        yield (), ended.outcome == RestoreDrill.Outcome.DONE


SITE = [
    MetricSource("finops_queue_tasks", "Tasks that wait for a worker, or that one has.", _queue_length, ("state",)),
    MetricSource("finops_queue_age_seconds", "How long the oldest task has waited.", _queue_age),
    MetricSource("finops_tasks_ended", "Tasks that ended, by outcome.", _tasks, ("task", "outcome")),
    MetricSource("finops_tasks_seconds", "How long they took together.", _task_seconds, ("task",)),
    MetricSource("finops_unsent_age_seconds", "How long the oldest due message waits.", _message_age, ("queue",)),
    MetricSource("finops_unsent_failed", "Messages that failed in a week.", _messages_failed, ("queue",)),
    MetricSource("finops_night_ok", "Whether each nightly check went well when it ran last.", _night_ok, ("check",)),
    MetricSource("finops_night_age_seconds", "Since the last night began.", _night_age),
    MetricSource("finops_backup_age_seconds", "Since the last backup.", _backup_age),
    MetricSource("finops_restore_drill_age_seconds", "Since a backup last came back.", _drill_age),
    MetricSource("finops_restore_drill_ok", "Whether the last drill went well.", _drill_ok),
]
