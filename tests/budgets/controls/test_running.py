"""Approved by a second person, looked at, run by hand or by role, undone after its time, and compared with the bill."""

import json
from datetime import date, timedelta
from decimal import Decimal

import boto3
import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from moto import mock_aws

from budgets import tasks
from budgets.calc.controls.rules import CannotControl
from budgets.controls import approvals, execution, proposals, role_access, running, savings, targets
from budgets.controls.next_steps import next_steps, scripts_for, take_step
from budgets.controls.role_access import OutcomeUnknown
from budgets.controls.scripts import script_of
from budgets.models import Budget, Control, ControlAccess, ControlChangeSet, ControlPolicy, ControlStep
from finops_site.celery import app
from finops_site.models import OutgoingEmail, Team
from tests.budgets.conftest import at
from tests.budgets.controls.conftest import ACCOUNT, DAY, DEV, MACHINES, NOW, PROD
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def fresh(row):
    return ControlChangeSet.objects.get(pk=row.pk)


def results(row):
    return [step.result for step in row.steps.all()]


def lines(row, *outcomes):
    """What a script prints, one outcome for each step in order."""
    return "\n".join(f"finops control-{row.pk} {number} {text}" for number, text in enumerate(outcomes, 1))


@shared
def row(proposed):
    return proposed()


@shared
def approved(row, lea):
    return approvals.approve(row.pk, user=lea, comment="Go", now=NOW)


@shared
def checked(approved, eli):
    return running.record_check(
        approved.pk, pasted=lines(approved, "state running", "state available"), user=eli, now=NOW
    )


@shared
def by_hand(checked, eli):
    return running.start(checked.pk, user=eli, by_role=False, now=NOW)


@shared
def done(by_hand, eli):
    return running.record_run(by_hand.pk, pasted=lines(by_hand, "ok", "ok"), user=eli, now=NOW)


# Two people.


@pytest.mark.parametrize("name", ["fay", "eli", "ola", "ada", "max"])
def test_only_a_second_person_of_finance_or_the_teams_lead_approves(row, people, name):
    with pytest.raises(CannotControl):
        approvals.approve(row.pk, user=people[name], comment="", now=NOW)
    assert fresh(row).state == "proposed"


def test_lea_approves_and_so_does_somebody_else_of_finance(row, lea, flo):
    assert approvals.approval_objection(row, flo) == ""
    assert approvals.approve(row.pk, user=lea, comment="Go", now=NOW).state == "approved"


def test_whoever_proposes_by_hand_does_not_approve_it(control_of, lea, fay, budget):
    from budgets.controls import proposals

    change_set = proposals.propose_by_hand(control_of(), user=lea, now=NOW)
    with pytest.raises(CannotControl, match="Somebody else"):
        approvals.approve(change_set.pk, user=lea, comment="", now=NOW)
    # Fay defined the control.
    with pytest.raises(CannotControl, match="Somebody else"):
        approvals.approve(change_set.pk, user=fay, comment="", now=NOW)


def test_a_refusal_needs_a_reason_and_ends_it(row, fay):
    with pytest.raises(CannotControl, match="Give the reason"):
        approvals.refuse(row.pk, user=fay, comment=" ", now=NOW)
    assert approvals.refuse(row.pk, user=fay, comment="Release week", now=NOW).state == "refused"
    with pytest.raises(CannotControl, match="is refused"):
        approvals.approve(row.pk, user=fay, comment="", now=NOW)


def test_a_proposal_nobody_answers_expires(row, lea):
    late = NOW + timedelta(days=4)
    assert approvals.expire_old(late) == 1
    assert fresh(row).state == "expired"


def test_what_was_approved_long_ago_is_not_begun(checked, eli):
    late = NOW + timedelta(days=4)
    assert running.start(checked.pk, user=eli, by_role=False, now=late).state == "expired"


# By hand.


def test_before_the_dry_run_nothing_is_run(approved, eli):
    with pytest.raises(CannotControl, match="First the dry run"):
        running.start(approved.pk, user=eli, by_role=False, now=NOW)


