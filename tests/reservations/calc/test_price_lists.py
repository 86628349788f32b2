"""Price lists as providers write them, and what is wrong with some."""

import json
from datetime import date
from decimal import Decimal

import pytest

from reservations.calc import indicative_prices
from reservations.calc.price_lists import parse_price_list
from reservations.calc.prices import BadPrices, break_even_months, current_prices
from reservations.calc.terms import ON_DEMAND, RI_STANDARD, SP_COMPUTE, MachinePool

LARGE = MachinePool("AWS", "us-east-1", "m5.large")


def ec2_offers(**product):
    attributes = {
        "instanceType": "m5.large",
        "regionCode": "us-east-1",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        **product,
    }
    hourly = {"unit": "Hrs", "pricePerUnit": {"USD": "0.0960000000"}}
    reserved = {
        "termAttributes": {
            "LeaseContractLength": "1yr",
            "OfferingClass": "standard",
            "PurchaseOption": "Partial Upfront",
        },
        "priceDimensions": {
            "a": {"unit": "Hrs", "pricePerUnit": {"USD": "0.0290"}},
            "b": {"unit": "Quantity", "pricePerUnit": {"USD": "254.04"}},
        },
    }
    return {
        "publicationDate": "2026-02-03T00:00:00Z",
        "products": {"SKU": {"productFamily": "Compute Instance", "attributes": attributes}},
        "terms": {"OnDemand": {"SKU": {"x": {"priceDimensions": {"y": hourly}}}}, "Reserved": {"SKU": {"z": reserved}}},
    }


def test_an_ec2_offer_file_has_on_demand_and_reserved_prices():
    on_demand, reserved = parse_price_list(json.dumps(ec2_offers()), "ec2.json")
    assert (on_demand.pool, on_demand.kind, on_demand.hourly) == (LARGE, ON_DEMAND, Decimal("0.096"))
    assert (reserved.kind, reserved.term_months, reserved.payment) == (RI_STANDARD, 12, "partial")
    assert (reserved.hourly, reserved.upfront, reserved.day) == (Decimal("0.029"), Decimal("254.04"), date(2026, 2, 3))
    # 254.04 / 8,760 + 0.029 an hour; 254.04 / (70.08 - 21.17) months to break even.
    assert reserved.effective == Decimal("0.058")
    assert round(break_even_months(on_demand.hourly, reserved), 2) == Decimal("5.19")


@pytest.mark.parametrize(
    "product", [{"capacitystatus": "AllocatedCapacityReservation"}, {"licenseModel": "Bring your own license"}]
)
def test_unused_capacity_and_own_licences_are_no_price_of_a_machine(product):
    assert parse_price_list(json.dumps(ec2_offers(**product)), "ec2.json") == []


def test_a_savings_plan_file_has_the_rates_of_machines():
    rate = {
        "discountedUsageType": "BoxUsage:m5.large",
        "discountedOperation": "RunInstances",
        "discountedServiceCode": "AmazonEC2",
        "discountedRegionCode": "us-east-1",
        "discountedRate": {"price": "0.0700", "currency": "USD"},
    }
    offers = {
        "publicationDate": "2026-02-03T00:00:00Z",
        "products": [
            {"sku": "P", "productFamily": "ComputeSavingsPlans", "attributes": {"purchaseOption": "All Upfront"}}
        ],
        "terms": {"savingsPlan": [{"sku": "P", "leaseContractLength": {"duration": 3}, "rates": [rate]}]},
    }
    (price,) = parse_price_list(json.dumps(offers), "sp.json")
    assert (price.pool, price.kind, price.term_months, price.payment) == (LARGE, SP_COMPUTE, 36, "all")
    assert (price.effective, price.monthly, price.cash) == (Decimal("0.07"), 0, Decimal("0.07") * 26280)


SHEET = "provider,region,type,option,term,payment,hourly,upfront,currency,date\n"


def test_a_sheet_of_any_provider_is_read():
    (price,) = parse_price_list(
        SHEET + "Azure,westeurope,D2s_v5,azure_reservation,12,none,0.061,,EUR,2026-01-31\n", "azure.csv"
    )
    assert (price.pool.provider, price.hourly, price.currency) == ("Azure", Decimal("0.061"), "EUR")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("AWS,r,t,nonsense,12,none,1,0,USD,2026-01-31", "row 2: option 'nonsense'"),
        ("AWS,r,t,sp_ec2,24,none,1,0,USD,2026-01-31", "row 2: term '24'"),
        ("AWS,r,t,sp_ec2,12,later,1,0,USD,2026-01-31", "row 2: payment 'later'"),
        ("AWS,r,t,sp_ec2,12,none,free,0,USD,2026-01-31", "row 2: hourly 'free' is no number"),
        ("AWS,r,t,sp_ec2,12,none,-1,0,USD,2026-01-31", "row 2: hourly '-1' cannot be a price"),
        ("AWS,r,t,sp_ec2,12,none,1,0,USD,31/01/2026", "row 2: date '31/01/2026'"),
    ],
)
def test_a_wrong_row_is_named(row, expected):
    with pytest.raises(BadPrices, match=expected):
        parse_price_list(SHEET + row + "\n", "sheet.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "no whole JSON"),
        ('{"terms": {}}', "neither an offer file of AWS"),
        ("a,b\n1,2\n", "the header lacks provider"),
    ],
)
def test_a_file_that_is_no_price_list_is_refused(text, expected):
    with pytest.raises(BadPrices, match=expected):
        parse_price_list(text, "x")


def test_a_listed_price_counts_before_an_indicative_one_and_the_newest_before_older():
    shipped = [
        listed for listed in indicative_prices.indicative_prices() if listed.pool == LARGE and listed.kind == ON_DEMAND
    ]
    old, new = (
        parse_price_list(json.dumps({**ec2_offers(), "publicationDate": day}), day)[0]
        for day in ("2025-01-01", "2025-06-01")
    )
    assert current_prices([new, *shipped, old])[(LARGE, ON_DEMAND, 0, "")].source == "2025-06-01"


def test_every_indicative_price_says_so_and_is_below_on_demand():
    known = current_prices(indicative_prices.indicative_prices())
    for (pool, kind, _, _), price in known.items():
        assert price.is_indicative
        if kind != ON_DEMAND:
            assert price.effective < known[(pool, ON_DEMAND, 0, "")].hourly
