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
        ("AWS,r,t,ri_standard,12,none,,0,USD,2026-01-31", "row 2: hourly is empty or 0: write what an hour costs"),
        ("AWS,r,t,on_demand,,,,,USD,2026-01-31", "row 2: hourly is empty or 0"),
        ("AWS,r,t,sp_compute,12,all,,,USD,2026-01-31", "row 2: hourly is empty or 0"),
        ("AWS,r,t,ri_standard,12,all,0,,USD,2026-01-31", "row 2: upfront is empty or 0: write what payment all pays"),
        ("AWS,r,t,ri_standard,12,none,1,5,USD,2026-01-31", "row 2: upfront is 5 and nothing is paid upfront"),
        ("AWS,r,t,ri_standard,12,none,1,,,2026-01-31", "row 2: currency '' is no code like USD"),
        ("AWS,r,t,ri_standard,12,none,1,,DOLLARS,2026-01-31", "row 2: currency 'DOLLARS' is no code"),
        ("AWS,,t,ri_standard,12,none,1,,USD,2026-01-31", "row 2: region is empty"),
        ("AWS,r,,ri_standard,12,none,1,,USD,2026-01-31", "row 2: type is empty"),
        ("AWS,r,t,azure_reservation,12,none,1,,USD,2026-01-31", "row 2: provider 'AWS' sells no azure_reservation"),
        (f"AWS,r,{'t' * 300},ri_standard,12,none,1,,USD,2026-01-31", "row 2: type is longer than 100 characters"),
        ("AWS,r,t,ri_standard,12,none,1e40,,USD,2026-01-31", "row 2: hourly '1e40' cannot be a price"),
        ("AWS,r,t\0,ri_standard,12,none,1,,USD,2026-01-31", "row 2: a NUL character is in it"),
        ("AWS,r,t,ri_standard,12,none,1,,USD,2026-01-31,more", "row 2: it has more cells than the header"),
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


def service_offers(code, attributes, *, terms, dimensions=None):
    """An offer file of a service: one product with a price on demand and, in `terms`, one reserved."""
    on_demand = dimensions or {"y": {"unit": "Hrs", "pricePerUnit": {"USD": "0.50"}}}
    reserved = {
        "z": {"termAttributes": terms, "priceDimensions": {"a": {"unit": "Hrs", "pricePerUnit": {"USD": "0.30"}}}}
    }
    return json.dumps(
        {
            "offerCode": code,
            "publicationDate": "2026-02-03T00:00:00Z",
            "products": {"SKU": {"productFamily": "x", "attributes": {"regionCode": "us-east-1", **attributes}}},
            "terms": {
                "OnDemand": {"SKU": {"x": {"priceDimensions": on_demand}}},
                "Reserved": {"SKU": reserved} if terms else {},
            },
        }
    )


ONE_YEAR = {"LeaseContractLength": "1yr", "OfferingClass": "standard", "PurchaseOption": "No Upfront"}


