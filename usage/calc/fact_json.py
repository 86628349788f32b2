"""JSON of providers as rows with names, for layouts: metrics of CloudWatch and Prometheus, inventories of EC2. Pure."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from costs.calc.providers import AWS
from finops_site.lib.language import gettext as _
from usage.calc import aws_inventory
from usage.calc.opencost_json import is_allocation, workload_rows

Row = dict[str, Any]
MOST_BYTES = 200 * 2**20


class BadFacts(ValueError):
    """A file that cannot be read as a whole; the message names it and says what to do."""


def rows_of_json(text: str, source: str) -> Iterator[Row]:
    """The rows of a JSON document, or of a document a line. Raises BadFacts for what is none of those we know.

    Known are those of COMMANDS: of ``aws cloudwatch get-metric-data`` with labels ``account region resource metric``,
    of Prometheus with labels ``resource`` and ``metric``.
    """
    for document in _documents(text, source):
        readers = [reader for key, reader in READERS.items() if key in document]
        if not readers:
            raise BadFacts(
                _("{source}: this JSON is none that we read. We read {names}.").format(
                    source=source, names=", ".join(COMMANDS)
                )
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


def _spot_advisor(document: Mapping[str, Any]) -> Iterator[Row]:
    """How often spot machines of a type are taken back, by AWS's Spot Instance Advisor: the middle of its class."""
    row = {"provider": AWS, "account": "", "metric": "spot_interruption", "unit": "percent"}
    for region, systems in document["spot_advisor"].items():
        for type_, figures in systems.get("Linux", {}).items():
            middle = SPOT_CLASSES[int(figures["r"])]
            yield {**row, "region": region, "resource": type_, "value": middle, "source": "Spot Instance Advisor"}


# Of its classes "<5%", "5-10%", "10-15%", "15-20%" and ">20%".
SPOT_CLASSES = (2.5, 7.5, 12.5, 17.5, 25.0)


def _cluster_or_prometheus(document: Mapping[str, Any]) -> Iterator[Row]:
    return workload_rows(document) if is_allocation(document) else _prometheus(document)


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


READERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Row]]] = {
    "MetricDataResults": _metric_data,
    "metric_stream_name": _metric_stream,
    "data": _cluster_or_prometheus,
    "spot_advisor": _spot_advisor,
    **aws_inventory.READERS,
}
# What prints the JSON that is read, for people who look for it.
COMMANDS = (
    "aws cloudwatch get-metric-data",
    "CloudWatch metric streams",
    "Prometheus /api/v1/query_range",
    "OpenCost /allocation/compute",
    "spot-advisor-data.json (AWS Spot Instance Advisor)",
    *aws_inventory.COMMANDS,
)
