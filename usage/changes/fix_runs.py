"""A change set looked at, applied and undone at AWS: each call is sent once, whatever becomes of its worker.

A step is claimed before its call. Where no answer came, or its worker was killed, its outcome is unknown: it is never
sent again by itself; a dry run reads what AWS shows and settles it.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from costs.change_set_reviews import CannotChange
from costs.sources.aws import aws_client
from costs.sources.aws_calls import AwsAddress, NotDone, OutcomeUnknown, call_errors
from costs.sources.storage import StorageProblem
from finops_site.lib.words import number_text
from finops_site.models import User
from usage.calc.fix_actions import EMPTY, GONE, FixCall, State, Verdict, snapshot_calls
from usage.changes.fix_sets import (
    APPLY,
    APPROVE,
    TO_LOOK,
    TO_UNDO,
    access_objection,
    access_to,
    count_results,
)
from usage.models import Finding, FixSet, FixStep
from usage.worklist.answers import Answer, Verb, answer_findings

Result = FixStep.Result
SetState = FixSet.State
HOME = "us-east-1"
RESULT_OF = {Verdict.READY: Result.READY, Verdict.SAME: Result.SAME, Verdict.CHANGED: Result.CHANGED}


def send(step: FixStep, call: FixCall) -> dict[str, Any]:
    """One call, once, as whom the allow-list says. Raises NotDone or OutcomeUnknown."""
    from botocore import xform_name

    access = access_to(step.account)
    if objection := access_objection(step, access):
        raise NotDone(objection)
    assert access is not None
    try:
        address = AwsAddress(step.region or HOME, access.endpoint, access.credential)
        # Tried once: what is sent twice may be done twice.
        client = aws_client(call.service, address, tries=1)
    except StorageProblem as problem:
        raise NotDone(str(problem)) from None
    with call_errors():
        answer: dict[str, Any] = getattr(client, xform_name(call.operation))(**call.parameters)
        return answer


def read_state(step: FixStep) -> State | None:
    """What AWS shows of the step's target now; None where it is gone. Raises NotDone where it cannot be asked."""
    try:
        answer = send(step, step.rules.read(step.place))
    except NotDone as problem:
        if problem.code in EMPTY:
            answer = {}
        elif any(word in problem.code for word in GONE):
            return None
        else:
            raise
    except OutcomeUnknown as doubt:
        raise NotDone(str(doubt)) from None
    state = step.rules.state_of(step.place, answer)
    # As it is stored: moments become text.
    return None if state is None else json.loads(json.dumps(state, default=str))


def rehearse(step: FixStep, call: FixCall) -> str:
    """Why AWS would refuse it, where it can be asked that (EC2); empty where it would not."""
    if call.service != "ec2":
        return ""
    try:
        send(step, FixCall(call.service, call.operation, {**call.parameters, "DryRun": True}))
    except NotDone as refusal:
        return "" if refusal.code == "DryRunOperation" else str(refusal)
    except OutcomeUnknown as doubt:
        return str(doubt)
    return ""


def dry_run(pk: int, *, user: User, now: datetime) -> FixSet:
    """Reads the state of each target, shows the exact call and what undoes it, and changes nothing there.

    An outcome that is unknown is settled by what AWS shows. A call that is another than the one which was approved is
    approved anew. Raises PermissionDenied and CannotChange.
    """
    if not (user.has_perm(APPLY) or user.has_perm(APPROVE)):
        raise PermissionDenied
    row = FixSet.objects.get(pk=pk)
    if row.state in FixSet.UNDER_WAY or row.state == SetState.UNDONE:
        raise CannotChange(_("It cannot be looked at now: {state}.").format(state=row.get_state_display()))
    is_unseen = False
    for step in row.steps.filter(result__in=TO_LOOK):
        result, call = step.result, step.call
        _look(step, now)
        is_other = step.result == Result.READY and step.call != call
        if is_other and row.state in (SetState.PARTLY, SetState.APPLIED):
            # Part of it is done and may be undone: the rest is approved in a change set of its own.
            step.result, step.call = Result.CHANGED, call
            step.message = _("what would be sent is not what was approved: put it into a new change set")
        _save_look(step, result)
        is_unseen |= is_other
    return _save_looked_at(row, now, is_unseen)


