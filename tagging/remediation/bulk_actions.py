"""Services that act on many resources at once: set a tag, accept what is suggested, make a change set."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.words import counted
from finops_site.models import User
from finops_site.ui.bulk_results import BulkRefused, BulkResult, LeftOut, check_count
from tagging.calc.policy_problems import tag_problem
from tagging.models import ChangeSet, Suggestion, TaggedResource, VirtualTag, VirtualTagBatch
from tagging.policy.bulk_results import distinct_resources, left_out_reason
from tagging.remediation import virtual_tags
from tagging.remediation.change_sets import create_change_set
from tagging.remediation.suggestion_answers import accept_suggestions


@transaction.atomic
def set_tag(rows: Sequence[TaggedResource], key: str, value: str, *, user: User, now: datetime) -> BulkResult:
    """Sets one virtual tag on all of them, from the first day of the rows' month on; BulkRefused for a bad tag.

    Left out are those that cannot carry tags, and those that have this virtual tag already.
    """
    problems = list(tag_problem(key, value).values())
    if problems:
        raise BulkRefused(problems[0])
    key, value = key.strip(), value.strip()
    resources = distinct_resources(rows)
    check_count(len(resources))
    open_tags = VirtualTag.objects.open().filter(resource_key__in=resources, key__iexact=key, value=value)
    alike = set(open_tags.values_list("resource_key", flat=True))
    todo, left_out = [], []
    for row in resources.values():
        reason = left_out_reason(row) or (_("it has this virtual tag already") if row.key in alike else "")
        if reason:
            left_out.append(LeftOut(str(row), reason))
        else:
            todo.append(row)
    if not todo:
        return BulkResult(0, tuple(left_out))
    words = _("{key}={value} on {resources}").format(key=key, value=value, resources=counted(len(todo), "resource"))[
        :300
    ]
    batch = VirtualTagBatch.objects.create(words=words, made_by=user, made_at=now)
    tags = [
        VirtualTag(
            **virtual_tags.resource_fields(row),
            team_id=row.owner_id,
            key=key,
            value=value,
            start=row.charge_month,
            evidence=[{"kind": "hand", "words": _("set by {user}").format(user=user)}],
            batch=batch,
            made_by=user,
            made_at=now,
        )
        for row in todo
    ]
    virtual_tags.write_tags(tags, user)
    Suggestion.objects.filter(resource_key__in=[row.key for row in todo], tag__iexact=key).delete()
    virtual_tags.queue_application(batch)
    return BulkResult(len(todo), tuple(left_out), batch.pk)


def accept_for(rows: Sequence[TaggedResource], *, user: User, now: datetime) -> BulkResult:
    """Accepts every suggestion that the person sees for these resources; counts tags, not resources."""
    resources = distinct_resources(rows)
    check_count(len(resources))
    suggestions = Suggestion.objects.visible_to(user).filter(resource_key__in=resources)
    with_some = set(suggestions.values_list("resource_key", flat=True))
    left_out = [
        LeftOut(str(row), _("nothing is suggested for it")) for key, row in resources.items() if key not in with_some
    ]
    result = accept_suggestions(suggestions, user=user, now=now)
    return BulkResult(result.tags_set, tuple(left_out), result.batch.pk if result.batch else None)


def change_set_for(
    rows: Sequence[TaggedResource], *, title: str, user: User, now: datetime
) -> tuple[ChangeSet, BulkResult]:
    """A draft that sets at the provider what is virtual on these resources; RemediationError where nothing is."""
    resources = distinct_resources(rows)
    check_count(len(resources))
    tags = list(VirtualTag.objects.visible_to(user).in_force().filter(resource_key__in=resources))
    tagged = {tag.resource_key for tag in tags}
    left_out = [
        LeftOut(str(row), _("it has no virtual tag in force")) for key, row in resources.items() if key not in tagged
    ]
    change_set = create_change_set(tags, title=title, user=user, now=now)
    return change_set, BulkResult(len(tagged), tuple(left_out))