def test_the_dry_run_names_what_is_gone_changed_or_so_already(approved, eli):
    pasted = lines(approved, "state gone", "state stopped")
    row = running.record_check(approved.pk, pasted=pasted, user=eli, now=NOW)
    assert row.message == "Dry run: 0 to do, 1 so already, 1 gone."
    with pytest.raises(CannotControl, match="nothing to do"):
        running.start(row.pk, user=eli, by_role=False, now=NOW)
    row = running.record_check(
        approved.pk, pasted=lines(approved, "state running", "state modifying"), user=eli, now=NOW
    )
    assert row.message == "Dry run: 1 to do, 1 changed since."


def test_a_run_by_hand_is_recorded_and_its_box_begins(done):
    assert done.state == "done"
    assert (done.started_at, done.ends_at) == (NOW, NOW + timedelta(hours=48))
    assert results(done) == ["done", "done"]


def test_what_was_not_pasted_is_unknown_and_a_person_settles_it(by_hand, eli):
    row = running.record_run(by_hand.pk, pasted=lines(by_hand, "ok"), user=eli, now=NOW)
    assert (row.state, results(row)) == ("partly done", ["done", "unknown"])
    row = running.settle(row.pk, 2, outcome="done", user=eli, now=NOW)
    assert (fresh(row).state, results(row)) == ("done", ["done", "done"])


def test_a_part_that_failed_is_done_again_and_the_rest_is_not(by_hand, eli):
    row = running.record_run(by_hand.pk, pasted=lines(by_hand, "ok", "failed AccessDenied"), user=eli, now=NOW)
    assert (row.state, results(row)) == ("partly done", ["done", "failed"])
    row = running.start(row.pk, user=eli, by_role=False, now=LATER)
    assert row.ends_at == NOW + timedelta(hours=48)
    script = script_of(row, "run")
    assert "stop-db-instance" in script
    assert "stop-instances" not in script
    row = running.record_run(row.pk, pasted=lines(row, "ok", "ok"), user=eli, now=LATER)
    assert row.state == "done"


def test_where_nothing_was_done_it_is_approved_as_before(by_hand, eli):
    row = running.record_run(by_hand.pk, pasted=lines(by_hand, "failed no", "failed no"), user=eli, now=NOW)
    assert (row.state, row.started_at, row.ends_at) == ("approved", None, None)


def test_the_undo_restores_only_what_was_changed(approved, eli):
    running.record_check(approved.pk, pasted=lines(approved, "state running", "state stopped"), user=eli, now=NOW)
    row = running.start(approved.pk, user=eli, by_role=False, now=NOW)
    row = running.record_run(row.pk, pasted=lines(row, "ok"), user=eli, now=NOW)
    script = script_of(row, "undo")
    assert "start-instances" in script
    # The database was stopped before: somebody else decides when it starts.
    assert "start-db-instance" not in script
    row = running.start_undo(row.pk, user=eli, by_role=True, now=LATER)
    row = running.record_run(row.pk, pasted=lines(row, "undone"), user=eli, now=LATER)
    assert (row.state, row.undone_at) == ("undone", LATER)


def test_when_the_box_ends_a_mail_brings_the_undoing_script_once(done, eli, lea):
    assert running.end_boxes(NOW + timedelta(hours=47)) == 0
    end = NOW + timedelta(hours=48)
    running.end_boxes(end)
    running.end_boxes(end + timedelta(minutes=1))
    mails = OutgoingEmail.objects.filter(key__contains="control-undo", to=lea.email)
    assert mails.count() == 1
    assert "start-instances" in bytes(mails[0].content).decode()
    assert fresh(done).state == "done"


def test_a_run_that_nobody_recorded_is_undone_in_doubt(by_hand):
    running.end_boxes(NOW + timedelta(hours=48))
    row = fresh(by_hand)
    assert (row.state, set(results(row))) == ("partly done", {"unknown"})
    assert "start-instances" in script_of(row, "undo")


def test_where_nobody_did_anything_the_box_ends_in_no_dead_end(by_hand, eli, lea):
    end = NOW + timedelta(hours=48)
    running.end_boxes(end)
    for number in (1, 2):
        row = running.settle(by_hand.pk, number, outcome="not done", user=eli, now=end)
    # Its time is over, so that it is not run again: nothing is left to put back.
    assert (fresh(row).state, results(row)) == ("undone", ["failed", "failed"])


