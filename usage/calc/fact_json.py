"""JSON of providers as rows with names, for layouts: metrics of CloudWatch and Prometheus, inventories of EC2. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from costs.calc.providers import AWS
from finops_site.lib.language import gettext as _

Row = dict[str, Any]
MOST_BYTES = 200 * 2**20


class BadFacts(ValueError):
    """A file that cannot be read as a whole; the message names it and says what to do."""


def rows_of_json(text: str, source: str) -> Iterator[Row]:
    """The rows of a JSON document, or of a document a line. Raises BadFacts for what is none of those we know.

    Known are ``aws cloudwatch get-metric-data`` (with labels ``account region resource metric``), CloudWatch metric
    streams, ``/api/v1/query_range`` of Prometheus (with labels resource and metric), and ``aws ec2``
    ``describe-instances``, ``describe-volumes``, ``describe-snapshots``, ``describe-addresses``, ``describe-images``.
    """
    for document in _documents(text, source):
        readers = [reader for key, reader in READERS.items() if key in document]
        if not readers:
            raise BadFacts(
                _(
                    "{source}: this JSON is none that we read. We read CloudWatch get-metric-data and metric streams, "
                    "Prometheus query_range, and EC2 describe-instances, -volumes, -snapshots, -addresses, -images."
                ).format(source=source)
            )
        try:
            yield from readers[0](document)
        except KeyError as error:
            raise BadFacts(
                _("{source}: it lacks {name}, which its provider always writes.").format(source=source, name=error)
            ) from None
        except (AttributeError, TypeError, ValueError, IndexError):
            raise BadFacts(_("{source}: it is not built as its provider builds it.").format(source=source)) from None


def _documents(text: str, source: str) -> Iterator[Mapping[str, Any]]:
    try:
        document = json.loads(text)
        documents = document if isinstance(document, list) else [document]
    except RecursionError:
        raise BadFacts(_("{source}: it is nested too deeply.").format(source=source)) from None
    except ValueError:
        documents = list(_lines(text, source))
    for document in documents:
        if not isinstance(document, dict):
            raise BadFacts(_("{source}: its documents are no objects.").format(source=source))
        yield document


def _lines(text: str, source: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadFacts(
                    _("{source}, line {number}: this is no JSON ({error}).").format(
                        source=source, number=number, error=error
                    )
                ) from None


def _metric_data(document: Mapping[str, Any]) -> Iterator[Row]:
    for result in document["MetricDataResults"]:
        account, region, resource, metric = (str(result["Label"]).split() + [""] * 4)[:4]
        for time, value in zip(result["Timestamps"], result["Values"], strict=True):
            row = {"provider": AWS, "account": account, "region": region, "resource": resource, "metric": metric}
            yield {**row, "time": time, "value": value, "source": "CloudWatch"}


def _metric_stream(document: Mapping[str, Any]) -> Iterator[Row]:
    value, dimensions = document["value"], document["dimensions"]
    row = {"provider": AWS, "account": document.get("account_id", ""), "region": document.get("region", "")}
    named = next(iter(dimensions.values()), "")
    moment = datetime.fromtimestamp(document["timestamp"] / 1000, UTC).isoformat()
    row |= {"resource": named, "metric": document["metric_name"], "time": moment, "source": "CloudWatch"}
    row["unit"] = document.get("unit", "")
    if value.get("count"):
        yield {**row, "value": value["sum"] / value["count"], "statistic": "average"}
    yield {**row, "value": value["max"], "statistic": "maximum"}


def _prometheus(document: Mapping[str, Any]) -> Iterator[Row]:
    if document.get("status") != "success":
        raise ValueError(str(document.get("error", "no success")))
    for series in document["data"]["result"]:
        labels = series["metric"]
        row = {key: labels.get(key, "") for key in ("provider", "account", "region", "unit")}
        row |= {"resource": labels.get("resource") or labels.get("pod") or labels.get("instance") or ""}
        row |= {"metric": labels.get("metric") or labels.get("__name__") or "", "source": "Prometheus"}
        for moment, value in series["values"]:
            yield {**row, "time": datetime.fromtimestamp(float(moment), UTC).isoformat(), "value": value}


def _instances(document: Mapping[str, Any]) -> Iterator[Row]:
    for reservation in document["Reservations"]:
        for one in reservation["Instances"]:
            yield {
                **_thing(one["InstanceId"], "machine", one),
                "account": reservation.get("OwnerId", ""),
                "region": _region(one.get("Placement", {}).get("AvailabilityZone", "")),
                "state": one["State"]["Name"],
                "type": one["InstanceType"],
                "created_day": str(one.get("LaunchTime", ""))[:10],
                "attributes": json.dumps({"architecture": one.get("Architecture", "")}),
            }


def _volumes(document: Mapping[str, Any]) -> Iterator[Row]:
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


def _snapshots(document: Mapping[str, Any]) -> Iterator[Row]:
    for one in document["Snapshots"]:
        yield {
            **_thing(one["SnapshotId"], "snapshot", one),
            "account": one.get("OwnerId", ""),
            "parent": one.get("VolumeId", ""),
            "created_day": str(one.get("StartTime", ""))[:10],
            "size": one.get("VolumeSize"),
            "size_unit": "GB",
        }


def _addresses(document: Mapping[str, Any]) -> Iterator[Row]:
    for one in document["Addresses"]:
        attached = one.get("InstanceId") or one.get("NetworkInterfaceId") or NOTHING
        state = "available" if attached == NOTHING else "in-use"
        yield {
            **_thing(one.get("AllocationId") or one["PublicIp"], "address", one),
            "attached_to": attached,
            "state": state,
            "region": one.get("NetworkBorderGroup", ""),
        }


def _images(document: Mapping[str, Any]) -> Iterator[Row]:
    for one in document["Images"]:
        mappings: Sequence[Mapping[str, Any]] = one.get("BlockDeviceMappings") or ({},)
        for mapping in mappings:
            yield {
                **_thing(one["ImageId"], "image", one),
                "account": one.get("OwnerId", ""),
                "parent": mapping.get("Ebs", {}).get("SnapshotId", ""),
                "created_day": str(one.get("CreationDate", ""))[:10],
            }


# In a row of text: nothing is attached, and that is known.
NOTHING = "(nothing)"


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


READERS = {
    "MetricDataResults": _metric_data,
    "metric_stream_name": _metric_stream,
    "data": _prometheus,
    "Reservations": _instances,
    "Volumes": _volumes,
    "Snapshots": _snapshots,
    "Addresses": _addresses,
    "Images": _images,
}
# What prints the JSON that is read, for people who look for it.
COMMANDS = (
    "aws cloudwatch get-metric-data",
    "CloudWatch metric streams",
    "Prometheus /api/v1/query_range",
    *(f"aws ec2 describe-{name}" for name in ("instances", "volumes", "snapshots", "addresses", "images")),
)
