"""The demo company: its accounts, regions, prices and teams, and how it tags. Pure: no Django, and no clock.

Northwind Retail is invented; its prices are AWS's public on-demand prices of us-east-1 (2026, as published), with a
factor for other regions. Everything is derived from names by a checksum, so it is the same every time.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from zlib import crc32

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
class DemoResource:
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