def test_where_the_output_is_lost_it_is_undone_before_its_box_ends(by_hand, eli):
    steps = {step.verb for step in next_steps(by_hand, eli, NOW) if not step.why}
    assert "undo" in steps
    row = take_step(by_hand, "undo", user=eli, now=LATER, values={})
    assert (row.state, row.is_undoing, set(results(row))) == ("running", True, {"unknown"})
    assert "start-instances" in script_of(row, "undo")
    assert dict(scripts_for(row, eli)) == {"undo": "Undoing script"}
    row = take_step(row, "ran", user=eli, now=LATER, values={"pasted": lines(row, "undone", "undone")})
    assert row.state == "undone"


def test_what_the_mailed_undoing_script_printed_is_taken_at_once(done, eli):
    row = running.record_run(done.pk, pasted=lines(done, "undone", "undone"), user=eli, now=LATER)
    assert (row.state, row.undone_at) == ("undone", LATER)
    row = fresh(row)
    with pytest.raises(CannotControl, match="Nothing is being run by hand"):
        running.record_run(row.pk, pasted=lines(row, "undone", "undone"), user=eli, now=LATER)


def test_a_sign_that_no_database_takes_is_refused_in_words(row, lea):
    for verb in ("refuse", "approve"):
        with pytest.raises(CannotControl, match="no text holds"):
            take_step(row, verb, user=lea, now=NOW, values={"comment": "a\x00b"})
    assert fresh(row).state == "proposed"


def test_a_change_set_follows_its_budget_to_another_team(row, budget, lea, ola):
    Budget.objects.filter(pk=budget.pk).update(team=Team.objects.get(name="Data"))
    row = ControlChangeSet.objects.get(pk=row.pk)
    assert list(ControlChangeSet.objects.visible_to(ola)) == [row]
    assert not ControlChangeSet.objects.visible_to(lea).exists()
    with pytest.raises(CannotControl, match="leads the team"):
        approvals.approve(row.pk, user=lea, comment="", now=NOW)
    assert approvals.approve(row.pk, user=ola, comment="Go", now=NOW).state == "approved"


def test_a_paste_of_another_change_set_changes_nothing(by_hand, eli):
    with pytest.raises(CannotControl, match="output of change set"):
        running.record_run(by_hand.pk, pasted=f"finops control-{by_hand.pk + 1} 1 ok", user=eli, now=NOW)
    assert fresh(by_hand).state == "running"


@pytest.mark.parametrize("name", ["max", "ada"])
def test_who_only_looks_runs_nothing(checked, people, name):
    for step in (
        lambda **who: running.start(checked.pk, by_role=False, now=NOW, **who),
        lambda **who: running.record_check(checked.pk, pasted="", now=NOW, **who),
        lambda **who: execution.dry_run(checked.pk, now=NOW, **who),
    ):
        with pytest.raises(CannotControl, match="Finance and the engineers"):
            step(user=people[name])


# The switch.


def test_the_switch_stops_everything_but_the_undo(done, control_of, row, fay, flo, eli):
    policy = approvals.set_switch(user=fay, stop=True)
    assert policy.is_stopped
    with pytest.raises(CannotControl, match="stopped by finance"):
        approvals.arm(row.control_id, user=flo, until=NOW + timedelta(days=1), now=NOW)
    assert running.start_undo(done.pk, user=eli, by_role=True, now=LATER).state == "running"


def test_the_switch_disarms_every_control_and_arms_none_again(control_of, fay, flo):
    control = control_of()
    approvals.arm(control.pk, user=flo, until=NOW + timedelta(days=30), now=NOW)
    approvals.set_switch(user=fay, stop=True)
    approvals.set_switch(user=fay, stop=False)
    assert Control.objects.get().armed_by is None


@pytest.mark.parametrize("name", ["eli", "lea", "ada", "max"])
def test_only_finance_arms_defines_and_stops(control_of, people, name):
    control, user = control_of(), people[name]
    with pytest.raises(CannotControl):
        approvals.arm(control.pk, user=user, until=NOW + timedelta(days=1), now=NOW)
    with pytest.raises(CannotControl):
        approvals.save_control(control, user=user, now=NOW)
    with pytest.raises(CannotControl):
        approvals.set_switch(user=user, stop=True)


# By role, at an AWS of ours.


@pytest.fixture
def aws(by_role, monkeypatch):
    """An AWS in which the two machines run; the steps of a change set are pointed at them."""
    monkeypatch.setenv("MOTO_ALLOW_NONEXISTENT_REGION", "true")
    with mock_aws():
        yield boto3.Session("testing", "testing", region_name="us-east-1")


