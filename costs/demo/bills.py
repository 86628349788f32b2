"""The demo company's bills: FOCUS 1.2, a CSV.gz for each month, the same bytes every time. Pure: no Django."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from costs.demo.company import PAYER, REGIONS, DemoResource, pick
from costs.demo.services import resources
from finops_site.lib.periods import Month

MONTHS = 13
GROWTH = {"growing": Decimal("0.022"), "weekday": Decimal("0.016"), "monthend": Decimal("0.016")}
SUPPORT, TAX, CREDIT = Decimal("0.034"), Decimal("0.043"), Decimal("-1500.00")

COLUMNS = (
    "ProviderName",
    "PublisherName",
    "InvoiceIssuerName",
    "InvoiceId",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "PricingCurrency",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ListUnitPrice",
    "ContractedUnitPrice",
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "Tags",
)


def write_bills(folder: Path, *, as_of: date, months: int = MONTHS) -> list[Path]:
    """Writes the bills of `months` billing months up to and including the day before `as_of`; returns their files."""
    return list(reversed([path for _, path in newest_bills(folder, as_of=as_of, months=months)]))


def newest_bills(folder: Path, *, as_of: date, months: int = MONTHS) -> Iterator[tuple[Month, Path]]:
    """Writes the same bills one by one, the newest month first, and yields each when it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    running = resources(as_of)
    last = Month.of(as_of - timedelta(days=1))
    for month in (last.plus(-back) for back in range(months)):
        path = folder / f"northwind-{month}.csv.gz"
        write_rows(path, bill_rows(month, running, last, as_of))
        yield month, path


def write_short_bill(folder: Path, *, as_of: date) -> Path:
    """Writes the last full month's bill once more, without what was used from the 19th on; returns its file."""
    last = Month.of(as_of - timedelta(days=1))
    month = last.previous
    path = folder / f"northwind-{month}-again.csv.gz"
    write_rows(path, bill_rows(month, resources(as_of), last, month.start + timedelta(days=18)))
    return path


def write_rows(path: Path, rows: Iterable[list[str]], columns: Sequence[str] = COLUMNS) -> None:
    """A CSV.gz of these rows under the names of its columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    # Without a time and a name in its header, the same rows are the same bytes.
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=4, mtime=0))


def bill_rows(month: Month, running: list[DemoResource], last: Month, as_of: date) -> Iterator[list[str]]:
    """Every row of a month's bill, day by day, then support, tax and credit of the payer."""
    spent = Decimal(0)
    age = (last.year - month.year) * 12 + last.number - month.number
    days = [day for day in month.period.each_day() if day < as_of]
    for resource in running:
        fixed = _cells_of_resource(resource, month)
        # How much less it was months ago; machines and databases do not grow, they are launched.
        base = resource.quantity * (1 - GROWTH.get(resource.rhythm, Decimal(0)) * age)
        for day in days:
            if resource.stands_on(day):
                quantity = _quantity(base, resource, day, month)
                cost = quantity * resource.price
                spent += cost
                yield _row(fixed, day, quantity, resource.price, cost)
    # Support and tax, shares of what was spent; a credit half a year ago. All stand on the first, as AWS does it.
    support = (spent * SUPPORT).quantize(Decimal("0.01"))
    yield _fee(month, month.start, "Purchase", "AWS Support (Business)", "AWS Business Support", support)
    tax = ((spent + support) * TAX).quantize(Decimal("0.01"))
    yield _fee(month, month.start, "Tax", "Tax", "Sales tax", tax)
    if age == 6:
        yield _fee(month, month.start, "Credit", "AWS Credits", "Migration credit", CREDIT)


def _quantity(base: Decimal, resource: DemoResource, day: date, month: Month) -> Decimal:
    """Steady things are the same every day; the rest has weekdays, month ends and some noise of its own."""
    if resource.rhythm == "steady":
        return base
    noise = 970 + pick(f"{resource.id}{resource.service}{resource.region}{day}", 61)
    factor = noise if resource.rhythm != "growing" else 1000
    if resource.rhythm == "weekday" and day.weekday() >= 5:
        factor = factor * 3 // 4
    if resource.rhythm == "monthend" and (month.next.start - day).days <= 3:
        factor *= 3
    return (base * factor / 1000).quantize(Decimal("0.0001"))


def _cells_of_resource(resource: DemoResource, month: Month) -> dict[str, str]:
    account, name = resource.account
    details = json.dumps(resource.details, sort_keys=True) if resource.details else ""
    return _common(month) | {
        "SubAccountId": account,
        "SubAccountName": name,
        "SubAccountType": "Account",
        "ChargeCategory": "Usage",
        "ChargeDescription": resource.description,
        "ChargeFrequency": "Usage-Based",
        "ServiceCategory": resource.category,
        "ServiceName": resource.service,
        "ServiceSubcategory": resource.subcategory,
        "RegionId": resource.region,
        "RegionName": REGIONS[resource.region][0],
        "ResourceId": resource.id,
        "ResourceName": resource.name,
        "ResourceType": resource.kind,
        "SkuId": resource.sku,
        "SkuMeter": resource.description,
        "SkuPriceDetails": details,
        "SkuPriceId": f"{resource.sku}-{resource.region}",
        "PricingCategory": "Standard",
        "PricingUnit": resource.unit,
        "ConsumedUnit": resource.unit,
        "Tags": json.dumps(resource.tags, sort_keys=True) if resource.tags else "",
    }


def _common(month: Month) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | {
        "ProviderName": "AWS",
        "PublisherName": "AWS",
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "BillingAccountId": PAYER[0],
        "BillingAccountName": PAYER[1],
        "BillingAccountType": "Organization",
        "BillingCurrency": "USD",
        "PricingCurrency": "USD",
        "BillingPeriodStart": f"{month.start}T00:00:00Z",
        "BillingPeriodEnd": f"{month.next.start}T00:00:00Z",
    }


def _row(fixed: dict[str, str], day: date, quantity: Decimal, price: Decimal, cost: Decimal) -> list[str]:
    amount, units, unit_price = f"{cost:f}", f"{quantity:f}", f"{price:f}"
    of_day = {
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        "PricingQuantity": units,
        "ConsumedQuantity": units,
        "ListUnitPrice": unit_price,
        "ContractedUnitPrice": unit_price,
    }
    costs = dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), amount)
    return list({**fixed, **of_day, **costs}.values())


def _fee(month: Month, day: date, category: str, service: str, description: str, amount: Decimal) -> list[str]:
    account, name = PAYER
    fixed = _common(month) | {
        "SubAccountId": account,
        "SubAccountName": name,
        "SubAccountType": "Account",
        "ChargeCategory": category,
        "ChargeDescription": description,
        "ChargeFrequency": "Recurring" if category == "Purchase" else "One-Time",
        "ServiceCategory": "Management and Governance" if category == "Purchase" else "Other",
        "ServiceName": service,
        "ServiceSubcategory": "Support" if category == "Purchase" else "Other (Other)",
        "PricingCategory": "Standard" if category == "Purchase" else "",
        "PricingUnit": "Month" if category == "Purchase" else "",
    }
    return _row(fixed, day, Decimal(1), amount, amount)
