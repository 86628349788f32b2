"""Services of exceptions: requested by engineering, decided by finance, in force from that moment."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.ui.bulk_results import BulkRefused, BulkResult, LeftOut, check_count
from tagging.models import TagException, TaggedResource
from tagging.policy import compliance
from tagging.policy.bulk_results import distinct_resources, left_out_reason

APPROVE, DECLINE, END = "approve", "decline", "end"
# (state, decision) -> the new state.
MOVES = {
    (TagException.State.REQUESTED, APPROVE): TagException.State.APPROVED,
    (TagException.State.REQUESTED, DECLINE): TagException.State.DECLINED,
    (TagException.State.APPROVED, END): TagException.State.ENDED,
}


class CannotDecide(ValueError):
    """Why it cannot be decided that way, for a person."""


def request_exception(exception: TagException, row: TaggedResource) -> TagException:
    """Saves a request for a resource; IntegrityError where an open one for the same tag is there already."""
    exception.resource_key, exception.resource, exception.resource_name = row.key, row.resource, row.resource_name
    exception.team = row.owner
    exception.save()
    return exception


def day_problem(day: date, today: date) -> str:
    """Why an exception cannot end on this day; empty where it can."""
    if day <= today:
        return _("An exception ends in the future.")
    if day > today + timedelta(days=366):
        return _("A year at most: request it again then, if it is still needed.")
    return ""


@transaction.atomic
def request_exceptions(
    rows: Sequence[TaggedResource], *, tag: str, reason: str, expires_on: date, user: User, now: datetime
) -> BulkResult:
    """Requests one for each resource, for which the person answers; BulkRefused where none may be requested that way.

    Left out are those that cannot carry tags or comply, for which this is requested already or excepted still.
    """
    today = now.date()
    if problem := day_problem(expires_on, today):
        raise BulkRefused(problem)
    if not reason.strip() or len(reason) > 1000:
        raise BulkRefused(_("Write why they cannot be tagged, in a thousand characters at most."))
    resources = distinct_resources(rows)
    check_count(len(resources))
    known = TagException.objects.filter(resource_key__in=resources, tag=tag)
    open_requests = set(known.filter(state=TagException.State.REQUESTED).values_list("resource_key", flat=True))
    in_force = set(known.in_force(today).values_list("resource_key", flat=True))
    todo, left_out = [], []
    for row in resources.values():
        wrong = [key for key, _ignored in row.verdict.wrong] if row.verdict else []
        problem = left_out_reason(row) or ("" if wrong else _("it complies"))
        problem = problem or ("" if not tag or tag in wrong else _("{tag} is right").format(tag=tag))
        problem = problem or (_("finance has not answered an earlier request") if row.key in open_requests else "")
        problem = problem or (_("it is excepted already") if row.key in in_force else "")
        if problem:
            left_out.append(LeftOut(str(row), problem))
            continue
        names = {"resource_key": row.key, "resource": row.resource, "resource_name": row.resource_name}
        words = {"tag": tag, "reason": reason.strip(), "expires_on": expires_on, "requested_at": now}
        todo.append(TagException(**names, **words, team_id=row.owner_id, owner=user))
    try:
        with transaction.atomic():
            TagException.objects.bulk_create(todo, batch_size=2000)
    except IntegrityError:
        raise BulkRefused(_("Somebody has requested some of these at the same moment: do it again.")) from None
    return BulkResult(len(todo), tuple(left_out))


@transaction.atomic
def decide_exception(pk: int, verb: str, *, user: User, answer: str, now: datetime) -> TagException:
    """Approves, declines or ends an exception; raises CannotDecide where that is no longer possible."""
    row = TagException.objects.select_for_update().get(pk=pk)
    state = MOVES.get((TagException.State(row.state), verb))
    if state is None:
        sentence = (
            _("This exception is {state} by {person}: it cannot be changed that way any more.")
            if row.decided_by
            else _("This exception is {state}: it cannot be changed that way any more.")
        )
        raise CannotDecide(sentence.format(state=row.get_state_display(), person=row.decided_by))
    if row.owner_id == user.pk and verb == APPROVE:
        raise CannotDecide(_("An exception is approved by somebody who does not answer for it."))
    row.state, row.decided_by, row.decided_at, row.answer = state, user, now, answer
    row.save()
    compliance.apply_exceptions(row.resource_key)
    return row
