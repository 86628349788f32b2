"""What people do with a change set before it is applied: sent to somebody else, approved or sent back, begun.

One way for the change sets of every pillar; each asks first what is its own: rights, allow-lists, what is left to do.
All of them run inside a transaction and lock the row, so that two people at the same moment do it once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from costs.models import ProviderChangeSet
from finops_site.models import User

Row = TypeVar("Row", bound=ProviderChangeSet)


class CannotChange(ValueError):
    """It cannot be done; the message says why and what to do."""


def locked(model: type[Row], pk: int, states: Sequence[str], action: str) -> Row:
    """The change set, locked; raises CannotChange unless it is in one of the states. `action` is a participle."""
    row: Any = model._default_manager.select_for_update().get(pk=pk)
    if row.state not in states:
        raise CannotChange(
            _("It cannot be {action} now: {state}.").format(action=action, state=row.get_state_display())
        )
    return row


def submit(model: type[Row], pk: int) -> Row:
    """Sends it to somebody else for approval."""
    row = locked(model, pk, (model.DRAFT, model.REJECTED), _("sent for approval"))
    row.state = model.REVIEW
    row.save(update_fields=["state"])
    return row


def to_review(model: type[Row], pk: int, user: User) -> Row:
    """The change set that waits for approval, locked; raises CannotChange for whoever made it."""
    row = locked(model, pk, (model.REVIEW,), _("reviewed"))
    if row.made_by_id == user.pk:
        raise CannotChange(_("Somebody else has to look at what you made."))
    return row


def answer(row: ProviderChangeSet, state: str, comment: str, *, user: User, now: datetime) -> None:
    """Writes down who approved it, sent it back or gave it up, and why."""
    row.state = state
    row.reviewed_by, row.reviewed_at, row.review = user, now, comment[:1000]
    row.save()


def begin(row: ProviderChangeSet, state: str, *, user: User, now: datetime) -> None:
    """Marks it as under way, for a worker that takes it up or the sweep that finds nobody did."""
    row.state = state
    row.applied_by, row.started_at, row.heartbeat_at = user, now, None
    row.save()
