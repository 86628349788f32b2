"""A control proposes: once for each alert or anomaly, in the transaction that saved it, and never in its way."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.rules import CannotControl
from budgets.controls.approvals import MAY_PROPOSE, approver_addresses, cause_objection, period_objection
from budgets.controls.change_set_events import add_note, concerned_addresses, send_emails
from budgets.controls.role_access import role_objection
from budgets.controls.targets import MOST_LEFT_OUT, find_targets
from budgets.forecast.spending import last_delivered_day
from budgets.models import Alert, Anomaly, Budget, Control, ControlChangeSet, ControlPolicy, ControlStep, Forecast
from finops_site.celery import task
from finops_site.lib.money import Money
from finops_site.lib.periods import day_text, moment_text
from finops_site.lib.words import counted, labelled
from finops_site.models import Team, User

logger = logging.getLogger(__name__)


def propose_for_alerts(alerts: Sequence[Alert], now: datetime) -> int:
    """What the controls of these new or reopened alerts propose; returns how many change sets.

    One that fails is noted, and holds nothing back. Where no control watches them, they are one query.
    """
    by_threshold: dict[int, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_threshold[alert.threshold_id].append(alert)
    if not by_threshold:
        return 0
    rows = Control.objects.filter(is_active=True, trigger=Control.Trigger.THRESHOLD, threshold__in=list(by_threshold))
    made = 0
    for control in _with_scope(rows):
        for alert in by_threshold[control.threshold_id or 0]:
            assert control.budget
            why = _("{budget}: {threshold} is reached, {amount}").format(
                budget=control.budget, threshold=control.threshold, amount=Money(alert.value, control.budget.currency)
            )
            made += _propose_safely(control, now, why, alert=alert)
    return made


def propose_for_anomalies(anomalies: Sequence[Anomaly], now: datetime) -> int:
    """The same for anomalies that were just found and are open."""
    if not anomalies:
        return 0
    rows = Control.objects.filter(is_active=True, trigger=Control.Trigger.ANOMALY)
    controls = list(_with_scope(rows))
    below = _teams_below(controls)
    made = 0
    for control in controls:
        for anomaly in anomalies:
            if anomaly.pk and _watches(control, anomaly, below):
                jump = Money(anomaly.excess, anomaly.currency)
                why = _("Anomaly: {scope_name} cost {jump} more than expected on {day}").format(
                    scope_name=anomaly.scope_name, jump=jump, day=day_text(anomaly.day)
                )
                made += _propose_safely(control, now, why, anomaly=anomaly)
    return made


def propose_by_hand(control: Control, *, user: User, now: datetime, why: str = "") -> ControlChangeSet:
    """What somebody proposes without an alert; raises CannotControl for who may not, and where there is nothing."""
    if not user.has_perm(MAY_PROPOSE):
        raise CannotControl(_("Finance and the engineers of the team propose what a control does."))
    if not control.budget:
        raise CannotControl(_("It acts on what an anomaly shows: it proposes when one is found."))
    if not control.is_active:
        raise CannotControl(_("It is switched off."))
    with transaction.atomic():
        row = _propose(control, now, why or _("Proposed by hand"), user=user)
    if row is None:
        control.refresh_from_db(fields=["last_result"])
        raise CannotControl(control.last_result)
    return row


def _with_scope(rows: Iterable[Control]) -> Iterable[Control]:
    return rows.select_related("budget__team", "threshold__budget", "team", "changed_by", "armed_by")  # type: ignore[attr-defined]


def _teams_below(controls: Sequence[Control]) -> dict[int, set[int]]:
    """{team: it and the teams below}, of the teams that the controls name."""
    teams = {control.team for control in controls if control.team}
    return {team.pk: set(Team.objects.below(team).values_list("pk", flat=True)) for team in teams}


def _watches(control: Control, anomaly: Anomaly, below: dict[int, set[int]]) -> bool:
    """Whether an anomaly lies in the scope of the control; without a team it watches the whole company's."""
    return (
        (control.team_id is None or anomaly.team_id in below.get(control.team_id, set()))
        and control.service in ("", anomaly.service)
        and control.account in ("", anomaly.account)
        and anomaly.excess >= control.least_excess
    )


def _propose_safely(
    control: Control, now: datetime, why: str, alert: Alert | None = None, anomaly: Anomaly | None = None
) -> int:
    """One proposal in a savepoint of its own: what fails is logged and noted on the control."""
    try:
        with transaction.atomic():
            return int(_propose(control, now, why, alert=alert, anomaly=anomaly) is not None)
    except Exception:
        logger.exception("control %s could not propose", control.pk)
        note = _("{now}: it failed and proposed nothing; the log has the reason. {why}").format(
            now=moment_text(now), why=why
        )[:500]
        Control.objects.filter(pk=control.pk).update(last_result=note)
        return 0


