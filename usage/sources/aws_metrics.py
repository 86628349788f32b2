"""What CloudWatch measured of the things that an inventory lists: hours of the last two weeks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from usage.sources.aws_questions import Client, answers, chunks
from usage.sources.readings import Row

RIGHT = "cloudwatch:GetMetricData"
# Rules judge by two weeks that are whole; a day more than that is asked for.
DAYS = 15
HOUR, DAY = 3600, 86400
# CloudWatch takes 500 in a call and answers with 100,800 values: of 250 metrics all hours of fifteen days.
METRICS_PER_CALL = 250


@dataclass(frozen=True, slots=True)
class Metric:
    """One of ours, what CloudWatch calls it, and by what its value is multiplied: sums of an hour become rates."""

    name: str
    namespace: str
    metric: str
    statistic: str
    factor: float = 1.0
    unit: str = ""
    period: int = HOUR


def _average_and_most(name: str, namespace: str, metric: str, unit: str) -> tuple[Metric, Metric]:
    average = Metric(name, namespace, metric, "Average", unit=unit)
    return average, Metric(name, namespace, metric, "Maximum", unit=unit)


def _rate(name: str, namespace: str, metric: str, per: float = 1 / HOUR) -> Metric:
    return Metric(name, namespace, metric, "Sum", per)


# {kind of thing: (the dimension that names it, its metrics)}
METRICS: Mapping[str, tuple[str, Sequence[Metric]]] = {
    "machine": (
        "InstanceId",
        (
            *_average_and_most("cpu", "AWS/EC2", "CPUUtilization", "percent"),
            _rate("network_in", "AWS/EC2", "NetworkIn"),
            _rate("network_out", "AWS/EC2", "NetworkOut"),
        ),
    ),
    "disk": (
        "VolumeId",
        (
            _rate("disk_read_ops", "AWS/EBS", "VolumeReadOps"),
            _rate("disk_write_ops", "AWS/EBS", "VolumeWriteOps"),
        ),
    ),
    "database": (
        "DBInstanceIdentifier",
        (
            *_average_and_most("cpu", "AWS/RDS", "CPUUtilization", "percent"),
            *_average_and_most("connections", "AWS/RDS", "DatabaseConnections", "count"),
        ),
    ),
    "load_balancer": ("LoadBalancer", (_rate("requests", "AWS/ApplicationELB", "RequestCount", per=24),)),
    "bucket": ("BucketName", (Metric("objects", "AWS/S3", "NumberOfObjects", "Average", period=DAY),)),
}
# What is not running has no measurements that would be asked for.
UNMEASURED_STATES = ("stopped", "terminated", "available", "shutting-down")
OF_BUCKET = {"Name": "StorageType", "Value": "AllStorageTypes"}


def dimension_of(row: Row) -> str:
    """What CloudWatch calls a thing; empty for what it does not measure."""
    if row["kind"] not in METRICS or row.get("state") in UNMEASURED_STATES:
        return ""
    if row["kind"] == "load_balancer":
        # Of ``…:loadbalancer/app/web/50dc6c`` the end; network and classic ones count no requests.
        end = str(row["resource"]).partition(":loadbalancer/")[2]
        return end if end.startswith("app/") else ""
    return str(row["name"] if row["kind"] in ("database", "bucket") else row["resource"])


def measurements(client: Client, things: Iterable[Row], until: datetime) -> Iterator[list[Row]]:
    """Rows of metrics of `things`, rows of an inventory in the client's region, in parts. Raises CannotRead.

    A part has all values of its things, so that gaps are seen as gaps.
    """
    end = until.replace(minute=0, second=0, microsecond=0)
    wanted = [(row, metric) for row in things if dimension_of(row) for metric in METRICS[row["kind"]][1]]
    for part in chunks(wanted, METRICS_PER_CALL):
        yield list(_values(client, part, end - timedelta(days=DAYS), end))


def first_measurement(client: Client, until: datetime) -> None:
    """Asks the least that shows whether the right is there. Raises CannotRead."""
    row = {"kind": "machine", "resource": "i-0"}
    query = _query("m0", row, METRICS["machine"][1][0])
    with answers(RIGHT):
        client.get_metric_data(MetricDataQueries=[query], StartTime=until - timedelta(hours=2), EndTime=until)


def _values(client: Client, part: Sequence[tuple[Row, Metric]], start: datetime, end: datetime) -> Iterator[Row]:
    queries = [_query(f"m{number}", row, metric) for number, (row, metric) in enumerate(part)]
    window = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end, "ScanBy": "TimestampAscending"}
    with answers(RIGHT):
        for page in client.get_paginator("get_metric_data").paginate(**window):
            for result in page["MetricDataResults"]:
                row, metric = part[int(result["Id"][1:])]
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                    yield {
                        **{name: row[name] for name in ("provider", "account", "region", "resource")},
                        "metric": metric.name,
                        "time": moment.isoformat(),
                        "value": value * metric.factor,
                        "unit": metric.unit,
                        "statistic": "maximum" if metric.statistic == "Maximum" else "average",
                    }


def _query(identity: str, row: Row, metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": METRICS[row["kind"]][0], "Value": dimension_of(row)}]
    if row["kind"] == "bucket":
        dimensions.append(OF_BUCKET)
    stat = {
        "Metric": {"Namespace": metric.namespace, "MetricName": metric.metric, "Dimensions": dimensions},
        "Period": metric.period,
        "Stat": metric.statistic,
    }
    return {"Id": identity, "MetricStat": stat, "ReturnData": True}
