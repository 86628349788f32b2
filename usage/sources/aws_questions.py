"""What AWS is asked about what there is: each question, the rights that it needs, and its answer as rows.

An answer is whole or it is none: a page that is denied leaves all of its question unread. Where a thing is listed and
only something about it is denied, as the lifecycle of a bucket, that stays unknown and the thing is there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from usage.calc.aws_inventory import READERS
from usage.sources.readings import CannotRead, Row

# boto3 makes the classes of its clients at run time.
Client = Any
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
# What AWS answers for a region that the account has not enabled; its credentials were good a moment before.
NOT_ENABLED = (
    *("AuthFailure", "OptInRequired", "OptInRequiredException", "UnrecognizedClientException", "InvalidClientTokenId"),
    *("InvalidToken", "SubscriptionRequiredException", "IllegalLocationConstraintException"),
)
BUSY = (
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "SlowDown"),
    *("TooManyRequestsException", "BandwidthLimitExceeded", "LimitExceededException"),
)
NOT_THERE = ("NoSuchLifecycleConfiguration", "NoSuchBucket", "404", "TargetGroupNotFound")


@contextmanager
def answers(right: str) -> Iterator[None]:
    """Turns what botocore raises into CannotRead; AWS's own text may name accounts and hold tokens."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise _explained(code, right) from None
    except BotoCoreError as error:
        raise CannotRead(_("{right}: no answer ({name}).").format(right=right, name=type(error).__name__)) from None


def _explained(code: str, right: str) -> CannotRead:
    if code in DENIED:
        return CannotRead(_("{right} is denied.").format(right=right), right=right)
    if code in EXPIRED:
        return CannotRead(_("The credentials have expired."), is_expired=True)
    if code in NOT_ENABLED:
        return CannotRead(_("The region is not enabled in the account."), is_closed=True)
    if code in BUSY:
        return CannotRead(_("{right}: AWS was too busy; it is asked again the next time.").format(right=right))
    return CannotRead(_("{right}: AWS answered {code}.").format(right=right, code=code or _("an error")))


def pages(client: Client, operation: str, right: str, name: str, **query: Any) -> list[Any]:
    """All of an answer: the values of `name` of each page."""
    with answers(right):
        if client.can_paginate(operation):
            found_pages = client.get_paginator(operation).paginate(**query)
            return [one for page in found_pages for one in page.get(name, ())]
        return list(getattr(client, operation)(**query).get(name, ()))


