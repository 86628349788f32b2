"""AWS's calls that find an offering and buy it, for each service that sells commitments. Pure: no Django.

One table for the script of the AWS CLI and for the API client. Names are those of botocore's service models, which the
tests hold every call against. What the question cannot filter by is in `wanted`: the answer's rows are compared with
it, for RDS finds `mysql` in `aurora-mysql` too, and OpenSearch and Redshift list everything they sell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from finops_site.lib.language import gettext as _
from reservations.calc.purchase_orders import AWS_PLAN_TYPES, TAG, Order
from reservations.calc.purchase_rules import PRICE_MAY_MOVE
from reservations.calc.terms import AWS_CLASSES, AWS_PAYMENTS, MULTI_AZ, SP_EC2

CENT: Final = Decimal("0.01")


class ByHand(ValueError):
    """It cannot be bought by a command, with the reason: somebody buys it in the console."""


@dataclass(frozen=True, slots=True)
class AwsCalls:
    """The question for offerings, what the right one says, and the purchase, whose `offering` is the id found."""

    service: str
    region: str
    find: str
    query: Mapping[str, object]
    rows: str
    identity: str
    wanted: Mapping[str, object]
    buy: str
    purchase: Mapping[str, object]
    offering: str


@dataclass(frozen=True, slots=True)
class ReservationApi:
    """How a service sells reservations. `named` is the parameter that takes our own name; empty where there is none."""

    service: str
    find: str
    rows: str
    identity: str
    buy: str
    machine: str
    count: str
    named: str
    payment: str = "OfferingType"
    # Whether the question itself filters; else only the answer's rows are compared.
    filters: bool = True
    # What is owned: the question, the rows, and their id.
    owned: str = ""
    owned_rows: str = ""
    owned_id: str = ""
    # The path of the id in the answer to a purchase.
    sold: tuple[str, ...] = ()


RESERVATION_APIS: Final = {
    "RDS": ReservationApi(
        "rds",
        "DescribeReservedDBInstancesOfferings",
        "ReservedDBInstancesOfferings",
        "ReservedDBInstancesOfferingId",
        "PurchaseReservedDBInstancesOffering",
        "DBInstanceClass",
        "DBInstanceCount",
        "ReservedDBInstanceId",
        owned="DescribeReservedDBInstances",
        owned_rows="ReservedDBInstances",
        owned_id="ReservedDBInstanceId",
        sold=("ReservedDBInstance", "ReservedDBInstanceId"),
    ),
    "ElastiCache": ReservationApi(
        "elasticache",
        "DescribeReservedCacheNodesOfferings",
        "ReservedCacheNodesOfferings",
        "ReservedCacheNodesOfferingId",
        "PurchaseReservedCacheNodesOffering",
        "CacheNodeType",
        "CacheNodeCount",
        "ReservedCacheNodeId",
        owned="DescribeReservedCacheNodes",
        owned_rows="ReservedCacheNodes",
        owned_id="ReservedCacheNodeId",
        sold=("ReservedCacheNode", "ReservedCacheNodeId"),
    ),
    "MemoryDB": ReservationApi(
        "memorydb",
        "DescribeReservedNodesOfferings",
        "ReservedNodesOfferings",
        "ReservedNodesOfferingId",
        "PurchaseReservedNodesOffering",
        "NodeType",
        "NodeCount",
        "ReservationId",
        owned="DescribeReservedNodes",
        owned_rows="ReservedNodes",
        owned_id="ReservationId",
        sold=("ReservedNode", "ReservationId"),
    ),
    "OpenSearch": ReservationApi(
        "opensearch",
        "DescribeReservedInstanceOfferings",
        "ReservedInstanceOfferings",
        "ReservedInstanceOfferingId",
        "PurchaseReservedInstanceOffering",
        "InstanceType",
        "InstanceCount",
        "ReservationName",
        payment="PaymentOption",
        filters=False,
        owned="DescribeReservedInstances",
        owned_rows="ReservedInstances",
        owned_id="ReservedInstanceId",
        sold=("ReservedInstanceId",),
    ),
    "Redshift": ReservationApi(
        "redshift",
        "DescribeReservedNodeOfferings",
        "ReservedNodeOfferings",
        "ReservedNodeOfferingId",
        "PurchaseReservedNodeOffering",
        "NodeType",
        "NodeCount",
        "",
        filters=False,
        owned="DescribeReservedNodes",
        owned_rows="ReservedNodes",
        owned_id="ReservedNodeId",
        sold=("ReservedNode", "ReservedNodeId"),
    ),
}
# Answers of these do not name a currency.
WITHOUT_CURRENCY: Final = ("ElastiCache", "MemoryDB")
# EC2's names of what runs, by ours.
EC2_PRODUCTS: Final = {
    "Linux": "Linux/UNIX",
    "RHEL": "Red Hat Enterprise Linux",
    "RHEL with HA": "Red Hat Enterprise Linux with HA",
    "SUSE": "SUSE Linux",
    "Windows": "Windows",
    **{
        name: name
        for system in ("Linux", "Windows")
        for edition in ("Standard", "Web", "Enterprise")
        for name in [f"{system} with SQL Server {edition}"]
    },
}
# RDS's product descriptions by the engine; where it has a licence the description ends with it.
RDS_ENGINES: Final = {
    "aurora postgresql": "aurora-postgresql",
    "aurora mysql": "aurora-mysql",
    "postgresql": "postgresql",
    "mariadb": "mariadb",
    "mysql": "mysql",
}
ORACLE_EDITIONS: Final = {"enterprise": "ee", "standard two": "se2", "standard one": "se1", "standard": "se"}
SQL_SERVER_EDITIONS: Final = {"enterprise": "ee", "standard": "se", "web": "web", "express": "ex"}
CACHE_ENGINES: Final = ("valkey", "redis", "memcached")


def aws_calls(order: Order) -> AwsCalls:
    """The calls that buy an order at AWS. Raises ByHand where AWS sells it in its console only, or where not all that
    names the offering is known."""
    if order.kind in AWS_PLAN_TYPES:
        return _plan_calls(order)
    if order.kind not in AWS_CLASSES:
        raise ByHand(_("AWS sells no {kind} by a command.").format(kind=order.kind))
    if order.service == "EC2":
        return _ec2_calls(order)
    if order.service not in RESERVATION_APIS:
        raise ByHand(_("AWS sells reservations of {service} in its console only.").format(service=order.service))
    return _service_calls(order, RESERVATION_APIS[order.service])


def _plan_calls(order: Order) -> AwsCalls:
    query: dict[str, object] = {
        "planTypes": [AWS_PLAN_TYPES[order.kind]],
        "durations": [order.seconds],
        "paymentOptions": [AWS_PAYMENTS[order.payment]],
        "currencies": [order.currency],
    }
    if order.kind == SP_EC2:
        query["filters"] = [
            {"name": "region", "values": [order.region]},
            {"name": "instanceFamily", "values": [order.instance_type]},
        ]
    # An upfront payment follows from the payment option of the offering. The client token makes AWS sell it once;
    # under the tag it is found where an answer got lost.
    purchase = {"commitment": order.commitment, "clientToken": order.token, "tags": {TAG: order.token}}
    return AwsCalls(
        "savingsplans",
        "",
        "DescribeSavingsPlansOfferings",
        query,
        "searchResults",
        "offeringId",
        {"durationSeconds": order.seconds},
        "CreateSavingsPlan",
        purchase,
        "savingsPlanOfferingId",
    )


def ec2_product(system: str) -> str:
    """EC2's name of what runs on a machine; raises ByHand where it has none."""
    if system not in EC2_PRODUCTS:
        raise ByHand(
            _("EC2 sells no reservation for {value}.").format(value=system or _("a machine whose system is not known"))
        )
    return EC2_PRODUCTS[system]


