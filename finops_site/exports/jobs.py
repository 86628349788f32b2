"""Files that are too large to wait for: asked for, made by a worker, fetched by who asked, and removed some days later.

One is made at a time for a person, and FINOPS_EXPORTS_AT_ONCE in the whole site, so that bills and mail go on beside
them; the others wait in line. Whoever writes one shows that it is alive; a silent one is begun anew, and given up after
three tries. Who asks for the same again while it is made gets the same job.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.audit.events import record
from finops_site.celery import task
from finops_site.exports.page_files import NoFile, PageFile, check_address, open_file
from finops_site.files.places import FilesUnreachable
from finops_site.files.product import product_files
from finops_site.lib.answer_time import TookTooLong, seconds_left
from finops_site.lib.file_rows import counted_by
from finops_site.mail.emails import absolute_url, make_message
from finops_site.mail.outbox import queue_email
from finops_site.models import AuditEntry, Export, User
from finops_site.ops.heartbeats import heartbeat, is_silent
from finops_site.ops.locks import wait_for
from finops_site.people.backends import RoleBackend
from finops_site.people.reader_language import in_language_of
from finops_site.ui.answer_time import is_too_slow, limited_to

logger = logging.getLogger(__name__)

SILENT_AFTER = timedelta(seconds=60)
# Who waited for so long has gone elsewhere: she is told by mail.
MAILED_AFTER = timedelta(seconds=60)
MOST_ATTEMPTS = 3
FOLDER = "exports/pages"
MOST_OPEN = 10
SAVED_EVERY_SECONDS = 1.0
State = Export.State
Clock = Callable[[], datetime]


class CannotExport(Exception):
    """Why a file is not made, or not handed out, in a sentence."""


class _Stop(Exception):
    """Somebody cancelled it, or another worker took it over."""


def ask(person: User, address: str, now: datetime) -> Export:
    """Queues the making of a file; returns the job to follow, the same one while it is open. Raises CannotExport."""
    try:
        title = check_address(person, address)
    except NoFile as reason:
        raise CannotExport(str(reason)) from None
    key = _hash_of(address)
    with transaction.atomic():
        wait_for(f"exports of {person.pk}")
        own = Export.objects.visible_to(person).open()
        if job := own.filter(address_hash=key).first():
            return job
        if own.count() >= MOST_OPEN:
            raise CannotExport(
                _("{most} of your files wait to be made already: let one end, or cancel one.").format(most=MOST_OPEN)
            )
        job = Export.objects.create(
            person_id=person.pk, address=address, address_hash=key, title=title[:300], asked_at=now
        )
        record(AuditEntry.Action.EXPORT, job, name=address)
    task("finops_site.tasks.write_export").delay_on_commit(job.pk)
    return job


def cancel(job: Export, now: datetime) -> bool:
    """Ends a job that is open; False where it had ended. Its worker notices with the next rows."""
    ended = Export.objects.open().filter(pk=job.pk).update(state=State.CANCELLED, ended_at=now)
    if ended:
        queue_next()
    return bool(ended)


def let_go(person: User) -> None:
    """She leaves: nothing is made for her any more, and what was made goes."""
    for job in Export.objects.filter(person=person):
        product_files().remove(_folder_of(job))
        job.delete()


def why_not(job: Export, person: User) -> str:
    """Why she gets no file of a job of hers; empty where she gets it."""
    if job.state != State.READY:
        return job.problem or _("There is no file of it.")
    if job.sight != sight_of(person):
        return _("What you may see has changed since the file was made: ask for it again.")
    try:
        is_there = place_of(job) in product_files().list(_folder_of(job))
    except FilesUnreachable as problem:
        return str(problem)
    return "" if is_there else _("The file is not kept any more: ask for it again.")


def sight_of(person: User) -> str:
    """A mark of all that she may see and do: another one, and a file that was made before is not hers any more."""
    facts = [
        sorted(person.get_all_permissions()),
        bool(person.sees_whole_company),
        sorted(person.visible_team_ids),
        person.cost_scope,
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def place_of(job: Export) -> str:
    """The name of its file among the files of the product."""
    return f"{_folder_of(job)}/{job.attempt}"


def place_in_line(job: Export) -> int:
    """How many jobs are before one that waits, of all people."""
    return (
        Export.objects.open().filter(Q(asked_at__lt=job.asked_at) | Q(state=State.WRITING)).exclude(pk=job.pk).count()
    )


def write_export(pk: int, clock: Clock = timezone.now) -> None:
    """Makes the file of a job, if it is its turn; whatever happens, the job says so and the next one begins."""
    job = _claim(pk, clock())
    if job is None:
        return
    try:
        with heartbeat(f"export {pk}", lambda: _ours(job).update(heard_at=clock())):
            _write(job, clock)
    except _Stop:
        _remove(place_of(job))
    except Exception as error:
        is_ours = _ours(job).update(state=State.FAILED, problem=_reason(error), ended_at=clock())
        # What another worker made of it meanwhile stays.
        _remove(_folder_of(job) if is_ours else place_of(job))
    queue_next()


def queue_next() -> None:
    """Queues the job that has waited longest, of people who get no other at the moment."""
    busy = Export.objects.filter(state=State.WRITING).values("person")
    job = Export.objects.filter(state=State.WAITING).exclude(person__in=busy).order_by("asked_at", "pk").first()
    if job:
        task("finops_site.tasks.write_export").delay_on_commit(job.pk)


def resume_silent(now: datetime) -> int:
    """Queues what no worker goes on with: it was killed, or the broker lost the task. Returns how many."""
    silent = list(_silent(now).values_list("pk", flat=True))
    for pk in silent:
        task("finops_site.tasks.write_export").delay_or_wait(pk)
    queue_next()
    return len(silent)


def remove_old(now: datetime) -> int:
    """Removes jobs and files that are older than FINOPS_KEEP_EXPORTS_DAYS, and files of nobody's; returns how many."""
    old = Export.objects.filter(asked_at__lt=now - timedelta(days=settings.FINOPS_KEEP_EXPORTS_DAYS))
    count = old.exclude(state=State.WRITING).delete()[0]
    # Looked at before the jobs: one that begins meanwhile keeps its folder.
    folders = product_files().folders(FOLDER)
    known = {str(pk) for pk in Export.objects.values_list("pk", flat=True)}
    for name in folders:
        if name not in known:
            product_files().remove(f"{FOLDER}/{name}")
    return count


