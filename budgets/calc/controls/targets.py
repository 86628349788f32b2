"""What a cost control acts on: machines and groups as a bill names them, and what a person names. Pure: no Django.

A name that does not look as the provider's names do becomes no target: it never reaches a command. Every part begins
with a letter or a digit, so that no command takes it for an option, and none holds "://", which the AWS CLI would read
as a file or an address.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from budgets.calc.controls.rules import mentions_production
from finops_site.lib.language import gettext as _

AWS, AZURE, GOOGLE, KUBERNETES = "AWS", "Azure", "Google Cloud", "Kubernetes"
ASG_TAG: Final = "aws:autoscaling:groupname"
# Beside Amazon's own tag of a group, those by which Google and Azure mark the machines of a group or a cluster.
GROUP_TAGS: Final = (ASG_TAG, "eks:cluster-name", "goog-gke-node", "aks-managed-poolname")

_NAME: Final = r"[A-Za-z0-9][\w.@+=-]{0,254}"
_ACCOUNT: Final = r"\d{12}"
_REGION: Final = r"[a-z]{2}(?:-[a-z]+)+-\d"
_GUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_PROJECT: Final = r"[a-z0-9][a-z0-9.:-]{2,61}[a-z0-9]"
_PLACE: Final = r"[a-z]+-[a-z]+\d+(?:-[a-z])?"
EC2_ID: Final = re.compile(r"i-[0-9a-f]{8,17}")
EC2_ARN: Final = re.compile(
    rf"arn:aws(?:-cn|-us-gov)?:ec2:(?P<region>{_REGION}):(?P<account>{_ACCOUNT}):instance/(?P<id>i-[0-9a-f]{{8,17}})"
)
RDS_ARN: Final = re.compile(
    rf"arn:aws(?:-cn|-us-gov)?:rds:(?P<region>{_REGION}):(?P<account>{_ACCOUNT}):(?P<what>db|cluster):(?P<id>[A-Za-z][A-Za-z0-9-]{{0,62}})"
)
AZURE_ID: Final = re.compile(
    rf"/subscriptions/(?P<account>{_GUID})/resourcegroups/(?P<group>[\w.()-]{{1,90}})/providers/microsoft\.compute/"
    r"(?P<what>virtualmachines|virtualmachinescalesets)/(?P<id>[A-Za-z0-9][\w.-]{0,79})",
    re.IGNORECASE,
)
GOOGLE_ID: Final = re.compile(
    rf"(?://compute\.googleapis\.com/)?projects/(?P<account>{_PROJECT})/(?P<level>zones|regions)/(?P<region>{_PLACE})/"
    r"(?P<what>instances|instanceGroupManagers)/(?P<id>[a-z][a-z0-9-]{0,62})"
)
GROUP_NAME: Final = re.compile(r"[A-Za-z0-9](?!.*://)[\w .:/@+=-]{0,254}", re.ASCII)
KINDS_BY_AZURE: Final = {"virtualmachines": "azure-vm", "virtualmachinescalesets": "azure-vmss"}
KINDS_BY_GOOGLE: Final = {"instances": "gce", "instanceGroupManagers": "google-group"}


class NoTarget(ValueError):
    """What is named is no target, with the reason in words."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing at a provider: `kind` is a key of `control_actions.KINDS`, `account` an account, subscription, project.

    `name` is what the provider calls it, and `group` what it lies in, where a command must name that too: a resource
    group, a cluster, a user; `extra` is the third part that some need (a policy, a namespace).
    """

    kind: str
    cloud: str
    account: str
    region: str
    name: str
    group: str = ""
    extra: str = ""


def machine_of(resource: str, account: str, region: str) -> Target:
    """The machine or database that a resource id of a bill names; raises NoTarget for anything else."""
    if EC2_ID.fullmatch(resource):
        if not re.fullmatch(_ACCOUNT, account) or not re.fullmatch(_REGION, region):
            raise NoTarget(_("its account or region is not in the bill"))
        return Target("ec2", AWS, account, region, resource)
    if match := EC2_ARN.fullmatch(resource):
        return Target("ec2", AWS, match["account"], match["region"], match["id"])
    if match := RDS_ARN.fullmatch(resource):
        kind = "rds" if match["what"] == "db" else "rds-cluster"
        return Target(kind, AWS, match["account"], match["region"], match["id"])
    if (match := AZURE_ID.fullmatch(resource)) and match["what"].lower() == "virtualmachines":
        return Target("azure-vm", AZURE, match["account"].lower(), region, match["id"], match["group"])
    if (match := GOOGLE_ID.fullmatch(resource)) and match["what"] == "instances" and match["level"] == "zones":
        return Target("gce", GOOGLE, match["account"], match["region"], match["id"])
    raise NoTarget(_("no command is known that stops it: it is no EC2 or RDS instance, Azure VM or Compute Engine VM"))


def group_of(resource: str, account: str, region: str, tags: Mapping[str, str]) -> Target:
    """The group that a line's resource is, or that its machine belongs to by its tags; raises NoTarget."""
    if (match := AZURE_ID.fullmatch(resource)) and match["what"].lower() == "virtualmachinescalesets":
        return Target("azure-vmss", AZURE, match["account"].lower(), region, match["id"], match["group"])
    if (match := GOOGLE_ID.fullmatch(resource)) and match["what"] == "instanceGroupManagers":
        return Target("google-group", GOOGLE, match["account"], match["region"], match["id"], match["level"])
    name = next((value for key, value in tags.items() if key.lower().endswith(ASG_TAG)), "")
    if not name:
        raise NoTarget(_("it belongs to no group that a command can scale"))
    if not GROUP_NAME.fullmatch(name):
        raise NoTarget(_("the name of its group holds signs that no group's name holds"))
    machine = machine_of(resource, account, region)
    return Target("asg", AWS, machine.account, machine.region, name)


