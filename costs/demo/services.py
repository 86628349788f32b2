"""What the demo company runs besides machines. Pure: no Django, and no clock."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from costs.demo.company import (
    BUCKETS,
    DEVELOPMENT,
    PRODUCTION,
    REGIONS,
    TEAMS,
    WORKLOADS,
    DemoResource,
    in_region,
    per_day,
    pick,
    tags_of,
    team_of,
)
from costs.demo.machines import machines
from finops_site.lib.periods import Month


def resources(as_of: date) -> list[DemoResource]:
    """Everything the company runs; launches, endings and the runaway job are placed relative to `as_of`."""
    return [*machines(as_of), *buckets(), *databases(), *network(), *other_services(as_of)]


def buckets() -> Iterator[DemoResource]:
    for number in range(BUCKETS):
        name = f"northwind-{WORKLOADS[number % 10]}-{number:02}"
        terabytes = Decimal(1 + pick(f"size {name}", 95)) / 10
        yield DemoResource(
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


def databases() -> Iterator[DemoResource]:
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
        yield DemoResource(
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


def network() -> Iterator[DemoResource]:
    """What everybody shares and nobody tags."""
    for region in REGIONS:
        share = {"us-east-1": 5, "us-west-2": 2, "eu-west-1": 2, "ap-south-1": 1}[region]
        common: dict[str, Any] = {
            "account": PRODUCTION,
            "region": region,
            "category": "Networking",
            "subcategory": "Network Connectivity",
        }
        yield DemoResource(
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
        yield DemoResource(
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
        yield DemoResource(
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


def other_services(as_of: date) -> Iterator[DemoResource]:
    """One of each other service; some adopted, retired or gone wild in the last months."""
    month = Month.of(as_of - timedelta(days=1))
    adopted, retired = month.plus(-1).start, month.plus(-1).start + timedelta(days=14)
    plain: dict[str, Any] = {"account": PRODUCTION, "region": "us-east-1"}
    yield DemoResource(
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
        yield DemoResource(
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
    yield DemoResource(
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
    yield DemoResource(
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
    yield DemoResource(
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
    yield DemoResource(
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
    yield DemoResource(
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
) -> DemoResource:
    return DemoResource(
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
