"""From what a bill calls an AWS resource to the ARN that the Resource Groups Tagging API wants. Pure: no Django.

Bills name resources as their services do: `i-0abc`, `vol-0abc`, a bucket's name, a whole ARN. The API takes ARNs only,
of one account and one region in a call, and does not know every service: what it cannot tag is named, with what to do
instead. Forms of ARNs: AWS Service Authorization Reference; what the API supports: "Services that support the
Resource Groups Tagging API" (AWS documentation).
"""

import re
from dataclasses import dataclass

from costs.calc.providers import AWS, provider_name
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop

ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov|aws-iso|aws-iso-b|aws-eusc):([a-z0-9-]+):([a-z0-9-]*):(\d{12}|):(.+)\Z")
ACCOUNT = re.compile(r"\d{12}\Z")
REGION = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso|us-isob|eusc)-[a-z]+(?:-[a-z]+)?-\d\Z")
# What an id begins with -> the ARN's service and the word before the id.
EC2 = {
    "i": "instance",
    "vol": "volume",
    "snap": "snapshot",
    "ami": "image",
    "eni": "network-interface",
    "eipalloc": "elastic-ip",
    "nat": "natgateway",
    "vpc": "vpc",
    "subnet": "subnet",
    "sg": "security-group",
    "rtb": "route-table",
    "igw": "internet-gateway",
    "vpce": "vpc-endpoint",
    "vpn": "vpn-connection",
    "tgw": "transit-gateway",
    "tgw-attach": "transit-gateway-attachment",
    "pcx": "vpc-peering-connection",
    "lt": "launch-template",
    "h": "dedicated-host",
    "cr": "capacity-reservation",
}
EC2_ID = re.compile(r"([a-z]+(?:-attach)?)-[0-9a-f]{8,17}\Z")
FILE_SYSTEM = re.compile(r"fs-[0-9a-f]{8,17}\Z")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
DISTRIBUTION = re.compile(r"E[A-Z0-9]{8,20}\Z")
HOSTED_ZONE = re.compile(r"(?:/hostedzone/)?(Z[A-Z0-9]{8,32})\Z")
# Services whose resources are found from one region, whatever region their bill names.
HOME_REGIONS = {
    "cloudfront": {"aws": "us-east-1", "aws-cn": "cn-northwest-1"},
    "route53": {"aws": "us-east-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"},
    "globalaccelerator": {"aws": "us-west-2"},
}
# What that API cannot tag, and what can.
UNABLE = {
    "iam": gettext_noop("use `aws iam tag-role` or `tag-user`: this API does not know IAM"),
    "organizations": gettext_noop("use `aws organizations tag-resource`: this API does not know accounts"),
    "savingsplans": gettext_noop("use `aws savingsplans tag-resource`: this API does not know plans"),
    "ce": gettext_noop("cost categories are tagged by `aws ce tag-resource`"),
    "support": gettext_noop("support cannot be tagged"),
    "autoscaling": gettext_noop(
        "use `aws autoscaling create-or-update-tags`, which also says whether machines inherit it"
    ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a tag is to be set: the ARN with its account and region; or why this API cannot, in `problem`."""

    arn: str = ""
    account: str = ""
    region: str = ""
    problem: str = ""

    @property
    def is_taggable(self) -> bool:
        return not self.problem


def partition_of(region: str) -> str:
    """The part of AWS that a region belongs to: ``aws``, ``aws-cn``, ``aws-us-gov``, ..."""
    for beginning, partition in (
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-iso-", "aws-iso"),
        ("eusc-", "aws-eusc"),
    ):
        if region.startswith(beginning):
            return partition
    return "aws"


def tagging_target(provider: str, service: str, resource: str, account: str, region: str) -> Target:
    """The ARN of a resource as its bill names it, or why the API cannot tag it; never raises."""
    if provider and provider_name(provider) != AWS:
        return Target(problem=_("it is {provider}'s: this API tags AWS resources only").format(provider=provider))
    if resource.startswith("arn:"):
        return _of_arn(resource, account, region)
    if not resource.strip():
        return Target(problem=_("the bill names no resource"))
    if not ACCOUNT.match(account):
        return Target(
            problem=_("{value} is not an AWS account of twelve digits").format(value=account or _("no account"))
        )
    if not (resource.isascii() and resource.isprintable()):
        return Target(problem=_("the bill's name for it is not an id of AWS"))
    return _of_id(service, resource, account, region)


def _of_arn(arn: str, account: str, region: str) -> Target:
    match = ARN.match(arn)
    if not match:
        return Target(problem=_("it looks like an ARN and is not one"))
    partition, service, its_region, its_account, rest = match.groups()
    if service in UNABLE:
        return Target(problem=_(UNABLE[service]))
    if service == "s3" and "/" in rest:
        return Target(problem=_("objects of a bucket cannot be tagged by this API, only the bucket"))
    if service == "ec2" and rest.startswith("fleet/"):
        return Target(problem=_("a fleet's machines carry the tags: tag its launch template"))
    owner = its_account or account
    if not ACCOUNT.match(owner):
        return Target(
            problem=_("{value} is not an AWS account of twelve digits").format(value=owner or _("no account"))
        )
    place = HOME_REGIONS.get(service, {}).get(partition) or its_region or region
    if not REGION.match(place):
        return Target(
            problem=_("the region of {arn} is not known: {value}").format(
                arn=arn[:80], value=place or _("the bill names none")
            )
        )
    if partition_of(place) != partition:
        return Target(
            problem=_("the ARN is of {partition}, and the region {place} of {partition_of}").format(
                partition=partition, place=place, partition_of=partition_of(place)
            )
        )
    return Target(arn, owner, place)


def _of_id(service: str, resource: str, account: str, region: str) -> Target:
    service = service.lower()
    partition = partition_of(region)
    prefix = f"arn:{partition}"
    zone = HOSTED_ZONE.match(resource)
    if DISTRIBUTION.match(resource) and "cloudfront" in service:
        home = HOME_REGIONS["cloudfront"].get(partition, region)
        return Target(f"{prefix}:cloudfront::{account}:distribution/{resource}", account, home)
    if zone and "route 53" in service.replace("route53", "route 53"):
        home = HOME_REGIONS["route53"].get(partition, region)
        return Target(f"{prefix}:route53:::hostedzone/{zone.group(1)}", account, home)
    if not REGION.match(region):
        return Target(problem=_("its region is not known: {value}").format(value=region or _("the bill names none")))
    return _regional(service, resource, account, region, prefix)


def _regional(service: str, resource: str, account: str, region: str, prefix: str) -> Target:
    ec2_id = EC2_ID.match(resource)
    kind = EC2.get(ec2_id.group(1)) if ec2_id else None
    if kind:
        # Images and snapshots have no account in their ARN, as EC2 writes it.
        owner = "" if kind in ("image", "snapshot") else account
        return Target(f"{prefix}:ec2:{region}:{owner}:{kind}/{resource}", account, region)
    if FILE_SYSTEM.match(resource):
        which = "fsx" if "fsx" in service else "elasticfilesystem"
        return Target(f"{prefix}:{which}:{region}:{account}:file-system/{resource}", account, region)
    if ("s3" in service or "simple storage" in service) and BUCKET.match(resource):
        return Target(f"{prefix}:s3:::{resource}", account, region)
    if "lambda" in service and re.match(r"[\w-]{1,64}\Z", resource):
        return Target(f"{prefix}:lambda:{region}:{account}:function:{resource}", account, region)
    if "dynamodb" in service and re.match(r"[\w.-]{3,255}\Z", resource):
        return Target(f"{prefix}:dynamodb:{region}:{account}:table/{resource}", account, region)
    return Target(problem=_("its id does not say what it is: this API needs an ARN, and the bill has none"))