def _propose(
    control: Control,
    now: datetime,
    why: str,
    *,
    user: User | None = None,
    alert: Alert | None = None,
    anomaly: Anomaly | None = None,
) -> ControlChangeSet | None:
    """Makes the change set, or notes on the control why there is nothing to do. None where there is one already."""
    if control.budget and control.budget.state != Budget.State.ACTIVE:
        return None
    made_before = ControlChangeSet.objects.filter(control=control)
    if (alert and made_before.filter(alert=alert).exists()) or (
        anomaly and made_before.filter(anomaly=anomaly).exists()
    ):
        return None
    if running := made_before.filter(state__in=(*control_rules.OPEN, *control_rules.IN_FORCE)).first():
        _note(
            control,
            now,
            _("Nothing new: {running} is {state} already.").format(running=running, state=running.get_state_display()),
        )
        return None
    stopped = control_rules.STOPPED if ControlPolicy.get().is_stopped else ""
    if objection := stopped or cause_objection(alert, anomaly) or period_objection(alert, now):
        _note(control, now, _("Nothing is proposed. {objection}").format(objection=objection))
        return None
    until = _known_until(control, alert, anomaly, now.date())
    proposal = find_targets(control, until, anomaly) if until else None
    if proposal is None or not proposal.steps:
        _note(control, now, _nothing_text(proposal.left_out if proposal else [], until))
        return None
    row = ControlChangeSet(
        control=control,
        alert=alert,
        anomaly=anomaly,
        team=control.budget.team if control.budget else (anomaly.team if anomaly else control.team),
        why=why[:500],
        wanted=control.wanted,
        left_out=proposal.left_out[:MOST_LEFT_OUT],
        left_out_count=len(proposal.left_out),
        is_beyond_limits=proposal.is_beyond_limits,
        proposed_by=user or control.changed_by,
        is_automatic=user is None,
        proposed_at=now,
        expires_at=now + control_rules.PROPOSAL_LASTS,
        known_until=until,
    )
    row.save()
    for step in proposal.steps:
        step.change_set = row
    ControlStep.objects.bulk_create(proposal.steps)
    add_note(row, "propose", user, why, now)
    _note(control, now, _("Proposed {steps}. {why}").format(steps=counted(len(proposal.steps), "step"), why=why))
    _tell(row, now)
    return row


def _tell(row: ControlChangeSet, now: datetime) -> None:
    """Who approves gets an email; what is armed and may run by itself is queued instead."""
    control = row.control
    if row.is_automatic and control.is_armed(now):
        objection = role_objection(row)
        if not objection:
            add_note(row, "armed", control.armed_by, _("It runs by itself, for its control is armed."), now)
            task("budgets.tasks.run_controls").delay_on_commit()
            return
        add_note(
            row,
            "not_armed",
            None,
            _("Its control is armed, but it waits for approval. {objection}").format(objection=objection),
            now,
        )
        send_emails(row, "control-proposed", approver_addresses(row) | concerned_addresses(row), now)
        return
    send_emails(row, "control-proposed", approver_addresses(row), now)


def _known_until(control: Control, alert: Alert | None, anomaly: Anomaly | None, today: date) -> date | None:
    """The last complete day of the scope: as its forecast or its anomaly knows it, else of any bill."""
    days = []
    if anomaly:
        days.append(anomaly.last_day)
    elif control.budget:
        newest = Forecast.objects.filter(period__budget=control.budget, complete_until__isnull=False)
        days += [day for day in newest.order_by("-as_of").values_list("complete_until", flat=True)[:1] if day]
        if alert and alert.figures.get("complete_until"):
            days.append(date.fromisoformat(alert.figures["complete_until"]))
    return max(days, default=None) or last_delivered_day(today)


def _nothing_text(left_out: Sequence[dict[str, str]], until: date | None) -> str:
    if until is None:
        return _("Nothing is proposed: no bill shows its scope yet.")
    if not left_out:
        return _("Nothing is proposed: the bill of the days until {until} shows nothing that it could act on.").format(
            until=day_text(until)
        )
    first = left_out[0]
    more = _(", and {value} more").format(value=len(left_out) - 1) if len(left_out) > 1 else ""
    resources = counted(len(left_out), "resource")
    return _("Nothing is proposed: {resources} left out. {resource}: {why}{more}.").format(
        resources=resources, resource=first["resource"], why=first["why"], more=more
    )


def _note(control: Control, now: datetime, text: str) -> None:
    control.last_result = labelled(moment_text(now), text)[:500]
    Control.objects.filter(pk=control.pk).update(last_result=control.last_result)
