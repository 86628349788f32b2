"""How the system is: the servers it needs, last night, emails that wait, the last backup, room on the disk."""

import shutil
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from kombu import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from finops_site.files import product
from finops_site.lib.periods import moment_text, short_day_text
from finops_site.lib.words import age_text, number_text
from finops_site.mail import watchdog
from finops_site.models import Backup, NightlyRun, OutgoingEmail, RestoreDrill
from finops_site.ops import nightly
from finops_site.registry import HealthCheck, HealthState, HealthStatus, MessageQueue, NightlyCheck, registry

LONG_WAIT = timedelta(hours=1)
OLD_BACKUP = timedelta(days=2)
# The drill is monthly; one that is missed is seen before the next.
OLD_DRILL = timedelta(days=40)
OLD_NIGHT = timedelta(hours=36)
PATIENCE_SECONDS = 2
ASK_TABLES_SECONDS = 60
_tables_are_there_until = 0.0
ASK_FILES_SECONDS = 5
_files_answer, _files_asked_at = True, -1000.0
GIGABYTE = 1024**3
LOW_DISK, LEAST_DISK = 10 * GIGABYTE, 2 * GIGABYTE
LONGEST_CHECK = timedelta(hours=6)
STATES = {
    NightlyRun.Outcome.DONE: HealthState.GOOD,
    NightlyRun.Outcome.FAILED: HealthState.BROKEN,
    NightlyRun.Outcome.RUNNING: HealthState.RUNNING,
}


@dataclass(frozen=True, slots=True)
class Group:
    """Statuses that belong together, as the page shows them."""

    title: str
    statuses: list[HealthStatus]


def database_answers(database: BaseDatabaseWrapper | None = None) -> bool:
    """Whether the database answers at all."""
    try:
        with (database or connection).cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone())
    except Error:
        return False


def is_migrated() -> bool:
    """Whether the database has the tables of this version; it may have more, of a version to come.

    Once it has them it is asked again only after a minute: all migrations are read for it.
    """
    global _tables_are_there_until
    if time.monotonic() < _tables_are_there_until:
        return True
    try:
        executor = MigrationExecutor(connection)
        is_there = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return False
    _tables_are_there_until = time.monotonic() + ASK_TABLES_SECONDS if is_there else 0.0
    return is_there


def cache_answers() -> bool:
    try:
        cache.set("health", "well", 5)
        return bool(cache.get("health") == "well")
    except (RedisError, OSError):
        return False


def broker_answers() -> bool:
    """Whether tasks can be queued."""
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=PATIENCE_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE_SECONDS)
            return True
    except (OperationalError, RedisError, OSError):
        return False


def groups(now: datetime) -> list[Group]:
    """Every status there is: the site's first, then what the pillars registered."""
    return [
        Group(_("Servers"), _servers()),
        Group(_("Last night"), _nightly_checks(now)),
        Group(_("Emails"), _emails(now)),
        Group(_("Messages to people"), [_queue(queue, now) for queue in registry.of(MessageQueue)]),
        Group(_("Backup and room"), [*_backups(now), _drill(now), _files(), free_disk()]),
        *(Group(check.title, list(check.run(now))) for check in registry.of(HealthCheck)),
    ]


def _servers() -> list[HealthStatus]:
    answers = [
        (_("Database"), database_answers(), _("does not answer: nothing works without it")),
        (_("Cache"), cache_answers(), _("does not answer: pages are slow, and right")),
        (_("Broker"), broker_answers(), _("does not answer: bills and emails wait until it is back")),
    ]
    return [
        HealthStatus(label, HealthState.GOOD, _("answers"))
        if works
        else HealthStatus(label, HealthState.BROKEN, problem)
        for label, works, problem in answers
    ]


def _nightly_checks(now: datetime) -> list[HealthStatus]:
    """Every registered check with its newest run, and what else ran in the newest night."""
    runs = {run.check_name: run for run in nightly.latest_runs()}
    labels = {check.name: str(check.label or check.name) for check in registry.of(NightlyCheck)}
    names = list(labels)
    if not runs:
        none = _("No night yet: they run at 05:10 UTC.") if names else _("No pillar has anything to check at night.")
        return [
            HealthStatus(label, HealthState.NOTHING_YET, none) for label in labels.values() or [_("Nightly checks")]
        ]
    newest = max(run.as_of for run in runs.values())
    names += [name for name, run in runs.items() if name not in names and run.as_of == newest]
    statuses = [_nightly_check(labels.get(name, name), runs.get(name), newest, now) for name in names]
    if now - max(run.started_at for run in runs.values()) > OLD_NIGHT:
        problem = _("They did not run last night: are the worker and beat up?")
        statuses.insert(0, HealthStatus(_("Nightly checks"), HealthState.BROKEN, problem))
    return statuses


def _nightly_check(name: str, run: NightlyRun | None, newest: date, now: datetime) -> HealthStatus:
    if run is None:
        return HealthStatus(
            name, HealthState.WARNING, _("Has never run; others did on {newest}.").format(newest=short_day_text(newest))
        )
    label = f"{name}, {short_day_text(run.as_of)}"
    if run.as_of < newest:
        return HealthStatus(
            label,
            HealthState.BROKEN,
            _("Did not run on {newest}. Before: {summary}").format(newest=short_day_text(newest), summary=run.summary),
        )
    if run.outcome == NightlyRun.Outcome.RUNNING and now - run.started_at > LONGEST_CHECK:
        return HealthStatus(label, HealthState.BROKEN, _("Began and did not end: did its worker die?"))
    return HealthStatus(label, STATES[NightlyRun.Outcome(run.outcome)], run.summary or _("is running"))


