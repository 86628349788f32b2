"""What a role may do to mend a finding: the call that looks, the one that does it and the one that undoes it. Pure.

An action reads the state of its target first: the undo restores that state, and what is as it should be already, or
is no longer as it was when somebody approved, is left alone.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from costs.calc.providers import AWS
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from usage.calc.rules.fix_commands import end_of_id
from usage.calc.rules.object_storage import KEEP_VERSIONS_DAYS, MULTIPART_DAYS
from usage.calc.storage_classes import CLASSES, s3_policy

State = Mapping[str, Any]
SCHEDULE_TAG, OFFICE_HOURS = "Schedule", "office-hours"
# What an Auto Scaling group starts is started again by it.
GROUP_TAG = "aws:autoscaling:groupName"
STEP_TAG = "finops-change"


class Verdict(StrEnum):
    READY = "ready"
    SAME = "same"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FixCall:
    """One call of AWS's API: a service and an operation as boto3 names them, and its parameters."""

    service: str
    operation: str
    parameters: State

    def text(self, region: str) -> str:
        """The same as a line for a shell, to look at and to copy."""
        service = "s3api" if self.service == "s3" else self.service
        verb = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in self.operation).lstrip("-")
        given = shlex.quote(json.dumps(self.parameters, sort_keys=True))
        return f"aws {service} {verb} --region {shlex.quote(region)} --cli-input-json {given}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a step is about: the id that AWS takes, and what is wanted of it."""

    identity: str
    wanted: State


@dataclass(frozen=True, slots=True)
class FixAction:
    """`read` asks for the state, `state_of` takes it from the answer (None: it is gone), `judge` says whether there is
    anything to do. `undo` takes what was before and what is now; it is None where nothing brings it back: `undo_words`
    then say so, else what does not come back.
    """

    name: str
    title: str
    rules: Sequence[str]
    wanted: Callable[[Mapping[str, Any]], State | None]
    identity: Callable[[str], str]
    read: Callable[[Target], FixCall]
    state_of: Callable[[Target, Mapping[str, Any]], State | None]
    judge: Callable[[State, State], tuple[Verdict, str]]
    do: Callable[[Target, State], FixCall]
    undo: Callable[[Target, State, State], FixCall] | None
    undo_words: str
    # A snapshot of the disk is whole before the call is sent.
    snapshot_first: bool = False

    def after(self, target: Target, before: State) -> State:
        """What the state is once it is done."""
        if "rules" in before:
            return {"rules": merged_rules(before["rules"], target.wanted["rules"])}
        return {**before, **target.wanted}


def _ready(before: State, wanted: State) -> tuple[Verdict, str]:
    """Nothing is left to do where the state is the wanted one."""
    is_same = all(before.get(name) == value for name, value in wanted.items())
    return (Verdict.SAME if is_same else Verdict.READY), ""


def _volume_call(target: Target) -> FixCall:
    return FixCall("ec2", "DescribeVolumes", {"VolumeIds": [target.identity]})


def _volume_state(target: Target, answer: Mapping[str, Any]) -> State | None:
    for one in answer.get("Volumes", ()):
        attached = [row["InstanceId"] for row in one.get("Attachments", ()) if row.get("InstanceId")]
        names = {"VolumeType": "type", "Iops": "iops", "Throughput": "throughput", "State": "state", "Size": "size"}
        return {ours: one[theirs] for theirs, ours in names.items() if one.get(theirs) is not None} | {
            "attached": attached
        }
    return None


def _gp3_wanted(finding: Mapping[str, Any]) -> State:
    operations = int(finding["target"].get("operations") or 0)
    return {"type": "gp3", **({"iops": 3000 + operations} if operations else {})}


def _judge_gp3(before: State, wanted: State) -> tuple[Verdict, str]:
    if before.get("type") == wanted["type"]:
        return Verdict.SAME, ""
    if before.get("type") != "gp2":
        return Verdict.CHANGED, _("it is of type {type} now").format(type=before.get("type"))
    return Verdict.READY, ""


def _modify_volume(target: Target, before: State) -> FixCall:
    more = {"Iops": target.wanted["iops"]} if "iops" in target.wanted else {}
    return FixCall("ec2", "ModifyVolume", {"VolumeId": target.identity, "VolumeType": target.wanted["type"], **more})


def _unmodify_volume(target: Target, before: State, now: State) -> FixCall:
    return FixCall("ec2", "ModifyVolume", {"VolumeId": target.identity, "VolumeType": before["type"]})


def _judge_unattached(before: State, wanted: State) -> tuple[Verdict, str]:
    if before.get("attached") or before.get("state") != "available":
        return Verdict.CHANGED, _("a machine uses it now")
    return Verdict.READY, ""


def _address_state(target: Target, answer: Mapping[str, Any]) -> State | None:
    for one in answer.get("Addresses", ()):
        used = one.get("AssociationId") or one.get("InstanceId") or one.get("NetworkInterfaceId")
        return {"address": one.get("PublicIp", ""), "used_by": used or ""}
    return None


def _judge_address(before: State, wanted: State) -> tuple[Verdict, str]:
    return (Verdict.CHANGED, _("something uses it now")) if before.get("used_by") else (Verdict.READY, "")