def launch(aws, row, environment="dev"):
    """Starts a machine and a database for the steps of the change set."""
    ec2, rds = aws.client("ec2"), aws.client("rds")
    (machine,) = ec2.run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Environment", "Value": environment}]}],
    )["Instances"]
    rds.create_db_instance(
        DBInstanceIdentifier="orders-dev",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        Tags=[{"Key": "Environment", "Value": "test"}],
    )
    row.steps.filter(kind="ec2").update(target=machine["InstanceId"])
    return machine["InstanceId"]


def state_of(aws, machine):
    (instance,) = aws.client("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    return instance["State"]["Name"]


def clock():
    return LATER


@pytest.fixture
def running_machine(aws, approved):
    return launch(aws, approved)


def test_a_dry_run_by_role_reads_and_changes_nothing(aws, approved, running_machine, eli):
    row = execution.dry_run(approved.pk, user=eli, now=NOW)
    assert row.message == "Dry run: 2 to do."
    assert [step.before for step in row.steps.all()] == ["running", "available"]
    assert state_of(aws, running_machine) == "running"


def begun(row, eli):
    execution.dry_run(row.pk, user=eli, now=NOW)
    return running.start(row.pk, user=eli, by_role=True, now=NOW)


def test_a_run_by_role_stops_each_once_and_its_end_starts_them(aws, approved, running_machine, eli):
    row = begun(approved, eli)
    assert execution.execute(row.pk, clock=clock)
    assert (fresh(row).state, results(row)) == ("done", ["done", "done"])
    assert state_of(aws, running_machine) == "stopped"
    # A second worker finds nothing to do.
    assert not execution.execute(row.pk, clock=clock)
    running.end_boxes(NOW + timedelta(hours=48))
    assert fresh(row).is_undoing
    execution.execute(row.pk, clock=clock)
    assert (fresh(row).state, results(row)) == ("undone", ["undone", "undone"])
    assert state_of(aws, running_machine) == "running"


def test_a_machine_that_says_production_by_now_is_left_alone(aws, approved, running_machine, eli):
    row = begun(approved, eli)
    tag = {"Key": "Environment", "Value": "production"}
    aws.client("ec2").create_tags(Resources=[running_machine], Tags=[tag])
    execution.execute(row.pk, clock=clock)
    step = row.steps.get(kind="ec2")
    assert (step.result, step.message) == (
        *("changed",),
        "exempt by now: its tag Environment says production (production)",
    )
    assert state_of(aws, running_machine) == "running"


@pytest.mark.parametrize(
    ("live", "why"),
    [
        ({}, "no tag of an environment"),
        ({"Environment": ""}, "no tag of an environment"),
        ({"env": "staging", "Environment": "dev"}, "its environment is staging"),
        ({"Environment": "dev", "environment": "staging"}, "its environment is staging"),
        ({"Environment": "dev", "Production": "true"}, "its tag Production says production"),
        ({"Environment": "dev", "aws:autoscaling:groupName": "agents"}, "it belongs to a group"),
        ({"Environment": "dev", "Stack": "prod1"}, "its tag Stack says production"),
    ],
)
def test_live_tags_are_judged_as_those_of_the_bill_before_the_step(approved, monkeypatch, eli, by_role, live, why):
    monkeypatch.setattr(targets, "environment_keys", lambda control: ["Environment", "env"])
    monkeypatch.setattr(role_access, "read_state", lambda step: role_access.Answer("running", live))
    monkeypatch.setattr(role_access, "rehearse", lambda step, wanted: "")
    approved.steps.filter(kind="rds").delete()
    execution.dry_run(approved.pk, user=eli, now=NOW)
    step = approved.steps.get()
    assert step.result == "changed"
    assert why in step.message


def test_what_is_gone_at_aws_is_gone(aws, approved, running_machine, eli):
    approved.steps.filter(kind="ec2").update(target="i-0123456789abcdef0")
    aws.client("rds").delete_db_instance(DBInstanceIdentifier="orders-dev", SkipFinalSnapshot=True)
    row = execution.dry_run(approved.pk, user=eli, now=NOW)
    assert results(row) == ["gone", "gone"]


def test_what_no_role_can_put_back_is_undone_by_hand(aws, approved, running_machine, eli):
    row = begun(approved, eli)
    execution.execute(row.pk, clock=clock)
    ControlAccess.objects.all().delete()
    running.start_undo(row.pk, user=eli, by_role=True, now=LATER)
    execution.execute(row.pk, clock=clock)
    row = fresh(row)
    assert (row.state, set(results(row))) == ("partly done", {"not undone"})
    assert "undo_by_hand" in {step.verb for step in next_steps(row, eli, LATER) if not step.why}
    row = take_step(row, "undo_by_hand", user=eli, now=LATER, values={})
    assert not row.by_role
    # Of one the script prints that it is put back; the other stays as somebody changed it, and she says so.
    pasted = lines(row, "undone", "failed somebody has changed it meanwhile")
    row = take_step(row, "ran", user=eli, now=LATER, values={"pasted": pasted})
    assert (row.state, results(row)) == ("partly done", ["undone", "not undone"])
    with pytest.raises(CannotControl, match="no doubt"):
        take_step(row, "settle", user=eli, now=LATER, values={"step": "2", "outcome": "done"})
    row = take_step(row, "settle", user=eli, now=LATER, values={"step": "2", "outcome": "undone"})
    assert fresh(row).state == "undone"


def test_an_answer_that_nobody_foresaw_ends_no_worker(aws, approved, running_machine, eli, monkeypatch):
    row = begun(approved, eli)

    def strange(step):
        raise KeyError("Reservations")

    monkeypatch.setattr(role_access, "read_state", strange)
    assert execution.execute(row.pk, clock=clock)
    row = fresh(row)
    assert (row.state, set(results(row))) == ("approved", {"failed"})
    assert "could not be read" in row.steps.first().message
    assert state_of(aws, running_machine) == "running"


@pytest.mark.parametrize(("effect", "result"), [("Deny", "ready"), ("Allow", "changed")])
def test_by_role_only_a_policy_that_denies_is_attached(aws, control_of, fay, eli, effect, result):
    ControlAccess.objects.update(actions=["deny"])
    iam = aws.client("iam")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": "ec2:*", "Resource": "*"}]}
    policy = iam.create_policy(PolicyName="ours", PolicyDocument=json.dumps(document))["Policy"]
    iam.create_role(RoleName="builders", AssumeRolePolicyDocument="{}")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/ours"
    row = proposals.propose_by_hand(
        control_of(action="deny", targets=f"iam-policy {ACCOUNT}/role/builders/{arn}"), user=fay, now=NOW
    )
    row.steps.update(extra=policy["Arn"])
    execution.dry_run(row.pk, user=eli, now=NOW)
    assert row.steps.get().result == result


def test_control_access_takes_no_address_that_the_settings_do_not_allow(by_role):
    access = ControlAccess.objects.get()
    access.endpoint = "http://169.254.169.254/"
    with pytest.raises(ValidationError, match="FINOPS_STORAGE_ENDPOINTS"):
        access.full_clean()


def test_the_switch_holds_what_a_worker_is_about_to_do(aws, approved, running_machine, eli, fay):
    row = begun(approved, eli)
    approvals.set_switch(user=fay, stop=True)
    execution.execute(row.pk, clock=clock)
    assert fresh(row).state == "approved"
    assert state_of(aws, running_machine) == "running"


def test_the_allow_list_is_read_again_before_each_step(aws, approved, running_machine, eli):
    row = begun(approved, eli)
    ControlAccess.objects.update(actions=["scale"])
    execution.execute(row.pk, clock=clock)
    assert set(results(row)) == {"failed"}
    assert "no role may stop dev and test machines" in row.steps.first().message
    assert state_of(aws, running_machine) == "running"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: ControlPolicy.objects.update(by_role=False), "not switched on"),
        (lambda: ControlAccess.objects.all().delete(), "not on the allow-list"),
        (lambda: ControlAccess.objects.update(actions=[]), "no role may"),
        (lambda: ControlPolicy.objects.update(is_stopped=True), "stopped by finance"),
    ],
)
def test_without_the_allow_list_nothing_runs_by_role(aws, checked, eli, change, reason):
    change()
    with pytest.raises(CannotControl, match=reason):
        running.start(checked.pk, user=eli, by_role=True, now=NOW)


