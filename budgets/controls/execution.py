"""Running and undoing by role: step by step, once or not at all.

A worker claims one step under the lock of the policy, where the switch and the allow-list are read once more, and only
then makes its one call. So a step whose worker died was either not claimed, and is taken up again, or may be done: then
its outcome is unknown. It is never sent again by itself; AWS is asked what it shows, and a person decides the rest.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.actions import ROLE_KINDS
from budgets.calc.controls.rules import CannotControl
from budgets.calc.quiet_hours import earliest_sending
from budgets.controls import role_access, running
from budgets.controls.approvals import period_objection, run_objection, withdrawal_reason
from budgets.controls.change_set_events import add_note, change_state, locked
from budgets.controls.role_access import (
    NotDone,
    OutcomeUnknown,
    access_objection,
    access_to,
    role_objection,
    step_objection,
)
from budgets.controls.scripts import TO_CHECK, TO_UNDO
from budgets.controls.targets import left_alone_by_now
from budgets.models import ControlChangeSet, ControlEvent, ControlPolicy, ControlStep
from finops_site.models import User

logger = logging.getLogger(__name__)
Result = ControlStep.Result
# A call takes two minutes at most; a worker that is silent for longer is gone.
STALLED_AFTER = timedelta(minutes=5)
LOST_AFTER = timedelta(minutes=2)
# So long the sweep goes on asking AWS about a step in doubt; then people only.
ASKED_FOR = timedelta(hours=24)


def dry_run(pk: int, *, user: User, now: datetime) -> ControlChangeSet:
    """Looks by role at what is there, changes nothing, and records the states that the undo restores."""
    row = ControlChangeSet.objects.select_related("control__budget").get(pk=pk)
    if objection := run_objection(user):
        raise CannotControl(objection)
    if row.state not in (*control_rules.OPEN, control_rules.PARTLY_DONE):
        raise CannotControl(
            _("Nothing is looked at now: the change set is {state}.").format(state=row.get_state_display())
        )
    if objection := role_objection(row):
        raise CannotControl(objection)
    steps = list(row.steps.filter(result__in=TO_CHECK, kind__in=ROLE_KINDS))
    for step in steps:
        _look_at(row, step)
        if step.result == Result.READY and (refusal := role_access.rehearse(step, row.wanted)):
            step.message = _("it would be refused: {refusal}").format(refusal=refusal)
    with transaction.atomic():
        row = locked(pk)
        current = set(row.steps.filter(result__in=TO_CHECK).values_list("pk", flat=True))
        changed = [step for step in steps if step.pk in current]
        ControlStep.objects.bulk_update(changed, ["before", "result", "message"])
        return running.note_check(row, user, now)


def _look_at(row: ControlChangeSet, step: ControlStep) -> None:
    """Reads the state of a step and whether its tags exempt it by now; the caller saves it."""
    try:
        answer = _read(step)
    except NotDone as problem:
        step.result, step.message = Result.FAILED if step.before else Result.WAITING, str(problem)
        return
    running.judge(step, answer.state, row.wanted)
    if step.result == Result.READY and (why := left_alone_by_now(row.control, step, answer.tags)):
        step.result, step.message = Result.CHANGED, _("exempt by now: {why}").format(why=why)
    if step.result == Result.READY:
        try:
            denies = role_access.denies_only(step)
        except NotDone as problem:
            step.result, step.message = (
                Result.FAILED,
                _("its policy could not be read: {problem}").format(problem=problem),
            )
        else:
            if not denies:
                step.result, step.message = Result.CHANGED, _("its policy does not only deny: it is not attached")


def _read(step: ControlStep) -> role_access.Answer:
    """What AWS shows of a step; an answer that nobody foresaw is one that could not be read, and ends no worker."""
    try:
        return role_access.read_state(step)
    except NotDone:
        raise
    except Exception:
        logger.exception("AWS's answer about step %s could not be read", step.pk)
        raise NotDone(_("AWS's answer could not be read; the log has the reason.")) from None


def execute(pk: int, *, clock: Callable[[], datetime]) -> bool:
    """Takes every step of a change set that was begun by role; False when it is not to be run."""
    row = ControlChangeSet.objects.select_related("control__budget").filter(pk=pk).first()
    if row is None or row.state != control_rules.RUNNING or not row.by_role:
        return False
    open_results = TO_UNDO if row.is_undoing else (Result.READY, Result.WAITING)
    skipped = (Result.RUNNING, Result.UNDOING)
    for number in (
        row.steps.filter(result__in=open_results).exclude(result__in=skipped).values_list("number", flat=True)
    ):
        if row.is_undoing:
            _undo_step(pk, number, clock)
        elif not _run_step(row, number, clock):
            break
    with transaction.atomic():
        row = locked(pk)
        if row.state == control_rules.RUNNING and row.by_role:
            running.finish(row, None, clock())
    return True


def _run_step(row: ControlChangeSet, number: int, clock: Callable[[], datetime]) -> bool:
    """Looks once more, claims the step and acts; False where everything is stopped, or this change set is: it was
    withdrawn or disarmed meanwhile, or its time is over."""
    step = row.steps.get(number=number)
    _look_at(row, step)
    if step.result != Result.READY:
        _save(step, (Result.READY, Result.WAITING), ["before", "result", "message"])
        return True
    with transaction.atomic():
        policy = ControlPolicy.get(lock=True)
        current = locked(row.pk)
        if current.state != control_rules.RUNNING or current.is_undoing:
            return False
        now = clock()
        is_over = current.ends_at is not None and now >= current.ends_at
        ended = _("Its time is over.") if is_over else withdrawal_reason(current, now)
        if objection := ended or step_objection(current, step):
            ControlStep.objects.filter(pk=step.pk, result__in=(Result.READY, Result.WAITING)).update(
                result=Result.FAILED, message=objection[:500], before=step.before
            )
            return not (ended or policy.is_stopped)
        claim = ControlStep.objects.filter(pk=step.pk, result__in=(Result.READY, Result.WAITING))
        if not claim.update(result=Result.RUNNING, claimed_at=now, before=step.before, message=""):
            return True
    step.result = Result.RUNNING
    try:
        role_access.act(step, row.wanted)
    except NotDone as refusal:
        step.result, step.message = Result.FAILED, str(refusal)
    except OutcomeUnknown as doubt:
        step.result, step.message = Result.UNKNOWN, str(doubt)
    else:
        step.result, step.message, step.done_at = Result.DONE, "", clock()
    _save(step, (Result.RUNNING, Result.UNKNOWN), ["result", "message", "done_at"])
    return True


def _undo_step(pk: int, number: int, clock: Callable[[], datetime]) -> None:
    """Puts one step back, unless it is so already or somebody has changed it meanwhile."""
    step = ControlStep.objects.get(change_set=pk, number=number)
    before = step.result
    with transaction.atomic():
        row = locked(pk)
        claim = ControlStep.objects.filter(pk=step.pk, result=before)
        if row.state != control_rules.RUNNING or not row.is_undoing:
            return
        objection = access_objection(row, step.account, access_to(step.account))
        claimed = claim.update(result=Result.UNDOING, claimed_at=clock()) if not objection else 0
    if objection:
        step.result, step.message = Result.NOT_UNDONE, objection
        _save(step, (before,), ["result", "message"])
        return
    if not claimed:
        return
    step.result, step.message = _undo_outcome(step, row.wanted)
    if step.result == Result.UNDONE:
        step.undone_at = clock()
    _save(step, (Result.UNDOING, Result.UNKNOWN), ["result", "message", "undone_at"])


def _undo_outcome(step: ControlStep, wanted: int) -> tuple[str, str]:
    """What became of putting it back, in a result and a message."""
    rules = step.rules
    try:
        state = _read(step).state
        if rules.is_undone(state, step.before):
            return Result.UNDONE, ""
        if state == "gone":
            return Result.UNDONE, _("it is gone: there is nothing to put back")
        if state not in rules.leaves(step.place, step.before, wanted):
            return Result.NOT_UNDONE, _(
                "somebody has changed it meanwhile ({state}): look at it, and undo it by hand"
            ).format(state=state)
        role_access.put_back(step)
    except NotDone as refusal:
        return Result.NOT_UNDONE, str(refusal)
    except OutcomeUnknown as doubt:
        return Result.UNKNOWN, str(doubt)
    return Result.UNDONE, ""


def _save(step: ControlStep, expected: tuple[str, ...], names: list[str]) -> None:
    """Saves a step, unless somebody has decided otherwise about it meanwhile."""
    values = {name: getattr(step, name) for name in names}
    values["message"] = step.message[:500]
    if not ControlStep.objects.filter(pk=step.pk, result__in=expected).update(**values):
        logger.warning("step %s of change set %s was decided meanwhile", step.number, step.change_set_id)


# When nobody knows.


def look(pk: int, *, user: User | None, now: datetime) -> ControlChangeSet:
    """Asks AWS what it shows of the steps of unknown outcome, and records what is certain. Raises CannotControl."""
    row = ControlChangeSet.objects.select_related("control__budget").get(pk=pk)
    if user is not None and (objection := run_objection(user)):
        raise CannotControl(objection)
    steps = list(row.steps.filter(result=Result.UNKNOWN, kind__in=ROLE_KINDS))
    if not steps:
        raise CannotControl(_("No outcome is in doubt that AWS could be asked about."))
    settled, problem = 0, ""
    for step in steps:
        try:
            state = _read(step).state
        except NotDone as refusal:
            problem = str(refusal)
            continue
        outcome = ""
        if step.rules.is_there(state, row.wanted):
            # What was done before is in doubt because of its undo.
            outcome = Result.NOT_UNDONE if step.done_at else Result.DONE
        elif step.rules.is_undone(state, step.before):
            outcome = Result.UNDONE if step.done_at or row.undo_mailed_at else Result.FAILED
        if outcome:
            values: dict[str, object] = {"result": outcome, "message": _("AWS shows it {state}").format(state=state)}
            if outcome == Result.DONE:
                values["done_at"] = step.done_at or now
            settled += ControlStep.objects.filter(pk=step.pk, result=Result.UNKNOWN).update(**values)
    with transaction.atomic():
        row = locked(pk)
        if user is not None or settled:
            text = ngettext(
                "AWS was asked: {settled} of {steps_count} outcome is known now. {problem}",
                "AWS was asked: {settled} of {steps_count} outcomes are known now. {problem}",
                len(steps),
            ).format(settled=settled, steps_count=len(steps), problem=problem)
            row = add_note(row, "look", user, text, now)
        return running.after_doubt(row, user, now)


def run_armed(now: datetime) -> int:
    """Approves in the name of who armed them, and begins, what armed controls propose and may do by themselves."""
    waiting = ControlChangeSet.objects.filter(
        state=control_rules.PROPOSED, is_automatic=True, control__armed_by__isnull=False, expires_at__gt=now
    )
    return sum(_run_armed(pk, now) for pk in list(waiting.values_list("pk", flat=True)))


@transaction.atomic
def _run_armed(pk: int, now: datetime) -> bool:
    ControlPolicy.get(lock=True)
    row = locked(pk)
    control = row.control
    if row.state != control_rules.PROPOSED or not control.is_armed(now):
        return False
    if withdrawal_reason(row, now) or period_objection(row.alert, now) or role_objection(row):
        return False
    if earliest_sending(now, control.quiet_from, control.quiet_until, control.time_zone) > now:
        return False
    row.approved_by, row.approved_at, row.is_armed = control.armed_by, now, True
    change_state(row, "approve", None, _("{armed_by} has armed the control.").format(armed_by=control.armed_by), now)
    running.start(pk, user=None, by_role=True, now=now)
    return True


def sweep(now: datetime) -> list[int]:
    """What was left behind: steps whose worker died become doubts, doubts are asked about, and change sets whose task
    was lost are returned, to be queued."""
    stalled = Q(change_set__by_role=True, claimed_at__lt=now - STALLED_AFTER)
    dead = ControlStep.objects.filter(stalled, result__in=(Result.RUNNING, Result.UNDOING))
    touched = set(dead.values_list("change_set", flat=True))
    dead.update(result=Result.UNKNOWN, message=_("the worker was gone before AWS's answer was written down"))
    for pk in touched:
        logger.warning("change set %s has steps of unknown outcome", pk)
    doubts = ControlChangeSet.objects.filter(
        by_role=True, steps__result=Result.UNKNOWN, steps__claimed_at__gt=now - ASKED_FOR
    )
    for pk in doubts.distinct().values_list("pk", flat=True):
        try:
            look(pk, user=None, now=now)
        except CannotControl as problem:
            logger.warning("change set %s stays in doubt: %s", pk, problem)
    recent = now - LOST_AFTER
    claimed = ControlStep.objects.filter(change_set=OuterRef("pk"), claimed_at__gt=recent)
    begun = ControlEvent.objects.filter(change_set=OuterRef("pk"), at__gt=recent, verb__in=("run", "undo"))
    lost = ControlChangeSet.objects.filter(~Exists(claimed), ~Exists(begun), state=control_rules.RUNNING, by_role=True)
    return list(lost.values_list("pk", flat=True))