def _ec2_calls(order: Order) -> AwsCalls:
    """Of AWS itself, without offers of the marketplace; AWS refuses an upfront payment above the limit price."""
    if order.tenancy not in ("default", "dedicated"):
        raise ByHand(
            _("A reservation is for shared or dedicated machines, and these run on tenancy {tenancy!r}.").format(
                tenancy=order.tenancy
            )
        )
    scope = "Availability Zone" if order.zone else "Region"
    query: dict[str, object] = {
        "Filters": [
            {"Name": "instance-type", "Values": [order.instance_type]},
            {"Name": "product-description", "Values": [ec2_product(order.system)]},
        ],
        "OfferingClass": AWS_CLASSES[order.kind],
        "OfferingType": AWS_PAYMENTS[order.payment],
        "InstanceTenancy": order.tenancy,
        "MinDuration": order.seconds,
        "MaxDuration": order.seconds,
        "IncludeMarketplace": False,
    }
    wanted: dict[str, object] = {"Duration": order.seconds, "CurrencyCode": order.currency, "Scope": scope}
    if order.zone:
        query["AvailabilityZone"] = wanted["AvailabilityZone"] = order.zone
    purchase: dict[str, object] = {"InstanceCount": int(order.quantity)}
    if order.upfront and order.currency == "USD":
        most = (order.upfront * (1 + PRICE_MAY_MOVE)).quantize(CENT)
        purchase["LimitPrice"] = {"Amount": float(most), "CurrencyCode": order.currency}
    return AwsCalls(
        "ec2",
        order.region,
        "DescribeReservedInstancesOfferings",
        query,
        "ReservedInstancesOfferings",
        "ReservedInstancesOfferingId",
        wanted,
        "PurchaseReservedInstancesOffering",
        purchase,
        "ReservedInstancesOfferingId",
    )


