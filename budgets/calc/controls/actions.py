"""The prepared actions of cost controls: for each kind of target how its state is read, changed and put back. Pure.

A state is a short text ("running", "1 5 3"); `undo` makes its command of the state that was read before, so that it
restores what was and not what somebody remembers. AWS is described by the names of its API (botocore's service models),
of which both the CLI's words and the call of a role are made; Azure, Google and Kubernetes by the words of their CLIs.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from budgets.calc.controls.targets import Target
from finops_site.lib.language import gettext_noop

STOP, SCALE, DENY, KEY, QUOTA = "stop", "scale", "deny", "key", "quota"
ACTIONS: Final = {
    STOP: gettext_noop("stop dev and test machines"),
    SCALE: gettext_noop("scale groups down"),
    DENY: gettext_noop("attach a deny policy"),
    KEY: gettext_noop("disable keys"),
    QUOTA: gettext_noop("lower quotas"),
}
# What a bill shows, so that nobody has to name it.
FROM_BILLS: Final = (STOP, SCALE)
# Nothing is there, by whichever CLI or API.
NOTHING: Final = "none"
# A word of an API's name (botocore's xform_name): DBInstanceIdentifier is --db-instance-identifier.
WORDS: Final = re.compile(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class AwsCall:
    """A call of an AWS API; `query` (JMESPath) picks the state out of its answer."""

    service: str
    operation: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    query: str = ""


# The words of a command of another CLI.
Words = tuple[str, ...]
Command = AwsCall | Words


@dataclass(frozen=True, slots=True)
class TargetKind:
    """What can be done with one kind of target.

    `is_there(state, wanted)`: nothing is left to do. `is_ready`: the state is one that the action starts from; where it
    is not, the target has changed. `leaves(target, before, wanted)`: the states that the action leaves behind; only
    from them it is put back, for any other is somebody's change. `back`: states that count as put back beside the one
    before. `rehearse` asks the provider whether it would be allowed, where it offers that.
    """

    label: str
    action: str
    read: Callable[[Target], Command]
    do: Callable[[Target, str, int], Command]
    undo: Callable[[Target, str], Command]
    is_there: Callable[[str, int], bool]
    is_ready: Callable[[str], bool] = lambda state: True
    is_undone: Callable[[str, str], bool] = lambda state, before: state == before
    leaves: Callable[[Target, str, int], tuple[str, ...]] = lambda target, before, wanted: (str(wanted),)
    back: tuple[str, ...] = ()
    rehearse: Callable[[Target, str, int], Command] | None = None
    note: str = ""


def command_words(command: Command, target: Target) -> list[str]:
    """The words of a command as a shell takes them, each of them still to be quoted."""
    if not isinstance(command, AwsCall):
        return list(command)
    words = ["aws", command.service, _option(command.operation)]
    words += ["--region", target.region] if target.region else []
    for name, value in command.parameters.items():
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{_option(name)}")
        elif isinstance(value, list):
            words += [f"--{_option(name)}", *map(str, value)]
        else:
            words += [f"--{_option(name)}", json.dumps(value) if isinstance(value, Mapping) else str(value)]
    return [*words, "--query", command.query, "--output", "text"] if command.query else words


def _option(name: str) -> str:
    return WORDS.sub("-", name).lower()


def state_text(value: object) -> str:
    """A state as a CLI prints it or an API answers it, in one way: words with one space between, "none" for nothing."""
    parts = value if isinstance(value, list) else str("" if value is None else value).split()
    text = " ".join(str(part) for part in parts).removeprefix("PowerState/")
    return NOTHING if text.lower() in ("", "none", "null") else text


def _numbers(state: str) -> list[int]:
    return [int(part) for part in state.split() if part.isdecimal()]


def _scaled(state: str, wanted: int) -> bool:
    """Scaling never scales up: a group that is as small already stays as it is."""
    return bool(_numbers(state)) and _numbers(state)[-1] <= wanted


def _three_numbers(state: str) -> bool:
    return len(_numbers(state)) == 3


def _one_number(state: str) -> bool:
    return len(_numbers(state)) == 1 and state.isdecimal()


def _sizes(state: str) -> tuple[int, int, int]:
    lowest, highest, size = _numbers(state)
    return lowest, highest, size


def _smaller(target: Target, before: str, wanted: int) -> tuple[str, ...]:
    """What scaling leaves of lowest, highest and present size: the highest stays."""
    lowest, highest, _ignored = _sizes(before)
    return (f"{min(lowest, wanted)} {highest} {wanted}",)


def _states(*states: str) -> Callable[[Target, str, int], tuple[str, ...]]:
    return lambda target, before, wanted: states


def _lowered(target: Target, before: str, wanted: int) -> tuple[str, ...]:
    """A quota that is lowered after a review may be the one before for a while: that is put back too."""
    return (str(wanted), before)


def denies_only(document: Mapping[str, Any]) -> bool:
    """Whether a policy denies and allows nothing: every statement of it is a Deny."""
    statements = document.get("Statement") or []
    rows = statements if isinstance(statements, list) else [statements]
    return bool(rows) and all(row.get("Effect") == "Deny" for row in rows)


def _aws(service: str, operation: str, query: str = "", **parameters: object) -> AwsCall:
    return AwsCall(service, operation, parameters, query)


def _rds(what: str, rows: str, name: str, status: str) -> TargetKind:
    # What RDS calls a cluster's status differs from an instance's.
    return TargetKind(
        f"RDS {what.removeprefix('DB').lower()}",
        STOP,
        lambda t: _aws("rds", f"Describe{what}s", f"{rows}[0].{status}", **{name: t.name}),
        lambda t, before, wanted: _aws("rds", f"Stop{what}", **{name: t.name}),
        lambda t, before: _aws("rds", f"Start{what}", **{name: t.name}),
        lambda state, wanted: state in ("stopped", "stopping"),
        lambda state: state == "available",
        lambda state, before: state in ("available", "starting"),
        leaves=_states("stopped", "stopping"),
        back=("available", "starting"),
        note=gettext_noop("AWS starts it again by itself after seven days."),
    )


def _azure_vm(target: Target) -> str:
    return (
        f"/subscriptions/{target.account}/resourceGroups/{target.group}/providers/Microsoft.Compute/"
        f"virtualMachines/{target.name}"
    )


def _azure_group(target: Target) -> Words:
    return ("--subscription", target.account, "--resource-group", target.group, "--name", target.name)


def _google_vm(target: Target) -> Words:
    return (target.name, f"--zone={target.region}", f"--project={target.account}")


def _google_group(target: Target) -> Words:
    return (target.name, f"--{target.group.removesuffix('s')}={target.region}", f"--project={target.account}")


def _kubectl(target: Target, *words: str) -> Words:
    return ("kubectl", f"--context={target.account}", f"--namespace={target.group}", *words)


def _azure_policy(target: Target, verb: str) -> Words:
    scope = f"/subscriptions/{target.account}"
    return ("az", "policy", "assignment", verb, "--name", _assignment(target), "--scope", scope)


def _assignment(target: Target) -> str:
    """Our own name of the assignment, by which it is found and taken away again."""
    return f"finops-{target.name}"[:64]


def _iam(target: Target, verb: str) -> AwsCall:
    kind = target.group.capitalize()
    return AwsCall("iam", f"{verb}{kind}Policy", {f"{kind}Name": target.name, "PolicyArn": target.extra})


def _google_quota(target: Target, value: int, *more: str) -> Words:
    return (
        *("gcloud", "beta", "quotas", "preferences", "update", f"finops-{target.name}".lower()[:63]),
        *(f"--service={target.group}", f"--project={target.account}", f"--quota-id={target.name}"),
        *(f"--preferred-value={value}", "--allow-missing", "--allow-high-percentage-quota-decrease"),
        *("--allow-quota-decrease-below-usage", *more),
    )


def _azure_quota(target: Target, verb: str) -> Words:
    scope = f"/subscriptions/{target.account}/providers/Microsoft.Compute/locations/{target.region}"
    return ("az", "quota", verb, "--resource-name", target.name, "--scope", scope)


def _org_policy(target: Target, verb: str) -> Words:
    return ("gcloud", "resource-manager", "org-policies", verb, target.name, f"--project={target.account}")


def _google_key(target: Target, verb: str) -> Words:
    place = (f"--iam-account={target.group}", f"--project={target.account}")
    return ("gcloud", "iam", "service-accounts", "keys", verb, target.name, *place)


def _google_key_state(target: Target) -> Words:
    """Its id alone, or its id and "True" where it is disabled; nothing where there is no such key."""
    place = (f"--iam-account={target.group}", f"--project={target.account}")
    pick = (f"--filter=name~/keys/{target.name}$", "--format=value(name.basename(),disabled)")
    return ("gcloud", "iam", "service-accounts", "keys", "list", *place, *pick)


KINDS: Final = {
    "ec2": TargetKind(
        "EC2 instance",
        STOP,
        lambda t: _aws("ec2", "DescribeInstances", "Reservations[0].Instances[0].State.Name", InstanceIds=[t.name]),
        lambda t, before, wanted: _aws("ec2", "StopInstances", InstanceIds=[t.name]),
        lambda t, before: _aws("ec2", "StartInstances", InstanceIds=[t.name]),
        lambda state, wanted: state in ("stopped", "stopping"),
        lambda state: state in ("running", "pending"),
        lambda state, before: state in ("running", "pending"),
        leaves=_states("stopped", "stopping"),
        back=("running", "pending"),
        rehearse=lambda t, before, wanted: _aws("ec2", "StopInstances", InstanceIds=[t.name], DryRun=True),
        note=gettext_noop("What lies on its instance store is lost; its disks and addresses are paid for as before."),
    ),
    "rds": _rds("DBInstance", "DBInstances", "DBInstanceIdentifier", "DBInstanceStatus"),
    "rds-cluster": _rds("DBCluster", "DBClusters", "DBClusterIdentifier", "Status"),
    "azure-vm": TargetKind(
        "Azure VM",
        STOP,
        lambda t: (
            *("az", "vm", "get-instance-view", "--ids", _azure_vm(t), "--output", "tsv", "--query"),
            "instanceView.statuses[?starts_with(code,'PowerState/')].code | [0]",
        ),
        # Only what is deallocated is not paid for: a VM that is stopped inside is.
        lambda t, before, wanted: ("az", "vm", "deallocate", "--ids", _azure_vm(t)),
        lambda t, before: ("az", "vm", "start", "--ids", _azure_vm(t)),
        lambda state, wanted: state in ("deallocated", "deallocating"),
        lambda state: state == "running",
        lambda state, before: state in ("running", "starting"),
        leaves=_states("deallocated", "deallocating"),
        back=("running", "starting"),
        note=gettext_noop("Its temporary disk is lost; its disks are paid for as before."),
    ),
    "gce": TargetKind(
        "Compute Engine VM",
        STOP,
        lambda t: ("gcloud", "compute", "instances", "describe", *_google_vm(t), "--format=value(status)"),
        lambda t, before, wanted: ("gcloud", "compute", "instances", "stop", *_google_vm(t), "--quiet"),
        lambda t, before: ("gcloud", "compute", "instances", "start", *_google_vm(t), "--quiet"),
        lambda state, wanted: state in ("TERMINATED", "STOPPING", "SUSPENDED"),
        lambda state: state == "RUNNING",
        lambda state, before: state in ("RUNNING", "STAGING", "PROVISIONING"),
        leaves=_states("TERMINATED", "STOPPING", "SUSPENDED"),
        back=("RUNNING", "STAGING", "PROVISIONING"),
        note=gettext_noop("Its local SSDs are lost; its disks and addresses are paid for as before."),
    ),
    "asg": TargetKind(
        "Auto Scaling group",
        SCALE,
        lambda t: _aws(
            *("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups[0].[MinSize,MaxSize,DesiredCapacity]"),
            AutoScalingGroupNames=[t.name],
        ),
        lambda t, before, wanted: _aws(
            *("autoscaling", "UpdateAutoScalingGroup"),
            AutoScalingGroupName=t.name,
            MinSize=min(_sizes(before)[0], wanted),
            DesiredCapacity=wanted,
        ),
        lambda t, before: AwsCall(
            *("autoscaling", "UpdateAutoScalingGroup"),
            {
                "AutoScalingGroupName": t.name,
                **dict(zip(("MinSize", "MaxSize", "DesiredCapacity"), _sizes(before), strict=True)),
            },
        ),
        _scaled,
        _three_numbers,
        leaves=_smaller,
    ),
    "eks-nodes": TargetKind(
        "EKS node group",
        SCALE,
        lambda t: _aws(
            *("eks", "DescribeNodegroup", "nodegroup.scalingConfig.[minSize,maxSize,desiredSize]"),
            clusterName=t.group,
            nodegroupName=t.name,
        ),
        lambda t, before, wanted: _aws(
            *("eks", "UpdateNodegroupConfig"),
            clusterName=t.group,
            nodegroupName=t.name,
            scalingConfig={"minSize": min(_sizes(before)[0], wanted), "desiredSize": wanted},
        ),
        lambda t, before: _aws(
            *("eks", "UpdateNodegroupConfig"),
            clusterName=t.group,
            nodegroupName=t.name,
            scalingConfig=dict(zip(("minSize", "maxSize", "desiredSize"), _sizes(before), strict=True)),
        ),
        _scaled,
        _three_numbers,
        leaves=_smaller,
    ),
    "azure-vmss": TargetKind(
        "Azure scale set",
        SCALE,
        lambda t: ("az", "vmss", "show", *_azure_group(t), "--query", "sku.capacity", "--output", "tsv"),
        lambda t, before, wanted: ("az", "vmss", "scale", *_azure_group(t), "--new-capacity", str(wanted)),
        lambda t, before: ("az", "vmss", "scale", *_azure_group(t), "--new-capacity", str(_numbers(before)[0])),
        _scaled,
        _one_number,
    ),
    "google-group": TargetKind(
        "managed instance group",
        SCALE,
        lambda t: (
            *("gcloud", "compute", "instance-groups", "managed", "describe", *_google_group(t)),
            "--format=value(targetSize)",
        ),
        lambda t, before, wanted: (
            *("gcloud", "compute", "instance-groups", "managed", "resize", *_google_group(t), f"--size={wanted}"),
            "--quiet",
        ),
        lambda t, before: (
            *("gcloud", "compute", "instance-groups", "managed", "resize", *_google_group(t)),
            *(f"--size={_numbers(before)[0]}", "--quiet"),
        ),
        _scaled,
        _one_number,
        note=gettext_noop("An autoscaler scales it up again: switch it off first."),
    ),
    "kubernetes": TargetKind(
        "Kubernetes deployment",
        SCALE,
        lambda t: _kubectl(t, "get", f"deployment/{t.name}", "--output=jsonpath={.spec.replicas}"),
        # With --current-replicas, what somebody scaled meanwhile is left as it is.
        lambda t, before, wanted: _kubectl(
            t, "scale", f"deployment/{t.name}", f"--current-replicas={before}", f"--replicas={wanted}"
        ),
        lambda t, before: _kubectl(t, "scale", f"deployment/{t.name}", f"--replicas={_numbers(before)[0]}"),
        _scaled,
        _one_number,
        rehearse=lambda t, before, wanted: _kubectl(
            t, "scale", f"deployment/{t.name}", f"--replicas={wanted}", "--dry-run=server"
        ),
        note=gettext_noop(
            "It saves when the cluster takes nodes away; an autoscaler of the deployment scales it up again."
        ),
    ),
    "scp": TargetKind(
        "service control policy",
        DENY,
        lambda t: AwsCall(
            *("organizations", "ListPoliciesForTarget"),
            {"TargetId": t.group, "Filter": "SERVICE_CONTROL_POLICY"},
            f"Policies[?Id=='{t.name}'].Id | [0]",
        ),
        lambda t, before, wanted: _aws("organizations", "AttachPolicy", PolicyId=t.name, TargetId=t.group),
        lambda t, before: _aws("organizations", "DetachPolicy", PolicyId=t.name, TargetId=t.group),
        lambda state, wanted: state != NOTHING,
        leaves=lambda target, before, wanted: (target.name,),
        note=gettext_noop("It holds for everybody in the account but not in the management account."),
    ),
    "iam-policy": TargetKind(
        "IAM policy",
        DENY,
        lambda t: AwsCall(
            *("iam", f"ListAttached{t.group.capitalize()}Policies"),
            {f"{t.group.capitalize()}Name": t.name},
            f"AttachedPolicies[?PolicyArn=='{t.extra}'].PolicyName | [0]",
        ),
        lambda t, before, wanted: _iam(t, "Attach"),
        lambda t, before: _iam(t, "Detach"),
        lambda state, wanted: state != NOTHING,
        leaves=lambda target, before, wanted: (target.extra.rpartition("/")[2],),
    ),
    "azure-policy": TargetKind(
        "Azure policy assignment",
        DENY,
        lambda t: (
            *("az", "policy", "assignment", "list", "--scope", f"/subscriptions/{t.account}"),
            *("--query", f"[?name=='{_assignment(t)}'].name | [0]", "--output", "tsv"),
        ),
        lambda t, before, wanted: (*_azure_policy(t, "create"), "--policy", t.name),
        lambda t, before: _azure_policy(t, "delete"),
        lambda state, wanted: state != NOTHING,
        leaves=lambda target, before, wanted: (_assignment(target),),
        note=gettext_noop("It denies what is created or changed from now on; what runs goes on."),
    ),
    "org-policy": TargetKind(
        "organisation policy constraint",
        DENY,
        lambda t: (*_org_policy(t, "describe"), "--format=value(booleanPolicy.enforced)"),
        lambda t, before, wanted: _org_policy(t, "enable-enforce"),
        lambda t, before: _org_policy(t, "delete" if before == NOTHING else "disable-enforce"),
        lambda state, wanted: state == "True",
        leaves=_states("True"),
        note=gettext_noop("It denies what is created or changed from now on; what runs goes on."),
    ),
    "aws-key": TargetKind(
        "IAM access key",
        KEY,
        lambda t: AwsCall(
            *("iam", "ListAccessKeys"),
            {"UserName": t.group},
            f"AccessKeyMetadata[?AccessKeyId=='{t.name}'].Status | [0]",
        ),
        lambda t, before, wanted: _aws(
            "iam", "UpdateAccessKey", UserName=t.group, AccessKeyId=t.name, Status="Inactive"
        ),
        lambda t, before: _aws("iam", "UpdateAccessKey", UserName=t.group, AccessKeyId=t.name, Status="Active"),
        lambda state, wanted: state == "Inactive",
        lambda state: state == "Active",
        leaves=_states("Inactive"),
        note=gettext_noop("What works with the key fails until it is enabled again."),
    ),
    "google-key": TargetKind(
        "service account key",
        KEY,
        _google_key_state,
        lambda t, before, wanted: _google_key(t, "disable"),
        lambda t, before: _google_key(t, "enable"),
        lambda state, wanted: state.endswith("True"),
        lambda state: state != NOTHING and not state.endswith("True"),
        lambda state, before: not state.endswith("True"),
        leaves=lambda target, before, wanted: (f"{target.name} True",),
        note=gettext_noop("What works with the key fails until it is enabled again."),
    ),
    "azure-app": TargetKind(
        "service principal",
        KEY,
        lambda t: ("az", "ad", "sp", "show", "--id", t.name, "--query", "accountEnabled", "--output", "tsv"),
        lambda t, before, wanted: ("az", "ad", "sp", "update", "--id", t.name, "--set", "accountEnabled=false"),
        lambda t, before: ("az", "ad", "sp", "update", "--id", t.name, "--set", "accountEnabled=true"),
        lambda state, wanted: state == "false",
        lambda state: state == "true",
        leaves=_states("false"),
        note=gettext_noop("Azure disables no single secret: the whole service principal signs in no more."),
    ),
    "lambda": TargetKind(
        "reserved concurrency of a function",
        QUOTA,
        lambda t: _aws("lambda", "GetFunctionConcurrency", "ReservedConcurrentExecutions", FunctionName=t.name),
        lambda t, before, wanted: _aws(
            "lambda", "PutFunctionConcurrency", FunctionName=t.name, ReservedConcurrentExecutions=wanted
        ),
        lambda t, before: (
            _aws("lambda", "DeleteFunctionConcurrency", FunctionName=t.name)
            if before == NOTHING
            else _aws(
                "lambda",
                "PutFunctionConcurrency",
                FunctionName=t.name,
                ReservedConcurrentExecutions=_numbers(before)[0],
            )
        ),
        _scaled,
        lambda state: state == NOTHING or _one_number(state),
        note=gettext_noop(
            "AWS's Service Quotas cannot be lowered; what comes beyond the reserved concurrency is throttled."
        ),
    ),
    "google-quota": TargetKind(
        "Google quota",
        QUOTA,
        lambda t: (
            *("gcloud", "beta", "quotas", "info", "describe", t.name, f"--service={t.group}"),
            *(f"--project={t.account}", "--format=value(dimensionsInfos[0].details.value)"),
        ),
        lambda t, before, wanted: _google_quota(t, wanted),
        lambda t, before: _google_quota(t, _numbers(before)[0]),
        _scaled,
        _one_number,
        leaves=_lowered,
        rehearse=lambda t, before, wanted: _google_quota(t, wanted, "--validate-only"),
        note=gettext_noop("Nothing that runs is stopped: nothing beyond it can be started."),
    ),
    "azure-quota": TargetKind(
        "Azure quota",
        QUOTA,
        lambda t: (*_azure_quota(t, "show"), "--query", "properties.limit.value", "--output", "tsv"),
        lambda t, before, wanted: (
            *_azure_quota(t, "update"),
            *("--limit-object", f"value={wanted}", "--resource-type", "dedicated"),
        ),
        lambda t, before: (
            *_azure_quota(t, "update"),
            *("--limit-object", f"value={_numbers(before)[0]}", "--resource-type", "dedicated"),
        ),
        _scaled,
        _one_number,
        leaves=_lowered,
        note=gettext_noop("Azure may answer a request for less with a review: nothing that runs is stopped."),
    ),
}
# Only what AWS's own API does is done by role.
ROLE_KINDS: Final = frozenset(
    {"ec2", "rds", "rds-cluster", "asg", "eks-nodes", "scp", "iam-policy", "aws-key", "lambda"}
)


def kinds_of(action: str) -> list[str]:
    """The kinds of target of an action."""
    return [name for name, kind in KINDS.items() if kind.action == action]


def judge_state(kind: str, state: str, wanted: int) -> str:
    """``ready``, ``same`` (nothing is left to do), ``gone``, or ``changed`` (nothing that the action starts from)."""
    rules = KINDS[kind]
    if state in ("gone", "terminated", "shutting-down", "deleting"):
        return "gone"
    if rules.is_there(state, wanted):
        return "same"
    if state == NOTHING and not rules.is_ready(state):
        return "gone"
    return "ready" if rules.is_ready(state) else "changed"
