"""Fetching what is new at a source: claimed by one worker, incremental, retried, with progress and a health light."""

import json
import logging
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from costs.charges.layouts import Package, packages
from costs.formats.base import BadBill
from costs.ingest.receive import Receipt, receive_bill
from costs.models import Delivery, Fetched, Source
from costs.sources import storage
from costs.sources.storage import Storage, StorageProblem
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import FINANCE

logger = logging.getLogger(__name__)

MAX_MANIFEST = 64 << 20
ABANDONED_AFTER = timedelta(hours=6)
GRACE = 1.25


class Busy(Exception):
    """Another worker synchronises this source."""


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What one synchronisation did."""

    received: list[Receipt]
    unchanged: int
    problems: list[str]

    def in_words(self) -> str:
        new = sum(each.is_new for each in self.received)
        known = self.unchanged + len(self.received) - new
        said = [f"{new} new {'delivery' if new == 1 else 'deliveries'}, {known} unchanged."]
        return " ".join([*said, *self.problems])


def synchronise(source: Source) -> Synchronised:
    """Fetches and receives what changed since the last time; the source says how it went.

    Raises Busy when another worker is at it, and StorageProblem after writing it down.
    """
    _claim(source)
    try:
        done = _synchronise(source)
    except (StorageProblem, ValidationError) as error:
        said = str(error) if isinstance(error, StorageProblem) else error.messages[0]
        _finish(source, Source.Sync.FAILED, said)
        raise StorageProblem(said, passing=getattr(error, "passing", False)) from None
    except Exception:
        _finish(source, Source.Sync.FAILED, "Something went wrong on our side; the log says what.")
        raise
    _finish(source, Source.Sync.FAILED if done.problems else Source.Sync.DONE, done.in_words())
    return done


def _claim(source: Source) -> None:
    now = timezone.now()
    free = ~Q(sync=Source.Sync.RUNNING) | Q(sync_started_at__lt=now - ABANDONED_AFTER) | Q(sync_started_at=None)
    claimed = Source.objects.filter(free, pk=source.pk).update(
        sync=Source.Sync.RUNNING, sync_started_at=now, sync_message="Looking for bills", sync_progress=0
    )
    if not claimed:
        raise Busy(f"{source} is being synchronised")


def _finish(source: Source, state: str, message: str) -> None:
    Source.objects.filter(pk=source.pk).update(
        sync=state, sync_message=message, sync_progress=1, synced_at=timezone.now()
    )
    source.refresh_from_db()


def _synchronise(source: Source) -> Synchronised:
    place = storage.of(source)
    parked = Path(settings.FINOPS_VAR) / "incoming" / f"sync-{uuid.uuid4().hex}"
    parked.mkdir(parents=True)
    try:
        found, problems = packages(place.listing(), lambda key: _manifest(place, key, parked))
        known = dict(source.fetched.values_list("name", "mark"))
        changed = [each for each in found if known.get(each.name) != each.mark]
        received: list[Receipt] = []
        for number, package in enumerate(changed):
            _say(source, f"Fetching {package.name}", number / len(changed))
            try:
                received += _receive(source, place, package, parked / str(number))
            except BadBill as error:
                problems.append(str(error))
        return Synchronised(received, len(found) - len(changed), problems)
    finally:
        shutil.rmtree(parked, ignore_errors=True)


def _say(source: Source, message: str, progress: float) -> None:
    Source.objects.filter(pk=source.pk).update(sync_message=message, sync_progress=progress)


def _manifest(place: Storage, key: str, parked: Path) -> Any:
    path = parked / "manifest"
    place.fetch(key, path)
    if path.stat().st_size > MAX_MANIFEST:
        raise StorageProblem(f"{key} is too big for a manifest.")
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except ValueError:
        raise StorageProblem(f"{key} is not a readable manifest.") from None


def _receive(source: Source, place: Storage, package: Package, folder: Path) -> list[Receipt]:
    """Fetches a package and hands it in; marked as fetched only when it is received, so that nothing is lost."""
    # Parts of one bill may have the same name in different folders: each is put into one of its own.
    paths = [folder / str(number) / key.rpartition("/")[2][-200:] for number, key in enumerate(package.keys)]
    for key, path in zip(package.keys, paths, strict=True):
        path.parent.mkdir(parents=True)
        place.fetch(key, path)
    received = receive_bill(source.name, paths, format=source.format or "auto", currency=source.currency or None)
    Fetched.objects.update_or_create(
        source=source,
        name=package.name[:1000],
        defaults={"mark": package.mark, "delivery": received[0].delivery, "at": timezone.now()},
    )
    shutil.rmtree(folder, ignore_errors=True)
    return received


@dataclass(frozen=True, slots=True)
class Health:
    """A source's light: ``good``, ``late``, ``failing`` or ``new``, with the sentence beside it."""

    state: str
    words: str


def health(source: Source, last: datetime | None, now: datetime) -> Health:
    """How a source is, from its last delivery and its last synchronisation."""
    expected = source.expected_every_hours
    if source.sync == Source.Sync.FAILED:
        return Health("failing", f"The last look failed: {source.sync_message}")
    if last is None:
        return Health("new", "No bill has come yet.")
    hours = int((now - last).total_seconds() // 3600)
    age = f"{hours} h" if hours < 72 else f"{hours // 24} days"
    said = f"Last delivery {age} ago" + (f", expected every {expected} h." if expected else ".")
    return Health("late" if is_late(source, last, now) else "good", said)


def is_late(source: Source, last: datetime | None, now: datetime) -> bool:
    """Whether the next bill is overdue by more than a quarter of the time between two."""
    if not source.expected_every_hours or not source.is_enabled:
        return False
    since = last or source.created_at
    return now - since > timedelta(hours=source.expected_every_hours * GRACE)


def with_last_delivery(sources: QuerySet) -> QuerySet:
    """Sources with `last_delivery`, when their last good bill was received."""
    good = ~Q(deliveries__status=Delivery.Status.FAILED)
    return sources.annotate(last_delivery=Max("deliveries__received_at", filter=good))


def due(now: datetime) -> list[Source]:
    """Sources that are fetched from by themselves."""
    return list(Source.objects.filter(is_enabled=True).exclude(kind=Source.Kind.UPLOAD))


def warn_of_late(now: datetime) -> int:
    """Writes finance about sources whose bill is overdue, once for each time it is; returns how many were new."""
    late = [each for each in with_last_delivery(Source.objects.all()) if is_late(each, each.last_delivery, now)]
    with transaction.atomic():
        fresh = [each for each in late if _claim_warning(each)]
        if fresh:
            _tell_finance(fresh, now)
    return len(fresh)


def _claim_warning(source: Source) -> bool:
    """One mail for one lateness: the last bill it is late after is written down by whoever sends first."""
    since = source.last_delivery or source.created_at
    unsaid = Source.objects.filter(pk=source.pk).exclude(warned_after=since)
    return bool(unsaid.update(warned_after=since))


def _tell_finance(late: Sequence[Source], now: datetime) -> None:
    rows = [{"source": each, "words": health(each, each.last_delivery, now).words} for each in late]
    said = ", ".join(f"{each.pk} since {each.last_delivery or each.created_at:%Y-%m-%dT%H:%M:%S}" for each in late)
    for user in User.objects.in_role(FINANCE):
        message = make_message("source-late", user.email, {"rows": rows, "url": absolute_url("/sources/")})
        outbox.queue_email(f"late bills of {said} to {user.email}"[:300], message, now=now)
