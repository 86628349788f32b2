"""What may run by role: the switch, the allow-list of accounts and actions, and calls of AWS as a credential.

What is sent raises NotDone, when AWS certainly did nothing, or OutcomeUnknown, when it may have: see
costs.sources.aws_calls.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from budgets.calc.controls import actions
from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.actions import ROLE_KINDS, AwsCall, state_text
from budgets.models import ControlAccess, ControlChangeSet, ControlPolicy, ControlStep
from costs.sources.aws import aws_client
from costs.sources.aws_calls import AwsAddress, NotDone, OutcomeUnknown, call_errors
from costs.sources.storage import StorageProblem

# Where the answer about a target shows its tags.
TAGS = {
    "ec2": "Reservations[0].Instances[0].Tags",
    "rds": "DBInstances[0].TagList",
    "rds-cluster": "DBClusters[0].TagList",
    "asg": "AutoScalingGroups[0].Tags",
    "eks-nodes": "nodegroup.tags",
}
GONE = ("NotFound", "NoSuchEntity", "DoesNotExist")


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of a target, "gone" where it is no longer there, and its tags where the answer shows them."""

    state: str
    tags: Mapping[str, str]


def role_objection(row: ControlChangeSet) -> str:
    """Why the change set must not be run by role; empty when it may."""
    if objection := _policy_objection():
        return objection
    steps = list(row.steps.all())
    by_hand = next((step for step in steps if step.kind not in ROLE_KINDS), None)
    if by_hand:
        return _("By hand: an {by_hand} is changed by its own command line, and only AWS's API by role.").format(
            by_hand=by_hand.label
        )
    if row.is_automatic and row.approved_by_id in (None, row.control.armed_by_id) and row.is_beyond_limits:
        return _("More is to be done than its limits allow at once: somebody decides about it.")
    accounts = {step.account for step in steps}
    access = {item.account: item for item in ControlAccess.objects.filter(account__in=accounts)}
    texts = (access_objection(row, account, access.get(account)) for account in sorted(accounts))
    return next((text for text in texts if text), "")


def _policy_objection() -> str:
    policy = ControlPolicy.get()
    if policy.is_stopped:
        return control_rules.STOPPED
    return "" if policy.by_role else _("Running by role is not switched on: run the script by hand.")


def step_objection(row: ControlChangeSet, step: ControlStep) -> str:
    """Why this one step must not be taken by role at this moment: read again before every step."""
    return _policy_objection() or access_objection(row, step.account, access_to(step.account))


def access_objection(row: ControlChangeSet, account: str, access: ControlAccess | None) -> str:
    """Why the allow-list does not let anything be done in this account; empty where it does."""
    if access is None:
        return _("Account {account} is not on the allow-list: an administrator adds it (control access).").format(
            account=account
        )
    if row.control.action not in access.actions:
        return _("In account {account} no role may {action}.").format(
            account=account, action=row.control.get_action_display()
        )
    if account not in row.control.accounts:
        return _("Account {account} is not among those that the control may touch.").format(account=account)
    return ""


def access_to(account: str) -> ControlAccess | None:
    return ControlAccess.objects.select_related("credential").filter(account=account).first()


def client_of(step: ControlStep, service: str) -> Any:
    """A client of a service in the step's account and region; it tries once. Raises NotDone."""
    access = access_to(step.account)
    if access is None:
        raise NotDone(_("Account {account} is not on the allow-list.").format(account=step.account))
    try:
        # Tried once: what is sent twice may be done twice.
        return aws_client(service, AwsAddress(step.region or "us-east-1", access.endpoint, access.credential), tries=1)
    except StorageProblem as problem:
        raise NotDone(str(problem)) from None


def _send(step: ControlStep, call: AwsCall) -> dict[str, Any]:
    from botocore import xform_name

    client = client_of(step, call.service)
    with call_errors():
        answer: dict[str, Any] = getattr(client, xform_name(call.operation))(**call.parameters)
        return answer


def read_state(step: ControlStep) -> Answer:
    """What the provider shows of the step's target now; raises NotDone where it cannot be asked."""
    import jmespath

    call = step.rules.read(step.place)
    assert isinstance(call, AwsCall)
    try:
        answer = _send(step, call)
    except NotDone as problem:
        if any(word in problem.code for word in GONE):
            return Answer("gone", {})
        raise
    except OutcomeUnknown as doubt:
        raise NotDone(str(doubt)) from None
    shown = jmespath.search(TAGS[step.kind], answer) if step.kind in TAGS else None
    # EKS shows them as an object, the others as a list.
    tags = shown if isinstance(shown, dict) else {row["Key"]: row.get("Value") or "" for row in shown or ()}
    return Answer(state_text(jmespath.search(call.query, answer)), tags)


def denies_only(step: ControlStep) -> bool:
    """Whether the policy that the step attaches denies and allows nothing; true where it attaches none. Raises
    NotDone where it cannot be read."""
    place = step.place
    try:
        if step.kind == "iam-policy":
            policy = _send(step, AwsCall("iam", "GetPolicy", {"PolicyArn": place.extra}))["Policy"]
            version = {"PolicyArn": place.extra, "VersionId": policy["DefaultVersionId"]}
            document = _send(step, AwsCall("iam", "GetPolicyVersion", version))["PolicyVersion"]["Document"]
        elif step.kind == "scp":
            call = AwsCall("organizations", "DescribePolicy", {"PolicyId": place.name})
            document = json.loads(_send(step, call)["Policy"]["Content"])
        else:
            return True
    except OutcomeUnknown as doubt:
        raise NotDone(str(doubt)) from None
    return actions.denies_only(document)


def rehearse(step: ControlStep, wanted: int) -> str:
    """Why the provider would refuse it, where it offers that question; empty where it would not."""
    if step.rules.rehearse is None:
        return ""
    call = step.rules.rehearse(step.place, step.before, wanted)
    assert isinstance(call, AwsCall)
    try:
        _send(step, call)
    except NotDone as refusal:
        return "" if refusal.code == "DryRunOperation" else str(refusal)
    except OutcomeUnknown as doubt:
        return str(doubt)
    return ""


def act(step: ControlStep, wanted: int) -> None:
    """Does it, once. Raises NotDone or OutcomeUnknown."""
    call = step.rules.do(step.place, step.before, wanted)
    assert isinstance(call, AwsCall)
    _send(step, call)


def put_back(step: ControlStep) -> None:
    """Puts back the state before, once. Raises NotDone or OutcomeUnknown."""
    call = step.rules.undo(step.place, step.before)
    assert isinstance(call, AwsCall)
    _send(step, call)
