"""Price lists as rows: AWS's EC2 and savings plan offer files, and sheets of any provider as CSV. Pure: no Django.

AWS publishes its lists as JSON ("Bulk API" of the Price List service): on-demand and reserved terms hang on a product's
SKU; a savings plan lists a rate for each usage type. Amounts stay the decimals of their text.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from reservations.calc.machine_pools import ec2_system
from reservations.calc.terms import (
    AWS_CLASSES,
    AWS_PAYMENTS,
    HOURS_A_MONTH,
    HOURS_A_YEAR,
    KINDS,
    ON_DEMAND,
    PAYMENTS,
    SP_COMPUTE,
    SP_EC2,
    UPFRONT_SHARE,
    MachinePool,
    service_of_type,
)


class BadPrices(ValueError):
    """A price list that cannot be read; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of a pool's machine costs under one option, by which list and since when.

    `upfront` is for the whole term of one machine; of a savings plan `hourly` is the plan's rate and holds everything.
    """

    pool: MachinePool
    kind: str
    hourly: Decimal
    currency: str
    source: str
    day: date
    term_months: int = 0
    payment: str = ""
    upfront: Decimal = Decimal(0)
    is_indicative: bool = False

    @property
    def hours(self) -> int:
        """Hours of the term, by AWS's year of 8,760."""
        return self.term_months * HOURS_A_YEAR // 12

    @property
    def is_plan(self) -> bool:
        return self.kind in (SP_EC2, SP_COMPUTE)

    @property
    def effective(self) -> Decimal:
        """An hour of the machine with the upfront fee spread over the term's hours, in `currency`."""
        return self.hourly + (self.upfront / self.hours if self.upfront else 0)

    @property
    def cash(self) -> Decimal:
        """Paid on the first day for one machine, in `currency`."""
        return self.hourly * self.hours * UPFRONT_SHARE[self.payment] if self.is_plan else self.upfront

    @property
    def monthly(self) -> Decimal:
        """Paid each month of 730 hours for one machine, in `currency`."""
        return (self.hourly * (1 - UPFRONT_SHARE[self.payment]) if self.is_plan else self.hourly) * HOURS_A_MONTH


def break_even_months(on_demand: Decimal, price: Price) -> Decimal | None:
    """Months until one machine that always runs was cheaper committed, upfront included; None where it never is."""
    saved = on_demand * HOURS_A_MONTH - price.monthly
    if saved <= 0 or price.effective >= on_demand:
        return None
    return price.cash / saved


def parse_price_list(text: str, source: str) -> list[Price]:
    """The prices of a file, whichever of the three kinds it is. Raises BadPrices."""
    if text.lstrip()[:1] != "{":
        return list(from_sheet(text, source))
    try:
        offers = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise BadPrices(f"{source}: this is no whole JSON ({error}).") from None
    if "savingsPlan" in offers.get("terms", {}):
        return list(from_savings_plans(offers, source))
    if "OnDemand" in offers.get("terms", {}):
        return list(from_ec2_offers(offers, source))
    raise BadPrices(
        f"{source}: neither an EC2 offer file (terms.OnDemand) nor one of savings plans (terms.savingsPlan)."
    )


_TENANCIES = {"Shared": "default", "Dedicated": "dedicated", "Host": "host"}
_SOFTWARE = {"SQL Std": " with SQL Server Standard", "SQL Ent": " with SQL Server Enterprise"}
_CLASSES = {name: kind for kind, name in AWS_CLASSES.items()}
_PAID = {name: payment for payment, name in AWS_PAYMENTS.items()}
_LENGTHS = {"1yr": 12, "3yr": 36}


def from_ec2_offers(offers: Mapping[str, Any], source: str) -> Iterator[Price]:
    """On-demand and reserved prices of machines that run on shared or dedicated hardware."""
    day = _day(offers, source)
    for sku, product in offers.get("products", {}).items():
        pool = _machine(product)
        if pool is None:
            continue
        for term in offers["terms"].get("OnDemand", {}).get(sku, {}).values():
            for currency, hourly, _ in _amounts(term):
                if hourly:
                    yield Price(pool, ON_DEMAND, hourly, currency, source, day)
        for term in offers["terms"].get("Reserved", {}).get(sku, {}).values():
            yield from _reserved(term, pool, source, day)


def _machine(product: Mapping[str, Any]) -> MachinePool | None:
    attributes = product.get("attributes", {})
    if not product.get("productFamily", "").startswith("Compute Instance") or "instanceType" not in attributes:
        return None
    if attributes.get("capacitystatus", "Used") != "Used" or attributes.get("licenseModel") == "Bring your own license":
        return None
    system = attributes.get("operatingSystem", "Linux") + _SOFTWARE.get(attributes.get("preInstalledSw", "NA"), "")
    tenancy = _TENANCIES.get(attributes.get("tenancy", "Shared"))
    return (
        MachinePool("AWS", attributes.get("regionCode", ""), attributes["instanceType"], system, tenancy)
        if tenancy
        else None
    )


def _reserved(term: Mapping[str, Any], pool: MachinePool, source: str, day: date) -> Iterator[Price]:
    terms = term.get("termAttributes", {})
    kind, payment = _CLASSES.get(terms.get("OfferingClass", "")), _PAID.get(terms.get("PurchaseOption", ""))
    months = _LENGTHS.get(terms.get("LeaseContractLength", ""))
    if kind and payment and months:
        for currency, hourly, upfront in _amounts(term):
            yield Price(pool, kind, hourly, currency, source, day, months, payment, upfront)


