"""What people do with a change set, by its name: the one way of page and API."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from usage.changes import fix_runs, fix_sets
from usage.changes.fix_sets import ADD, APPLY, APPROVE

DRY_RUN = "dry_run"
VERB_RIGHTS = {"submit": ADD, "approve": APPROVE, "reject": APPROVE, "give_up": ADD, "apply": APPLY, "undo": APPLY}


def act(pk: int, verb: str, user: Any, *, comment: str = "") -> str:
    """Does one of VERB_RIGHTS, or the dry run, and says what it came to. Raises CannotChange, PermissionDenied."""
    now = timezone.now()
    if verb == "submit":
        fix_sets.submit(pk, user=user)
        return _("It waits for somebody else's approval.")
    if verb in ("approve", "reject"):
        row = fix_sets.review(pk, approve=verb == "approve", comment=comment, user=user, now=now)
        return _("It is {state}.").format(state=row.get_state_display())
    if verb == "give_up":
        fix_sets.give_up(pk, user=user, now=now)
        return _("It is given up: its findings can be mended in another way.")
    if verb == DRY_RUN:
        return fix_runs.dry_run(pk, user=user, now=now).message
    if verb == "apply":
        fix_sets.start(pk, user=user, now=now)
        return _("It is being applied; what becomes of each step appears below.")
    fix_sets.start_undo(pk, user=user, now=now)
    return _("It is being undone; what becomes of each step appears below.")
