"""A change set is looked at, run and undone: begun here, and by hand recorded here from what the scripts printed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.actions import judge_state
from budgets.calc.controls.rules import CannotControl
from budgets.calc.controls.scripts import RUN, BadPaste, StepResult, read_results
from budgets.controls.approvals import run_objection, withdrawal_reason
from budgets.controls.change_set_events import add_note, change_state, concerned_addresses, locked, send_emails
from budgets.controls.role_access import role_objection
from budgets.controls.scripts import TO_CHECK, TO_RUN, TO_UNDO
from budgets.models import ControlChangeSet, ControlPolicy, ControlStep
from finops_site.celery import task
from finops_site.lib.words import counted
from finops_site.models import User

Result = ControlStep.Result
# Of a step whose outcome nobody knows: what a person may find out.
OUTCOMES = {"done": Result.DONE, "not done": Result.FAILED, "undone": Result.UNDONE}
# Of what could not be put back a person says that it is, or that it stays as somebody changed it.
SETTLED_BY_PEOPLE = {Result.UNKNOWN: tuple(OUTCOMES), Result.NOT_UNDONE: ("undone",)}


def judge(step: ControlStep, state: str, wanted: int) -> None:
    """Fills in what a state that was read means for the step; the caller saves it."""
    result = judge_state(step.kind, state, wanted)
    step.before = "" if result == "gone" else state
    step.result = Result(result)
    step.message = ""
    if step.result == Result.CHANGED:
        step.message = _("its state is {state}, from which this is not begun").format(state=state)


def is_checked(row: ControlChangeSet) -> bool:
    """Whether it was looked at, so that the undo restores what was; a step that was not is not run either."""
    return row.dry_run_at is not None


def _check_may_run(row: ControlChangeSet, user: User | None) -> None:
    if user is not None and (objection := run_objection(user)):
        raise CannotControl(objection)


# Looking.


@transaction.atomic
def record_check(pk: int, *, pasted: str, user: User, now: datetime) -> ControlChangeSet:
    """Records what the checking script printed: the state of each step before. Raises CannotControl."""
    row = locked(pk)
    _check_may_run(row, user)
    if row.state not in (*control_rules.OPEN, control_rules.PARTLY_DONE):
        raise CannotControl(
            _("Nothing is looked at now: the change set is {state}.").format(state=row.get_state_display())
        )
    results = _results(row, pasted)
    steps = {step.number: step for step in row.steps.filter(result__in=TO_CHECK)}
    read = [result for result in results if result.what == "state" and result.number in steps]
    if not read:
        raise CannotControl(_("It holds no state: paste what the checking script printed."))
    for result in read:
        judge(steps[result.number], result.text, row.wanted)
    ControlStep.objects.bulk_update(steps.values(), ["before", "result", "message"])
    return note_check(row, user, now)


def note_check(row: ControlChangeSet, user: User | None, now: datetime) -> ControlChangeSet:
    """Writes down that it was looked at, and what there is to do."""
    row.dry_run_at = now
    steps = list(row.steps.all())
    ready = sum(step.result in TO_RUN for step in steps)
    parts = [_("{ready} to do").format(ready=ready)]
    for result, words in (
        (Result.SAME, _("so already")),
        (Result.GONE, _("gone")),
        (Result.CHANGED, _("changed since")),
    ):
        if count := sum(step.result == result for step in steps):
            parts.append(f"{count} {words}")
    if waiting := sum(step.result == Result.WAITING for step in steps):
        parts.append(_("{waiting} not looked at yet").format(waiting=waiting))
    return add_note(row, "dry_run", user, _("Dry run: {names}.").format(names=", ".join(parts)), now)


def _results(row: ControlChangeSet, pasted: str) -> list[StepResult]:
    try:
        return read_results(pasted, row.pk, row.steps.values_list("number", flat=True))
    except BadPaste as problem:
        raise CannotControl(str(problem)) from None


# Running.


def script_objection(row: ControlChangeSet, verb: str, now: datetime) -> str:
    """Why the running script is not handed out, although it was begun; the others change nothing, or put it back."""
    if verb != RUN:
        return ""
    return control_rules.STOPPED if ControlPolicy.get().is_stopped else withdrawal_reason(row, now)


def again_objection(row: ControlChangeSet, now: datetime) -> str:
    """Why what is left of a partly done change set is not run any more: then only its undo is left."""
    if row.ends_at and now >= row.ends_at:
        return _("Its time is over: what was done is put back, and nothing more is run.")
    if row.undo_mailed_at or row.events.filter(verb="undo").exists():
        return _("Its undo was begun: what was done is put back, and nothing more is run.")
    return _("It was made of older figures: nothing more of it is run.") if now >= row.expires_at else ""


@transaction.atomic
def start(pk: int, *, user: User | None, by_role: bool, now: datetime) -> ControlChangeSet:
    """Begins what is approved, by hand or by role; its time box begins. Raises CannotControl."""
    row = locked(pk)
    control_rules.next_state(row.state, "run")
    _check_may_run(row, user)
    if ControlPolicy.get(lock=True).is_stopped:
        raise CannotControl(control_rules.STOPPED)
    if row.state == control_rules.APPROVED and now >= row.expires_at:
        return change_state(row, "expire", None, _("Its time was over: it was made of older figures."), now)
    if row.state == control_rules.PARTLY_DONE and (objection := again_objection(row, now)):
        raise CannotControl(objection)
    if objection := withdrawal_reason(row, now):
        raise CannotControl(objection)
    if not row.is_armed and not is_checked(row):
        raise CannotControl(control_rules.DRY_RUN_FIRST)
    if by_role and (objection := role_objection(row)):
        raise CannotControl(objection)
    row.steps.filter(result=Result.FAILED).exclude(before="").update(result=Result.READY, message="")
    open_results = (Result.READY, Result.WAITING) if row.is_armed or by_role else (Result.READY,)
    if not row.steps.filter(result__in=open_results).exists():
        raise CannotControl(_("There is nothing to do: what it would act on is so already, gone or changed."))
    row.by_role, row.is_undoing = by_role, False
    if row.started_at is None:
        control = row.control
        row.started_at, row.undo_mailed_at = now, None
        row.ends_at = control_rules.box_end(
            now, control.box_hours, control.box_weekday, control.box_time, control.time_zone
        )
    if by_role:
        task("budgets.tasks.run_control").delay_on_commit(row.pk)
    return change_state(row, "run", user, _("by role") if by_role else _("by hand"), now)


@transaction.atomic
def record_run(pk: int, *, pasted: str, user: User, now: datetime) -> ControlChangeSet:
    """Records what the script printed that ran by hand; a step without a line may have been done. Raises
    CannotControl."""
    row = locked(pk)
    _check_may_run(row, user)
    results = {result.number: result for result in _results(row, pasted)}
    undone = any(result.what == "undone" for result in results.values())
    if (row.state, "undo") in control_rules.TRANSITIONS and undone:
        # The mail brought the undoing script: what it printed is taken without pressing a button first.
        row = _begin_undo(row, user, by_role=False, now=now)
    if row.state != control_rules.RUNNING or row.by_role:
        raise CannotControl(_("Nothing is being run by hand."))
    steps = list(row.steps.all())
    wanted = ("undone", "failed") if row.is_undoing else ("ok", "failed")
    if not any(result.what in wanted for result in results.values()):
        raise CannotControl(
            _("It holds no outcome: paste what the undoing script printed.")
            if row.is_undoing
            else _("It holds no outcome: paste what the running script printed.")
        )
    for step in steps:
        if step.result not in (TO_UNDO if row.is_undoing else TO_RUN):
            continue
        result = results.get(step.number)
        if result is None or result.what not in wanted:
            step.result, step.message = Result.UNKNOWN, _("no line of it was pasted: it may have been done")
        elif result.what == "ok":
            step.result, step.message, step.done_at = Result.DONE, "", now
        elif result.what == "undone":
            step.result, step.message, step.undone_at = Result.UNDONE, "", now
        else:
            step.result = Result.NOT_UNDONE if row.is_undoing else Result.FAILED
            step.message = result.text[:500]
    ControlStep.objects.bulk_update(steps, ["result", "message", "done_at", "undone_at"])
    return finish(row, user, now)


def finish(row: ControlChangeSet, user: User | None, now: datetime) -> ControlChangeSet:
    """What became of it, once no step is on its way any more."""
    steps = list(row.steps.all())
    if any(step.result in (Result.RUNNING, Result.UNDOING) for step in steps):
        return row
    if row.is_undoing:
        return _finish_undo(row, steps, user, now)
    # What could not be put back is as much in force as what was done.
    done, unknown = _count(steps, Result.DONE) + _count(steps, Result.NOT_UNDONE), _count(steps, Result.UNKNOWN)
    failed = _count(steps, Result.FAILED) + _count(steps, Result.READY) + _count(steps, Result.WAITING)
    text = _("{steps} done, {failed} not done, {unknown} of unknown outcome.").format(
        steps=counted(done, "step"), failed=failed, unknown=unknown
    )
    if not done and not unknown:
        row.started_at = row.ends_at = None
        row = change_state(
            row,
            "give_back",
            user,
            _("Nothing was done. {first_message}").format(first_message=_first_message(steps)),
            now,
        )
    elif failed or unknown or _count(steps, Result.NOT_UNDONE):
        row = change_state(row, "finish_partly", user, f"{text} {_first_message(steps)}", now)
    else:
        row = change_state(row, "finish", user, text, now)
    send_emails(row, "control-ran", concerned_addresses(row), now)
    return row


def _finish_undo(
    row: ControlChangeSet, steps: Sequence[ControlStep], user: User | None, now: datetime
) -> ControlChangeSet:
    left = [step for step in steps if step.result in TO_UNDO]
    if left:
        text = _("{steps} not undone. {first_message}").format(
            steps=counted(len(left), "step"), first_message=_first_message(left)
        )
        row.is_undoing = False
        row = change_state(row, "finish_partly", user, text, now)
        if row.by_role:
            send_emails(row, "control-undo", concerned_addresses(row), now)
            return row
    else:
        row.undone_at = now
        row = change_state(row, "put_back", user, _("Everything is as it was before."), now)
    send_emails(row, "control-ran", concerned_addresses(row), now)
    return row


def _count(steps: Iterable[ControlStep], result: str) -> int:
    return sum(step.result == result for step in steps)


def _first_message(steps: Iterable[ControlStep]) -> str:
    return next((f"{step}: {step.message}" for step in steps if step.message), "")


# Undoing.


@transaction.atomic
def start_undo(pk: int, *, user: User | None, by_role: bool, now: datetime) -> ControlChangeSet:
    """Begins to put back what was there before: possible at any time, also while controls are stopped."""
    row = locked(pk)
    _check_may_run(row, user)
    if is_lost(row):
        row.steps.filter(result__in=TO_RUN).exclude(before="").update(
            result=Result.UNKNOWN, message=_("nobody recorded what became of it")
        )
        row = change_state(row, "finish_partly", user, _("What the script printed is lost."), now)
    return _begin_undo(row, user, by_role=by_role, now=now)


def is_lost(row: ControlChangeSet) -> bool:
    """Whether it was run by hand and nobody has recorded what the script printed, so that it may be given up for
    lost."""
    return row.state == control_rules.RUNNING and not row.by_role and not row.is_undoing


def _begin_undo(row: ControlChangeSet, user: User | None, *, by_role: bool, now: datetime) -> ControlChangeSet:
    control_rules.next_state(row.state, "undo")
    if not row.steps.filter(result__in=TO_UNDO).exists():
        raise CannotControl(_("There is nothing to undo."))
    row.by_role, row.is_undoing = by_role and row.by_role, True
    if row.by_role:
        task("budgets.tasks.run_control").delay_on_commit(row.pk)
    return change_state(row, "undo", user, _("by role") if row.by_role else _("by hand"), now)


@transaction.atomic
def settle(pk: int, number: int, *, outcome: str, user: User, now: datetime) -> ControlChangeSet:
    """Somebody has looked at the provider what became of a step of unknown outcome. Raises CannotControl."""
    row = locked(pk)
    _check_may_run(row, user)
    step = row.steps.filter(number=number, result__in=SETTLED_BY_PEOPLE).first()
    if step is None or outcome not in SETTLED_BY_PEOPLE[Result(step.result)]:
        raise CannotControl(_("There is no doubt about that step."))
    if step.result == Result.NOT_UNDONE and row.state == control_rules.RUNNING:
        raise CannotControl(_("It is being undone: wait for what becomes of it."))
    step.result, step.message = OUTCOMES[outcome], _("{user} has seen it").format(user=user)
    if outcome == "done":
        step.done_at = now
    elif outcome == "undone":
        step.undone_at = now
    step.save()
    row = add_note(row, "settle", user, _("Step {number} was {outcome}.").format(number=number, outcome=outcome), now)
    return after_doubt(row, user, now)


def after_doubt(row: ControlChangeSet, user: User | None, now: datetime) -> ControlChangeSet:
    """A partly done change set of which no step is in doubt or open any more is done, or undone; where nothing of it is
    in force it is undone too, or approved as before while it may be run again."""
    if row.state != control_rules.PARTLY_DONE:
        return row
    results = {step.result for step in row.steps.all()}
    in_force = results & {*TO_UNDO}
    if in_force and results & {Result.UNKNOWN, Result.FAILED, Result.NOT_UNDONE, Result.READY, Result.WAITING}:
        return row
    # Back to where it was and forward again, so that every state is reached through the one table.
    verb = "run" if in_force or (Result.UNDONE not in results and not again_objection(row, now)) else "undo"
    row.is_undoing = verb == "undo"
    return finish(change_state(row, verb, user, _("No outcome is in doubt any more."), now), user, now)


# The end of the time box.


def end_boxes(now: datetime) -> int:
    """Undoes by role what ran by role, and mails the script of what ran by hand; returns how many."""
    due = ControlChangeSet.objects.filter(state__in=control_rules.IN_FORCE, ends_at__lte=now, undo_mailed_at=None)
    return sum(_end_box(pk, now) for pk in list(due.values_list("pk", flat=True)))


@transaction.atomic
def _end_box(pk: int, now: datetime) -> bool:
    """Ends one; False where there was nothing to do, or not yet."""
    row = locked(pk)
    if row.undo_mailed_at or row.is_undoing or row.state not in control_rules.IN_FORCE:
        return False
    if row.state == control_rules.RUNNING:
        if row.by_role:
            # A worker is at it, or its sweep decides about it first.
            return False
        row.steps.filter(result__in=TO_RUN).exclude(before="").update(
            result=Result.UNKNOWN, message=_("nobody recorded what became of it")
        )
        row = change_state(row, "finish_partly", None, _("Nobody recorded what the script did."), now)
    if not row.steps.filter(result__in=TO_UNDO).exists():
        return False
    stopped = ControlPolicy.get(lock=True).is_stopped
    if row.by_role and not stopped:
        start_undo(pk, user=None, by_role=True, now=now)
        ControlChangeSet.objects.filter(pk=pk).update(undo_mailed_at=now)
        return True
    if not row.by_role:
        row.undo_mailed_at = now
    elif row.events.filter(verb="box_ended").exists():
        # Everybody knows of it already, and it is undone by role as soon as controls are resumed.
        return False
    why = _("Controls are stopped: it is undone by role when they are resumed, unless somebody does it before.")
    by_hand = _("It is to be undone by hand.")
    add_note(row, "box_ended", None, _("Its time is over. {what}").format(what=why if row.by_role else by_hand), now)
    send_emails(row, "control-undo", concerned_addresses(row), now)
    return True
