"""Change sets of findings: put together, sent, approved by somebody else, begun and undone. Every door calls these."""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs import change_set_reviews
from costs.change_set_reviews import CannotChange
from finops_site.celery import task
from finops_site.lib.words import number_text
from finops_site.models import User
from finops_site.ui.bulk_results import BulkRefused, BulkResult, LeftOut, check_count
from usage.calc.fix_actions import action_for
from usage.models import Finding, FixAccess, FixSet, FixStep
from usage.worklist.finding_texts import STATES, as_mapping, headline

ADD, APPROVE, APPLY = (f"usage.{verb}_fixset" for verb in ("add", "approve", "apply"))
State, Result = FixSet.State, FixStep.Result
# What is looked at anew by a dry run; of an unknown outcome it is what the provider shows that counts.
TO_LOOK = (Result.WAITING, Result.READY, Result.SAME, Result.CHANGED, Result.FAILED, Result.UNKNOWN)
TO_UNDO = (Result.DONE, Result.NOT_UNDONE)
# Nothing of it was sent yet.
TO_GIVE_UP = (State.DRAFT, State.REVIEW, State.APPROVED)
MOST_STEPS = 200


def create(pks: Sequence[int], *, user: User, now: datetime) -> tuple[FixSet, BulkResult]:
    """A draft that mends findings that `user` sees. Left out are those that no role can mend, with the reason.

    Raises PermissionDenied, and BulkRefused where nothing is left.
    """
    if not user.has_perm(ADD):
        raise PermissionDenied
    check_count(len(pks), "finding")
    if len(pks) > MOST_STEPS:
        raise BulkRefused(_("A change set has {most} findings at most.").format(most=MOST_STEPS))
    with transaction.atomic():
        rows = list(Finding.objects.visible_to(user).filter(pk__in=pks).order_by("pk").select_for_update(of=("self",)))
        under_way = set(_under_way(rows))
        reasons = {row.pk: _why_not(row, under_way) for row in rows}
        todo = [row for row in rows if not reasons[row.pk]]
        left_out = tuple(LeftOut(headline(row), reasons[row.pk]) for row in rows if reasons[row.pk])
        if not todo:
            first = f" {left_out[0].name}: {left_out[0].reason}." if left_out else ""
            raise BulkRefused(_("None of these can be mended by a role.") + first)
        count = len(todo)
        title = (
            headline(todo[0])
            if count == 1
            else ngettext("{count} finding", "{count} findings", count).format(count=number_text(count))
        )
        fix_set = FixSet.objects.create(title=title[:200], made_by=user, made_at=now)
        FixStep.objects.bulk_create(_step(fix_set, row) for row in todo)
    return fix_set, BulkResult(count, left_out)


def _under_way(rows: Sequence[Finding]) -> list[int]:
    """Findings that are in a change set that is not over."""
    over = (State.APPLIED, State.PARTLY, State.UNDONE, State.REJECTED)
    steps = FixStep.objects.filter(finding__in=rows).exclude(fix_set__state__in=over)
    return list(steps.values_list("finding", flat=True))


def _why_not(row: Finding, under_way: set[int]) -> str:
    if row.state not in Finding.OPEN:
        return _("it is {state}").format(state=STATES[row.state][0])
    if row.pk in under_way:
        return _("it is in a change set already")
    if action_for({**as_mapping(row), "rule": row.rule}) is None:
        return _("no role can mend it: its page has the commands")
    return ""


def _step(fix_set: FixSet, row: Finding) -> FixStep:
    mapping = {**as_mapping(row), "rule": row.rule}
    action = action_for(mapping)
    assert action is not None
    wanted = action.wanted(mapping)
    return FixStep(
        fix_set=fix_set,
        finding=row,
        action=action.name,
        account=row.account,
        region=row.region,
        target=action.identity(row.resource),
        wanted=dict(wanted or {}),
    )


def _require(user: User, permission: str) -> None:
    if not user.has_perm(permission):
        raise PermissionDenied


@transaction.atomic
def submit(pk: int, *, user: User) -> FixSet:
    """Sends it to somebody else for approval."""
    _require(user, ADD)
    return change_set_reviews.submit(FixSet, pk)


@transaction.atomic
def review(pk: int, *, approve: bool, comment: str, user: User, now: datetime) -> FixSet:
    """Approves it or sends it back; whoever made it does not approve it, and what was not looked at is not approved."""
    _require(user, APPROVE)
    row = change_set_reviews.to_review(FixSet, pk, user)
    if approve and row.dry_run_at is None:
        raise CannotChange(_("First the dry run: it shows what would be sent, and then it can be approved."))
    change_set_reviews.answer(row, State.APPROVED if approve else State.REJECTED, comment, user=user, now=now)
    return row


@transaction.atomic
def give_up(pk: int, *, user: User, now: datetime) -> FixSet:
    """Ends it before anything was sent, so that its findings can go into another one: its maker, or who approves."""
    row = change_set_reviews.locked(FixSet, pk, TO_GIVE_UP, _("given up"))
    if row.made_by_id != user.pk:
        _require(user, APPROVE)
    _require(user, ADD)
    change_set_reviews.answer(row, State.REJECTED, _("Given up."), user=user, now=now)
    return row


def access_objection(step: FixStep, access: FixAccess | None) -> str:
    """Why the allow-list does not let this step be done; empty where it does."""
    if access is None:
        return _("account {account} is not on the allow-list: an administrator adds it").format(account=step.account)
    if step.action not in access.actions:
        return _("in account {account} the allow-list has no {action}").format(account=step.account, action=step.action)
    return ""


def access_to(account: str) -> FixAccess | None:
    return FixAccess.objects.select_related("credential").filter(account=account).first()


@transaction.atomic
def start(pk: int, *, user: User, now: datetime) -> FixSet:
    """Has it applied in the background. Raises CannotChange without approval, and where nothing is to be done."""
    _require(user, APPLY)
    row = change_set_reviews.locked(FixSet, pk, (State.APPROVED, State.PARTLY), _("applied"))
    steps = list(row.steps.filter(result=Result.READY))
    if not steps:
        raise CannotChange(_("There is nothing to do: look again by a dry run."))
    access = {one.account: one for one in FixAccess.objects.filter(account__in={step.account for step in steps})}
    if objection := next(filter(None, (access_objection(step, access.get(step.account)) for step in steps)), ""):
        raise CannotChange(_("It cannot be applied: {reason}.").format(reason=objection))
    return _begin(row, State.APPLYING, user, now)


@transaction.atomic
def start_undo(pk: int, *, user: User, now: datetime) -> FixSet:
    """Has what was done put back in the background; what cannot be is left, as was said before."""
    _require(user, APPLY)
    row = change_set_reviews.locked(FixSet, pk, (State.APPLIED, State.PARTLY), _("undone"))
    if not any(step.rules.undo for step in row.steps.filter(result__in=TO_UNDO)):
        raise CannotChange(_("Nothing of it can be undone."))
    return _begin(row, State.UNDOING, user, now)


def _begin(row: FixSet, state: FixSet.State, user: User, now: datetime) -> FixSet:
    change_set_reviews.begin(row, state, user=user, now=now)
    task("usage.changes.tasks.work_on_change_set").delay_on_commit(row.pk)
    return row


def count_results(row: FixSet) -> dict[str, int]:
    """{result: steps}."""
    return dict(row.steps.order_by().values_list("result").annotate(n=Count("pk")))