def _service_calls(order: Order, api: ReservationApi) -> AwsCalls:
    payment = AWS_PAYMENTS[order.payment]
    if order.service == "OpenSearch":
        payment = payment.upper().replace(" ", "_")
    wanted: dict[str, object] = {api.machine: order.instance_type, "Duration": order.seconds, api.payment: payment}
    query: dict[str, object] = {}
    if api.filters:
        query = {api.machine: order.instance_type, "Duration": str(order.seconds), api.payment: payment}
    if order.service == "RDS":
        product, multi = rds_product(order.system), is_multi_az(order.system)
        query |= {"ProductDescription": product, "MultiAZ": multi}
        wanted |= {"ProductDescription": product, "MultiAZ": multi}
    if order.service == "ElastiCache":
        query["ProductDescription"] = wanted["ProductDescription"] = cache_product(order.system)
    if order.service not in WITHOUT_CURRENCY:
        wanted["CurrencyCode"] = order.currency
    purchase: dict[str, object] = {api.count: int(order.quantity)}
    if api.named:
        purchase[api.named] = order.name
    return AwsCalls(
        api.service, order.region, api.find, query, api.rows, api.identity, wanted, api.buy, purchase, api.identity
    )


def is_multi_az(system: str) -> bool:
    """Whether an RDS reservation is for two zones; Aurora's copies are machines of their own."""
    return MULTI_AZ in system.lower() and "aurora" not in system.lower()


def rds_product(system: str) -> str:
    """RDS's product description of an engine (``postgresql``, ``sqlserver-se(li)``). Raises ByHand where the bill does
    not say the edition or whose licence it is."""
    lower = " ".join(system.lower().replace(MULTI_AZ, " ").replace("-", " ").split())
    if "sql server" in lower or "sqlserver" in lower:
        edition = next((code for word, code in SQL_SERVER_EDITIONS.items() if word in lower), "")
        if not edition:
            raise ByHand(_("The bill does not say which edition of SQL Server this is."))
        return f"sqlserver-{edition}({_licence(lower) or 'li'})"
    if "cluster" in lower or "optimized" in lower:
        raise ByHand(
            _("A cluster with readable standbys, or Aurora I/O-Optimized, counts as several reservations of one.")
        )
    if "oracle" in lower:
        edition = next((code for word, code in ORACLE_EDITIONS.items() if word in lower), "")
        licence = _licence(lower)
        if not edition or not licence:
            raise ByHand(_("The bill does not say which edition of Oracle this is, or whose licence it uses."))
        return f"oracle-{edition}({licence})"
    if "aurora" in lower and not any(word in lower for word in ("postgres", "mysql")):
        raise ByHand(_("The bill does not say whether this Aurora speaks PostgreSQL or MySQL."))
    for engine, product in RDS_ENGINES.items():
        if all(word in lower for word in engine.split()):
            return product
    raise ByHand(_("RDS has no reservation whose engine we know as {value}.").format(value=system or _("nothing")))


def _licence(lower: str) -> str:
    if "byol" in lower or "bring your own" in lower:
        return "byol"
    return "li" if "licence included" in lower or "license included" in lower or "(li)" in lower else ""


def cache_product(system: str) -> str:
    """ElastiCache's engine; raises ByHand where the bill does not say it."""
    engine = next((name for name in CACHE_ENGINES if name in system.lower()), "")
    if not engine:
        raise ByHand(_("The bill does not say which engine this cache runs: Valkey, Redis or Memcached."))
    return engine
