"""Verbs of exceptions: asked for by engineering, decided by finance, and counted from that moment."""

from datetime import datetime

from django.db import transaction

from finops_site.lib.person import Person
from tagging.models import TagException
from tagging.policy import compliance

APPROVE, DECLINE, END = "approve", "decline", "end"
# What may be decided of which state, and what it becomes.
MOVES = {
    (TagException.State.REQUESTED, APPROVE): TagException.State.APPROVED,
    (TagException.State.REQUESTED, DECLINE): TagException.State.DECLINED,
    (TagException.State.APPROVED, END): TagException.State.ENDED,
}


class CannotDecide(ValueError):
    """Somebody was faster, or there is nothing to decide; the message says which."""


@transaction.atomic
def decide_exception(pk: int, verb: str, *, user: Person, answer: str, now: datetime) -> TagException:
    """Approves, declines or ends an exception; raises CannotDecide where that is no longer possible."""
    row = TagException.objects.select_for_update().get(pk=pk)
    state = MOVES.get((TagException.State(row.state), verb))
    if state is None:
        who = f" by {row.decided_by}" if row.decided_by else ""
        raise CannotDecide(f"This exception is {row.get_state_display()}{who}: it cannot be changed that way any more.")
    if row.owner_id == user.pk and verb == APPROVE:
        raise CannotDecide("Nobody approves an exception she answers for herself.")
    row.state, row.decided_by, row.decided_at, row.answer = state, user, now, answer
    row.save()
    compliance.apply_exceptions(row.resource_key)
    return row