def _hash_of(address: str) -> str:
    """The same for the same question, in whichever order its parts stand."""
    path, _sign, query = address.partition("?")
    parts = sorted(parse_qsl(query, keep_blank_values=True))
    return hashlib.sha256(f"{path}?{urlencode(parts)}".encode()).hexdigest()


def _folder_of(job: Export) -> str:
    return f"{FOLDER}/{job.pk}"


def _remove(name: str) -> None:
    """A file, or all of a job; where it cannot be reached now, it goes with its job."""
    with suppress(FilesUnreachable):
        product_files().remove(name)


def _silent(now: datetime) -> QuerySet[Export]:
    return Export.objects.filter(is_silent("heard_at", now, SILENT_AFTER), state=State.WRITING)


def _ours(job: Export) -> QuerySet[Export]:
    """The row of the job, as long as nobody cancelled it or took it over."""
    return Export.objects.filter(pk=job.pk, attempt=job.attempt, state=State.WRITING)


def _claim(pk: int, now: datetime) -> Export | None:
    """Makes this process the one that writes; None where it is not its turn, or somebody else does."""
    with transaction.atomic():
        wait_for("exports")
        waits = Export.objects.filter(Q(state=State.WAITING) | Q(pk__in=_silent(now)), pk=pk)
        job = waits.select_for_update().first()
        if job is None:
            return None
        if job.attempt >= MOST_ATTEMPTS:
            reason = _("Its worker ended {times} times before it was whole: ask for less at once.")
            waits.update(state=State.FAILED, problem=reason.format(times=MOST_ATTEMPTS), ended_at=now)
            return None
        # The worker of a silent one is dead: it waits in line again.
        _silent(now).exclude(pk=pk).update(state=State.WAITING)
        others = Export.objects.filter(state=State.WRITING).exclude(pk=pk)
        if others.count() >= settings.FINOPS_EXPORTS_AT_ONCE or others.filter(person=job.person_id).exists():
            return None
        waits.update(state=State.WRITING, attempt=F("attempt") + 1, heard_at=now, rows=0, rows_expected=None)
        job.refresh_from_db()
        return job