def _amounts(term: Mapping[str, Any]) -> Iterator[tuple[str, Decimal, Decimal]]:
    """(currency, per hour, once) of a term's price dimensions."""
    by_currency: dict[str, list[Decimal]] = {}
    for dimension in term.get("priceDimensions", {}).values():
        for currency, text in dimension.get("pricePerUnit", {}).items():
            sums = by_currency.setdefault(currency, [Decimal(0), Decimal(0)])
            sums[dimension.get("unit") == "Quantity"] += Decimal(text)
    for currency, (hourly, upfront) in by_currency.items():
        yield currency, hourly, upfront


def from_savings_plans(offers: Mapping[str, Any], source: str) -> Iterator[Price]:
    """Rates of Compute and EC2 Instance Savings Plans for EC2 machines."""
    day = _day(offers, source)
    plans = {plan["sku"]: plan for plan in offers.get("products", [])}
    families = {"ComputeSavingsPlans": SP_COMPUTE, "EC2InstanceSavingsPlans": SP_EC2}
    for term in offers["terms"]["savingsPlan"]:
        plan = plans.get(term["sku"], {})
        kind = families.get(plan.get("productFamily", ""))
        payment = _PAID.get(plan.get("attributes", {}).get("purchaseOption", ""))
        if kind and payment:
            months = int(term["leaseContractLength"]["duration"]) * 12
            for rate in term.get("rates", []):
                yield from _plan_rate(rate, kind, months, payment, source, day)


def _plan_rate(
    rate: Mapping[str, Any], kind: str, months: int, payment: str, source: str, day: date
) -> Iterator[Price]:
    usage, _, type_ = rate.get("discountedUsageType", "").rpartition("BoxUsage:")
    if rate.get("discountedServiceCode") != "AmazonEC2" or not type_ or "Unused" in usage:
        return
    system = ec2_system(rate.get("discountedOperation", ""))
    paid = rate["discountedRate"]
    pool = MachinePool("AWS", rate.get("discountedRegionCode", ""), type_, system)
    yield Price(pool, kind, Decimal(paid["price"]), paid["currency"], source, day, months, payment)


def _day(offers: Mapping[str, Any], source: str) -> date:
    try:
        return date.fromisoformat(str(offers.get("publicationDate", ""))[:10])
    except ValueError:
        raise BadPrices(f"{source}: publicationDate is missing, so nobody knows since when these hold.") from None


NEEDED = ("provider", "region", "type", "option", "hourly", "currency", "date")


def from_sheet(text: str, source: str) -> Iterator[Price]:
    """A sheet of any provider: provider, region, type, option, hourly, currency, date; and, where they apply, system,
    tenancy, term (months), payment (none, partial, all), upfront."""
    rows = csv.DictReader(io.StringIO(text))
    missing = [name for name in NEEDED if name not in (rows.fieldnames or ())]
    if missing:
        raise BadPrices(f"{source}: the header lacks {', '.join(missing)}.")
    for number, row in enumerate(rows, 2):
        yield _sheet_price(row, f"{source}, row {number}", source)


def _sheet_price(row: Mapping[str, str | None], place: str, source: str) -> Price:
    cells = {name: (value or "").strip() for name, value in row.items() if name and not isinstance(value, list)}
    kind = cells["option"]
    if kind not in {ON_DEMAND, *KINDS}:
        raise BadPrices(f"{place}: option {kind!r} is none of {', '.join((ON_DEMAND, *KINDS))}.")
    payment = cells.get("payment", "")
    if kind != ON_DEMAND and payment not in PAYMENTS:
        raise BadPrices(f"{place}: payment {payment!r} is none of {', '.join(PAYMENTS)}.")
    term = cells.get("term", "") or "0"
    if not term.isdecimal() or (kind != ON_DEMAND and int(term) not in (12, 36)):
        raise BadPrices(f"{place}: term {term!r} is neither 12 nor 36 months.")
    pool = MachinePool(
        cells["provider"],
        cells["region"],
        cells["type"],
        cells.get("system") or "Linux",
        cells.get("tenancy") or "default",
        service=cells.get("service") or service_of_type(cells["type"]),
        zone=cells.get("zone", ""),
    )
    hourly, upfront = (_amount(cells.get(name, "") or "0", name, place) for name in ("hourly", "upfront"))
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError:
        raise BadPrices(f"{place}: date {cells['date']!r} is not written like 2026-01-31.") from None
    return Price(pool, kind, hourly, cells["currency"], source, day, int(term), payment, upfront)


def _amount(text: str, column: str, place: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadPrices(f"{place}: {column} {text!r} is no number.") from None
    if not amount.is_finite() or amount < 0:
        raise BadPrices(f"{place}: {column} {text!r} cannot be a price.")
    return amount


def current_prices(prices: Iterable[Price]) -> dict[tuple[MachinePool, str, int, str], Price]:
    """The price in force of each pool and option: a listed one before an indicative one, then the latest."""
    current: dict[tuple[MachinePool, str, int, str], Price] = {}
    for price in sorted(prices, key=lambda price: (not price.is_indicative, price.day)):
        current[(price.pool, price.kind, price.term_months, price.payment)] = price
    return current
