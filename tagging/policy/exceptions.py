"""Services of exceptions: requested by engineering, decided by finance, in force from that moment."""

from datetime import datetime

from django.db import transaction

from finops_site.models import User
from tagging.models import TagException, TaggedResource
from tagging.policy import compliance

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


@transaction.atomic
def decide_exception(pk: int, verb: str, *, user: User, answer: str, now: datetime) -> TagException:
    """Approves, declines or ends an exception; raises CannotDecide where that is no longer possible."""
    row = TagException.objects.select_for_update().get(pk=pk)
    state = MOVES.get((TagException.State(row.state), verb))
    if state is None:
        who = f" by {row.decided_by}" if row.decided_by else ""
        raise CannotDecide(f"This exception is {row.get_state_display()}{who}: it cannot be changed that way any more.")
    if row.owner_id == user.pk and verb == APPROVE:
        raise CannotDecide("An exception is approved by somebody who does not answer for it.")
    row.state, row.decided_by, row.decided_at, row.answer = state, user, now, answer
    row.save()
    compliance.apply_exceptions(row.resource_key)
    return row
