"""A second organisation of the demo, that owns commitments: used, half used, ending soon, ended. Pure: no Django.

Southwind Media is invented as well. It has a billing account of its own, so that Northwind Retail stays a company
without any commitment. FOCUS 1.2, by day; the same bytes every time.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from costs.demo.bills import COLUMNS, MONTHS, write_rows
from finops_site.lib.periods import Month

PAYER = ("310000000001", "Southwind payer")
ACCOUNT = ("310000000010", "media")
REGION = ("us-east-1", "US East (N. Virginia)")
COMMITMENT_COLUMNS = (
    *("CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountCategory", "CommitmentDiscountType"),
    *("CommitmentDiscountStatus", "CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
)
HOURS = 24


@dataclass(frozen=True, slots=True)
class Machines:
    """Machines of one type that run all day; `ended` of them were switched off so many days before the end."""

    type: str
    count: int
    price: Decimal
    service: str
    description: str
    team: str
    system: str = "Linux"
    ended: dict[int, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.description.format(self.type)

    def running(self, day: date, as_of: date) -> int:
        left = (as_of - day).days
        return self.count - sum(gone for before, gone in self.ended.items() if left <= before)


@dataclass(frozen=True, slots=True)
class OwnedCommitment:
    """A reservation of `count` machines, or a plan of `hourly`; `rate` is an hour of a machine under it.

    It started `days` before the end of the demo, or in month `month_back` before its last, and holds a year.
    """

    id: str
    kind: str
    type: str
    count: int
    rate: Decimal
    days: int = 0
    month_back: int | None = None
    hourly: Decimal = Decimal(0)
    is_upfront: bool = False
    owner: str = ""

    def start(self, as_of: date) -> date:
        if self.month_back is None:
            return as_of - timedelta(days=self.days)
        return Month.of(as_of - timedelta(days=1)).plus(-self.month_back).start + timedelta(days=PURCHASE_DAY)

    def end(self, as_of: date) -> date:
        start = self.start(as_of)
        # No start of ours is a 29th of February that the next year lacks.
        return date(start.year + 1, start.month, min(start.day, 28))

    @property
    def is_plan(self) -> bool:
        return bool(self.hourly)

    @property
    def an_hour(self) -> Decimal:
        """What it costs each hour, used or not."""
        return self.hourly if self.is_plan else self.rate * self.count


# The purchases that the ledger follows were made on the 13th.
PURCHASE_DAY = 12
EC2, RDS = "Amazon Elastic Compute Cloud", "Amazon Relational Database Service"
EC2_HOUR, RDS_HOUR = "On Demand Linux {} Instance Hour", "RDS {} PostgreSQL Instance Hour"
MACHINES = (
    Machines("m5.large", 10, Decimal("0.096"), EC2, EC2_HOUR, "Storefront", ended={21: 4}),
    Machines("r5.large", 4, Decimal("0.126"), EC2, EC2_HOUR, "Data"),
    Machines("c5.xlarge", 3, Decimal("0.170"), EC2, EC2_HOUR, "Storefront"),
    Machines("db.r5.large", 1, Decimal("0.250"), RDS, RDS_HOUR, "Data", "PostgreSQL"),
)
PLAN = "arn:aws:savingsplans::310000000010:savingsplan/5f6c1d2e-0001-4000-8000-0a1b2c3d4e5f"
RI = "arn:aws:ec2:us-east-1:310000000010:reserved-instances/ri-southwind-"
DATABASE = "arn:aws:rds:us-east-1:310000000010:ri:southwind-db"
COMMITMENTS = (
    OwnedCommitment(PLAN, "sp_compute", "r5.large", 0, Decimal("0.09198"), 310, hourly=Decimal("0.38"), owner="Data"),
    OwnedCommitment(f"{RI}old", "ri_standard", "m5.large", 3, Decimal("0.06048"), 340, owner="Storefront"),
    OwnedCommitment(f"{RI}ended", "ri_convertible", "c5.xlarge", 1, Decimal("0.12410"), 450),
    OwnedCommitment(DATABASE, "ri_standard", "db.r5.large", 2, Decimal("0.16500"), 250, is_upfront=True, owner="Data"),
    OwnedCommitment(f"{RI}1", "ri_standard", "m5.large", 4, Decimal("0.06048"), month_back=5),
    OwnedCommitment(f"{RI}2", "ri_standard", "c5.xlarge", 2, Decimal("0.10710"), month_back=3),
)


def write_committed_bills(folder: Path, *, as_of: date) -> tuple[Path, Path]:
    """The bills of thirteen months: those before the first purchase that the ledger follows, and those since."""
    folder.mkdir(parents=True, exist_ok=True)
    last = Month.of(as_of - timedelta(days=1))
    months = [last.plus(-back) for back in reversed(range(MONTHS))]
    halves = []
    for name, own in (("before", months[:-6]), ("since", months[-6:])):
        path = folder / f"southwind-{name}-{own[-1]}.csv.gz"
        rows = (row for month in own for row in committed_rows(month, as_of))
        write_rows(path, rows, (*COLUMNS, *COMMITMENT_COLUMNS))
        halves.append(path)
    return halves[0], halves[1]


def commitments_csv(as_of: date) -> str:
    """What bills by day do not state of the commitments, as the sheet that completes them."""
    names = "provider,id,kind,service,term_months,payment,count,hourly_commitment,recurring,upfront,start,end,region"
    lines = [f"{names},instance_type,system,owner,account"]
    for one in COMMITMENTS:
        machines = next(machines for machines in MACHINES if machines.type == one.type)
        service = "" if one.is_plan else "RDS" if machines.service == RDS else "EC2"
        upfront = one.an_hour * 8760 if one.is_upfront else 0
        cells = ["AWS", one.id, one.kind, service, "12", "all" if one.is_upfront else "none"]
        cells += ["", str(one.hourly)] if one.is_plan else [str(one.count), ""]
        cells += ["0" if one.is_upfront else str(one.an_hour), str(upfront), str(one.start(as_of)), str(one.end(as_of))]
        cells += ["", "", ""] if one.is_plan else [REGION[0], one.type, machines.system]
        lines.append(",".join([*cells, one.owner, ACCOUNT[0]]))
    return "\n".join(lines)


def committed_rows(month: Month, as_of: date) -> Iterator[list[str]]:
    """Every row of a month: what each machine ran under, what nobody used, and the fees."""
    for day in month.period.each_day():
        if day < as_of:
            yield from _rows_of_day(day, month, as_of)
    for one in COMMITMENTS:
        yield from _fees(one, month, as_of)


def _rows_of_day(day: date, month: Month, as_of: date) -> Iterator[list[str]]:
    for machines in MACHINES:
        numbers = list(range(machines.running(day, as_of)))
        for one in COMMITMENTS:
            if one.type != machines.type or not one.start(as_of) <= day < one.end(as_of):
                continue
            most = int(one.hourly / one.rate) if one.is_plan else one.count
            covered, numbers = numbers[:most], numbers[most:]
            for number in covered:
                yield _usage(machines, number, day, month, one)
            unused = (one.an_hour - one.rate * len(covered)) * HOURS
            if unused:
                yield _unused(one, machines, unused, day, month)
        for number in numbers:
            yield _usage(machines, number, day, month, None)


def _usage(machines: Machines, number: int, day: date, month: Month, under: OwnedCommitment | None) -> list[str]:
    listed = machines.price * HOURS
    paid = listed if under is None else under.rate * HOURS
    cells = _machine_cells(machines, day, month) | {
        "ResourceId": f"southwind-{machines.type}-{number}",
        "ResourceName": f"media-{machines.type}-{number}",
        "PricingCategory": "Standard" if under is None else "Committed",
        "ConsumedQuantity": str(HOURS),
        "ConsumedUnit": "Hours",
        "BilledCost": str(listed if under is None else 0),
        "EffectiveCost": str(paid),
        "ListCost": str(listed),
        "ContractedCost": str(listed),
    }
    return _cells(
        cells | (_commitment_cells(under, "Used", paid if under.is_plan else Decimal(HOURS)) if under else {})
    )


def _unused(one: OwnedCommitment, machines: Machines, paid: Decimal, day: date, month: Month) -> list[str]:
    quantity = paid if one.is_plan else paid / one.rate
    amounts = {"BilledCost": "0", "EffectiveCost": str(paid), "ListCost": "0", "ContractedCost": "0"}
    cells = _machine_cells(machines, day, month) | amounts | {"PricingCategory": "Committed"}
    return _cells(cells | _commitment_cells(one, "Unused", quantity))


def _fees(one: OwnedCommitment, month: Month, as_of: date) -> Iterator[list[str]]:
    """What is billed for it: each month, or at once; its effective cost stands with the use."""
    start, end = one.start(as_of), min(one.end(as_of), as_of)
    days = [day for day in month.period.each_day() if start <= day < end]
    if not days or (one.is_upfront and start not in days):
        return
    billed = one.an_hour * (8760 if one.is_upfront else HOURS * len(days))
    cells = _common(days[0], month) | _commitment_cells(one, "", None)
    cells |= {
        "ChargeCategory": "Purchase",
        "ChargeDescription": "Upfront fee" if one.is_upfront else "Recurring fee",
        "ChargeFrequency": "One-Time" if one.is_upfront else "Recurring",
        "ServiceName": EC2,
        "PricingCategory": "Committed",
        **dict.fromkeys(("BilledCost", "ListCost", "ContractedCost"), str(billed)),
        "EffectiveCost": "0",
    }
    yield _cells(cells)


def _machine_cells(machines: Machines, day: date, month: Month) -> dict[str, str]:
    category = ("Databases", "Relational Databases") if machines.service == RDS else ("Compute", "Virtual Machines")
    details = {"InstanceType": machines.type, "OperatingSystem": machines.system}
    return _common(day, month) | {
        "ChargeCategory": "Usage",
        "ChargeDescription": machines.text,
        "ChargeFrequency": "Usage-Based",
        "ServiceCategory": category[0],
        "ServiceName": machines.service,
        "ServiceSubcategory": category[1],
        "RegionId": REGION[0],
        "RegionName": REGION[1],
        "ResourceType": "Instance",
        "SkuId": f"southwind-{machines.type}",
        "SkuMeter": machines.text,
        "SkuPriceDetails": json.dumps(details, sort_keys=True),
        "PricingUnit": "Hours",
        "ListUnitPrice": str(machines.price),
        "ContractedUnitPrice": str(machines.price),
        "Tags": json.dumps({"Team": machines.team}),
    }


def _common(day: date, month: Month) -> dict[str, str]:
    return {
        "ProviderName": "AWS",
        "PublisherName": "AWS",
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "BillingAccountId": PAYER[0],
        "BillingAccountName": PAYER[1],
        "BillingAccountType": "Organization",
        "SubAccountId": ACCOUNT[0],
        "SubAccountName": ACCOUNT[1],
        "SubAccountType": "Account",
        "BillingCurrency": "USD",
        "PricingCurrency": "USD",
        "BillingPeriodStart": f"{month.start}T00:00:00Z",
        "BillingPeriodEnd": f"{month.next.start}T00:00:00Z",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
    }


def _commitment_cells(one: OwnedCommitment, status: str, quantity: Decimal | None) -> dict[str, str]:
    return {
        "CommitmentDiscountId": one.id,
        "CommitmentDiscountCategory": "Spend" if one.is_plan else "Usage",
        "CommitmentDiscountType": "Savings Plan" if one.is_plan else "Reserved Instance",
        "CommitmentDiscountStatus": status,
        "CommitmentDiscountQuantity": "" if quantity is None else str(quantity),
        "CommitmentDiscountUnit": "" if quantity is None else "USD" if one.is_plan else "Hours",
    }


def _cells(cells: dict[str, str]) -> list[str]:
    return [cells.get(name, "") for name in (*COLUMNS, *COMMITMENT_COLUMNS)]
