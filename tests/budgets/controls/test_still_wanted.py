"""A control acts only while it is wanted: while its cause, its arming and its time box last. The undo asks nothing."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from budgets.calc.controls.rules import CannotControl
from budgets.controls import approvals, execution, proposals, role_access, running
from budgets.controls.change_set_events import concerned_addresses
from budgets.controls.role_access import Answer, NotDone
from budgets.models import Alert, Anomaly, Control, ControlChangeSet
from budgets.planning import budget_changes
from finops_site.lib.periods import Month
from finops_site.models import OutgoingEmail, Team, User
from tests.budgets.conftest import at
from tests.budgets.controls.conftest import ACCOUNT, DAY, NOW
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
LATER, END = NOW + timedelta(hours=1), NOW + timedelta(hours=48)


def fresh(row):
    return ControlChangeSet.objects.get(pk=row.pk)


def results(row):
    return [step.result for step in row.steps.all()]


def lines(row, *outcomes):
    return "\n".join(f"finops control-{row.pk} {number} {text}" for number, text in enumerate(outcomes, 1))


@shared
def row(proposed):
    return proposed()


@shared
def approved(row, lea):
    return approvals.approve(row.pk, user=lea, comment="Go", now=NOW)


@shared
def checked(approved, eli):
    pasted = lines(approved, "state running", "state available")
    return running.record_check(approved.pk, pasted=pasted, user=eli, now=NOW)


@shared
def half(checked, eli):
    """Run by hand: the machine is stopped, the database is not."""
    row = running.start(checked.pk, user=eli, by_role=False, now=NOW)
    return running.record_run(row.pk, pasted=lines(row, "ok", "failed AccessDenied"), user=eli, now=NOW)


class Cloud:
    """A provider at which both machines run, and who is refused there."""

    def __init__(self):
        self.states, self.refused = {"ec2": "running", "rds": "available"}, set()

    def read_state(self, step):
        return Answer(self.states[step.kind], {"Environment": "dev"})

    def become(self, step, state):
        if step.kind in self.refused:
            raise NotDone("AWS answered UnauthorizedOperation.")
        self.states[step.kind] = state


@pytest.fixture
def cloud(by_role, monkeypatch):
    cloud = Cloud()
    monkeypatch.setattr(role_access, "read_state", cloud.read_state)
    monkeypatch.setattr(role_access, "rehearse", lambda step, wanted: "")
    monkeypatch.setattr(role_access, "act", lambda step, wanted: cloud.become(step, "stopped"))
    monkeypatch.setattr(role_access, "put_back", lambda step: cloud.become(step, step.before))
    return cloud


def run_by_role(row, eli):
    execution.dry_run(row.pk, user=eli, now=NOW)
    running.start(row.pk, user=eli, by_role=True, now=NOW)
    execution.execute(row.pk, clock=lambda: LATER)
    return fresh(row)


@pytest.fixture
def armed(control_of, flo, night):
    """A change set that an armed control proposed."""

    def make(**fields):
        control = control_of(**fields)
        approvals.arm(control.pk, user=flo, until=NOW + timedelta(days=30), now=NOW)
        night(DAY + timedelta(days=1))
        return control.change_sets.get()

    return make


# Not again after its time.


def test_after_its_time_nothing_more_is_run_by_hand_and_it_is_put_back(half, eli):
    assert results(half) == ["done", "failed"]
    assert running.end_boxes(END) == 1
    with pytest.raises(CannotControl, match="Its time is over"):
        running.start(half.pk, user=eli, by_role=False, now=NOW + timedelta(days=20))
    running.start_undo(half.pk, user=eli, by_role=True, now=END)
    row = running.record_run(half.pk, pasted=lines(half, "undone"), user=eli, now=END)
    assert (row.state, results(row)) == ("undone", ["undone", "failed"])


def test_an_undo_that_aws_refused_is_not_followed_by_another_run(cloud, approved, eli):
    cloud.refused = {"rds"}
    assert results(run_by_role(approved, eli)) == ["done", "failed"]
    cloud.refused = {"ec2"}
    running.end_boxes(END)
    execution.execute(approved.pk, clock=lambda: END)
    assert (fresh(approved).state, results(approved)) == ("partly done", ["not undone", "failed"])
    cloud.refused = set()
    with pytest.raises(CannotControl, match="Its time is over"):
        running.start(approved.pk, user=eli, by_role=True, now=NOW + timedelta(days=10))
    assert cloud.states["rds"] == "available"


def test_once_the_undo_was_begun_or_the_figures_are_old_nothing_more_is_run(proposed, lea, eli):
    row = proposed(box_hours=240)
    approvals.approve(row.pk, user=lea, now=NOW)
    running.record_check(row.pk, pasted=lines(row, "state running", "state available"), user=eli, now=NOW)
    running.start(row.pk, user=eli, by_role=False, now=NOW)
    running.record_run(row.pk, pasted=lines(row, "ok", "failed no"), user=eli, now=NOW)
    with pytest.raises(CannotControl, match="older figures"):
        running.start(row.pk, user=eli, by_role=False, now=NOW + timedelta(days=4))
    running.start_undo(row.pk, user=eli, by_role=True, now=LATER)
    running.record_run(row.pk, pasted=lines(row, "failed no"), user=eli, now=LATER)
    with pytest.raises(CannotControl, match="undo was begun"):
        running.start(row.pk, user=eli, by_role=False, now=LATER)


def test_what_could_not_be_put_back_is_in_force_whatever_fails_beside_it(half, eli):
    running.start_undo(half.pk, user=eli, by_role=True, now=LATER)
    running.record_run(half.pk, pasted=lines(half, "failed no"), user=eli, now=LATER)
    ControlChangeSet.objects.update(state="running", is_undoing=False)
    row = running.record_run(half.pk, pasted=lines(half, "failed no", "failed no"), user=eli, now=LATER)
    assert (row.state, results(row), row.ends_at) == ("partly done", ["not undone", "failed"], END)
    assert running.start_undo(half.pk, user=eli, by_role=True, now=LATER).state == "running"


def test_where_nothing_turns_out_to_be_in_force_after_its_time_it_ends(checked, eli):
    row = running.start(checked.pk, user=eli, by_role=False, now=NOW)
    running.end_boxes(END)
    for number in (1, 2):
        running.settle(row.pk, number, outcome="not done", user=eli, now=END)
    assert fresh(row).state == "undone"


def test_what_was_queued_until_its_time_was_over_is_not_begun(cloud, armed):
    row = armed()
    assert execution.run_armed(LATER) == 1
    execution.execute(row.pk, clock=lambda: LATER + timedelta(hours=48))
    assert cloud.states == {"ec2": "running", "rds": "available"}


# Only while its cause lasts.


def resolve(row, fay):
    Alert.objects.update(state="resolved")


def switch_off(row, fay):
    approvals.switch_control(row.control_id, user=fay, on=False)


def change(row, fay):
    control = Control.objects.get(pk=row.control_id)
    control.exempt_tags = ["Environment=dev"]
    approvals.save_control(control, user=fay, now=LATER)


def archive(row, fay):
    budget = row.control.budget
    budget_changes.archive_budget(budget, version=budget.version, by=fay)


CHANGES = [
    (resolve, "alert is resolved"),
    (switch_off, "is switched off"),
    (change, "was changed after it was proposed"),
    (archive, "budget is archived"),
]


@pytest.mark.parametrize(("happens", "reason"), CHANGES)
def test_what_is_not_wanted_any_more_is_not_approved_and_is_withdrawn(row, lea, fay, happens, reason):
    happens(row, fay)
    with pytest.raises(CannotControl, match=reason):
        approvals.approve(row.pk, user=lea, now=LATER)
    assert approvals.expire_old(LATER) == 1
    assert fresh(row).state == "expired"
    assert reason in fresh(row).message


@pytest.mark.parametrize(("happens", "reason"), CHANGES)
def test_what_is_not_wanted_any_more_is_not_begun(checked, eli, fay, happens, reason):
    happens(checked, fay)
    with pytest.raises(CannotControl, match=reason):
        running.start(checked.pk, user=eli, by_role=False, now=LATER)


def test_the_running_script_is_not_handed_out_any_more(checked, eli, fay):
    row = running.start(checked.pk, user=eli, by_role=False, now=NOW)
    assert running.script_objection(row, "run", LATER) == ""
    switch_off(row, fay)
    assert running.script_objection(fresh(row), "run", LATER) == "Its control is switched off."
    assert running.script_objection(fresh(row), "undo", LATER) == ""


def test_an_armed_control_does_not_run_for_an_alert_that_was_taken_back_in_its_quiet_time(cloud, armed, fay):
    row = armed(quiet_from="00:00", quiet_until="08:00")
    assert execution.run_armed(LATER) == 0
    resolve(row, fay)
    assert execution.run_armed(NOW.replace(hour=8)) == 0
    assert fresh(row).state == "proposed"


def test_an_armed_control_does_not_run_for_an_anomaly_that_was_taken_back(cloud, budget, payments, fay, flo):
    control = Control(name="After anomalies", trigger="anomaly", action="stop", accounts=[ACCOUNT], most_share=1)
    control.team = payments
    approvals.save_control(control, user=fay, now=NOW)
    approvals.arm(control.pk, user=flo, until=NOW + timedelta(days=30), now=NOW)
    figures = {"day": DAY, "last_day": DAY, "actual": Decimal(30), "expected": Decimal(10), "found_as_of": DAY}
    anomaly = Anomaly.objects.create(team=payments, kind="team", currency="USD", **figures)
    assert proposals.propose_for_anomalies([anomaly], NOW) == 1
    Anomaly.objects.update(state="taken back")
    assert execution.run_armed(LATER) == 0
    assert approvals.expire_old(LATER) == 1


def test_a_period_that_is_over_proposes_nothing(budget, control_of, night):
    night(DAY + timedelta(days=1))
    control, alerts = control_of(), list(Alert.objects.filter(threshold__percent=50, kind="actual"))
    assert proposals.propose_for_alerts(alerts, at(date(2026, 4, 1))) == 0
    control.refresh_from_db()
    assert "The period of its alert is over since 1 Apr 2026" in control.last_result
    assert proposals.propose_for_alerts(alerts, at(date(2026, 3, 31))) == 1


# Armed by somebody, for something.


def test_whoever_left_or_changed_her_role_arms_nothing_any_more(cloud, armed, flo):
    row = armed()
    flo.groups.clear()
    assert not Control.objects.get().is_armed(NOW)
    assert execution.run_armed(LATER) == 0
    assert fresh(row).state == "proposed"


def test_whoever_cannot_sign_in_any_more_arms_nothing(cloud, armed):
    armed()
    User.objects.filter(name="Flo").update(is_active=False)
    assert execution.run_armed(LATER) == 0


def disarm(row, fay):
    approvals.disarm(row.control_id, user=fay)


@pytest.mark.parametrize("happens", [disarm, switch_off, resolve])
def test_disarming_holds_what_is_on_its_way(cloud, armed, fay, eli, happens):
    row = armed()
    assert execution.run_armed(LATER) == 1
    happens(row, fay)
    execution.execute(row.pk, clock=lambda: LATER)
    assert cloud.states == {"ec2": "running", "rds": "available"}
    assert fresh(row).state == "approved"
    # Nobody but the arming approved it.
    with pytest.raises(CannotControl):
        running.start(row.pk, user=eli, by_role=False, now=LATER)
    assert approvals.expire_old(LATER) == 1


def test_another_amount_disarms(armed, budget, fay):
    armed()
    assert Control.objects.get().is_armed(LATER)
    amounts = {Month.parse("2026-03").period: Decimal(1)}
    budget_changes.change_budget(budget, amounts, version=budget.version, by=fay)
    assert not Control.objects.get().is_armed(LATER)


def test_another_team_below_disarms(armed, payments):
    armed()
    assert Control.objects.get().is_armed(LATER)
    Team.objects.filter(name="Data").update(parent=payments)
    assert not Control.objects.get().is_armed(LATER)


# The end of its time, and who hears of it.


def test_a_box_that_ended_while_controls_were_stopped_is_undone_when_they_are_resumed(cloud, approved, eli, fay, lea):
    assert run_by_role(approved, eli).state == "done"
    approvals.set_switch(user=fay, stop=True)
    assert [running.end_boxes(END), running.end_boxes(END + timedelta(minutes=1))] == [1, 0]
    assert OutgoingEmail.objects.filter(key__contains="control-undo", to=lea.email).count() == 1
    approvals.set_switch(user=fay, stop=False)
    assert running.end_boxes(END + timedelta(hours=1)) == 1
    execution.execute(approved.pk, clock=lambda: END + timedelta(hours=1))
    assert fresh(approved).state == "undone"
    assert cloud.states == {"ec2": "running", "rds": "available"}


def test_where_lead_and_finance_are_gone_the_leads_above_hear_of_it_and_then_administrators(row, ada, lea, fay):
    # Fay defined it: only she is left to approve, and may not.
    User.objects.filter(pk=lea.pk).update(is_active=False)
    assert approvals.approver_addresses(row) == {fay.email, ada.email}
    User.objects.filter(pk=fay.pk).update(is_active=False)
    assert concerned_addresses(fresh(row)) == {ada.email}
    Team.objects.filter(pk=row.team_id).update(parent=Team.objects.get(name="Data"))
    ola = User.objects.get(name__startswith="Ola")
    assert concerned_addresses(fresh(row)) == {ola.email}
    assert approvals.approver_addresses(fresh(row)) == {ola.email}