def log_group_name(resource: str) -> str:
    """The name of a log group, which is a path, of its ARN."""
    return resource.partition(":log-group:")[2].removesuffix(":*") or resource


def _log_state(target: Target, answer: Mapping[str, Any]) -> State | None:
    for one in answer.get("logGroups", ()):
        if one["logGroupName"] == target.identity:
            return {"days": one.get("retentionInDays")}
    return None


# What CloudWatch Logs takes as days.
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def _log_wanted(finding: Mapping[str, Any]) -> State:
    days = int(finding["target"].get("days") or 90)
    return {"days": next((one for one in RETENTIONS if one >= days), RETENTIONS[-1])}


def _judge_logs(before: State, wanted: State) -> tuple[Verdict, str]:
    if before.get("days") == wanted["days"]:
        return Verdict.SAME, ""
    if before.get("days"):
        return Verdict.CHANGED, _("somebody has set {days} days").format(days=before["days"])
    return Verdict.READY, ""


def _undo_logs(target: Target, before: State, now: State) -> FixCall:
    name = {"logGroupName": target.identity}
    if before.get("days"):
        return FixCall("logs", "PutRetentionPolicy", {**name, "retentionInDays": before["days"]})
    return FixCall("logs", "DeleteRetentionPolicy", name)


def _lifecycle_wanted(finding: Mapping[str, Any]) -> State | None:
    rule, target = finding["rule"], finding["target"]
    if rule == "bucket_multipart":
        text = s3_policy(None, multipart_days=MULTIPART_DAYS)
    elif rule == "bucket_versions":
        text = s3_policy(None, versions_days=KEEP_VERSIONS_DAYS)
    else:
        chosen = next((one for one in CLASSES[AWS] if one.code == target.get("class")), None)
        if chosen is None:
            return None
        text = s3_policy(chosen, int(target.get("days") or 30))
    return {"rules": json.loads(text)["Rules"]}


def _lifecycle_state(target: Target, answer: Mapping[str, Any]) -> State | None:
    # A bucket without a lifecycle answers with none.
    return {"rules": list(answer.get("Rules", ()))}


def merged_rules(before: Sequence[State], wanted: Sequence[State]) -> list[State]:
    """The rules of a bucket with ours among them: it has one configuration, and those of others stay."""
    ours = {rule["ID"] for rule in wanted}
    return [*(rule for rule in before if rule.get("ID") not in ours), *wanted]


def _judge_lifecycle(before: State, wanted: State) -> tuple[Verdict, str]:
    there = {rule.get("ID"): rule for rule in before["rules"]}
    is_same = all(
        rule["ID"] in there and there[rule["ID"]].get("Status") == "Enabled" and _alike(rule, there[rule["ID"]])
        for rule in wanted["rules"]
    )
    return (Verdict.SAME if is_same else Verdict.READY), ""


def _alike(rule: State, there: State) -> bool:
    return all(there.get(name) == value for name, value in rule.items() if name != "Filter")


def _put_lifecycle(target: Target, before: State) -> FixCall:
    return _lifecycle(target, merged_rules(before["rules"], target.wanted["rules"]))


def _undo_lifecycle(target: Target, before: State, now: State) -> FixCall:
    """The rules of others as they are now, and in the place of ours what was there before."""
    ours = {rule["ID"] for rule in target.wanted["rules"]}
    rules = [rule for rule in now["rules"] if rule.get("ID") not in ours]
    rules += [rule for rule in before["rules"] if rule.get("ID") in ours]
    if not rules:
        return FixCall("s3", "DeleteBucketLifecycle", {"Bucket": target.identity})
    return _lifecycle(target, rules)


def _lifecycle(target: Target, rules: Sequence[State]) -> FixCall:
    configuration = {"Bucket": target.identity, "LifecycleConfiguration": {"Rules": list(rules)}}
    return FixCall("s3", "PutBucketLifecycleConfiguration", configuration)


def _machine_call(target: Target) -> FixCall:
    return FixCall("ec2", "DescribeInstances", {"InstanceIds": [target.identity]})


def _machine_state(target: Target, answer: Mapping[str, Any]) -> State | None:
    for reservation in answer.get("Reservations", ()):
        for one in reservation["Instances"]:
            tags = {tag["Key"]: tag.get("Value", "") for tag in one.get("Tags", ())}
            state = one["State"]["Name"]
            if state == "terminated":
                return None
            return {"state": state, "schedule": tags.get(SCHEDULE_TAG), "group": tags.get(GROUP_TAG, "")}
    return None


def _judge_stop(before: State, wanted: State) -> tuple[Verdict, str]:
    if before["state"] in ("stopped", "stopping"):
        return Verdict.SAME, ""
    if before["group"]:
        return Verdict.CHANGED, _("it is of the group {name}, which would start another").format(name=before["group"])
    if before["state"] != "running":
        return Verdict.CHANGED, _("it is {state} now").format(state=before["state"])
    return Verdict.READY, ""


