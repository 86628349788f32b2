"""Azure subscriptions asked what there is, what was measured and what Advisor says, by a role that only reads."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from costs.calc.providers import AZURE
from finops_site.translation import gettext_lazy as _lazy
from usage.calc.aws_inventory import NOTHING
from usage.models import Connection, FactImport
from usage.sources.azure_calls import AzureClient
from usage.sources.readings import METRICS_LABEL, CannotRead, Reading, Row

Kind = FactImport.Kind
Answer = Mapping[str, Any]
GRAPH_RIGHT, METRICS_RIGHT = "Microsoft.ResourceGraph/resources/read", "Microsoft.Insights/metrics/read"
DAYS = 15
HOUR = 3600
PLACE = "id, name, location, subscriptionId"


@dataclass(frozen=True, slots=True)
class AzureQuestion:
    """One kind of thing: a query of Resource Graph, and what of its rows an inventory has."""

    kind: str
    label: str
    type: str
    columns: str
    row: Callable[[Answer], Row]

    @property
    def query(self) -> str:
        return f"resources | where type =~ '{self.type}' | project {PLACE}, {self.columns}"


def _machine(one: Answer) -> Row:
    state = str(one.get("state") or "").removeprefix("PowerState/")
    return {"state": state, "type": one.get("size"), "created_day": _day(one.get("created"))}


def _disk(one: Answer) -> Row:
    attached = one.get("managedBy") or NOTHING
    return {
        "state": "available" if attached == NOTHING else "in-use",
        "attached_to": attached,
        "type": one.get("sku"),
        "size": one.get("size"),
        "size_unit": "GB",
        "created_day": _day(one.get("created")),
    }


def _snapshot(one: Answer) -> Row:
    size = {"size": one.get("size"), "size_unit": "GB"}
    return {**size, "parent": one.get("parent"), "created_day": _day(one.get("created"))}


def _address(one: Answer) -> Row:
    attached = one.get("attached") or one.get("gateway") or NOTHING
    return {"state": "available" if attached == NOTHING else "in-use", "attached_to": attached}


def _balancer(one: Answer) -> Row:
    targets = 0
    for pool in one.get("pools") or ():
        properties = pool.get("properties") or {}
        addresses = properties.get("loadBalancerBackendAddresses") or properties.get("backendIPConfigurations") or ()
        targets += len(addresses)
    return {"type": one.get("sku"), "attributes": json.dumps({"targets": targets})}


def _day(text: Any) -> str:
    return str(text or "")[:10]


QUESTIONS: Sequence[AzureQuestion] = (
    AzureQuestion(
        "machine",
        _lazy("Machines"),
        "microsoft.compute/virtualmachines",
        "size=properties.hardwareProfile.vmSize, state=properties.extended.instanceView.powerState.code,"
        " created=properties.timeCreated",
        _machine,
    ),
    AzureQuestion(
        "disk",
        _lazy("Disks"),
        "microsoft.compute/disks",
        "managedBy, sku=sku.name, size=properties.diskSizeGB, created=properties.timeCreated",
        _disk,
    ),
    AzureQuestion(
        "snapshot",
        _lazy("Snapshots"),
        "microsoft.compute/snapshots",
        "size=properties.diskSizeGB, parent=properties.creationData.sourceResourceId, created=properties.timeCreated",
        _snapshot,
    ),
    AzureQuestion(
        "address",
        _lazy("Addresses"),
        "microsoft.network/publicipaddresses",
        "attached=properties.ipConfiguration.id, gateway=properties.natGateway.id",
        _address,
    ),
    AzureQuestion(
        "load_balancer",
        _lazy("Load balancers and their targets"),
        "microsoft.network/loadbalancers",
        "sku=sku.name, pools=properties.backendAddressPools",
        _balancer,
    ),
)
SUBSCRIPTIONS = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project subscriptionId"
ADVISOR = "Azure Advisor"
ADVICE = (
    "advisorresources | where type =~ 'microsoft.advisor/recommendations' and properties.category =~ 'Cost'"
    " | project subscriptionId, resource=properties.resourceMetadata.resourceId,"
    " title=properties.shortDescription.problem, saving=properties.extendedProperties.annualSavingsAmount,"
    " currency=properties.extendedProperties.savingsCurrency"
)
# {Azure's name: (ours, the aggregations that are read, by what a value is multiplied, its unit)}
MONITOR: Mapping[str, tuple[str, Sequence[str], float, str]] = {
    "Percentage CPU": ("cpu", ("average", "maximum"), 1, "percent"),
    "Network In Total": ("network_in", ("total",), 1 / HOUR, ""),
    "Network Out Total": ("network_out", ("total",), 1 / HOUR, ""),
}


def read_azure(reading: Reading) -> None:
    """Asks all subscriptions of the connection. Raises CannotRead where none can be asked."""
    client = AzureClient(reading.connection)
    wanted = [name.lower() for name in reading.connection.account_list]
    # Resource Graph answers with the subscriptions that it may see and says nothing of the others.
    seen = {str(row["subscriptionId"]).lower() for row in client.graph(wanted, SUBSCRIPTIONS, GRAPH_RIGHT)}
    open_, closed = [one for one in wanted if one in seen], [one for one in wanted if one not in seen]
    if not open_:
        raise CannotRead(_("None of the subscriptions can be seen: give the role Reader on them."), right=GRAPH_RIGHT)
    for subscription in closed:
        text = _("{subscription} cannot be seen: give the role Reader on it.").format(subscription=subscription)
        reading.part("accounts", _("Accounts")).problems.append(text)
        _leave_out(reading, subscription)
    machines: list[Row] = []
    try:
        for question in QUESTIONS:
            rows = _ask(reading, client, open_, question)
            machines += rows if question.kind == "machine" else []
        _read_metrics(reading, client, open_, machines)
        _read_advice(reading, client, open_)
    except CannotRead as problem:
        # Its credentials ended under way: what came until then counts, and the rest is as it was.
        reading.part("accounts", _("Accounts")).problems.append(str(problem))
        for subscription in open_:
            _leave_out(reading, subscription)


def _leave_out(reading: Reading, subscription: str) -> None:
    for question in QUESTIONS:
        reading.collection.leave_out(Kind.INVENTORY, AZURE, subscription, "", question.kind)
    reading.collection.leave_out(Kind.METRICS, AZURE, subscription, "", "")
    reading.collection.leave_out(Kind.ADVICE, AZURE, subscription, "", ADVISOR)


def _ask(reading: Reading, client: AzureClient, subscriptions: Sequence[str], question: AzureQuestion) -> list[Row]:
    part = reading.part(question.kind, str(question.label))
    try:
        answers = list(client.graph(subscriptions, question.query, GRAPH_RIGHT))
    except CannotRead as problem:
        if problem.is_expired:
            raise
        part.problems.append(str(problem))
        for subscription in subscriptions:
            reading.collection.leave_out(Kind.INVENTORY, AZURE, subscription, "", question.kind)
        return []
    rows = [
        {
            "provider": AZURE,
            "account": str(one["subscriptionId"]).lower(),
            "region": one.get("location", ""),
            "resource": one["id"],
            "kind": question.kind,
            "name": one.get("name", ""),
            **question.row(one),
        }
        for one in answers
    ]
    part.rows += reading.collection.add(Kind.INVENTORY, rows)
    return rows


def _read_metrics(reading: Reading, client: AzureClient, subscriptions: Sequence[str], machines: Sequence[Row]) -> None:
    if not reading.connection.with_metrics:
        return
    part = reading.part(METRICS_LABEL, _("Metrics of Azure Monitor"))
    reading.collection.answered.add(Kind.METRICS)
    end = reading.now.replace(minute=0, second=0, microsecond=0)
    span = f"{(end - timedelta(days=DAYS)).isoformat()}/{end.isoformat()}"
    for machine in machines:
        if machine["state"] != "running":
            continue
        try:
            answer = client.metrics(
                machine["resource"],
                METRICS_RIGHT,
                metricnames=",".join(MONITOR),
                timespan=span,
                interval="PT1H",
                aggregation="Average,Maximum,Total",
            )
        except CannotRead as problem:
            if problem.is_expired:
                raise
            part.problems.append(f"{machine['name']}: {problem}")
            # Of a subscription all of it or nothing: what was known of the rest stays.
            reading.collection.leave_out(Kind.METRICS, AZURE, machine["account"], "", "")
            continue
        part.rows += reading.collection.add(Kind.METRICS, _measured(machine, answer))


def _measured(machine: Row, answer: Answer) -> list[Row]:
    place = {name: machine[name] for name in ("provider", "account", "region", "resource")}
    rows = []
    for metric in answer.get("value", ()):
        ours, aggregations, factor, unit = MONITOR[metric["name"]["value"]]
        for series in metric.get("timeseries", ()):
            for point in series.get("data", ()):
                rows += [
                    {
                        **place,
                        "metric": ours,
                        "time": point["timeStamp"],
                        "value": point[aggregation] * factor,
                        "unit": unit,
                        "statistic": "maximum" if aggregation == "maximum" else "average",
                    }
                    for aggregation in aggregations
                    if point.get(aggregation) is not None
                ]
    return rows


def _read_advice(reading: Reading, client: AzureClient, subscriptions: Sequence[str]) -> None:
    if not reading.connection.with_advice:
        return
    part = reading.part("advisor", _("Recommendations of Azure Advisor"))
    try:
        answers = list(client.graph(subscriptions, ADVICE, GRAPH_RIGHT))
    except CannotRead as problem:
        if problem.is_expired:
            raise
        part.problems.append(str(problem))
        for subscription in subscriptions:
            reading.collection.leave_out(Kind.ADVICE, AZURE, subscription, "", ADVISOR)
        return
    rows = [
        {
            "Category": "Cost",
            "Recommendation": one.get("title") or ADVISOR,
            "Subscription ID": one["subscriptionId"],
            "Resource Name": one["resource"],
            "Resource ID": one["resource"],
            "Potential Annual Cost Savings": one.get("saving") or "",
            "Potential Cost Savings Currency": one.get("currency") or "",
        }
        for one in answers
        if one.get("resource")
    ]
    part.rows += reading.collection.add(Kind.ADVICE, rows)


def missing_rights(connection: Connection) -> tuple[str, list[str], list[str]]:
    """(subscriptions that are seen, rights that are denied, other problems). Raises CannotRead."""
    client = AzureClient(connection)
    wanted = [name.lower() for name in connection.account_list]
    seen = {str(row["subscriptionId"]).lower() for row in client.graph(wanted, SUBSCRIPTIONS, GRAPH_RIGHT)}
    hidden = [one for one in wanted if one not in seen]
    texts = [_("{subscription} cannot be seen: give the role Reader on it.").format(subscription=one) for one in hidden]
    return ", ".join(one for one in wanted if one in seen) or wanted[0], [], texts