@pytest.mark.parametrize(
    ("code", "attributes", "pool"),
    [
        (
            "AmazonRDS",
            {
                "usagetype": "Multi-AZUsage:db.r5.large",
                "operation": "CreateDBInstance:0014",
                "instanceType": "db.r5.large",
                "databaseEngine": "PostgreSQL",
                "deploymentOption": "Multi-AZ",
            },
            "db.r5.large PostgreSQL Multi-AZ in us-east-1",
        ),
        (
            "AmazonRDS",
            {
                "usagetype": "InstanceUsage:db.m5.large",
                "instanceType": "db.m5.large",
                "databaseEngine": "Oracle",
                "databaseEdition": "Standard Two",
                "licenseModel": "Bring your own license",
            },
            "db.m5.large Oracle Standard Two BYOL in us-east-1",
        ),
        (
            "AmazonElastiCache",
            {"usagetype": "NodeUsage:cache.r6g.large", "instanceType": "cache.r6g.large", "cacheEngine": "Valkey"},
            "cache.r6g.large Valkey in us-east-1",
        ),
        (
            "AmazonES",
            {"usagetype": "ESInstance:r6g.large", "instanceType": "r6g.large.search"},
            "r6g.large.search in us-east-1",
        ),
        ("AmazonRedshift", {"usagetype": "Node:ra3.xlplus", "instanceType": "ra3.xlplus"}, "ra3.xlplus in us-east-1"),
        (
            "AmazonMemoryDB",
            {"usagetype": "NodeUsage:db.r6g.large", "instanceType": "db.r6g.large"},
            "AWS/MemoryDB: db.r6g.large Redis in us-east-1",
        ),
        ("AmazonDynamoDB", {"usagetype": "WriteCapacityUnit-Hrs"}, "AWS/DynamoDB: WriteCapacityUnit in us-east-1"),
    ],
)
def test_the_offer_file_of_a_service_has_the_pools_of_its_bill(code, attributes, pool):
    on_demand, reserved = parse_price_list(service_offers(code, attributes, terms=ONE_YEAR), f"{code}.json")
    assert (str(on_demand.pool), on_demand.kind, on_demand.hourly) == (pool, ON_DEMAND, Decimal("0.50"))
    assert (str(reserved.pool), reserved.kind, reserved.hourly) == (pool, RI_STANDARD, Decimal("0.30"))


def test_of_tiers_the_first_that_costs_something_is_the_price():
    tiers = {
        "b": {"unit": "Lambda-GB-Second", "beginRange": "6000000000", "pricePerUnit": {"USD": "0.0000150000"}},
        "a": {"unit": "Lambda-GB-Second", "beginRange": "0", "pricePerUnit": {"USD": "0.0000166667"}},
    }
    text = service_offers("AWSLambda", {"usagetype": "Lambda-GB-Second"}, terms=None, dimensions=tiers)
    (price,) = parse_price_list(text, "lambda.json")
    assert (str(price.pool), price.hourly) == ("AWS/Lambda: GB-Second in us-east-1", Decimal("0.0000166667"))


@pytest.mark.parametrize(
    ("family", "code", "usage_type", "pool"),
    [
        ("ComputeSavingsPlans", "AmazonECS", "Fargate-vCPU-Hours:perCPU", "AWS/Fargate: vCPU in us-east-1"),
        ("ComputeSavingsPlans", "AmazonEC2", "DedicatedUsage:m5.large", "m5.large Linux, dedicated in us-east-1"),
        ("SageMakerSavingsPlans", "AmazonSageMaker", "Host:ml.m5.large", "ml.m5.large Host in us-east-1"),
        (
            "DatabaseSavingsPlans",
            "AmazonDynamoDB",
            "ReadCapacityUnit-Hrs",
            "AWS/DynamoDB: ReadCapacityUnit in us-east-1",
        ),
    ],
)
def test_a_savings_plan_file_has_rates_of_all_that_it_covers(family, code, usage_type, pool):
    rate = {
        "discountedUsageType": usage_type,
        "discountedOperation": "",
        "discountedServiceCode": code,
        "discountedRegionCode": "us-east-1",
        "discountedRate": {"price": "0.07", "currency": "USD"},
    }
    unused = {**rate, "discountedUsageType": "UnusedBox:m5.large", "discountedServiceCode": "AmazonEC2"}
    offers = {
        "publicationDate": "2026-02-03T00:00:00Z",
        "products": [{"sku": "P", "productFamily": family, "attributes": {"purchaseOption": "No Upfront"}}],
        "terms": {"savingsPlan": [{"sku": "P", "leaseContractLength": {"duration": 1}, "rates": [rate, unused]}]},
    }
    (price,) = parse_price_list(json.dumps(offers), "sp.json")
    assert (str(price.pool), price.term_months, price.is_plan) == (pool, 12, True)