@dataclass(slots=True)
class Lack:
    """What about things that are listed is not known: rights that were denied, or had no answer, and how often."""

    denied: dict[str, int] = field(default_factory=dict)
    unanswered: dict[str, int] = field(default_factory=dict)

    def note(self, right: str, problem: CannotRead) -> None:
        counts = self.denied if problem.right else self.unanswered
        counts[right] = counts.get(right, 0) + 1

    def texts(self) -> Iterator[str]:
        """A sentence for each right."""
        for right, count in self.denied.items():
            yield _("{right} is denied for {count} of them.").format(right=right, count=count)
        for right, count in self.unanswered.items():
            yield _("{right} had no answer for {count} of them.").format(right=right, count=count)


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of thing: `ask(client, lack)` answers with rows of an inventory."""

    kind: str
    label: str
    service: str
    rights: Sequence[str]
    ask: Callable[[Client, Lack], list[Row]]
    # Asked once in an account, and not in each region.
    is_global: bool = False


def _simple(operation: str, right: str, name: str, **query: Any) -> Callable[[Client, Lack], list[Row]]:
    def ask(client: Client, lack: Lack) -> list[Row]:
        return list(READERS[name]({name: pages(client, operation, right, name, **query)}))

    return ask


def _load_balancers(client: Client, lack: Lack) -> list[Row]:
    """Load balancers with how many targets stand behind them: a target that is draining or sick is one, too."""
    right = "elasticloadbalancing:DescribeLoadBalancers"
    balancers = pages(client, "describe_load_balancers", right, "LoadBalancers")
    counts = _target_counts(client, lack) if balancers else {}
    if counts is not None:
        for one in balancers:
            one["targets"] = counts.get(one["LoadBalancerArn"], 0)
    return list(READERS["LoadBalancers"]({"LoadBalancers": balancers}))


def _target_counts(client: Client, lack: Lack, most: int | None = None) -> dict[str, int] | None:
    """{load balancer: its targets}, by at most so many groups; None where that is denied."""
    counts: dict[str, int] = {}
    groups_right, health_right = (f"elasticloadbalancing:Describe{name}" for name in ("TargetGroups", "TargetHealth"))
    try:
        for group in pages(client, "describe_target_groups", groups_right, "TargetGroups")[:most]:
            health = _answer_about(health_right, client.describe_target_health, TargetGroupArn=group["TargetGroupArn"])
            for balancer in group.get("LoadBalancerArns", ()):
                counts[balancer] = counts.get(balancer, 0) + len(health.get("TargetHealthDescriptions", ()))
    except CannotRead as problem:
        if not problem.right:
            raise
        lack.note(problem.right, problem)
        return None
    return counts


def _buckets(client: Client, lack: Lack) -> list[Row]:
    """Buckets with their region, versioning and lifecycle; what is denied of one of them stays unknown."""
    buckets = pages(client, "list_buckets", "s3:ListAllMyBuckets", "Buckets")
    _describe_buckets(client, lack, buckets)
    return list(READERS["Buckets"]({"Buckets": buckets}))


def _describe_buckets(client: Client, lack: Lack, buckets: Sequence[Any]) -> None:
    for bucket in buckets:
        name = bucket["Name"]
        place = _of_bucket(lack, "s3:GetBucketLocation", client.get_bucket_location, name)
        if place is not None:
            region = place.get("LocationConstraint") or "us-east-1"
            # As buckets of old name the first region of Europe.
            bucket["Region"] = "eu-west-1" if region == "EU" else region
        versioning = _of_bucket(lack, "s3:GetBucketVersioning", client.get_bucket_versioning, name)
        if versioning is not None:
            bucket["versioning"] = versioning.get("Status", "off").lower()
        lifecycle = client.get_bucket_lifecycle_configuration
        rules = _of_bucket(lack, "s3:GetLifecycleConfiguration", lifecycle, name)
        if rules is not None:
            bucket["lifecycle"] = [rule.get("ID", "") for rule in rules.get("Rules", ())]


def _of_bucket(
    lack: Lack, right: str, operation: Callable[..., Mapping[str, Any]], name: str
) -> Mapping[str, Any] | None:
    """An answer about one bucket; empty where the bucket has none of it, None where it is denied."""
    try:
        return _answer_about(right, operation, Bucket=name)
    except CannotRead as problem:
        if problem.is_expired:
            raise
        # Buckets of other regions answer in their own ways: that one is unknown, and the others are not.
        lack.note(right, problem)
        return None


def _answer_about(right: str, operation: Callable[..., Mapping[str, Any]], **query: Any) -> Mapping[str, Any]:
    """An answer about one thing; empty where it has none of it, or left since it was listed. Raises CannotRead."""
    from botocore.exceptions import ClientError

    with answers(right):
        try:
            return operation(**query)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in NOT_THERE:
                return {}
            raise


def _ec2(kind: str, label: str, operation: str, right: str, name: str, **query: Any) -> Question:
    right = f"ec2:{right}"
    return Question(kind, label, "ec2", (right,), _simple(operation, right, name, **query))


# The order is that of the page.
QUESTIONS: Sequence[Question] = (
    _ec2("machine", _lazy("Machines"), "describe_instances", "DescribeInstances", "Reservations"),
    _ec2("disk", _lazy("Disks"), "describe_volumes", "DescribeVolumes", "Volumes"),
    _ec2("snapshot", _lazy("Snapshots"), "describe_snapshots", "DescribeSnapshots", "Snapshots", OwnerIds=["self"]),
    _ec2("image", _lazy("Images"), "describe_images", "DescribeImages", "Images", Owners=["self"]),
    _ec2("address", _lazy("Addresses"), "describe_addresses", "DescribeAddresses", "Addresses"),
    _ec2("nat_gateway", _lazy("NAT gateways"), "describe_nat_gateways", "DescribeNatGateways", "NatGateways"),
    Question(
        "load_balancer",
        _lazy("Load balancers and their targets"),
        "elbv2",
        tuple(f"elasticloadbalancing:Describe{name}" for name in ("LoadBalancers", "TargetGroups", "TargetHealth")),
        _load_balancers,
    ),
    Question(
        "load_balancer",
        _lazy("Classic load balancers"),
        "elb",
        ("elasticloadbalancing:DescribeLoadBalancers",),
        _simple("describe_load_balancers", "elasticloadbalancing:DescribeLoadBalancers", "LoadBalancerDescriptions"),
    ),
    Question(
        "database",
        _lazy("Databases"),
        "rds",
        ("rds:DescribeDBInstances",),
        _simple("describe_db_instances", "rds:DescribeDBInstances", "DBInstances"),
    ),
    Question(
        "function",
        _lazy("Functions"),
        "lambda",
        ("lambda:ListFunctions",),
        _simple("list_functions", "lambda:ListFunctions", "Functions"),
    ),
    Question(
        "log_group",
        _lazy("Log groups and their retention"),
        "logs",
        ("logs:DescribeLogGroups",),
        _simple("describe_log_groups", "logs:DescribeLogGroups", "logGroups"),
    ),
    Question(
        "bucket",
        _lazy("Buckets, their versioning and lifecycle"),
        "s3",
        ("s3:ListAllMyBuckets", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"),
        _buckets,
        is_global=True,
    ),
)


def first_page(client: Client, question: Question, lack: Lack) -> None:
    """Asks the least that shows whether its rights are there, of one thing what is asked of each. Raises CannotRead."""
    from botocore.exceptions import ParamValidationError

    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "machine": ("describe_instances", {"MaxResults": 5}),
        "disk": ("describe_volumes", {"MaxResults": 5}),
        "snapshot": ("describe_snapshots", {"MaxResults": 5, "OwnerIds": ["self"]}),
        "image": ("describe_images", {"MaxResults": 5, "Owners": ["self"]}),
        "address": ("describe_addresses", {}),
        "nat_gateway": ("describe_nat_gateways", {"MaxResults": 5}),
        "load_balancer": ("describe_load_balancers", {"PageSize": 1}),
        "database": ("describe_db_instances", {"MaxRecords": 20}),
        "function": ("list_functions", {"MaxItems": 1}),
        "log_group": ("describe_log_groups", {"limit": 1}),
        "bucket": ("list_buckets", {}),
    }
    operation, query = calls[question.kind]
    with answers(question.rights[0]):
        try:
            page = getattr(client, operation)(**query)
        except ParamValidationError:
            raise CannotRead(_("AWS takes no such call.")) from None
    if question.service == "s3":
        _describe_buckets(client, lack, page["Buckets"][:1])
    elif question.service == "elbv2":
        _target_counts(client, lack, most=1)


def chunks(rows: Sequence[Any], size: int) -> Iterator[list[Any]]:
    """The rows in parts of at most `size`."""
    left = iter(rows)
    while part := list(islice(left, size)):
        yield part