def _save_look(step: FixStep, result: str) -> None:
    """Stores what a dry run saw, unless the step was begun meanwhile: what is done stays done."""
    names = ("result", "message", "before", "call", "undo_call", "done_at")
    steps = FixStep.objects.filter(pk=step.pk, result=result).exclude(fix_set__state__in=FixSet.UNDER_WAY)
    steps.update(**{name: getattr(step, name) for name in names})


def _save_looked_at(row: FixSet, now: datetime, is_unseen: bool) -> FixSet:
    FixSet.objects.filter(pk=row.pk).exclude(state__in=FixSet.UNDER_WAY).update(dry_run_at=now, message=summary(row))
    if is_unseen:
        again = FixSet.objects.filter(pk=row.pk, state=SetState.APPROVED)
        again.update(state=SetState.REVIEW, reviewed_by=None, reviewed_at=None)
    row.refresh_from_db()
    return row


def _look(step: FixStep, now: datetime) -> None:
    was_unknown = step.result == Result.UNKNOWN
    try:
        state = read_state(step)
    except NotDone as problem:
        step.message = str(problem)[:1000]
        if not was_unknown:
            step.result = Result.FAILED
        return
    action = step.rules
    if state is None:
        # What is deleted is done; of what was to be changed nothing is left.
        is_done = was_unknown and action.undo is None
        step.result, step.message = (Result.DONE if is_done else Result.GONE), ""
        step.done_at = now if is_done else step.done_at
        return
    verdict, why = action.judge(state, step.wanted)
    if was_unknown and verdict is Verdict.SAME:
        step.result, step.message, step.done_at = Result.DONE, "", now
        return
    step.result, step.message, step.before = RESULT_OF[verdict], why[:1000], dict(state)
    call = action.do(step.place, state)
    step.call, step.undo_call = call.text(step.region or HOME), ""
    if action.snapshot_first:
        step.call = f"{snapshot_calls(step.place, step.pk)[1].text(step.region or HOME)}\n{step.call}"
    if action.undo:
        step.undo_call = action.undo(step.place, state, action.after(step.place, state)).text(step.region or HOME)
    if step.result == Result.READY and (refusal := rehearse(step, call)):
        step.result, step.message = Result.FAILED, refusal[:1000]


def summary(row: FixSet) -> str:
    """How many steps are in which state, in words."""
    counts = count_results(row)
    parts = [f"{number_text(counts[result])} {label}" for result, label in FixStep.Result.choices if counts.get(result)]
    return ", ".join(parts) + "."


def work_on(row: FixSet, *, clock: Callable[[], datetime]) -> bool:
    """Applies or undoes what is left of a change set, one call at a time; False when another worker does it."""
    if not FixSet.objects.claim(row.pk, clock()):
        return False
    row.refresh_from_db()
    _settle_left_over(row)
    is_undo = row.state == SetState.UNDOING
    steps = row.steps.filter(result__in=TO_UNDO if is_undo else (Result.READY,)).select_related("finding")
    waits = False
    for step in list(steps):
        if not FixSet.objects.filter(pk=row.pk, attempt=row.attempt).update(heartbeat_at=clock()):
            return False
        if is_undo:
            _undo(step, clock)
        else:
            waits |= not _apply(step, clock)
    if waits:
        # A snapshot is being made: the sweep goes on with its disk.
        FixSet.objects.filter(pk=row.pk, attempt=row.attempt).update(heartbeat_at=clock())
        return True
    _finish(row, is_undo, clock())
    return True


def _settle_left_over(row: FixSet) -> None:
    """Steps that a worker which is gone had begun: nobody knows what became of them."""
    words = _("its worker stopped under way: it may have been done")
    row.steps.filter(result=Result.RUNNING).update(result=Result.UNKNOWN, message=words)
    row.steps.filter(result=Result.UNDOING).update(result=Result.NOT_UNDONE, message=words)


def _claim(step: FixStep, before: str, after: str) -> bool:
    return bool(FixStep.objects.filter(pk=step.pk, result=before).update(result=after))


