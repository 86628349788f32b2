"""AWS's offer files ("Bulk API" of the Price List service) as prices. Pure: no Django.

A service's file hangs on-demand and reserved terms on a product's SKU; a savings plan lists a rate for each usage type.
Usage type, operation and attributes name a product as they name a charge in the bill, so that both are of one pool.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from finops_site.lib.language import gettext as _
from reservations.calc.machine_pools import read_use, service_of
from reservations.calc.prices import BadPrices, Price
from reservations.calc.terms import (
    AWS,
    AWS_CLASSES,
    AWS_PAYMENTS,
    EC2,
    ON_DEMAND,
    RI_STANDARD,
    SP_COMPUTE,
    SP_DATABASE,
    SP_EC2,
    SP_SAGEMAKER,
    MachinePool,
)

_TENANCIES = {"Shared": "default", "Dedicated": "dedicated", "Host": "host"}
_SOFTWARE = {
    "SQL Std": " with SQL Server Standard",
    "SQL Ent": " with SQL Server Enterprise",
    "SQL Web": " with SQL Server Web",
}
_CLASSES = {name: kind for kind, name in AWS_CLASSES.items()}
_PAID = {name: payment for payment, name in AWS_PAYMENTS.items()}
_LENGTHS = {"1yr": 12, "1 yr": 12, "3yr": 36, "3 yr": 36}
_PLANS = {
    "ComputeSavingsPlans": SP_COMPUTE,
    "EC2InstanceSavingsPlans": SP_EC2,
    "SageMakerSavingsPlans": SP_SAGEMAKER,
    "MachineLearningSavingsPlans": SP_SAGEMAKER,
    "DatabaseSavingsPlans": SP_DATABASE,
}


def from_offers(offers: Mapping[str, Any], source: str) -> Iterator[Price]:
    """On-demand and reserved prices of what a service's commitments cover."""
    day = _day(offers, source)
    code = str(offers.get("offerCode", "AmazonEC2"))
    for sku, product in offers.get("products", {}).items():
        pool = _pool(code, product)
        if pool is None:
            continue
        for term in offers["terms"].get("OnDemand", {}).get(sku, {}).values():
            for currency, hourly, _ignored in _amounts(term):
                if hourly:
                    yield Price(pool, ON_DEMAND, hourly, currency, source, day)
        for term in offers["terms"].get("Reserved", {}).get(sku, {}).values():
            yield from _reserved(term, pool, source, day)


def _pool(code: str, product: Mapping[str, Any]) -> MachinePool | None:
    attributes = product.get("attributes", {})
    if service_of(attributes.get("servicecode", code)) == EC2:
        return _machine(product.get("productFamily", ""), attributes)
    words = " ".join(
        f" {attributes.get(name, '')}"
        for name in ("databaseEngine", "databaseEdition", "cacheEngine", "licenseModel", "deploymentOption")
    )
    return read_use(
        {
            "provider": AWS,
            "service": attributes.get("servicecode", code),
            "region": attributes.get("regionCode", ""),
            "type": attributes.get("instanceType", ""),
            "usage_type": attributes.get("usagetype", ""),
            "operation": attributes.get("operation", ""),
            "description": words,
        }
    ).pool


def _machine(family: str, attributes: Mapping[str, str]) -> MachinePool | None:
    """A machine of EC2, or a dedicated host, which is of a family."""
    is_host = family == "Dedicated Host"
    if not (is_host or family.startswith("Compute Instance")) or "instanceType" not in attributes:
        return None
    if attributes.get("capacitystatus", "Used") != "Used":
        return None
    system = attributes.get("operatingSystem", "Linux").replace("Red Hat Enterprise Linux", "RHEL") + _SOFTWARE.get(
        attributes.get("preInstalledSw", "NA"), ""
    )
    if attributes.get("licenseModel") == "Bring your own license":
        if system != "Windows":
            return None
        system = "Windows BYOL"
    tenancy = "host" if is_host else _TENANCIES.get(attributes.get("tenancy", "Shared"))
    if not tenancy:
        return None
    own = "Linux" if is_host else system
    return MachinePool(AWS, attributes.get("regionCode", ""), attributes["instanceType"], own, tenancy)


def _reserved(term: Mapping[str, Any], pool: MachinePool, source: str, day: date) -> Iterator[Price]:
    terms = term.get("termAttributes", {})
    # Services other than EC2 have one class, and some files leave it out.
    kind = _CLASSES.get(terms.get("OfferingClass", "" if pool.service == EC2 else "standard"))
    payment = _PAID.get(terms.get("PurchaseOption", ""))
    months = _LENGTHS.get(terms.get("LeaseContractLength", ""))
    if kind and months and payment:
        for currency, hourly, upfront in _amounts(term):
            yield Price(
                pool,
                kind if pool.service == EC2 else RI_STANDARD,
                hourly,
                currency,
                source,
                day,
                months,
                payment,
                upfront,
            )


def _amounts(term: Mapping[str, Any]) -> Iterator[tuple[str, Decimal, Decimal]]:
    """(currency, per hour, once) of a term's price dimensions; of tiers the first that costs something."""
    hourly: dict[str, Decimal] = {}
    once: dict[str, Decimal] = {}
    dimensions = sorted(
        term.get("priceDimensions", {}).values(), key=lambda one: Decimal(str(one.get("beginRange") or 0))
    )
    for dimension in dimensions:
        for currency, text in dimension.get("pricePerUnit", {}).items():
            if dimension.get("unit") == "Quantity":
                once[currency] = once.get(currency, Decimal(0)) + Decimal(text)
            elif not hourly.get(currency):
                hourly[currency] = Decimal(text)
    for currency in {**hourly, **once}:
        yield currency, hourly.get(currency, Decimal(0)), once.get(currency, Decimal(0))


def from_savings_plans(offers: Mapping[str, Any], source: str) -> Iterator[Price]:
    """Rates of savings plans for what they cover: machines on any hardware, Fargate, Lambda, SageMaker, databases."""
    day = _day(offers, source)
    plans = {plan["sku"]: plan for plan in offers.get("products", [])}
    for term in offers["terms"]["savingsPlan"]:
        plan = plans.get(term["sku"], {})
        kind = _PLANS.get(plan.get("productFamily", ""))
        payment = _PAID.get(plan.get("attributes", {}).get("purchaseOption", ""))
        if kind and payment:
            months = int(term["leaseContractLength"]["duration"]) * 12
            for rate in term.get("rates", []):
                yield from _plan_rate(rate, kind, months, payment, source, day)


def _plan_rate(
    rate: Mapping[str, Any], kind: str, months: int, payment: str, source: str, day: date
) -> Iterator[Price]:
    usage = rate.get("discountedUsageType", "")
    pool = read_use(
        {
            "provider": AWS,
            "service": rate.get("discountedServiceCode", ""),
            "region": rate.get("discountedRegionCode", ""),
            "usage_type": usage,
            "operation": rate.get("discountedOperation", ""),
        }
    ).pool
    # Empty reserved capacity costs what the machine does.
    if pool is None or "Unused" in usage:
        return
    paid = rate["discountedRate"]
    yield Price(pool, kind, Decimal(paid["price"]), paid["currency"], source, day, months, payment)


def _day(offers: Mapping[str, Any], source: str) -> date:
    try:
        return date.fromisoformat(str(offers.get("publicationDate", ""))[:10])
    except ValueError:
        raise BadPrices(
            _("{source}: publicationDate is missing, so nobody knows since when these hold.").format(source=source)
        ) from None
