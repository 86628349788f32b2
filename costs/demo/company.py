"""The demo company as data: what it runs, where, since when, how it tags. Pure: no Django, and no clock.

Northwind Retail is invented; its prices are AWS's public on-demand prices of us-east-1 (2026, as published), with a
factor for other regions. Everything is derived from names by a checksum, so it is the same every time.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

from finops_site.lib.periods import Month

PAYER = ("210000000001", "Northwind payer")
PRODUCTION = ("210000000010", "production")
DEVELOPMENT = ("210000000020", "development")

REGIONS = {
    "us-east-1": ("US East (N. Virginia)", 1000),
    "us-west-2": ("US West (Oregon)", 1000),
    "eu-west-1": ("Europe (Ireland)", 1110),
    "ap-south-1": ("Asia Pacific (Mumbai)", 1050),
}
# USD per hour: Linux, Windows with SQL Server Standard, Windows with SQL Server Enterprise.
MACHINES = {
    "t3.micro": {"Linux": "0.0104"},
    "t3.small": {"Linux": "0.0208"},
    "m5.large": {"Linux": "0.0960", "SQL Server Standard": "0.6680", "SQL Server Enterprise": "1.6880"},
    "c5.xlarge": {"Linux": "0.1700", "SQL Server Standard": "0.8340", "SQL Server Enterprise": "1.8540"},
    "r5.large": {"Linux": "0.1260", "SQL Server Standard": "0.6980", "SQL Server Enterprise": "1.7180"},
}
TYPES = tuple(MACHINES)
RUNNING, STOPPED, TERMINATED, BUCKETS = 82, 25, 13, 80
WORKLOADS = ("checkout", "ledger", "catalog", "search", "orders", "etl", "reports", "portal", "batch", "cache")

OWNERS = {
    "Payments": ("lea", "eli", "kim"),
    "Data": ("ola", "raj"),
    "Storefront": ("sam", "noa"),
    "Platform": ("pat",),
}
COST_CENTERS = {"Payments": "CC-1001", "Data": "CC-1002", "Storefront": "CC-1003", "Platform": "CC-1004"}
TEAMS = tuple(OWNERS)


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that costs every day it stands: `quantity` units a day at `price` USD, shaped by `rhythm`."""

    id: str
    name: str
    kind: str
    service: str
    category: str
    subcategory: str
    account: tuple[str, str]
    region: str
    description: str
    sku: str
    price: Decimal
    quantity: Decimal
    unit: str
    rhythm: str = "steady"
    start: date | None = None
    end: date | None = None
    details: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def stands_on(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


def pick(key: str, below: int) -> int:
    """A number under `below` that belongs to `key` for ever."""
    return crc32(key.encode()) % below


def resources(as_of: date) -> list[Resource]:
    """Everything the company runs; launches, endings and the runaway job are placed relative to `as_of`."""
    return [*_machines(as_of), *_buckets(), *_databases(), *_network(), *_rest(as_of)]


def _machines(as_of: date) -> Iterator[Resource]:
    for number in range(RUNNING + STOPPED + TERMINATED):
        state = "running" if number < RUNNING else "stopped" if number < RUNNING + STOPPED else "terminated"
        yield from _machine(number, state, as_of)


def _machine(number: int, state: str, as_of: date) -> Iterator[Resource]:
    kind, region = TYPES[number % 5], tuple(REGIONS)[number % 4]
    system = _system(kind, number)
    name = f"{WORKLOADS[number % 10]}-{number:03}"
    identity = f"i-0{pick(name, 1 << 32):08x}{number:08x}"
    account = DEVELOPMENT if number % 3 == 2 else PRODUCTION
    tags = tags_of(name, team_of(number), "Dev" if account is DEVELOPMENT else "Production")
    start, end = _life(number, state, as_of)
    if state != "stopped":
        price = Decimal(MACHINES[kind][system])
        yield _computes(identity, name, kind, system, account, region, price, start, end, tags)
    if state != "terminated":
        yield _volume(identity, name, account, region, start, tags)


def _system(kind: str, number: int) -> str:
    """Two in five of the larger machines carry SQL Server licences: that is where the money is."""
    if len(MACHINES[kind]) == 1:
        return "Linux"
    return ("Linux", "SQL Server Standard", "Linux", "SQL Server Enterprise", "SQL Server Standard")[number // 5 % 5]


def _life(number: int, state: str, as_of: date) -> tuple[date | None, date | None]:
    """Every sixth running machine was launched in the past year; the terminated ones ended in it one by one."""
    if state == "terminated":
        return None, as_of - timedelta(days=40 + 24 * (number - RUNNING - STOPPED))
    if state == "running" and number % 6 == 5:
        return as_of - timedelta(days=60 + 4 * number), None
    return None, None


def _computes(
    identity: str,
    name: str,
    kind: str,
    system: str,
    account: tuple[str, str],
    region: str,
    price: Decimal,
    start: date | None,
    end: date | None,
    tags: dict[str, str],
) -> Resource:
    platform = system if system == "Linux" else f"Windows with {system}"
    return Resource(
        id=identity,
        name=name,
        kind="Instance",
        service="Amazon Elastic Compute Cloud",
        category="Compute",
        subcategory="Virtual Machines",
        account=account,
        region=region,
        description=f"On Demand {platform} {kind} Instance Hour",
        sku=f"EC2-{kind}-{system.replace(' ', '')}",
        price=in_region(price, region),
        quantity=Decimal(24),
        unit="Hours",
        start=start,
        end=end,
        details={"InstanceType": kind, "OperatingSystem": platform},
        tags=tags,
    )


def _volume(
    machine: str, name: str, account: tuple[str, str], region: str, start: date | None, tags: dict[str, str]
) -> Resource:
    size = 100 + 50 * pick(f"volume {name}", 13)
    return Resource(
        id=machine.replace("i-", "vol-"),
        name=f"{name}-data",
        kind="Volume",
        service="Amazon Elastic Block Store",
        category="Storage",
        subcategory="Block Storage",
        account=account,
        region=region,
        description="GB-month of General Purpose (gp3) provisioned storage",
        sku="EBS-gp3",
        price=in_region(Decimal("0.0800"), region),
        quantity=per_day(Decimal(size)),
        unit="GB-Mo",
        start=start,
        tags=tags,
    )


def _buckets() -> Iterator[Resource]:
    for number in range(BUCKETS):
        name = f"northwind-{WORKLOADS[number % 10]}-{number:02}"
        terabytes = Decimal(1 + pick(f"size {name}", 95)) / 10
        yield Resource(
            id=f"arn:aws:s3:::{name}",
            name=name,
            kind="Bucket",
            service="Amazon Simple Storage Service",
            category="Storage",
            subcategory="Object Storage",
            account=DEVELOPMENT if number % 4 == 3 else PRODUCTION,
            region=tuple(REGIONS)[number % 4],
            description="GB-month of storage, Standard",
            sku="S3-standard",
            price=in_region(Decimal("0.0230"), tuple(REGIONS)[number % 4]),
            quantity=per_day(terabytes * 1024),
            unit="GB-Mo",
            rhythm="growing",
            tags=tags_of(name, team_of(number), "Production" if number % 4 != 3 else "Dev"),
        )


def _databases() -> Iterator[Resource]:
    for number, (name, team) in enumerate(
        [
            ("ledger", "Payments"),
            ("payments-replica", "Payments"),
            ("warehouse", "Data"),
            ("catalog", "Storefront"),
            ("sessions", "Storefront"),
            ("identity", "Platform"),
        ]
    ):
        yield Resource(
            id=f"arn:aws:rds:us-east-1:{PRODUCTION[0]}:db:{name}",
            name=name,
            kind="Database",
            service="Amazon Relational Database Service",
            category="Databases",
            subcategory="Relational Databases",
            account=PRODUCTION,
            region="us-east-1" if number < 4 else "eu-west-1",
            description="db.r5.2xlarge Multi-AZ PostgreSQL instance hour",
            sku="RDS-r5.2xlarge",
            price=in_region(Decimal("1.9920"), "us-east-1" if number < 4 else "eu-west-1"),
            quantity=Decimal(24),
            unit="Hours",
            details={"InstanceType": "db.r5.2xlarge"},
            tags=tags_of(f"db {name}", team, "Production"),
        )


def _network() -> Iterator[Resource]:
    """What everybody shares and nobody tags."""
    for region in REGIONS:
        share = {"us-east-1": 5, "us-west-2": 2, "eu-west-1": 2, "ap-south-1": 1}[region]
        common: dict[str, Any] = {
            "account": PRODUCTION,
            "region": region,
            "category": "Networking",
            "subcategory": "Network Connectivity",
        }
        yield Resource(
            id="",
            name="",
            kind="",
            service="AWS Data Transfer",
            description="GB data transferred out to the internet",
            sku="DT-out",
            price=Decimal("0.0900"),
            quantity=Decimal(150 * share),
            unit="GB",
            rhythm="weekday",
            **common,
        )
        yield Resource(
            id=f"nat-0{pick(region, 1 << 32):08x}",
            name=f"nat {region}",
            kind="NAT Gateway",
            service="Amazon Virtual Private Cloud",
            description="GB data processed by NAT gateways",
            sku="NAT-bytes",
            price=in_region(Decimal("0.0450"), region),
            quantity=Decimal(120 * share),
            unit="GB",
            rhythm="weekday",
            **common,
        )
        yield Resource(
            id=f"arn:aws:elasticloadbalancing:{region}:{PRODUCTION[0]}:loadbalancer/app/web",
            name=f"web {region}",
            kind="Load Balancer",
            service="Elastic Load Balancing",
            description="LCU-hour",
            sku="ALB-lcu",
            price=in_region(Decimal("0.0080"), region),
            quantity=Decimal(390 * share),
            unit="LCU-Hrs",
            rhythm="weekday",
            tags=tags_of(f"alb {region}", "Storefront", "Production"),
            **common,
        )


def _rest(as_of: date) -> Iterator[Resource]:
    month = Month.of(as_of - timedelta(days=1))
    adopted, retired = month.plus(-1).start, month.plus(-1).start + timedelta(days=14)
    plain: dict[str, Any] = {"account": PRODUCTION, "region": "us-east-1"}
    yield Resource(
        id="E1NORTHWIND",
        name="shop.northwind.example",
        kind="Distribution",
        service="Amazon CloudFront",
        category="Networking",
        subcategory="Content Delivery",
        description="GB data transferred out by CloudFront",
        sku="CF-out",
        price=Decimal("0.0850"),
        quantity=Decimal(760),
        unit="GB",
        rhythm="weekday",
        tags=tags_of("cloudfront", "Storefront", "Production"),
        **plain,
    )
    for team in TEAMS:
        yield Resource(
            id=f"arn:aws:lambda:us-east-1:{PRODUCTION[0]}:function:{team.lower()}-events",
            name=f"{team.lower()}-events",
            kind="Function",
            service="AWS Lambda",
            category="Compute",
            subcategory="Serverless Compute",
            description="GB-second of function duration",
            sku="LAMBDA-gbs",
            price=Decimal("0.0000166667"),
            quantity=Decimal(390_000),
            unit="Lambda-GB-Second",
            rhythm="weekday",
            tags=tags_of(f"lambda {team}", team, "Production"),
            **plain,
        )
    yield _glue("nightly-etl", Decimal(120), "monthend", None, None, plain)
    yield _glue("clickstream-backfill", Decimal(4_300), "steady", as_of - timedelta(9), as_of - timedelta(5), plain)
    yield Resource(
        id="",
        name="",
        kind="",
        service="AmazonCloudWatch",
        category="Management and Governance",
        subcategory="Observability",
        description="GB of logs ingested",
        sku="CW-logs",
        price=Decimal("0.5000"),
        quantity=Decimal(62),
        unit="GB",
        rhythm="weekday",
        **plain,
    )
    yield Resource(
        id=f"arn:aws:es:us-east-1:{PRODUCTION[0]}:domain/search",
        name="search",
        kind="Domain",
        service="Amazon OpenSearch Service",
        category="Analytics",
        subcategory="Search",
        description="r6g.xlarge.search instance hour",
        sku="OS-r6g.xlarge",
        price=Decimal("0.3350"),
        quantity=Decimal(24 * 5),
        unit="Hours",
        start=adopted,
        details={"InstanceType": "r6g.xlarge.search"},
        tags=tags_of("opensearch", "Storefront", "Production"),
        **plain,
    )
    yield Resource(
        id=f"arn:aws:sagemaker:us-east-1:{PRODUCTION[0]}:endpoint/fraud-scoring",
        name="fraud-scoring",
        kind="Endpoint",
        service="Amazon SageMaker",
        category="AI and Machine Learning",
        subcategory="Machine Learning",
        description="ml.m5.xlarge real-time inference hour",
        sku="SM-m5.xlarge",
        price=Decimal("0.2300"),
        quantity=Decimal(24 * 6),
        unit="Hours",
        start=month.start,
        details={"InstanceType": "ml.m5.xlarge"},
        tags={"Owner": "eli", "Environment": "Production", "Team": "Payments"},
        **plain,
    )
    yield Resource(
        id=f"arn:aws:rds:us-east-1:{PRODUCTION[0]}:cluster:payments-archive",
        name="payments-archive",
        kind="Cluster",
        service="Amazon DocumentDB",
        category="Databases",
        subcategory="NoSQL Databases",
        description="db.r5.large instance hour",
        sku="DOCDB-r5.large",
        price=Decimal("0.2770"),
        quantity=Decimal(24 * 3),
        unit="Hours",
        end=month.previous.start + timedelta(days=20),
        details={"InstanceType": "db.r5.large"},
        tags={"Owner": "lea", "Environment": "Production"},
        **plain,
    )
    yield Resource(
        id=f"arn:aws:elasticache:us-east-1:{PRODUCTION[0]}:cluster:sessions",
        name="sessions-cache",
        kind="Cluster",
        service="Amazon ElastiCache",
        category="Databases",
        subcategory="Caching",
        description="cache.r5.xlarge node hour",
        sku="EC-r5.xlarge",
        price=Decimal("0.4310"),
        quantity=Decimal(24 * 4),
        unit="Hours",
        end=retired,
        details={"InstanceType": "cache.r5.xlarge"},
        tags=tags_of("elasticache", "Storefront", "Production"),
        **plain,
    )


def _glue(
    name: str, quantity: Decimal, rhythm: str, start: date | None, end: date | None, place: dict[str, Any]
) -> Resource:
    return Resource(
        id=f"arn:aws:glue:us-east-1:{PRODUCTION[0]}:job/{name}",
        name=name,
        kind="Job",
        service="AWS Glue",
        category="Analytics",
        subcategory="Data Processing",
        description="DPU-hour of ETL jobs",
        sku="GLUE-dpu",
        price=Decimal("0.4400"),
        quantity=quantity,
        unit="DPU-Hour",
        rhythm=rhythm,
        start=start,
        end=end,
        tags=tags_of(f"glue {name}", "Data", "Production"),
        **place,
    )


def in_region(price: Decimal, region: str) -> Decimal:
    """A price of us-east-1 where it is dearer, to ten decimals as bills carry it."""
    return (price * REGIONS[region][1] / 1000).quantize(Decimal("1E-10"))


def per_day(monthly: Decimal) -> Decimal:
    """What a month of 30 days spreads over its days."""
    return (monthly / 30).quantize(Decimal("0.0001"))


def team_of(number: int) -> str:
    return TEAMS[(number * 7 + number // 4) % 4]


def tags_of(name: str, team: str, environment: str) -> dict[str, str]:
    """The tags a resource carries, as such companies have them: one in five has all five, one in twelve none."""
    draw = pick(f"tags {name}", 100)
    owner = OWNERS[team][pick(f"owner {name}", len(OWNERS[team]))]
    if draw < 20:
        five = {"Owner": owner, "Environment": environment, "Team": team, "CostCenter": COST_CENTERS[team]}
        return five | {"Project": f"{team.lower()}-{pick(name, 3) + 1}"}
    if draw < 28:
        return {}
    if draw < 33:
        return {"Owner": owner, "Environment": ""}
    if draw < 45:
        return {"Owner": owner, "env": environment.lower().replace("production", "prod")}
    if draw < 52:
        return {"Owner": owner, "Environment": environment, "Team": team}
    return {"Owner": owner, "Environment": environment}


def as_json(tags: dict[str, str]) -> str:
    return json.dumps(tags, sort_keys=True) if tags else ""