def test_an_answer_that_never_came_is_unknown_and_is_asked_about(aws, approved, running_machine, eli, monkeypatch):
    row = begun(approved, eli)
    act = role_access.act
    calls = []

    def lost(step, wanted):
        calls.append(step.kind)
        act(step, wanted)
        raise OutcomeUnknown("No answer came: ReadTimeoutError.")

    monkeypatch.setattr(role_access, "act", lost)
    execution.execute(row.pk, clock=clock)
    assert (fresh(row).state, set(results(row))) == ("partly done", {"unknown"})
    execution.look(row.pk, user=eli, now=LATER)
    assert (fresh(row).state, results(row)) == ("done", ["done", "done"])
    assert sorted(calls) == ["ec2", "rds"]


def test_a_killed_worker_leaves_a_doubt_and_nothing_is_sent_again(aws, approved, running_machine, eli, monkeypatch):
    row = begun(approved, eli)

    def killed(step, wanted):
        raise SystemExit(9)

    monkeypatch.setattr(role_access, "act", killed)
    with pytest.raises(SystemExit):
        execution.execute(row.pk, clock=clock)
    monkeypatch.undo()
    assert "running" in results(row)
    sent = []
    monkeypatch.setattr(role_access, "act", lambda step, wanted: sent.append(step.kind))
    lost = execution.sweep(LATER + timedelta(minutes=6))
    # AWS shows that the machine runs: it was not done. The other step was never begun, and is taken up again.
    assert lost == [row.pk]
    execution.execute(row.pk, clock=lambda: LATER + timedelta(minutes=7))
    first, second = row.steps.all()
    assert (first.result, first.message) == ("failed", "AWS shows it running")
    assert second.result == "done"
    assert sent == ["rds"]
    assert fresh(row).state == "partly done"