class _Count:
    """Writes down how far a job is, at most once a second; ends it where it is nobody's any more."""

    def __init__(self, job: Export, clock: Clock) -> None:
        self.job, self.clock, self.rows, self.saved = job, clock, 0, time.monotonic()

    def expect(self, rows: int) -> None:
        self._save(rows_expected=rows)

    def add(self, rows: int) -> None:
        self.rows += rows
        if time.monotonic() - self.saved >= SAVED_EVERY_SECONDS:
            self._save()
            if seconds_left() == 0:
                raise TookTooLong

    def check(self) -> None:
        """Ends it where it is nobody's any more."""
        self._save()

    def _save(self, **fields: int) -> None:
        self.saved = time.monotonic()
        if not _ours(self.job).update(rows=self.rows, heard_at=self.clock(), **fields):
            raise _Stop


def _write(job: Export, clock: Clock) -> None:
    person = RoleBackend().get_user(job.person_id)
    if person is None:
        raise NoFile(_("The account is switched off."))
    sight, count = sight_of(person), _Count(job, clock)
    incoming = Path(settings.FINOPS_VAR) / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="page-", dir=incoming, ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "made"
        with limited_to(60 * settings.FINOPS_EXPORT_MINUTES), counted_by(count), in_language_of(person):
            file = open_file(person, job.address)
            with path.open("wb") as target:
                for chunk in file.chunks:
                    target.write(chunk)
        size = path.stat().st_size
        count.check()
        product_files().put(path, place_of(job))
    _end(job, person, clock(), rows=max(0, count.rows - 1), bytes=size, sight=sight, file=file)
    for name in product_files().list(_folder_of(job)):
        # Of a worker that was killed before.
        if name != place_of(job):
            _remove(name)


def _end(job: Export, person: User, now: datetime, *, rows: int, bytes: int, sight: str, file: PageFile) -> None:
    """The file is there: says so in one step with the mail about it."""
    with transaction.atomic():
        is_ours = _ours(job).update(
            state=State.READY,
            rows=rows,
            bytes=bytes,
            sight=sight,
            file_name=file.name,
            content_type=file.content_type,
            ended_at=now,
        )
        if not is_ours:
            raise _Stop
        if now - job.asked_at > MAILED_AFTER:
            job.refresh_from_db()
            _queue_mail(job, person, now)


def _queue_mail(job: Export, person: User, now: datetime) -> None:
    url = absolute_url(reverse("my_export", args=[job.pk]))
    context = {"title": job.title, "file": job.file_name, "days": settings.FINOPS_KEEP_EXPORTS_DAYS, "url": url}
    queue_email(f"export {job.pk}", make_message("export-ready", person.email, context, url=url), now=now)


def _reason(error: Exception) -> str:
    """Why there is no file, for whoever asked; what is nobody's business but an administrator's is in the log."""
    if isinstance(error, NoFile | FilesUnreachable):
        return str(error)
    if is_too_slow(error):
        return _(
            "It takes longer than the {minutes} minutes that it may take: ask for fewer days, or for one team."
        ).format(minutes=settings.FINOPS_EXPORT_MINUTES)
    logger.exception("an export failed", exc_info=error)
    if isinstance(error, OSError):
        return _("There was no room to write it: an administrator sees why in the log. Ask again later.")
    return _("It could not be made: an administrator sees why in the log.")
