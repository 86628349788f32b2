"""The demo company's machines and their volumes. Pure: no Django, and no clock."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from costs.demo.company import (
    DEVELOPMENT,
    MACHINES,
    PRODUCTION,
    REGIONS,
    RUNNING,
    STOPPED,
    TERMINATED,
    TYPES,
    WORKLOADS,
    DemoResource,
    in_region,
    per_day,
    pick,
    tags_of,
    team_of,
)


def machines(as_of: date) -> Iterator[DemoResource]:
    for number in range(RUNNING + STOPPED + TERMINATED):
        state = "running" if number < RUNNING else "stopped" if number < RUNNING + STOPPED else "terminated"
        yield from _machine(number, state, as_of)


def _machine(number: int, state: str, as_of: date) -> Iterator[DemoResource]:
    kind, region = TYPES[number % 5], tuple(REGIONS)[number % 4]
    system = "Linux"
    if len(MACHINES[kind]) > 1:
        # Two in five of the larger machines carry SQL Server licences: that is where the money is.
        systems = ("Linux", "SQL Server Standard", "Linux", "SQL Server Enterprise", "SQL Server Standard")
        system = systems[number // 5 % 5]
    name = f"{WORKLOADS[number % 10]}-{number:03}"
    identity = f"i-0{pick(name, 1 << 32):08x}{number:08x}"
    account = DEVELOPMENT if number % 3 == 2 else PRODUCTION
    tags = tags_of(name, team_of(number), "Dev" if account is DEVELOPMENT else "Production")
    start, end = _life(number, state, as_of)
    if state != "stopped":
        price = Decimal(MACHINES[kind][system])
        yield _compute_instance(identity, name, kind, system, account, region, price, start, end, tags)
    if state != "terminated":
        yield _volume(identity, name, account, region, start, tags)


def _life(number: int, state: str, as_of: date) -> tuple[date | None, date | None]:
    """Every sixth running machine was launched in the past year; the terminated ones ended in it one by one."""
    if state == "terminated":
        return None, as_of - timedelta(days=40 + 24 * (number - RUNNING - STOPPED))
    if state == "running" and number % 6 == 5:
        return as_of - timedelta(days=60 + 4 * number), None
    return None, None


def _compute_instance(
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
) -> DemoResource:
    platform = system if system == "Linux" else f"Windows with {system}"
    return DemoResource(
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
) -> DemoResource:
    size = 100 + 50 * pick(f"volume {name}", 13)
    return DemoResource(
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