def test_what_somebody_changed_meanwhile_is_not_undone_over_it(aws, proposed, lea, eli, monkeypatch):
    row = proposed(action="scale", wanted=0)
    scaling = aws.client("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName="c", ImageId="ami-12c6146b", InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        *(),
        AutoScalingGroupName="agents",
        LaunchConfigurationName="c",
        MinSize=1,
        MaxSize=5,
        DesiredCapacity=3,
        AvailabilityZones=["us-east-1a"],
        Tags=[{"Key": "Environment", "Value": "dev", "PropagateAtLaunch": True}],
    )
    approvals.approve(row.pk, user=lea, comment="", now=NOW)
    begun(row, eli)
    execution.execute(row.pk, clock=clock)
    step = row.steps.get()
    assert (step.result, step.before) == ("done", "1 5 3")
    scaling.update_auto_scaling_group(AutoScalingGroupName="agents", MinSize=2, DesiredCapacity=4)
    running.start_undo(row.pk, user=eli, by_role=True, now=LATER)
    execution.execute(row.pk, clock=clock)
    assert fresh(row).state == "partly done"
    assert "somebody has changed it meanwhile (2 5 4)" in row.steps.get().message
    scaling.update_auto_scaling_group(AutoScalingGroupName="agents", MinSize=0, DesiredCapacity=0)
    running.start_undo(row.pk, user=eli, by_role=True, now=LATER)
    execution.execute(row.pk, clock=clock)
    (group,) = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (1, 5, 3)
    assert fresh(row).state == "undone"


# Armed.


@pytest.fixture
def armed(control_of, flo):
    def make(**fields):
        control = control_of(**fields)
        return approvals.arm(control.pk, user=flo, until=NOW + timedelta(days=30), now=NOW)

    return make


def test_whoever_defined_it_does_not_arm_it_and_a_change_disarms(control_of, armed, fay, flo):
    control = armed()
    assert control.is_armed(NOW)
    assert not control.is_armed(NOW + timedelta(days=30))
    with pytest.raises(CannotControl, match="Somebody else of finance"):
        approvals.arm(control.pk, user=fay, until=NOW + timedelta(days=1), now=NOW)
    assert not approvals.save_control(control, user=fay, now=NOW).is_armed(NOW)


def test_it_is_armed_for_this_scope_and_this_threshold_alone(armed, budget):
    control = armed()
    control.threshold.percent = Decimal(1)
    assert not control.is_armed(NOW)
    control = Control.objects.get()
    assert control.is_armed(NOW)
    control.budget.scope = {"service": ["Amazon S3"]}
    assert not control.is_armed(NOW)


