"""What AWS answers when it is asked what there is, as rows of an inventory. Pure.

The same answers come as files of its command line and through a connection; an account or region that an answer does
not name is empty.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from costs.calc.providers import AWS

Row = dict[str, Any]
Document = Mapping[str, Any]
# In a row of text: nothing is attached, and that is known.
NOTHING = "(nothing)"
_STOPPED = re.compile(r"\((\d{4}-\d{2}-\d{2})")


def _instances(document: Document) -> Iterator[Row]:
    for reservation in document["Reservations"]:
        for one in reservation["Instances"]:
            yield {
                **_thing(one["InstanceId"], "machine", one),
                "account": reservation.get("OwnerId", ""),
                "region": _region(one.get("Placement", {}).get("AvailabilityZone", "")),
                "state": "stopped" if one["State"]["Name"] == "stopping" else one["State"]["Name"],
                "type": one["InstanceType"],
                "created_day": str(one.get("LaunchTime", ""))[:10],
                "last_used_day": _stopped_day(one),
                "attributes": json.dumps({"architecture": one.get("Architecture", "")}),
            }


def _volumes(document: Document) -> Iterator[Row]:
    for one in document["Volumes"]:
        attached = [row["InstanceId"] for row in one.get("Attachments", ()) if row.get("InstanceId")]
        yield {
            **_thing(one["VolumeId"], "disk", one),
            "region": _region(one.get("AvailabilityZone", "")),
            "state": one["State"],
            # Empty where nothing is attached, which is not the same as not stated.
            "attached_to": ", ".join(attached) or NOTHING,
            "created_day": str(one.get("CreateTime", ""))[:10],
            "size": one["Size"],
            "size_unit": "GB",
            "type": one["VolumeType"],
            "attributes": json.dumps({"iops": one.get("Iops"), "throughput": one.get("Throughput")}),
        }


def _snapshots(document: Document) -> Iterator[Row]:
    for one in document["Snapshots"]:
        yield {
            **_thing(one["SnapshotId"], "snapshot", one),
            "account": one.get("OwnerId", ""),
            "parent": one.get("VolumeId", ""),
            "created_day": str(one.get("StartTime", ""))[:10],
            "size": one.get("VolumeSize"),
            "size_unit": "GB",
        }


def _addresses(document: Document) -> Iterator[Row]:
    for one in document["Addresses"]:
        attached = one.get("InstanceId") or one.get("NetworkInterfaceId") or NOTHING
        state = "available" if attached == NOTHING else "in-use"
        yield {
            **_thing(one.get("AllocationId") or one["PublicIp"], "address", one),
            "attached_to": attached,
            "state": state,
            "region": one.get("NetworkBorderGroup", ""),
        }


def _images(document: Document) -> Iterator[Row]:
    for one in document["Images"]:
        mappings: Sequence[Mapping[str, Any]] = one.get("BlockDeviceMappings") or ({},)
        for mapping in mappings:
            yield {
                **_thing(one["ImageId"], "image", one),
                "account": one.get("OwnerId", ""),
                "parent": mapping.get("Ebs", {}).get("SnapshotId", ""),
                "created_day": str(one.get("CreationDate", ""))[:10],
            }


def _stopped_day(one: Document) -> str:
    """Since when a machine is stopped: ``User initiated (2026-05-01 10:00:00 GMT)``."""
    match = _STOPPED.search(str(one.get("StateTransitionReason") or ""))
    return match[1] if match and one["State"]["Name"] in ("stopped", "stopping") else ""


def _nat_gateways(document: Document) -> Iterator[Row]:
    for one in document["NatGateways"]:
        if one.get("State") not in ("deleted", "failed"):
            yield {
                **_thing(one["NatGatewayId"], "nat_gateway", one),
                "state": one.get("State", ""),
                "parent": one.get("VpcId", ""),
                "created_day": str(one.get("CreateTime", ""))[:10],
            }


def _balancers(document: Document) -> Iterator[Row]:
    """How many targets each has, where the answer of ``describe-target-health`` of each group stands in ``targets``."""
    for one in document["LoadBalancers"]:
        targets = one.get("targets")
        yield {
            **_thing(one["LoadBalancerArn"], "load_balancer", one),
            **_place_of_arn(one["LoadBalancerArn"]),
            "name": one.get("LoadBalancerName", ""),
            "state": one.get("State", {}).get("Code", ""),
            "type": one.get("Type", ""),
            "created_day": str(one.get("CreatedTime", ""))[:10],
            "attributes": json.dumps({"targets": targets} if targets is not None else {}),
        }


def _classic_balancers(document: Document) -> Iterator[Row]:
    for one in document["LoadBalancerDescriptions"]:
        yield {
            **_thing(one["LoadBalancerName"], "load_balancer", one),
            "name": one["LoadBalancerName"],
            "type": "classic",
            "created_day": str(one.get("CreatedTime", ""))[:10],
            "attributes": json.dumps({"targets": len(one["Instances"])} if "Instances" in one else {}),
        }


def _databases(document: Document) -> Iterator[Row]:
    for one in document["DBInstances"]:
        state = one.get("DBInstanceStatus", "")
        attributes = {"engine": one.get("Engine"), "multi_az": one.get("MultiAZ"), "storage": one.get("StorageType")}
        yield {
            **_thing(one.get("DBInstanceArn") or one["DBInstanceIdentifier"], "database", one),
            **_place_of_arn(one.get("DBInstanceArn", "")),
            "name": one["DBInstanceIdentifier"],
            "state": "running" if state == "available" else state,
            "type": one.get("DBInstanceClass", ""),
            "created_day": str(one.get("InstanceCreateTime", ""))[:10],
            "size": one.get("AllocatedStorage"),
            "size_unit": "GB",
            "attributes": json.dumps(attributes),
        }


def _functions(document: Document) -> Iterator[Row]:
    for one in document["Functions"]:
        architectures = one.get("Architectures") or [""]
        yield {
            **_thing(one["FunctionArn"], "function", one),
            **_place_of_arn(one["FunctionArn"]),
            "name": one.get("FunctionName", ""),
            "type": one.get("Runtime", ""),
            "attributes": json.dumps({"memory_mb": one.get("MemorySize"), "architecture": architectures[0]}),
        }


def _log_groups(document: Document) -> Iterator[Row]:
    for one in document["logGroups"]:
        arn = str(one.get("logGroupArn") or one.get("arn") or one["logGroupName"]).removesuffix(":*")
        created = one.get("creationTime")
        yield {
            **_thing(arn, "log_group", one),
            **_place_of_arn(arn),
            "name": one["logGroupName"],
            "created_day": datetime.fromtimestamp(created / 1000, UTC).date().isoformat() if created else "",
            "size": one.get("storedBytes"),
            "size_unit": "B",
            # Null where logs never end.
            "attributes": json.dumps({"retention_days": one.get("retentionInDays")}),
        }


def _buckets(document: Document) -> Iterator[Row]:
    """``versioning``, ``lifecycle`` and ``Region`` are of a connection, which asks for them bucket by bucket."""
    for one in document["Buckets"]:
        attributes = {name: one[name] for name in ("versioning", "lifecycle") if name in one}
        yield {
            **_thing(one["Name"], "bucket", one),
            "region": one.get("Region") or one.get("BucketRegion") or "",
            "name": one["Name"],
            "created_day": str(one.get("CreationDate", ""))[:10],
            "attributes": json.dumps(attributes),
        }


def _place_of_arn(arn: str) -> Row:
    """The account and region that an ARN names; nothing of what is none."""
    parts = arn.split(":")
    return {"region": parts[3], "account": parts[4]} if parts[0] == "arn" and len(parts) > 5 else {}


def _thing(identity: str, kind: str, one: Mapping[str, Any]) -> Row:
    names = [tag["Value"] for tag in one.get("Tags", ()) if tag.get("Key") == "Name"]
    return {
        "provider": AWS,
        "account": "",
        "region": "",
        "resource": identity,
        "kind": kind,
        "name": "".join(names[:1]),
    }


def _region(zone: str) -> str:
    return zone.rstrip("abcdef") if zone[-1:].isalpha() else zone


READERS: Mapping[str, Callable[[Document], Iterator[Row]]] = {
    "Reservations": _instances,
    "Volumes": _volumes,
    "Snapshots": _snapshots,
    "Addresses": _addresses,
    "Images": _images,
    "NatGateways": _nat_gateways,
    "LoadBalancers": _balancers,
    "LoadBalancerDescriptions": _classic_balancers,
    "DBInstances": _databases,
    "Functions": _functions,
    "logGroups": _log_groups,
    "Buckets": _buckets,
}
COMMANDS: Sequence[str] = (
    *(
        f"aws ec2 describe-{name}"
        for name in ("instances", "volumes", "snapshots", "addresses", "images", "nat-gateways")
    ),
    *("aws elb describe-load-balancers", "aws elbv2 describe-load-balancers", "aws rds describe-db-instances"),
    *("aws lambda list-functions", "aws logs describe-log-groups", "aws s3api list-buckets"),
)