def _warn_if(problem: object) -> HealthState:
    return HealthState.WARNING if problem else HealthState.GOOD


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
    wait = _("{waiting} wait, the oldest for more than an hour") if late else _("{waiting} wait")
    wait = wait.format(waiting=counts["waiting"])
    refused = _("{refused} in the last 7 days").format(refused=counts["refused"])
    unknown = _("{unknown} in the last 7 days were sent, or not").format(unknown=counts["unknown"])
    return [
        HealthStatus(_("Waiting"), _warn_if(late), wait, f"{url}waiting"),
        HealthStatus(_("Refused"), _warn_if(counts["refused"]), refused, f"{url}refused"),
        HealthStatus(_("Unknown"), _warn_if(counts["unknown"]), unknown, f"{url}unknown"),
    ]


def _queue(queue: MessageQueue, now: datetime) -> HealthStatus:
    """How long its oldest message has waited, and how many could not be sent."""
    state, url = queue.state(now), reverse("unsent_messages")
    late = watchdog.is_late(state, now)
    parts = [_("{waiting} wait").format(waiting=state.waiting)]
    if state.oldest:
        parts.append(
            _("the oldest since {oldest}, {age}").format(
                oldest=moment_text(state.oldest), age=age_text(now - state.oldest)
            )
        )
    parts.append(_("{failed} could not be sent in the last 7 days").format(failed=state.failed))
    health = HealthState.BROKEN if late else _warn_if(state.failed)
    return HealthStatus(queue.label, health, "; ".join(parts), f"{url}?queue={queue.name}")


def _backups(now: datetime) -> list[HealthStatus]:
    """The last one that was made; before it the one that is being made, or failed since."""
    newest = sorted(Backup.objects.order_by("state", "-made_at", "-pk").distinct("state"), key=_made, reverse=True)
    latest = next((backup for backup in newest if backup.state != Backup.State.REMOVED), None)
    made = next((backup for backup in newest if backup.state in (Backup.State.DONE, Backup.State.REMOVED)), None)
    statuses = [_last_backup(made, now)]
    if latest and latest.state == Backup.State.RUNNING:
        words = _("{percent}% of {path}").format(percent=latest.percent, path=latest.path)
        statuses.insert(0, HealthStatus(_("Backup that runs"), HealthState.RUNNING, words))
    elif latest and latest.state == Backup.State.FAILED:
        words = _("{made_at}: {problem}").format(made_at=moment_text(latest.made_at), problem=latest.problem)
        statuses.insert(0, HealthStatus(_("Backup that failed"), HealthState.BROKEN, words))
    return statuses


def _made(backup: Backup) -> tuple[datetime, int]:
    return backup.made_at, backup.pk


def _last_backup(last: Backup | None, now: datetime) -> HealthStatus:
    if last is None:
        return HealthStatus(
            _("Last backup"), HealthState.WARNING, _("None was made from here: manage.py backup FILE makes one.")
        )
    age = now - last.made_at
    message = _("{made_at}, {size} MB, {path}").format(
        made_at=moment_text(last.made_at), size=number_text(last.bytes / 1000000, 1), path=last.path
    )
    if not last.is_encrypted:
        message = _("{message}; it is not encrypted").format(message=message)
    return HealthStatus(_("Last backup"), _warn_if(age > OLD_BACKUP), message)


def _drill(now: datetime) -> HealthStatus:
    """Whether a backup came back when it was tried, and when that was."""
    label, last = _("Last restore drill"), RestoreDrill.objects.first()
    if last is None:
        words = _("No backup was ever tried: manage.py restore_drill brings the newest back beside the site.")
        return HealthStatus(label, HealthState.WARNING, words)
    words = _("{started_at}, {age} ago, {path}: {summary}").format(
        started_at=moment_text(last.started_at),
        age=age_text(now - last.started_at),
        path=last.path,
        summary=last.summary or _("is running"),
    )
    if last.outcome == RestoreDrill.Outcome.DONE:
        return HealthStatus(label, _warn_if(now - last.started_at > OLD_DRILL), words)
    failed = last.outcome == RestoreDrill.Outcome.FAILED
    return HealthStatus(label, HealthState.BROKEN if failed else HealthState.RUNNING, words)


def files_answer() -> bool:
    """Whether the place of files answers; asked again only after a few seconds."""
    global _files_answer, _files_asked_at
    if time.monotonic() - _files_asked_at > ASK_FILES_SECONDS:
        try:
            product.probe()
            _files_answer = True
        except OSError:
            _files_answer = False
        _files_asked_at = time.monotonic()
    return _files_answer


def _files() -> HealthStatus:
    """Whether a file can be written where all hosts keep them, and read back."""
    address = product.product_files().address
    try:
        seconds = product.probe(writes=True)
    except OSError as error:
        return HealthStatus(_("Place of files"), HealthState.BROKEN, str(error))
    words = _("{address}: a file was written and read back in {milliseconds} ms")
    milliseconds = number_text(round(1000 * seconds))
    return HealthStatus(_("Place of files"), HealthState.GOOD, words.format(address=address, milliseconds=milliseconds))


def free_disk() -> HealthStatus:
    """Free disk where bills lie."""
    folder = settings.FINOPS_VAR
    usage = shutil.disk_usage(folder if folder.exists() else folder.parent)
    state = HealthState.BROKEN if usage.free < LEAST_DISK else _warn_if(usage.free < LOW_DISK)
    message = _("{free} of {total} GB are free where bills are kept").format(
        free=number_text(usage.free / GIGABYTE, 1), total=number_text(usage.total / GIGABYTE, 1)
    )
    return HealthStatus(_("Free disk"), state, message)
