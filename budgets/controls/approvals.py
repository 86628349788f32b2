"""Who may define, arm, approve and run controls, and the decision about a change set."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.rules import CannotControl
from budgets.controls.change_set_events import (
    change_state,
    finance_addresses,
    lead_addresses,
    locked,
    next_in_line,
    send_emails,
)
from budgets.models import Alert, Anomaly, Budget, Control, ControlChangeSet, ControlPolicy
from budgets.permissions import led_teams
from finops_site.lib.periods import day_text, moment_text
from finops_site.models import User
from finops_site.people.roles import ADMINISTRATOR, FINANCE, names_of_groups

MAY_APPROVE = "budgets.approve_controlchangeset"
MAY_RUN = "budgets.run_controlchangeset"
MAY_PROPOSE = "budgets.add_controlchangeset"
MAY_DEFINE = "budgets.change_control"
MAY_ARM = "budgets.arm_control"


def approver_for(user: User, team_id: int | None) -> control_rules.Approver:
    """The roles of a person by which she approves what is done to a team's resources."""
    roles = names_of_groups(user)
    may = user.has_perm(MAY_APPROVE)
    is_lead = may and team_id is not None and team_id in led_teams(user)
    # Of a role that an administrator made of finance that one counts which may approve.
    return control_rules.Approver(
        user.pk, may and FINANCE in roles, is_lead, user.is_superuser or ADMINISTRATOR in roles
    )


def approval_objection(row: ControlChangeSet, user: User) -> str:
    """Why she may not approve it, in words; empty when she may."""
    control = row.control
    involved = (row.proposed_by_id, control.changed_by_id, control.armed_by_id)
    return control_rules.approver_objection(approver_for(user, row.owner and row.owner.pk), involved)


def refusal_objection(row: ControlChangeSet, user: User) -> str:
    """Why she may not refuse it; empty when she may. Saying no needs no second person."""
    return control_rules.approver_objection(approver_for(user, row.owner and row.owner.pk), ())


def run_objection(user: User) -> str:
    """Why she may not run or undo what is approved; the rows that she sees are her team's."""
    return "" if user.has_perm(MAY_RUN) else _("Finance and the engineers of the team run what is approved.")


def period_objection(alert: Alert | None, now: datetime) -> str:
    """Why nothing is proposed, or done by itself, of an alert whose period has ended: nothing lowers its cost now."""
    if alert is None or alert.period.end > now.date():
        return ""
    return _("The period of its alert is over since {end}: no machine that is stopped now lowers it.").format(
        end=day_text(alert.period.end)
    )


def cause_objection(alert: Alert | None, anomaly: Anomaly | None) -> str:
    """Why nothing is to be done because of this alert or anomaly any more; empty while it lasts."""
    if alert and alert.state == Alert.State.RESOLVED:
        return _("Its alert is resolved.")
    if anomaly and anomaly.state in (Anomaly.State.TAKEN_BACK, Anomaly.State.EXPECTED):
        return _("Its anomaly is {state}.").format(state=anomaly.get_state_display())
    return ""


def withdrawal_reason(row: ControlChangeSet, now: datetime) -> str:
    """Why nothing more of it is approved or run: its cause is over, or its control is another one by now. The undo
    asks nothing of this."""
    control = row.control
    if not control.is_active:
        return _("Its control is switched off.")
    if control.changed_at > row.proposed_at:
        return _("Its control was changed after it was proposed, {changed_at}.").format(
            changed_at=moment_text(control.changed_at)
        )
    if control.budget and control.budget.state != Budget.State.ACTIVE:
        return _("Its budget is {state}.").format(state=control.budget.get_state_display())
    if row.is_automatic and not (row.alert or row.anomaly):
        return _("What it was proposed for is deleted.")
    if row.is_armed and not control.is_armed(now):
        return _("Its control is armed no longer, and nobody approved it.")
    return cause_objection(row.alert, row.anomaly)


@transaction.atomic
def approve(pk: int, *, user: User, comment: str = "", now: datetime) -> ControlChangeSet:
    """Approves it; raises CannotControl for who may not, and where its cause is over or its control another one."""
    row = locked(pk)
    control_rules.next_state(row.state, "approve")
    if objection := approval_objection(row, user):
        raise CannotControl(objection)
    if ControlPolicy.get().is_stopped:
        raise CannotControl(control_rules.STOPPED)
    if now >= row.expires_at:
        return change_state(row, "expire", None, _("Its time was over: it was made of older figures."), now)
    if reason := withdrawal_reason(row, now):
        raise CannotControl(reason)
    row.approved_by, row.approved_at = user, now
    row = change_state(row, "approve", user, comment, now)
    send_emails(row, "control-decided", {row.proposed_by.email} | lead_addresses(row) - {user.email}, now)
    return row


