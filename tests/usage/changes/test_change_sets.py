"""Eli makes a change set of findings, lea approves it, and a role mends them: once, and back where that is possible."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError
from django.core.exceptions import PermissionDenied
from moto import mock_aws

from costs.change_set_reviews import CannotChange
from costs.models import Credential
from finops_site.ui.bulk_results import BulkRefused
from tests.people import person, signed_in, waiting_for
from tests.usage.worklist.helpers import finding
from usage.changes import fix_runs, fix_sets
from usage.models import FixAccess, FixSet, FixStep

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 20, 9, 0, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "eu-west-1"
EVERY = [
    "disk-gp3",
    "disk-delete",
    "address-release",
    "logs-retention",
    "bucket-lifecycle",
    "schedule-tag",
    "machine-stop",
]


def client(service):
    return boto3.client(service, region_name=REGION)


@pytest.fixture
def aws(monkeypatch):
    """An AWS of ours; `answers` are operations that end otherwise, `calls` all that were sent and change something."""
    real, answers, calls = BaseClient._make_api_call, {}, []

    def call(this, operation, parameters):
        is_change = not operation.startswith(("Describe", "Get", "List"))
        if is_change and not parameters.get("DryRun"):
            calls.append(operation)
            if problem := answers.get(operation):
                raise problem
        return real(this, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    with mock_aws():
        yield answers, calls


@pytest.fixture
def allowed():
    """The allow-list: in this account the role may take every action."""
    credential = Credential.objects.create(name="fixes")
    return FixAccess.objects.create(account=ACCOUNT, credential=credential, actions=EVERY)


@pytest.fixture
def eli():
    return person("eli")


@pytest.fixture
def lea(eli):
    return person("lea")


def a_finding(rule, resource, **fields):
    return finding(resource, rule=rule, account=ACCOUNT, region=REGION, evidence={}, **fields)


def approved(eli, lea, *rows):
    """A change set of findings that was looked at, and that lea approved."""
    row, result = fix_sets.create([one.pk for one in rows], user=eli, now=NOW)
    assert result.left_out == ()
    fix_runs.dry_run(row.pk, user=eli, now=NOW)
    fix_sets.submit(row.pk, user=eli)
    return fix_sets.review(row.pk, approve=True, comment="", user=lea, now=NOW)


def work(row, at=NOW):
    row = FixSet.objects.get(pk=row.pk)
    assert fix_runs.work_on(row, clock=lambda: at)
    row.refresh_from_db()
    return row


def applied(row, eli):
    fix_sets.start(row.pk, user=eli, now=NOW)
    return work(row)


def undone(row, eli):
    fix_sets.start_undo(row.pk, user=eli, now=NOW)
    return work(row)


def results(row):
    return list(row.steps.values_list("result", flat=True))


def lifecycle():
    return client("s3").get_bucket_lifecycle_configuration(Bucket="archive")["Rules"]


def test_a_lifecycle_policy_is_accepted_beside_the_rules_of_others_and_taken_back(aws, allowed, eli, lea):
    s3 = client("s3")
    s3.create_bucket(Bucket="archive", CreateBucketConfiguration={"LocationConstraint": REGION})
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket="archive", LifecycleConfiguration={"Rules": [theirs]})
    before = lifecycle()
    row = a_finding("bucket_tiering", "archive", target={"class": "GLACIER_IR", "days": 30})
    fix_set = approved(eli, lea, row)
    step = fix_set.steps.get()
    assert "put-bucket-lifecycle-configuration" in step.call
    assert "GLACIER_IR" in step.call
    fix_set = applied(fix_set, eli)
    assert (fix_set.state, results(fix_set)) == ("applied", ["done"])
    assert [rule["ID"] for rule in lifecycle()] == ["theirs", "to-glacier-ir"]
    row.refresh_from_db()
    assert row.state == "mended"
    fix_set = undone(fix_set, eli)
    assert (fix_set.state, results(fix_set), lifecycle()) == ("undone", ["undone"], before)
    row.refresh_from_db()
    assert row.state == "new"


def test_a_schedule_is_accepted_and_taken_back(aws, allowed, eli, lea):
    ec2 = client("ec2")
    (machine,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]

    def tags():
        filters = [{"Name": "resource-id", "Values": [machine["InstanceId"]]}]
        return {tag["Key"]: tag["Value"] for tag in ec2.describe_tags(Filters=filters)["Tags"]}

    fix_set = approved(eli, lea, a_finding("schedule", machine["InstanceId"], part="compute"))
    fix_set = applied(fix_set, eli)
    assert tags() == {"Schedule": "office-hours"}
    undone(fix_set, eli)
    assert tags() == {}


def test_each_action_does_what_its_dry_run_showed_and_says_before_what_cannot_be_undone(aws, allowed, eli, lea):
    ec2, logs = client("ec2"), client("logs")
    (machine,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
    gp2, lost = (
        ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=100, VolumeType="gp2")["VolumeId"] for _number in range(2)
    )
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    logs.create_log_group(logGroupName="/app/web")
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/app/web"
    fix_set = approved(
        eli,
        lea,
        a_finding("machine_idle", machine["InstanceId"], part="compute"),
        a_finding("disk_gp2", gp2),
        a_finding("disk_unattached", lost),
        a_finding("address_unused", f"arn:aws:ec2:{REGION}:{ACCOUNT}:elastic-ip/{address}"),
        a_finding("logs_kept", group, target={"days": 90}),
    )
    page = signed_in(lea).get(fix_set.get_absolute_url()).content.decode()
    assert "This cannot be undone: the same address does not come back." in page
    assert f"&quot;VolumeId&quot;: &quot;{lost}&quot;" in page
    _answers, calls = aws
    # The dry run changed nothing.
    assert set(calls) <= {"RunInstances", "CreateVolume", "AllocateAddress", "CreateLogGroup"}
    fix_set = applied(fix_set, eli)
    assert (fix_set.state, set(results(fix_set))) == ("applied", {"done"}), list(fix_set.steps.values())
    volumes = {one["VolumeId"]: one["VolumeType"] for one in ec2.describe_volumes()["Volumes"]}
    assert (volumes[gp2], lost in volumes) == ("gp3", False)
    tagged = [{"Name": "tag-key", "Values": ["finops-change"]}]
    assert [one["VolumeId"] for one in ec2.describe_snapshots(Filters=tagged)["Snapshots"]] == [lost]
    assert ec2.describe_addresses()["Addresses"] == []
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 90
    fix_set = undone(fix_set, eli)
    # What can be undone is; what cannot stays done, and the change set says so.
    assert sorted(results(fix_set)) == ["done", "done", "undone", "undone", "undone"]
    assert fix_set.state == "partly"
    state = ec2.describe_instances(InstanceIds=[machine["InstanceId"]])["Reservations"][0]["Instances"][0]["State"]
    assert state["Name"] in ("running", "pending")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]


def a_disk():
    return client("ec2").create_volume(AvailabilityZone=f"{REGION}a", Size=100, VolumeType="gp2")["VolumeId"]


def test_without_the_allow_list_nothing_is_looked_at_or_applied(aws, eli, lea):
    fix_set, _result = fix_sets.create([a_finding("disk_gp2", a_disk()).pk], user=eli, now=NOW)
    fix_runs.dry_run(fix_set.pk, user=eli, now=NOW)
    step = fix_set.steps.get()
    assert (step.result, step.message) == (
        "failed",
        f"account {ACCOUNT} is not on the allow-list: an administrator adds it",
    )
    FixAccess.objects.create(account=ACCOUNT, credential=Credential.objects.create(name="x"), actions=["machine-stop"])
    fix_runs.dry_run(fix_set.pk, user=eli, now=NOW)
    assert "the allow-list has no disk-gp3" in fix_set.steps.get().message
    fix_sets.submit(fix_set.pk, user=eli)
    fix_sets.review(fix_set.pk, approve=True, comment="", user=lea, now=NOW)
    with pytest.raises(CannotChange, match="There is nothing to do"):
        fix_sets.start(fix_set.pk, user=eli, now=NOW)
    assert aws[1] == ["CreateVolume"]


def test_what_nobody_saw_when_it_was_approved_is_approved_again(aws, eli, lea):
    fix_set = approved(eli, lea, a_finding("disk_gp2", a_disk()))
    assert fix_set.steps.get().call == ""
    FixAccess.objects.create(account=ACCOUNT, credential=Credential.objects.create(name="x"), actions=EVERY)
    # Now there is a call, and lea approved none.
    assert fix_runs.dry_run(fix_set.pk, user=eli, now=NOW).state == "review"
    with pytest.raises(CannotChange, match="waits for approval"):
        fix_sets.start(fix_set.pk, user=eli, now=NOW)
    fix_sets.review(fix_set.pk, approve=True, comment="", user=lea, now=NOW)
    fix_runs.dry_run(fix_set.pk, user=eli, now=NOW)
    assert applied(fix_set, eli).state == "applied"


def test_a_dry_run_beside_a_worker_takes_nothing_back_that_is_done(aws, allowed, eli, lea, monkeypatch):
    fix_set = approved(eli, lea, a_finding("disk_gp2", a_disk()))
    look = fix_runs._look

    def slow_look(step, now):
        look(step, now)
        applied(fix_set, eli)

    monkeypatch.setattr(fix_runs, "_look", slow_look)
    fix_runs.dry_run(fix_set.pk, user=eli, now=NOW)
    fix_set.refresh_from_db()
    assert (fix_set.state, results(fix_set)) == ("applied", ["done"])


def test_what_leaves_the_allow_list_after_the_approval_is_not_applied(aws, allowed, eli, lea):
    fix_set = approved(eli, lea, a_finding("disk_gp2", a_disk()))
    fix_sets.start(fix_set.pk, user=eli, now=NOW)
    allowed.delete()
    assert (work(fix_set).state, results(fix_set)) == ("partly", ["failed"])
    assert "ModifyVolume" not in aws[1]


def test_whoever_made_it_does_not_approve_it_and_nobody_approves_unseen(aws, allowed, eli, lea):
    fix_set, _result = fix_sets.create([a_finding("disk_gp2", a_disk()).pk], user=eli, now=NOW)
    fix_sets.submit(fix_set.pk, user=eli)
    with pytest.raises(CannotChange, match="Somebody else"):
        fix_sets.review(fix_set.pk, approve=True, comment="", user=eli, now=NOW)
    with pytest.raises(CannotChange, match="First the dry run"):
        fix_sets.review(fix_set.pk, approve=True, comment="", user=lea, now=NOW)
    with pytest.raises(CannotChange, match="It cannot be applied now: waits for approval"):
        fix_sets.start(fix_set.pk, user=eli, now=NOW)


def test_what_is_given_up_frees_its_findings_for_another_change_set(aws, allowed, eli, lea):
    row = a_finding("disk_gp2", a_disk())
    fix_set = approved(eli, lea, row)
    with pytest.raises(BulkRefused, match="in a change set already"):
        fix_sets.create([row.pk], user=eli, now=NOW)
    with pytest.raises(PermissionDenied):
        fix_sets.give_up(fix_set.pk, user=person("max"), now=NOW)
    page = signed_in(eli).post(fix_set.get_absolute_url(), {"verb": "give_up"}, follow=True).content.decode()
    assert "It is given up" in page
    with pytest.raises(CannotChange, match="cannot be applied now"):
        fix_sets.start(fix_set.pk, user=eli, now=NOW)
    again, _result = fix_sets.create([row.pk], user=eli, now=NOW)
    assert again.state == "draft"
    done = applied(approved(eli, lea, a_finding("disk_gp2", a_disk())), eli)
    with pytest.raises(CannotChange, match="cannot be given up now"):
        fix_sets.give_up(done.pk, user=eli, now=NOW)


def test_a_worker_that_is_killed_does_nothing_twice(aws, allowed, eli, lea, monkeypatch):
    answers, calls = aws
    fix_set = approved(eli, lea, a_finding("disk_gp2", a_disk()))
    fix_sets.start(fix_set.pk, user=eli, now=NOW)
    answers["ModifyVolume"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fix_runs.work_on(FixSet.objects.get(pk=fix_set.pk), clock=lambda: NOW)
    assert results(fix_set) == ["running"]
    answers.clear()
    # Another worker waits until the first gives no sign of life, and then sends nothing again.
    assert not fix_runs.work_on(FixSet.objects.get(pk=fix_set.pk), clock=lambda: NOW + timedelta(minutes=1))
    later = NOW + timedelta(minutes=6)
    assert list(FixSet.objects.stalled(later)) == [fix_set]
    fix_set = work(fix_set, later)
    assert (fix_set.state, results(fix_set), calls.count("ModifyVolume")) == ("partly", ["unknown"], 1)
    # A dry run reads what AWS shows: it was not done, and may be done now.
    fix_runs.dry_run(fix_set.pk, user=eli, now=later)
    assert results(fix_set) == ["ready"]
    assert applied(fix_set, eli).state == "applied"
    assert calls.count("ModifyVolume") == 2


def test_an_answer_that_never_came_is_settled_by_what_aws_shows(aws, allowed, eli, lea):
    answers, _calls = aws
    disk = a_disk()
    fix_set = approved(eli, lea, a_finding("disk_gp2", disk))
    answers["ModifyVolume"] = ReadTimeoutError(endpoint_url="https://ec2")
    fix_set = applied(fix_set, eli)
    assert results(fix_set) == ["unknown"]
    answers.clear()
    client("ec2").modify_volume(VolumeId=disk, VolumeType="gp3")
    fix_runs.dry_run(fix_set.pk, user=eli, now=NOW)
    assert results(fix_set) == ["done"]


def test_what_changed_after_it_was_looked_at_is_left_alone(aws, allowed, eli, lea):
    ec2 = client("ec2")
    disk = a_disk()
    fix_set = approved(eli, lea, a_finding("disk_unattached", disk))
    (machine,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
    ec2.attach_volume(VolumeId=disk, InstanceId=machine["InstanceId"], Device="/dev/sdh")
    fix_set = applied(fix_set, eli)
    assert (results(fix_set), fix_set.steps.get().message) == (["changed"], "a machine uses it now")
    assert "DeleteVolume" not in aws[1]


def test_what_somebody_changed_meanwhile_is_not_undone_over_it(aws, allowed, eli, lea):
    logs = client("logs")
    logs.create_log_group(logGroupName="/app/web")
    fix_set = approved(eli, lea, a_finding("logs_kept", "/app/web", target={"days": 90}))
    fix_set = applied(fix_set, eli)
    logs.put_retention_policy(logGroupName="/app/web", retentionInDays=7)
    fix_set = undone(fix_set, eli)
    assert (fix_set.state, results(fix_set)) == ("partly", ["not-undone"])
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7


def test_a_machine_of_a_group_and_a_right_that_is_denied_are_named(aws, allowed, eli, lea, monkeypatch):
    ec2 = client("ec2")
    specification = [
        {"ResourceType": "instance", "Tags": [{"Key": "aws:autoscaling:groupName", "Value": "web"}]},
    ]
    monkeypatch.setattr("usage.calc.fix_actions.GROUP_TAG", "group")
    specification[0]["Tags"][0]["Key"] = "group"
    (machine,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, TagSpecifications=specification)[
        "Instances"
    ]
    answers, _calls = aws
    fix_set = approved(eli, lea, a_finding("machine_idle", machine["InstanceId"]), a_finding("disk_gp2", a_disk()))
    answers["ModifyVolume"] = ClientError(
        {"Error": {"Code": "UnauthorizedOperation"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "ModifyVolume"
    )
    fix_set = applied(fix_set, eli)
    assert list(fix_set.steps.values_list("result", "message")) == [
        ("changed", "it is of the group web, which would start another"),
        ("failed", "AWS answered UnauthorizedOperation."),
    ]


def test_eli_makes_one_on_the_page_of_a_finding_and_lea_acts_by_page_and_api(aws, allowed, eli, lea):
    row = a_finding("disk_gp2", a_disk())
    browser = signed_in(eli)
    assert "usage/changes/add/" in browser.get(row.get_absolute_url()).content.decode()
    page = browser.post("/usage/changes/add/", {"pick": row.pk}, follow=True)
    fix_set = FixSet.objects.get()
    assert page.redirect_chain[-1][0] == fix_set.get_absolute_url()
    browser.post(fix_set.get_absolute_url(), {"verb": "dry_run"})
    browser.post(fix_set.get_absolute_url(), {"verb": "submit"})
    # Home says to lea that it waits for her, and not to eli, who made it.
    assert any("Fixes of findings wait" in text for text in waiting_for(lea))
    assert not any("Fixes of findings wait" in text for text in waiting_for(eli))
    url = f"/api/v1/usage-changes/{fix_set.pk}/act/"
    answer = signed_in(lea).post(url, json.dumps({"verb": "approve"}), content_type="application/json")
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    assert answer.json()["steps"][0]["can_be_undone"] is True
    # The same finding is in one change set at a time, and finance applies nothing at the provider.
    again = browser.post("/usage/changes/add/", {"pick": row.pk}, follow=True).content.decode()
    assert "it is in a change set already" in again
    fay = signed_in(person("fay")).post(url, json.dumps({"verb": "apply"}), content_type="application/json")
    assert fay.status_code == 403
    assert signed_in(person("ola")).get(fix_set.get_absolute_url()).status_code == 404


def test_an_azure_disk_is_mended_by_its_commands_and_by_no_role(aws, allowed, eli):
    row = a_finding("disk_unattached", "/subscriptions/1/disks/d", provider="Azure")
    page = signed_in(eli).post("/usage/changes/add/", {"pick": row.pk}, follow=True).content.decode()
    assert "no role can mend it: its page has the commands" in page
    assert not FixStep.objects.exists()
