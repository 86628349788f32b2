"""Services of change sets: created from virtual tags, reviewed by somebody else, exported, started."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from costs import change_set_reviews
from costs.change_set_reviews import CannotChange
from finops_site.celery import task
from finops_site.lib.words import counted
from finops_site.models import User
from tagging.calc import arns, tag_scripts
from tagging.calc.tag_scripts import TagEdit
from tagging.models import ChangeSet, TagChange, TaggedResource, VirtualTag
from tagging.remediation.virtual_tags import RemediationError

State = ChangeSet.State


@transaction.atomic
def create_change_set(tags: Iterable[VirtualTag], *, title: str, user: User, now: datetime) -> ChangeSet:
    """A draft that sets virtual tags at the provider; raises RemediationError where none is in force."""
    tags = [tag for tag in tags if tag.state == VirtualTag.State.ACTIVE]
    if not tags:
        raise RemediationError(_("None of these virtual tags is in force: there is nothing to set at the provider."))
    title = title.strip()[:200] or counted(len(tags), "tag")
    change_set = ChangeSet.objects.create(title=title, made_by=user, made_at=now)
    keys = {tag.resource_key for tag in tags}
    rows = TaggedResource.objects.filter(key__in=keys).select_related("tag_set__delivered")
    # Of each resource the latest row is kept.
    resources = {row.key: row for row in rows.order_by("charge_month", "cost")}
    TagChange.objects.bulk_create(
        [_change(change_set, tag, resources.get(tag.resource_key)) for tag in tags],
        ignore_conflicts=True,
        batch_size=2000,
    )
    return change_set


def _change(change_set: ChangeSet, tag: VirtualTag, row: TaggedResource | None) -> TagChange:
    service, region = (row.service, row.region) if row else ("", "")
    target = arns.tagging_target(tag.provider, service, tag.resource, tag.sub_account, region)
    delivered = row.tag_set.as_delivered if row and row.tag_set else {}
    return TagChange(
        change_set=change_set,
        provider=tag.provider,
        sub_account=target.account or tag.sub_account,
        region=target.region or region,
        resource=tag.resource,
        resource_name=tag.resource_name,
        resource_key=tag.resource_key,
        team_id=tag.team_id,
        arn=target.arn,
        key=tag.key,
        before=(delivered.get(tag.key) or "")[:1024],
        after=tag.value,
        result=TagChange.Result.WAITING if target.is_taggable else TagChange.Result.UNABLE,
        message=target.problem[:1000],
    )


@transaction.atomic
def submit(pk: int) -> ChangeSet:
    """Sends it to somebody else for approval."""
    return change_set_reviews.submit(ChangeSet, pk)


@transaction.atomic
def review(pk: int, *, approve: bool, comment: str, user: User, now: datetime) -> ChangeSet:
    """Approves it or sends it back; whoever made it does not approve it."""
    row = change_set_reviews.to_review(ChangeSet, pk, user)
    change_set_reviews.answer(row, State.APPROVED if approve else State.REJECTED, comment, user=user, now=now)
    return row


@transaction.atomic
def start_applying(pk: int, *, user: User, now: datetime) -> ChangeSet:
    """Has it applied in the background; raises CannotChange without approval and a dry run."""
    row = change_set_reviews.locked(ChangeSet, pk, (State.APPROVED, State.PARTLY), _("applied"))
    if row.dry_run_at is None:
        raise CannotChange(_("First the dry run: look at what would change, then apply it."))
    change_set_reviews.begin(row, State.APPLYING, user=user, now=now)
    task("tagging.tasks.apply_change_set").delay_on_commit(row.pk)
    return row


def count_results(row: ChangeSet) -> dict[str, int]:
    """{result: changes}."""
    return dict(row.changes.order_by().values_list("result").annotate(n=Count("pk")))


# What it is exported as, besides CSV: (media type, writer).
FILES = {"sh": ("text/x-shellscript", tag_scripts.shell_script), "tf": ("text/plain", tag_scripts.terraform_file)}


def as_edits(row: ChangeSet) -> list[TagEdit]:
    """The changes as the writers of scripts and files read them."""
    edits = []
    for change in row.changes.order_by("pk"):
        if change.arn:
            target = arns.Target(change.arn, change.sub_account, change.region)
        else:
            target = arns.Target(problem=change.message or _("it cannot be tagged by this API"))
        edits.append(TagEdit(target, change.resource, change.resource_name, change.key, change.before, change.after))
    return edits
