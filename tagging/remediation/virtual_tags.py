"""Services of virtual tags: write them, set one by hand, end one, undo a batch. Each queues its own application."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from costs.change_set_reviews import CannotChange
from finops_site.celery import task
from finops_site.lib.periods import day_text, moment_text
from finops_site.models import User
from tagging.calc.policy_problems import tag_problem
from tagging.models import Suggestion, SuggestionDecision, TaggedResource, VirtualTag, VirtualTagBatch

BATCH_SIZE = 2000


class RemediationError(CannotChange):
    """Why it cannot be done, for a person."""


def queue_application(batch: VirtualTagBatch) -> None:
    """Has the tags of a batch, as they are now, applied to the open months after the commit."""
    VirtualTagBatch.objects.filter(pk=batch.pk).update(applied_at=None)
    task("tagging.tasks.apply_virtual_tags").delay_on_commit(batch.pk)


def resource_fields(row: TaggedResource | Suggestion) -> dict[str, str]:
    """The columns of a virtual tag that name its resource."""
    names = ("provider", "sub_account", "resource", "resource_name")
    key = row.key if isinstance(row, TaggedResource) else row.resource_key
    return {**{name: getattr(row, name) for name in names}, "resource_key": key}


def write_tags(tags: Sequence[VirtualTag], user: User) -> int:
    """Writes the tags, each in the place of an open one of the same key, with audit log entries; returns how many."""
    end_open_tags(tags, user)
    VirtualTag.objects.bulk_create(tags, batch_size=BATCH_SIZE)
    return len(tags)


def end_open_tags(tags: Sequence[VirtualTag], user: User) -> None:
    """Open tags of the same key end where the new ones begin; one that would not hold for a day is undone."""
    starts = {(tag.resource_key, tag.key.lower()): tag.start for tag in tags}
    open_tags = VirtualTag.objects.open().filter(resource_key__in={key for key, _ignored in starts}).order_by("pk")
    ended = []
    for tag in open_tags.select_for_update():
        start = starts.get((tag.resource_key, tag.key.lower()))
        if start is None:
            continue
        if start > tag.start:
            tag.end = start
        else:
            tag.state = VirtualTag.State.UNDONE
        ended.append(tag)
    VirtualTag.objects.bulk_update(ended, ["end", "state"], batch_size=BATCH_SIZE)


@transaction.atomic
def set_virtual_tag(
    row: TaggedResource, key: str, value: str, *, start: date, end: date | None, user: User, now: datetime
) -> VirtualTag:
    """Sets one tag on a resource the person sees; raises RemediationError where it may not be."""
    problems = list(tag_problem(key, value).values())
    if problems:
        raise RemediationError(problems[0])
    if end is not None and end <= start:
        raise RemediationError(_("It must hold for a day at least: until is after from."))
    batch = VirtualTagBatch.objects.create(
        words=_("{key}={value} on {row}").format(key=key, value=value, row=row)[:300], made_by=user, made_at=now
    )
    tag = VirtualTag(
        **resource_fields(row),
        team_id=row.owner_id,
        key=key.strip(),
        value=value.strip(),
        start=start,
        end=end,
        evidence=[{"kind": "hand", "words": _("set by {user}").format(user=user)}],
        batch=batch,
        made_by=user,
        made_at=now,
    )
    write_tags([tag], user)
    Suggestion.objects.filter(resource_key=row.key, tag__iexact=tag.key).delete()
    queue_application(batch)
    return tag


@transaction.atomic
def end_virtual_tag(pk: int, day: date, *, user: User, now: datetime) -> VirtualTag:
    """The tag no longer holds from `day` on; a day on or before its first undoes it."""
    tag = VirtualTag.objects.select_for_update().get(pk=pk)
    if tag.state != VirtualTag.State.ACTIVE or (tag.end is not None and tag.end <= day):
        raise RemediationError(
            _("{tag} is not in force on {day} any more: it is {state}.").format(
                tag=tag, day=day_text(day), state=tag.get_state_display()
            )
        )
    if day <= tag.start:
        tag.state = VirtualTag.State.UNDONE
    else:
        tag.end = day
    tag.decided_by, tag.decided_at = user, now
    tag.save()
    queue_application(tag.batch)
    return tag


@transaction.atomic
def undo_batch(pk: int, *, user: User, now: datetime) -> int:
    """Undoes a whole batch as if it had never been, once; returns how many tags."""
    batch = VirtualTagBatch.objects.select_for_update().get(pk=pk)
    if batch.undone_at:
        raise RemediationError(
            _("{undone_by} has undone this on {undone_at}.").format(
                undone_by=batch.undone_by, undone_at=moment_text(batch.undone_at)
            )
        )
    tags = list(batch.tags.filter(state=VirtualTag.State.ACTIVE))
    batch.undone_by, batch.undone_at = user, now
    batch.save()
    batch.tags.filter(pk__in=[tag.pk for tag in tags]).update(
        state=VirtualTag.State.UNDONE, decided_by=user, decided_at=now
    )
    for tag in tags:
        tag.state = VirtualTag.State.UNDONE
    # What was accepted is open again: the acceptances no longer count as a pattern.
    same = batch.tags.filter(resource_key=OuterRef("resource_key"), key=OuterRef("tag"), value=OuterRef("value"))
    accepted = SuggestionDecision.objects.filter(answer=SuggestionDecision.Answer.ACCEPTED)
    accepted.filter(Exists(same.filter(pk__in=[tag.pk for tag in tags]))).delete()
    queue_application(batch)
    return len(tags)