def azure_item(kind, price, product="Virtual Machines Dsv5 Series", **more):
    return {
        "currencyCode": "EUR",
        "retailPrice": price,
        "armRegionName": "westeurope",
        "effectiveStartDate": "2026-01-01T00:00:00Z",
        "serviceName": "Virtual Machines",
        "armSkuName": "Standard_D4s_v5",
        "productName": product,
        "unitOfMeasure": "1 Hour",
        "type": kind,
        **more,
    }


def test_azures_retail_prices_have_reservations_plans_and_the_licence_of_windows():
    """A year for 1,051.20 is 0.12 an hour; Windows adds 0.184 an hour, which no reservation covers."""
    items = [
        azure_item("Consumption", 0.2, savingsPlan=[{"retailPrice": 0.17, "term": "1 Year"}]),
        azure_item("Consumption", 0.384, "Virtual Machines Dsv5 Series Windows"),
        azure_item("Consumption", 0.02, skuName="D4s v5 Spot"),
        azure_item("Reservation", 1051.2, reservationTerm="1 Year"),
    ]
    prices = parse_price_list(json.dumps({"Items": items}), "azure.json")
    amounts = {(price.pool.system, price.kind, price.payment): price.effective for price in prices}
    assert amounts == {
        ("Linux", "on_demand", ""): Decimal("0.2"),
        ("Linux", "azure_plan", "none"): Decimal("0.17"),
        ("Linux", "azure_reservation", "none"): Decimal("0.12"),
        ("Linux", "azure_reservation", "all"): Decimal("0.12"),
        ("Windows", "on_demand", ""): Decimal("0.384"),
        ("Windows", "azure_reservation", "none"): Decimal("0.304"),
        ("Windows", "azure_reservation", "all"): Decimal("0.304"),
    }
    assert {price.currency for price in prices} == {"EUR"}


GOOGLE_TABLE = (
    "Service description,SKU description,List price (EUR),Contract price (EUR)\n"
    "Compute Engine,N2 Instance Core running in Belgium,0.0350,0.0300\n"
    "Compute Engine,Commitment v1: N2 Cpu in Belgium for 3 Years,0.0150,\n"
    "Compute Engine,Spot Preemptible N2 Instance Core running in Belgium,0.0080,\n"
    "Compute Engine,Storage PD Capacity,0.0400,\n"
)


def test_googles_table_has_contract_prices_commitments_and_what_flexible_ones_take_off():
    """Of 0.03 a flexible commitment takes 28% in a year and 46% in three."""
    prices = parse_price_list(GOOGLE_TABLE, "google-2026-01-31.csv")
    amounts = {(price.kind, price.term_months): price.hourly for price in prices}
    assert amounts == {
        ("on_demand", 0): Decimal("0.0300"),
        ("gcp_flexible", 12): Decimal("0.021600"),
        ("gcp_flexible", 36): Decimal("0.016200"),
        ("gcp_cud", 36): Decimal("0.0150"),
    }
    assert {(price.currency, price.day) for price in prices} == {("EUR", date(2026, 1, 31))}


def test_googles_table_without_a_date_in_its_name_is_refused():
    with pytest.raises(BadPrices, match="put it into the file's name"):
        parse_price_list(GOOGLE_TABLE, "google.csv")


def test_a_sheet_names_service_and_zone():
    header = "provider,service,region,zone,type,system,option,term,payment,hourly,upfront,currency,date\n"
    row = "AWS,MemoryDB,us-east-1,,db.r6g.large,Redis,ri_standard,12,none,0.12,,USD,2026-01-31\n"
    zonal = "AWS,,us-east-1,us-east-1a,m5.large,,ri_standard,12,none,0.06,,USD,2026-01-31\n"
    one, other = parse_price_list(header + row + zonal, "sheet.csv")
    assert (one.pool.service, one.pool.system) == ("MemoryDB", "Redis")
    assert (other.pool.service, other.pool.zone, other.pool.system) == ("EC2", "us-east-1a", "Linux")