def is_of_group(tags: Mapping[str, str]) -> bool:
    """Whether a machine belongs to a group, which would start another one where it is stopped."""
    return any(key.lower().endswith(GROUP_TAGS) for key in tags)


# Names that chance made: what they spell says nothing.
_RANDOM_NAMES: Final = ("ec2", "scp", "aws-key", "google-key", "azure-app")


def says_production(target: Target) -> str:
    """Which of its words says production: its name, what it lies in, or its account, project or context; else empty."""
    words = [target.account, target.group, *([] if target.kind in _RANDOM_NAMES else [target.name])]
    return next((word for word in words if mentions_production(word)), "")


# kind: what a person writes after it, the pattern of that, and an example.
NAMED: Final = {
    "asg": (rf"(?P<account>{_ACCOUNT})/(?P<region>{_REGION})/(?P<name>[A-Za-z0-9](?!.*://)[\w .:/@+=-]{{0,254}})", AWS),
    "eks-nodes": (rf"(?P<account>{_ACCOUNT})/(?P<region>{_REGION})/(?P<group>{_NAME})/(?P<name>{_NAME})", AWS),
    "azure-vmss": (
        rf"(?P<account>{_GUID})/(?P<group>[A-Za-z0-9][\w.()-]{{0,89}})/(?P<name>[A-Za-z0-9][\w.-]{{0,79}})",
        AZURE,
    ),
    "google-group": (
        rf"(?P<account>{_PROJECT})/(?P<group>zones|regions)/(?P<region>{_PLACE})/(?P<name>[a-z][a-z0-9-]{{0,62}})",
        GOOGLE,
    ),
    "kubernetes": (
        r"(?P<account>[A-Za-z0-9][\w.@:-]{0,252})/(?P<group>[a-z0-9][a-z0-9-]{0,62})/(?P<name>[a-z0-9][a-z0-9.-]{0,252})",
        KUBERNETES,
    ),
    "scp": (
        rf"(?P<account>{_ACCOUNT})/(?P<name>p-[0-9A-Za-z_]{{8,128}})/(?P<group>{_ACCOUNT}|ou-[0-9a-z-]{{5,67}})",
        AWS,
    ),
    "iam-policy": (
        rf"(?P<account>{_ACCOUNT})/(?P<group>role|user|group)/(?P<name>{_NAME})/(?P<extra>arn:aws(?:-cn|-us-gov)?:iam::(?:aws:policy/AWSDenyAll|{_ACCOUNT}:policy/(?:[A-Za-z0-9][\w+=,.@-]*/)*[A-Za-z0-9][\w+=,.@-]*))",
        AWS,
    ),
    "azure-policy": (rf"(?P<account>{_GUID})/(?P<name>{_NAME})", AZURE),
    "org-policy": (rf"(?P<account>{_PROJECT})/(?P<name>[a-z][A-Za-z]{{1,40}}\.[a-zA-Z]{{1,60}})", GOOGLE),
    "aws-key": (rf"(?P<account>{_ACCOUNT})/(?P<group>{_NAME})/(?P<name>AKIA[0-9A-Z]{{12,124}})", AWS),
    "google-key": (
        rf"(?P<account>{_PROJECT})/(?P<group>[a-z0-9][\w.-]{{0,99}}@[\w.-]{{1,99}}\.gserviceaccount\.com)/(?P<name>[0-9a-f]{{40}})",
        GOOGLE,
    ),
    "azure-app": (rf"(?P<account>{_GUID})/(?P<name>{_GUID})", AZURE),
    "lambda": (rf"(?P<account>{_ACCOUNT})/(?P<region>{_REGION})/(?P<name>[A-Za-z0-9][\w-]{{0,139}})", AWS),
    "google-quota": (
        rf"(?P<account>{_PROJECT})/(?P<group>[a-z0-9-]{{1,60}}\.googleapis\.com)/(?P<name>[A-Za-z0-9][\w.-]{{0,150}})",
        GOOGLE,
    ),
    "azure-quota": (rf"(?P<account>{_GUID})/(?P<region>[a-z0-9]{{3,40}})/(?P<name>[A-Za-z0-9][\w.-]{{0,99}})", AZURE),
}
EXAMPLES: Final = {
    "asg": "asg 111122223333/eu-west-1/build-agents",
    "eks-nodes": "eks-nodes 111122223333/eu-west-1/cluster/nodegroup",
    "azure-vmss": "azure-vmss <subscription>/<resource group>/<scale set>",
    "google-group": "google-group <project>/zones/europe-west1-b/<group>",
    "kubernetes": "kubernetes <context>/<namespace>/<deployment>",
    "scp": "scp <management account>/p-examplepolicy/444455556666",
    "iam-policy": "iam-policy 111122223333/role/builders/arn:aws:iam::aws:policy/AWSDenyAll",
    "azure-policy": "azure-policy <subscription>/<policy definition>",
    "org-policy": "org-policy <project>/compute.disableSerialPortAccess",
    "aws-key": "aws-key 111122223333/<user>/AKIAEXAMPLEEXAMPLE00",
    "google-key": "google-key <project>/<service account>@<project>.iam.gserviceaccount.com/<key id>",
    "azure-app": "azure-app <tenant>/<application id>",
    "lambda": "lambda 111122223333/eu-west-1/<function>",
    "google-quota": "google-quota <project>/compute.googleapis.com/CPUS-per-project-region",
    "azure-quota": "azure-quota <subscription>/westeurope/standardDSv3Family",
}
AWS_QUOTA: Final = (
    "AWS's Service Quotas can be raised and never lowered: reserve a function's concurrency instead "
    "(lambda <account>/<region>/<function>), scale a group down, or attach a policy that denies the service."
)