@transaction.atomic
def refuse(pk: int, *, user: User, comment: str, now: datetime) -> ControlChangeSet:
    """Refuses it for good, or calls off what is approved and not begun; with the reason."""
    row = locked(pk)
    control_rules.next_state(row.state, "refuse")
    if objection := refusal_objection(row, user):
        raise CannotControl(objection)
    if not comment.strip():
        raise CannotControl(_("Give the reason, so that whoever proposed it can do better."))
    row = change_state(row, "refuse", user, comment, now)
    send_emails(row, "control-decided", {row.proposed_by.email} | lead_addresses(row) - {user.email}, now)
    return row


def expire_old(now: datetime) -> int:
    """Lets those expire that nobody answered or began in time, or whose cause is over; returns how many."""
    expired = 0
    for pk in ControlChangeSet.objects.filter(state__in=control_rules.OPEN).values_list("pk", flat=True):
        with transaction.atomic():
            row = locked(pk)
            if row.state not in control_rules.OPEN:
                continue
            late = (
                _("Nobody began it before {expires_at}.").format(expires_at=moment_text(row.expires_at))
                if row.expires_at <= now
                else ""
            )
            if reason := late or withdrawal_reason(row, now):
                change_state(row, "expire", None, reason, now)
                expired += 1
    return expired


def approver_addresses(row: ControlChangeSet) -> set[str]:
    """Addresses of those who may approve it; where none of finance and the leads may, theirs and those of who is next
    in line."""
    addresses = lead_addresses(row) | finance_addresses()
    people = User.objects.filter(email__in=addresses, is_active=True).prefetch_related("groups")
    may = {user.email for user in people if not approval_objection(row, user)}
    return may or addresses | next_in_line(row)


# Defining and arming.


@transaction.atomic
def save_control(control: Control, *, user: User, now: datetime) -> Control:
    """Saves a new or changed control, which is no longer armed. Raises CannotControl for who may not."""
    if not user.has_perm(MAY_DEFINE):
        raise CannotControl(_("Only finance defines controls."))
    control.changed_by, control.changed_at = user, now
    control.armed_by = control.armed_at = control.armed_until = None
    control.armed_for = ""
    control.save()
    return control


@transaction.atomic
def arm(pk: int, *, user: User, until: datetime, now: datetime) -> Control:
    """Lets it run by itself until then, for the scope and threshold it has now. Raises CannotControl."""
    control = Control.objects.select_for_update(of=("self",)).select_related("budget", "threshold").get(pk=pk)
    if not user.has_perm(MAY_ARM):
        raise CannotControl(_("Only finance arms controls."))
    if ControlPolicy.get().is_stopped:
        raise CannotControl(control_rules.STOPPED)
    if not control.is_active:
        raise CannotControl(_("It is switched off."))
    if objection := control_rules.arming_objection(user.pk, (control.changed_by_id,), until, now):
        raise CannotControl(objection)
    control.armed_by, control.armed_at, control.armed_until = user, now, until
    control.armed_for = control.scope_mark
    control.save()
    return control


@transaction.atomic
def disarm(pk: int, *, user: User) -> Control:
    """It runs by itself no longer. Finance may, and whoever leads its team."""
    control = Control.objects.select_for_update(of=("self",)).select_related("budget__team", "team").get(pk=pk)
    owner = control.owner
    if not user.has_perm(MAY_ARM) and not (owner and user.has_perm(MAY_APPROVE) and owner.pk in led_teams(user)):
        raise CannotControl(_("Finance, or whoever leads its team, disarms it."))
    control.armed_by = control.armed_at = control.armed_until = None
    control.armed_for = ""
    control.save()
    return control


@transaction.atomic
def switch_control(pk: int, *, user: User, on: bool) -> Control:
    """Puts it in force or out of it; out of force it proposes nothing and is not armed."""
    control = Control.objects.select_for_update().get(pk=pk)
    if not user.has_perm(MAY_DEFINE):
        raise CannotControl(_("Only finance defines controls."))
    control.is_active = on
    control.armed_by = control.armed_at = control.armed_until = None
    control.armed_for = ""
    control.save()
    return control


@transaction.atomic
def set_switch(*, user: User, stop: bool) -> ControlPolicy:
    """Stops all controls at once and disarms every one; resuming arms none again. A step that a worker is about to
    take reads it under the same lock."""
    if not user.has_perm("budgets.change_controlpolicy"):
        raise CannotControl(_("Only finance stops and resumes controls."))
    policy = ControlPolicy.get(lock=True)
    policy.is_stopped = stop
    policy.save()
    if stop:
        # One by one, so that the audit log names each.
        for control in Control.objects.filter(armed_by__isnull=False):
            control.armed_by = control.armed_at = control.armed_until = None
            control.armed_for = ""
            control.save()
    return policy