def _undo_schedule(target: Target, before: State, now: State) -> FixCall:
    if before.get("schedule") is None:
        return _tags("DeleteTags", target, {"Key": SCHEDULE_TAG})
    return _tags("CreateTags", target, {"Key": SCHEDULE_TAG, "Value": before["schedule"]})


def _tags(operation: str, target: Target, tag: State) -> FixCall:
    return FixCall("ec2", operation, {"Resources": [target.identity], "Tags": [tag]})


ACTIONS: Mapping[str, FixAction] = {
    action.name: action
    for action in (
        FixAction(
            "disk-gp3",
            _noop("Change a disk from gp2 to gp3"),
            ("disk_gp2",),
            _gp3_wanted,
            end_of_id,
            _volume_call,
            _volume_state,
            _judge_gp3,
            _modify_volume,
            _unmodify_volume,
            _noop("AWS changes the type of a disk again six hours later at the earliest."),
        ),
        FixAction(
            "disk-delete",
            _noop("Delete an unattached disk, after a snapshot of it"),
            ("disk_unattached",),
            lambda finding: {},
            end_of_id,
            _volume_call,
            _volume_state,
            _judge_unattached,
            lambda target, before: FixCall("ec2", "DeleteVolume", {"VolumeId": target.identity}),
            None,
            _noop("This cannot be undone: the disk is gone. Its snapshot stays, and a new disk can be made of it."),
            snapshot_first=True,
        ),
        FixAction(
            "address-release",
            _noop("Release an address"),
            ("address_unused",),
            lambda finding: {},
            end_of_id,
            lambda target: FixCall("ec2", "DescribeAddresses", {"AllocationIds": [target.identity]}),
            _address_state,
            _judge_address,
            lambda target, before: FixCall("ec2", "ReleaseAddress", {"AllocationId": target.identity}),
            None,
            _noop("This cannot be undone: the same address does not come back."),
        ),
        FixAction(
            "logs-retention",
            _noop("Let logs end"),
            ("logs_kept",),
            _log_wanted,
            log_group_name,
            lambda target: FixCall("logs", "DescribeLogGroups", {"logGroupNamePrefix": target.identity}),
            _log_state,
            _judge_logs,
            lambda target, before: FixCall(
                "logs",
                "PutRetentionPolicy",
                {"logGroupName": target.identity, "retentionInDays": target.wanted["days"]},
            ),
            _undo_logs,
            _noop("What ends until it is undone does not come back."),
        ),
        FixAction(
            "bucket-lifecycle",
            _noop("Add rules to the lifecycle of a bucket"),
            ("bucket_tiering", "bucket_multipart", "bucket_versions"),
            _lifecycle_wanted,
            end_of_id,
            lambda target: FixCall("s3", "GetBucketLifecycleConfiguration", {"Bucket": target.identity}),
            _lifecycle_state,
            _judge_lifecycle,
            _put_lifecycle,
            _undo_lifecycle,
            _noop("What was moved or deleted until it is undone stays so."),
        ),
        FixAction(
            "schedule-tag",
            _noop("Tag a machine for AWS Instance Scheduler"),
            ("schedule",),
            lambda finding: {"schedule": OFFICE_HOURS} if finding["part"] == "compute" else None,
            end_of_id,
            _machine_call,
            _machine_state,
            _ready,
            lambda target, before: _tags("CreateTags", target, {"Key": SCHEDULE_TAG, "Value": OFFICE_HOURS}),
            _undo_schedule,
            "",
        ),
        FixAction(
            "machine-stop",
            _noop("Stop a machine"),
            ("machine_idle",),
            lambda finding: {"state": "stopped"},
            end_of_id,
            _machine_call,
            _machine_state,
            _judge_stop,
            lambda target, before: FixCall("ec2", "StopInstances", {"InstanceIds": [target.identity]}),
            lambda target, before, now: FixCall("ec2", "StartInstances", {"InstanceIds": [target.identity]}),
            _noop("It starts again; what was in its memory is gone."),
        ),
    )
}
# What AWS answers of a target that is no longer there, or of a bucket without a lifecycle.
GONE = ("NotFound", "NoSuchBucket", "ResourceNotFoundException")
EMPTY = ("NoSuchLifecycleConfiguration",)


def action_for(finding: Mapping[str, Any]) -> FixAction | None:
    """The action that mends a finding by role; None where there is none for its provider or its part."""
    if finding["provider"] != AWS:
        return None
    action = next((one for one in ACTIONS.values() if finding["rule"] in one.rules), None)
    return action if action and action.wanted(finding) is not None else None


def snapshot_calls(target: Target, step: int) -> tuple[FixCall, FixCall]:
    """(the call that looks for the snapshot of a step, the one that makes it): it is made once, whoever does it."""
    tag = {"Key": STEP_TAG, "Value": str(step)}
    look = FixCall(
        "ec2",
        "DescribeSnapshots",
        {"Filters": [{"Name": f"tag:{STEP_TAG}", "Values": [str(step)]}], "OwnerIds": ["self"]},
    )
    specification = [{"ResourceType": "snapshot", "Tags": [tag]}]
    make = FixCall("ec2", "CreateSnapshot", {"VolumeId": target.identity, "TagSpecifications": specification})
    return look, make