def _save(step: FixStep, result: str, message: str = "", **more: Any) -> None:
    FixStep.objects.filter(pk=step.pk).update(result=result, message=message[:1000], **more)


def _apply(step: FixStep, clock: Callable[[], datetime]) -> bool:
    """Does one step; False while it waits for its snapshot. Its state is read again right before."""
    try:
        state = read_state(step)
        if state is None:
            _save(step, Result.GONE)
            return True
        verdict, why = step.rules.judge(state, step.wanted)
        if verdict is not Verdict.READY:
            _save(step, RESULT_OF[verdict], why)
            return True
        if step.before is None or (step.rules.undo and state != step.before):
            _save(step, Result.CHANGED, _("it changed after it was looked at: look again"))
            return True
        if step.rules.snapshot_first and not _has_snapshot(step):
            return False
    except NotDone as problem:
        _save(step, Result.FAILED, str(problem))
        return True
    if not _claim(step, Result.READY, Result.RUNNING):
        return True
    try:
        send(step, step.rules.do(step.place, step.before))
    except NotDone as problem:
        _save(step, Result.FAILED, str(problem))
    except OutcomeUnknown as doubt:
        _save(step, Result.UNKNOWN, str(doubt))
    else:
        _save(step, Result.DONE, done_at=clock())
    return True


def _has_snapshot(step: FixStep) -> bool:
    """Whether the snapshot of the step's disk is whole; it is made once. Raises NotDone."""
    look, make = snapshot_calls(step.place, step.pk)
    try:
        there = send(step, look).get("Snapshots", [])
        if not there:
            there = [send(step, make)]
    except OutcomeUnknown as doubt:
        # Whether it was made is seen the next time: it is found by its tag.
        _save(step, Result.READY, str(doubt))
        return False
    state = there[0].get("State")
    if state == "error":
        raise NotDone(_("its snapshot failed"))
    _save(step, Result.READY, _("its snapshot {name} is being made").format(name=there[0].get("SnapshotId")))
    return bool(state == "completed")


def _undo(step: FixStep, clock: Callable[[], datetime]) -> None:
    """Puts one step back, unless somebody has changed it meanwhile."""
    undo = step.rules.undo
    if undo is None or step.before is None:
        return
    try:
        state = read_state(step)
        if state is None:
            _save(step, Result.NOT_UNDONE, _("it is no longer there"))
            return
        verdict, _why = step.rules.judge(state, step.wanted)
        if verdict is not Verdict.SAME:
            _save(step, Result.NOT_UNDONE, _("somebody has changed it since: it is left alone"))
            return
    except NotDone as problem:
        _save(step, Result.NOT_UNDONE, str(problem))
        return
    if not _claim(step, step.result, Result.UNDOING):
        return
    try:
        send(step, undo(step.place, step.before, state))
    except (NotDone, OutcomeUnknown) as problem:
        _save(step, Result.NOT_UNDONE, str(problem))
    else:
        _save(step, Result.UNDONE, undone_at=clock())


def _finish(row: FixSet, is_undo: bool, now: datetime) -> None:
    steps = list(row.steps.select_related("finding"))
    left = (Result.FAILED, Result.UNKNOWN, Result.READY, Result.WAITING)
    if is_undo:
        state = SetState.PARTLY if any(step.result in TO_UNDO for step in steps) else SetState.UNDONE
        verb, wanted = Verb.REOPEN, Result.UNDONE
    else:
        state = SetState.PARTLY if any(step.result in left for step in steps) else SetState.APPLIED
        verb, wanted = Verb.MENDED, Result.DONE
    possible = Finding.OPEN if verb is Verb.MENDED else (Finding.State.MENDED,)
    pks = [step.finding_id for step in steps if step.result == wanted and step.finding.state in possible]
    if pks and isinstance(row.applied_by, User):
        # From now on the bill proves it, as it does where a person says that it is mended.
        reason = _("by change set {number}").format(number=row.pk)
        answer_findings(pks, Answer(verb, reason=reason), user=row.applied_by, now=now)
    FixSet.objects.filter(pk=row.pk, attempt=row.attempt).update(
        state=state, finished_at=now, heartbeat_at=None, message=summary(row)
    )
    row.refresh_from_db()