def test_an_armed_control_runs_by_itself_and_says_whose_decision_it_was(aws, armed, night, flo, lea):
    control = armed()
    night(DAY + timedelta(days=1))
    row = control.change_sets.get()
    machine = launch(aws, row)
    assert not OutgoingEmail.objects.filter(key__contains="control-proposed").exists()
    app.conf.task_always_eager = True
    try:
        assert execution.run_armed(LATER) == 1
        execution.execute(row.pk, clock=clock)
    finally:
        app.conf.task_always_eager = False
    row = fresh(row)
    assert (row.state, row.is_armed, row.approved_by) == ("done", True, flo)
    assert state_of(aws, machine) == "stopped"
    mail = OutgoingEmail.objects.filter(key__contains="control-ran", to=lea.email).last()
    assert "it ran by itself, for Flo armed the control" in bytes(mail.content).decode().replace("=\r\n", "")


def test_without_arming_nothing_runs_by_itself(aws, row):
    assert execution.run_armed(LATER) == 0
    assert fresh(row).state == "proposed"


def test_an_armed_control_keeps_to_its_quiet_times(aws, armed, night):
    control = armed(quiet_from="06:00", quiet_until="20:00", time_zone="Europe/Oslo")
    night(DAY + timedelta(days=1))
    noon = NOW.replace(hour=12)
    assert execution.run_armed(noon) == 0
    assert execution.run_armed(noon.replace(hour=21)) == 1
    assert control.change_sets.get().state == "running"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"most_resources": 1}, "more is to be done"), ({"accounts": [ACCOUNT, "000000000077"]}, "not on the allow-list")],
)
def test_an_armed_control_beyond_its_limits_waits_for_somebody(aws, armed, night, fields, reason, lea):
    control = armed(**fields)
    night(DAY + timedelta(days=1))
    row = control.change_sets.get()
    assert execution.run_armed(LATER) == 0
    assert row.events.filter(verb="not_armed", comment__icontains=reason).exists()
    assert OutgoingEmail.objects.filter(key__contains="control-proposed", to=lea.email).exists()


def test_the_command_shows_what_is_due_and_does_nothing(aws, armed, night, capsys):
    control = armed()
    night(DAY + timedelta(days=1))
    Control.objects.update(armed_until=at(date(2099, 1, 1)))
    ControlChangeSet.objects.update(expires_at=at(date(2099, 1, 1)))
    call_command("run_controls", "--dry-run")
    assert "runs by itself" in capsys.readouterr().out
    assert control.change_sets.get().state == "proposed"


def test_the_schedule_does_it_all(done, monkeypatch):
    monkeypatch.setattr(tasks.timezone, "now", lambda: NOW + timedelta(hours=48))
    tasks.run_controls()
    assert fresh(done).undo_mailed_at


# What it saved.


def test_what_it_saved_is_unknown_until_a_bill_shows_it(done):
    row = savings.measure(done, NOW + timedelta(days=2))
    assert (row.saved, row.saved_note) == (None, "no bill shows these days yet")


def test_the_bill_proves_what_it_saved_and_disks_cancel_out(done, bill):
    stop = (NOW + timedelta(days=1)).date()
    acted = [DEV, next(name for name in MACHINES if "orders-dev" in name)]
    bill(until=date(2026, 3, 18), stopped=lambda name, day: name in acted and day >= stop)
    row = savings.measure(done, at(date(2026, 3, 20)))
    # Sixteen a day on the 16th, 17th and 18th; the 19th is not in the bill yet.
    assert (row.saved, row.saved_currency, row.saved_days) == (Decimal(48), "USD", 3)
    assert row.saved_until == date(2026, 3, 18)
    assert "the rest when its bill arrives" in row.saved_note


def test_a_machine_that_ran_on_saved_nothing_whatever_was_promised(done, bill):
    bill(until=date(2026, 3, 18))
    assert savings.measure(done, at(date(2026, 3, 18))).saved == 0


def test_a_box_of_hours_has_no_whole_day_in_the_bill(done, bill, eli):
    bill(until=date(2026, 3, 18))
    row = running.start_undo(done.pk, user=eli, by_role=True, now=LATER)
    row = running.record_run(row.pk, pasted=lines(row, "undone", "undone"), user=eli, now=LATER)
    assert savings.measure(row, at(date(2026, 3, 18))).saved_note.startswith("it was not in force for a whole day")


def test_production_is_never_among_the_steps(done):
    assert not ControlStep.objects.filter(target=PROD).exists()
