"""How the system is: the servers it needs, last night, emails that wait, the last backup, room on the disk."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection
from django.db.models import Count, Min, Q
from kombu import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from finops_site.models import Backup, NightlyRun, OutgoingEmail
from finops_site.ops import nightly
from finops_site.registry import HealthStatus, registry

LONG_WAIT = timedelta(hours=1)
OLD_BACKUP = timedelta(days=2)
OLD_NIGHT = timedelta(hours=36)
PATIENCE_SECONDS = 2
GIGABYTE = 1024**3
LOW_ROOM, LAST_ROOM = 10 * GIGABYTE, 2 * GIGABYTE
TONES = {"done": "good", "failed": "bad", "running": "busy"}


@dataclass(frozen=True, slots=True)
class Group:
    """Lights that belong together, as the page shows them."""

    title: str
    lights: list[HealthStatus]


def database_answers(asked: Any = None) -> bool:
    """Whether the database answers at all."""
    try:
        with (asked or connection).cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone())
    except Error:
        return False


def cache_answers() -> bool:
    try:
        cache.set("health", "well", 5)
        return bool(cache.get("health") == "well")
    except (RedisError, OSError):
        return False


def broker_answers() -> bool:
    """Whether tasks can be handed over."""
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=PATIENCE_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE_SECONDS)
            return True
    except (OperationalError, RedisError, OSError):
        return False


def groups(now: datetime) -> list[Group]:
    """Every light there is: ours first, then what the pillars registered."""
    ours = [
        Group("Servers", _servers()),
        Group("Last night", _last_night(now)),
        Group("Emails", _emails(now)),
        Group("Backup and room", [_backup(now), room()]),
    ]
    return ours + [Group(check.title, list(check.look(now))) for check in registry.health_checks]


def _servers() -> list[HealthStatus]:
    answers = [
        ("Database", database_answers(), "answers", "does not answer: nothing works without it"),
        ("Cache", cache_answers(), "answers", "does not answer: pages are slow, and right"),
        ("Broker", broker_answers(), "answers", "does not answer: bills and emails wait until it is back"),
    ]
    return [HealthStatus(label, "good" if well else "bad", good if well else bad) for label, well, good, bad in answers]


def _last_night(now: datetime) -> list[HealthStatus]:
    runs: Sequence[NightlyRun] = list(nightly.last())
    if not runs:
        if not registry.nightly_checks:
            return [HealthStatus("Nightly checks", "calm", "No pillar has anything to check at night.")]
        return [HealthStatus("Nightly checks", "calm", "No night yet: they run at 05:10 UTC.")]
    lights = [
        HealthStatus(f"{run.check_name}, {run.as_of:%d %b}", TONES[run.outcome], run.summary or "at work")
        for run in runs
    ]
    if now - max(run.started_at for run in runs) > OLD_NIGHT:
        lights.insert(
            0, HealthStatus("Nightly checks", "bad", "They did not run last night: are the worker and beat up?")
        )
    return lights


def _emails(now: datetime) -> list[HealthStatus]:
    due = Q(outcome=OutgoingEmail.Outcome.WAITING, send_after__lte=now)
    counts = OutgoingEmail.objects.aggregate(
        waiting=Count("pk", filter=Q(outcome=OutgoingEmail.Outcome.WAITING)),
        oldest=Min("created_at", filter=due),
        refused=Count("pk", filter=Q(outcome=OutgoingEmail.Outcome.REFUSED, created_at__gt=now - timedelta(days=7))),
        unknown=Count("pk", filter=Q(outcome=OutgoingEmail.Outcome.UNKNOWN, created_at__gt=now - timedelta(days=7))),
    )
    url = "/admin/finops_site/outgoingemail/?outcome__exact="
    late = counts["oldest"] is not None and now - counts["oldest"] > LONG_WAIT
    wait = f"{counts['waiting']} wait" + (", the oldest for more than an hour" if late else "")
    refused = f"{counts['refused']} in the last 7 days"
    unknown = f"{counts['unknown']} in the last 7 days were sent, or not"
    return [
        HealthStatus("Waiting", "warn" if late else "good", wait, f"{url}waiting"),
        HealthStatus("Refused", "warn" if counts["refused"] else "good", refused, f"{url}refused"),
        HealthStatus("Unknown", "warn" if counts["unknown"] else "good", unknown, f"{url}unknown"),
    ]


def _backup(now: datetime) -> HealthStatus:
    last = Backup.objects.first()
    if last is None:
        return HealthStatus("Last backup", "warn", "None was made from here: manage.py backup FILE makes one.")
    age = now - last.made_at
    words = f"{last.made_at:%d %b %Y, %H:%M} UTC, {last.bytes / 1_000_000:,.1f} MB, {last.path}"
    return HealthStatus("Last backup", "warn" if age > OLD_BACKUP else "good", words)


def room() -> HealthStatus:
    """Free disk where bills lie."""
    folder = settings.FINOPS_VAR
    usage = shutil.disk_usage(folder if folder.exists() else folder.parent)
    state = "bad" if usage.free < LAST_ROOM else "warn" if usage.free < LOW_ROOM else "good"
    words = f"{usage.free / GIGABYTE:,.1f} of {usage.total / GIGABYTE:,.1f} GB are free where bills are kept"
    return HealthStatus("Free disk", state, words)
