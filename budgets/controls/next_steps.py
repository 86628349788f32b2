"""What may be done with a change set now, by whom, and why not the others: for the page and the API alike."""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.utils.translation import gettext as _

from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.rules import CannotControl
from budgets.controls import approvals, execution, running
from budgets.controls.change_set_events import saving_text
from budgets.controls.role_access import role_objection
from budgets.controls.scripts import TO_RUN, TO_UNDO
from budgets.models import ControlChangeSet, ControlPolicy, ControlStep
from finops_site.lib.words import counted
from finops_site.models import User
from finops_site.ui.next_steps import NextStep

Result = ControlStep.Result
# What each verb of the page needs; whether it is hers to do the service knows.
PERMISSIONS = {
    **dict.fromkeys(("approve", "refuse"), approvals.MAY_APPROVE),
    **dict.fromkeys(("dry_run", "checked", "by_hand", "by_role", "ran", "undo"), approvals.MAY_RUN),
    **dict.fromkeys(("undo_by_hand", "look", "settle"), approvals.MAY_RUN),
}


def take_step(
    row: ControlChangeSet, verb: str, *, user: User, now: datetime, values: Mapping[str, str]
) -> ControlChangeSet:
    """One verb of a change set, for the page and the API alike. Raises CannotControl."""
    if any("\x00" in value for value in values.values()):
        raise CannotControl(_("It holds a sign that no text holds: type it, or paste it, anew."))
    comment, pasted = values.get("comment", ""), values.get("pasted", "")
    number = values.get("step", "")
    services: dict[str, Callable[[], ControlChangeSet]] = {
        "approve": lambda: approvals.approve(row.pk, user=user, comment=comment, now=now),
        "refuse": lambda: approvals.refuse(row.pk, user=user, comment=comment, now=now),
        "dry_run": lambda: execution.dry_run(row.pk, user=user, now=now),
        "checked": lambda: running.record_check(row.pk, pasted=pasted, user=user, now=now),
        "by_hand": lambda: running.start(row.pk, user=user, by_role=False, now=now),
        "by_role": lambda: running.start(row.pk, user=user, by_role=True, now=now),
        "ran": lambda: running.record_run(row.pk, pasted=pasted, user=user, now=now),
        "undo": lambda: running.start_undo(row.pk, user=user, by_role=True, now=now),
        "undo_by_hand": lambda: running.start_undo(row.pk, user=user, by_role=False, now=now),
        "look": lambda: execution.look(row.pk, user=user, now=now),
        "settle": lambda: running.settle(
            row.pk,
            int(number) if number.isdecimal() and len(number) < 7 else 0,
            outcome=values.get("outcome", ""),
            user=user,
            now=now,
        ),
    }
    return services[verb]()


def next_steps(row: ControlChangeSet, user: User, now: datetime) -> list[NextStep]:
    """Every step that the state of the change set allows, for this person, and why not the others."""
    not_hers = approvals.run_objection(user)
    stopped = control_rules.STOPPED if ControlPolicy.get().is_stopped else ""
    steps: list[NextStep] = []
    if row.state == control_rules.PROPOSED:
        confirm = _("{resources}, {box_words}. It saves {saving_text}.").format(
            resources=counted(row.steps.count(), "resource"),
            box_words=row.control.box_words,
            saving_text=saving_text(row),
        )
        objection = approvals.approval_objection(row, user) or stopped
        steps.append(NextStep("approve", _("Approve"), "check", objection, "primary", confirm))
    if row.state in control_rules.OPEN:
        steps.append(NextStep("refuse", _("Refuse"), "x", approvals.refusal_objection(row, user)))
    if row.state in (control_rules.APPROVED, control_rules.PARTLY_DONE):
        role = role_objection(row)
        if row.steps.filter(result__in=(*TO_RUN, Result.WAITING)).exists():
            first = "" if row.dry_run_at else control_rules.DRY_RUN_FIRST
            steps.append(NextStep("dry_run", _("Dry run by role"), "eye", not_hers or role))
            steps.append(NextStep("by_hand", _("Run by hand"), "file-export", not_hers or stopped or first, "primary"))
            sure = _("It is done at AWS now, and undone after its time ({box_words}).").format(
                box_words=row.control.box_words
            )
            steps.append(
                NextStep("by_role", _("Run by role"), "player-play", not_hers or role or first, "outline", sure)
            )
    elif row.state == control_rules.PROPOSED:
        steps.append(NextStep("dry_run", _("Dry run by role"), "eye", not_hers or role_objection(row)))
    if (row.state, "undo") in control_rules.TRANSITIONS and row.steps.filter(result__in=TO_UNDO).exists():
        what = _("It is put back as it was before.")
        steps.append(NextStep("undo", _("Undo"), "arrow-back-up", not_hers, "primary", what))
        if row.by_role:
            by_hand = _("The undoing script puts it back, and what it prints is pasted here.")
            steps.append(NextStep("undo_by_hand", _("Undo by hand"), "file-export", not_hers, "outline", by_hand))
    elif running.is_lost(row):
        what = _(
            "What the running script did is not known then: the undoing script looks, and puts back what it changed."
        )
        steps.append(NextStep("undo", _("Its output is lost: undo"), "arrow-back-up", not_hers, "outline", what))
    if row.by_role and row.steps.filter(result=Result.UNKNOWN).exists():
        steps.append(NextStep("look", _("Ask AWS again"), "refresh", not_hers))
    return steps


def scripts_for(row: ControlChangeSet, user: User) -> list[tuple[str, str]]:
    """The scripts that may be taken now, as (verb, label)."""
    if not user.has_perm(approvals.MAY_RUN):
        return []
    scripts = []
    if row.state in (*control_rules.OPEN, control_rules.PARTLY_DONE):
        scripts.append(("check", _("Checking script")))
    if row.state == control_rules.RUNNING and not row.by_role:
        scripts.append(("undo", _("Undoing script")) if row.is_undoing else ("run", _("Running script")))
    elif row.state in control_rules.IN_FORCE:
        scripts.append(("undo", _("Undoing script")))
    return scripts