def named_target(line: str) -> Target:
    """The target that a line names, like ``lambda 111122223333/eu-west-1/resize``; raises NoTarget."""
    kind, _ignored, rest = line.strip().partition(" ")
    if kind == "scp" and re.search(r"/r-[0-9a-z]+$", rest.strip()):
        raise NoTarget(_("The root of an organisation holds every account: name one account, or one OU."))
    if kind == "iam-policy" and ":iam::aws:policy/" in rest and not rest.strip().endswith(":policy/AWSDenyAll"):
        raise NoTarget(
            _("Of AWS's own policies only AWSDenyAll denies and allows nothing: name that, or one of yours.")
        )
    if kind in ("aws-quota", "service-quota"):
        raise NoTarget(AWS_QUOTA)
    if kind not in NAMED:
        raise NoTarget(
            _("{kind!r} is no kind of target: begin with one of {names}.").format(
                kind=kind[:40], names=", ".join(NAMED)
            )
        )
    pattern, cloud = NAMED[kind]
    match = re.fullmatch(pattern, rest.strip(), re.ASCII)
    if match is None:
        raise NoTarget(
            _("{value!r} does not name one: write it like {examples}").format(
                value=line.strip()[:120], examples=EXAMPLES[kind]
            )
        )
    parts = match.groupdict()
    return Target(
        kind,
        cloud,
        parts["account"],
        parts.get("region", ""),
        parts["name"],
        parts.get("group", ""),
        parts.get("extra", ""),
    )
