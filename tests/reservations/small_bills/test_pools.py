"""Small bills of everything that commitments cover: what to buy of it, worked out by hand beside each.

Of the first week of March 2026 a bill has every hour. A reservation of a year without upfront costs six tenths of the
list price on demand, unless it is said: worth it for what runs in more than 60% of the hours.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pytest

from costs.calc import exchange_rates
from costs.query.currency_conversion import load_rates
from finops_site.models import Team
from reservations.calc.price_lists import parse_price_list
from reservations.calc.prices import at_net_prices
from reservations.models import Rate
from reservations.optimizer.offers import Market, PurchaseScope, build_market
from reservations.optimizer.solve import solve
from reservations.pricing import price_book
from reservations.recommendations.demand_sources import collect_demand
from tagging.models import OwnershipRule
from tests import bills
from tests.reservations.recommendations.test_recommend import hour, load, recommend

pytestmark = pytest.mark.django_db
AS_OF = date(2026, 3, 8)
DAYS = range(1, 8)
HEADER = "provider,service,region,type,system,tenancy,option,term,payment,hourly,upfront,currency,date\n"


def cur(usage_type, *, product="AmazonEC2", operation="RunInstances", hours=range(24), amount="1", type_="", **changes):
    """A line for each hour of the week, as a Cost and Usage Report has it."""
    resource = changes.pop("resource", usage_type)
    return [
        {
            "lineItem/UsageStartDate": f"2026-03-{day:02}T{at:02}:00:00Z",
            "lineItem/UsageEndDate": f"2026-03-{day + (at == 23):02}T{(at + 1) % 24:02}:00:00Z",
            "lineItem/ProductCode": product,
            "lineItem/UsageType": usage_type,
            "lineItem/Operation": operation,
            "lineItem/ResourceId": resource,
            "lineItem/UsageAmount": amount,
            "lineItem/LineItemDescription": "as used",
            "product/instanceType": type_ or usage_type.partition(":")[2],
            **changes,
        }
        for day in DAYS
        for at in hours
    ]


def load_cur(folder, *rows: Iterable[dict[str, str]], name="cur.csv"):
    load(folder, bills.cur_csv([row for part in rows for row in part]).decode(), name)


def prices(*rows: str):
    """A price list: ``EC2,m5.large,Linux,default,0.10,0.06`` are prices on demand and reserved."""
    lines = []
    for row in rows:
        service, type_, system, tenancy, on_demand, reserved = row.split(",")
        start = f"AWS,{service},us-east-1,{type_},{system},{tenancy}"
        lines.append(f"{start},on_demand,0,,{on_demand},0,USD,2026-01-01")
        if reserved:
            lines.append(f"{start},ri_standard,12,none,{reserved},0,USD,2026-01-01")
    load_sheet(lines)


def load_sheet(lines):
    price_book.load_prices(parse_price_list(HEADER + "\n".join(lines) + "\n", "list"))


def market(*, is_shared=True, currency="USD", is_net=True, **scope) -> Market:
    collected = collect_demand(AS_OF, 30, is_shared=is_shared)
    demand = collected.demand.last_days(7)
    listed = at_net_prices(price_book.prices_of(demand.pools, AS_OF, currency), collected.net if is_net else {})
    return build_market(demand, listed, PurchaseScope(**{"terms": (12,), "payments": ("none",)} | scope))


def to_buy(**options) -> dict[tuple[str, str], Decimal]:
    """{(option, the machine that is bought): how many, or how much an hour}."""
    offered = market(**options)
    bought = zip(offered.offers, solve(offered.problem).quantities, strict=True)
    return {
        (offer.kind, "" if offer.is_plan else str(offer.price.pool)): round(
            Decimal(str(float(count) * (offer.scale if offer.is_plan else 1))), 6
        )
        for offer, count in bought
        if count > 1e-6
    }


def machines(**options) -> dict[str, float]:
    """{pool: machines in every hour}, where they are the same in all of them."""
    demand = collect_demand(AS_OF, 30, **options).demand.last_days(7)
    assert all(len(set(row.round(6).tolist())) == 1 for row in demand.machines)
    return {str(pool): float(row[0].round(6)) for pool, row in zip(demand.pools, demand.machines, strict=True)}


def notes() -> str:
    return " ".join(collect_demand(AS_OF, 30).demand.notes)


def test_a_regional_reservation_of_ec2_covers_every_size_of_its_family(tmp_path):
    """Two large (4 units each) and one xlarge (8) are 16 units: four reservations of large, of 4 units each."""
    load_cur(
        tmp_path,
        cur("BoxUsage:m5.large", resource="i-1"),
        cur("BoxUsage:m5.large", resource="i-2"),
        cur("BoxUsage:m5.xlarge", resource="i-3"),
    )
    prices("EC2,m5.large,Linux,default,0.10,0.06", "EC2,m5.xlarge,Linux,default,0.20,0.12")
    assert to_buy() == {("ri_standard", "m5.large Linux in us-east-1"): 4}


def test_bare_metal_counts_as_its_familys_largest_size(tmp_path):
    """m5.metal has 192 units: 48 reservations of large."""
    load_cur(tmp_path, cur("BoxUsage:m5.metal", resource="i-1"), cur("BoxUsage:m5.large", resource="i-2"))
    prices("EC2,m5.large,Linux,default,0.10,0.06", "EC2,m5.metal,Linux,default,4.80,")
    assert to_buy() == {("ri_standard", "m5.large Linux in us-east-1"): 49}


@pytest.mark.parametrize("operation", ["RunInstances:0002", "RunInstances:0010"])
def test_a_licence_keeps_a_reservation_to_its_own_size(tmp_path, operation):
    """One large and one xlarge under Windows (or Red Hat): one reservation of each, and not three of large."""
    system = "Windows" if operation.endswith("2") else "RHEL"
    load_cur(
        tmp_path,
        cur("BoxUsage:m5.large", operation=operation, resource="i-1"),
        cur("BoxUsage:m5.xlarge", operation=operation, resource="i-2"),
    )
    prices(f"EC2,m5.large,{system},default,0.20,0.12", f"EC2,m5.xlarge,{system},default,0.40,0.24")
    assert to_buy() == {
        ("ri_standard", f"m5.large {system} in us-east-1"): 1,
        ("ri_standard", f"m5.xlarge {system} in us-east-1"): 1,
    }


@pytest.mark.parametrize("family", ["g4dn", "inf1", "trn1"])
def test_accelerators_have_no_flexible_sizes(tmp_path, family):
    load_cur(
        tmp_path,
        cur(f"BoxUsage:{family}.xlarge", resource="i-1"),
        cur(f"BoxUsage:{family}.2xlarge", resource="i-2"),
    )
    prices(f"EC2,{family}.xlarge,Linux,default,0.50,0.30", f"EC2,{family}.2xlarge,Linux,default,1.00,0.60")
    assert set(to_buy().values()) == {1}
    assert len(to_buy()) == 2


def test_a_zonal_reservation_covers_one_size_in_its_zone_and_a_regional_one_what_is_left(tmp_path):
    """One large in zone a, where a list has a better price for the zone; one in zone b, under the region's price."""
    load_cur(
        tmp_path,
        *(
            cur("BoxUsage:m5.large", resource=f"i-{zone}", **{"lineItem/AvailabilityZone": f"us-east-1{zone}"})
            for zone in "ab"
        ),
    )
    prices("EC2,m5.large,Linux,default,0.10,0.06")
    zonal = HEADER.replace("region,", "region,zone,")
    row = "AWS,EC2,us-east-1,us-east-1a,m5.large,Linux,default,ri_standard,12,none,0.05,0,USD,2026-01-01\n"
    price_book.load_prices(parse_price_list(zonal + row, "zonal"))
    assert to_buy() == {
        ("ri_standard", "m5.large Linux in us-east-1, zone us-east-1a"): 1,
        ("ri_standard", "m5.large Linux in us-east-1"): 1,
    }
    items = recommend(terms=(12,)).items.order_by("zone")
    assert [(item.zone, item.quantity) for item in items] == [("", 1), ("us-east-1a", 1)]


def test_dedicated_hardware_has_its_own_prices_and_reservations(tmp_path):
    """One shared, one dedicated: each its own. Before there is a price of the dedicated one, it stays on demand."""
    load_cur(
        tmp_path,
        cur("BoxUsage:m5.large", resource="i-1"),
        cur("DedicatedUsage:m5.large", resource="i-2"),
    )
    prices("EC2,m5.large,Linux,default,0.10,0.06")
    assert to_buy() == {("ri_standard", "m5.large Linux in us-east-1"): 1}
    assert [str(pool) for pool in market().unpriced] == ["m5.large Linux, dedicated in us-east-1"]
    prices("EC2,m5.large,Linux,dedicated,0.12,0.07")
    assert to_buy() == {
        ("ri_standard", "m5.large Linux in us-east-1"): 1,
        ("ri_standard", "m5.large Linux, dedicated in us-east-1"): 1,
    }


def test_spot_and_the_fees_of_emr_software_and_volumes_are_no_machines_to_cover(tmp_path):
    """Of five lines an hour one is a machine on demand."""
    load_cur(
        tmp_path,
        cur("BoxUsage:m5.large", resource="i-1"),
        cur("BoxUsage:m5.large", product="ElasticMapReduce", operation="RunJobFlow", resource="i-1"),
        cur("EBSOptimized:m5.large", operation="Hourly", resource="i-1"),
        cur("SoftwareUsage:m5.large", product="6njl1pau431dv1qxipg63mvah", operation="Hourly", resource="i-1"),
        cur("SpotUsage:m5.large", operation="RunInstances:SV000", resource="i-9"),
    )
    assert machines() == {"m5.large Linux in us-east-1": 1}
    assert collect_demand(AS_OF, 30).spot_hours == 168


def test_databases_of_one_engine_share_reservations_and_two_zones_count_double(tmp_path):
    """PostgreSQL: one large (4 units) and one large in two zones (8) are three reservations of large in one zone.

    SQL Server brings a licence: its own size, its own reservation.
    """
    database = {"product": "AmazonRDS"}
    load_cur(
        tmp_path,
        cur("InstanceUsage:db.r5.large", operation="CreateDBInstance:0014", resource="db-1", **database),
        cur("Multi-AZUsage:db.r5.large", operation="CreateDBInstance:0014", resource="db-2", **database),
        cur("InstanceUsage:db.r5.xlarge", operation="CreateDBInstance:0012", resource="db-3", **database),
    )
    prices(
        "RDS,db.r5.large,PostgreSQL,default,0.25,0.15",
        "RDS,db.r5.large,PostgreSQL Multi-AZ,default,0.50,0.30",
        "RDS,db.r5.xlarge,SQL Server Standard (LI),default,1.50,0.90",
    )
    assert to_buy() == {
        ("ri_standard", "db.r5.large PostgreSQL in us-east-1"): 3,
        ("ri_standard", "db.r5.xlarge SQL Server Standard (LI) in us-east-1"): 1,
    }


def test_a_cache_is_no_windows_and_its_nodes_are_size_flexible(tmp_path):
    """``CreateCacheCluster:0002`` is Redis: one large and one xlarge are three reserved nodes of large."""
    cache = {"product": "AmazonElastiCache", "operation": "CreateCacheCluster:0002"}
    load_cur(
        tmp_path,
        cur("NodeUsage:cache.r6g.large", resource="c-1", **cache),
        cur("NodeUsage:cache.r6g.xlarge", resource="c-2", **cache),
    )
    prices(
        "ElastiCache,cache.r6g.large,Redis,default,0.20,0.12", "ElastiCache,cache.r6g.xlarge,Redis,default,0.40,0.24"
    )
    assert to_buy() == {("ri_standard", "cache.r6g.large Redis in us-east-1"): 3}


@pytest.mark.parametrize(
    ("product", "usage_type", "type_", "service"),
    [
        ("AmazonES", "ESInstance:r6g.large", "r6g.large.search", "OpenSearch"),
        ("AmazonRedshift", "Node:ra3.xlplus", "ra3.xlplus", "Redshift"),
        ("AmazonMemoryDB", "NodeUsage:db.r6g.large", "db.r6g.large", "MemoryDB"),
    ],
)
def test_nodes_of_other_services_are_reserved_and_no_plan_for_compute_covers_them(
    tmp_path, product, usage_type, type_, service
):
    load_cur(tmp_path, cur(usage_type, product=product, operation="", type_=type_))
    start = f"AWS,{service},us-east-1,{type_},{'Redis' if service == 'MemoryDB' else ''},default"
    load_sheet(
        [
            f"{start},on_demand,0,,0.50,0,USD,2026-01-01",
            f"{start},ri_standard,12,none,0.30,0,USD,2026-01-01",
            # A row that does not exist at AWS: even then it is not advised.
            f"{start},sp_compute,12,none,0.10,0,USD,2026-01-01",
        ]
    )
    ((kind, pool), count), *more = to_buy().items()
    assert (kind, count, more) == ("ri_standard", 1, [])
    assert type_ in pool


def test_capacity_of_dynamodb_is_reserved_in_lots_of_a_hundred_units(tmp_path):
    """250 units an hour: two lots are always used. Half of a third would stand idle, and it pays from 60%."""
    load_cur(
        tmp_path,
        cur(
            "WriteCapacityUnit-Hrs",
            product="AmazonDynamoDB",
            operation="CommittedThroughput",
            amount="250",
            **{"pricing/unit": "WriteCapacityUnit-Hrs"},
        ),
    )
    prices("DynamoDB,WriteCapacityUnit,,default,0.00065,0.00039")
    assert to_buy() == {("ri_standard", "AWS/DynamoDB: WriteCapacityUnit in us-east-1"): 2}


def test_the_replay_of_reserved_dynamodb_capacity_counts_its_lots(tmp_path):
    """Two lots of 100 of 250 units: 200 x (0.00065 - 0.00039) = 0.052 an hour, 455.52 a year."""
    load_cur(
        tmp_path,
        cur(
            "WriteCapacityUnit-Hrs",
            product="AmazonDynamoDB",
            operation="CommittedThroughput",
            amount="250",
            **{"pricing/unit": "WriteCapacityUnit-Hrs"},
        ),
    )
    prices("DynamoDB,WriteCapacityUnit,,default,0.00065,0.00039")
    replayed = recommend(as_of=AS_OF, terms=(12,), payments=("none",)).working["replayed"]
    assert replayed["agrees"]
    assert Decimal(replayed["saving"]).quantize(Decimal("0.01")) == Decimal("455.52")


def test_a_compute_plan_covers_fargate_and_lambda_and_the_machines_beside_them(tmp_path):
    """An hour at the plan's rates: 2 vCPU x 0.030 + 4 GB x 0.0033 + 3,600 GB-seconds x 0.0000138334 + 1 machine x 0.07
    = 0.06 + 0.0132 + 0.04980024 + 0.07 = 0.19300024."""
    load_cur(
        tmp_path,
        cur("Fargate-vCPU-Hours:perCPU", product="AmazonECS", operation="FargateTask", amount="2", type_=" "),
        cur("Fargate-GB-Hours", product="AmazonECS", operation="FargateTask", amount="4"),
        cur(
            "Lambda-GB-Second",
            product="AWSLambda",
            operation="Invoke",
            amount="3600",
            **{"pricing/unit": "seconds"},
        ),
        cur("BoxUsage:m5.large", resource="i-1"),
    )
    rows = [
        ("Fargate,us-east-1,vCPU", "0.04048", "0.030"),
        ("Fargate,us-east-1,GB", "0.004445", "0.0033"),
        ("Lambda,us-east-1,GB-Second", "0.0000166667", "0.0000138334"),
        ("EC2,us-east-1,m5.large", "0.096", "0.07"),
    ]
    load_sheet(
        line
        for what, on_demand, rate in rows
        for line in (
            f"AWS,{what},,,on_demand,0,,{on_demand},0,USD,2026-01-01",
            f"AWS,{what},,,sp_compute,12,none,{rate},0,USD,2026-01-01",
        )
    )
    assert to_buy() == {("sp_compute", ""): Decimal("0.193000")}


def test_database_and_sagemaker_plans_cover_what_is_theirs(tmp_path):
    """A database at 0.40 of 0.50 an hour and 1,000 units of throughput at 0.00055; an endpoint at 0.08 of 0.115."""
    load_cur(
        tmp_path,
        cur("InstanceUsage:db.r7g.large", product="AmazonRDS", operation="CreateDBInstance:0021", resource="db-1"),
        cur(
            "ReadCapacityUnit-Hrs",
            product="AmazonDynamoDB",
            operation="CommittedThroughput",
            amount="1000",
            **{"pricing/unit": "ReadCapacityUnit-Hrs"},
        ),
        cur("Host:ml.m5.large", product="AmazonSageMaker", operation="RunInstance", resource="e-1"),
    )
    rows = [
        ("RDS,us-east-1,db.r7g.large,Aurora PostgreSQL", "0.50", "sp_database", "0.40"),
        ("DynamoDB,us-east-1,ReadCapacityUnit,", "0.00065", "sp_database", "0.00055"),
        ("SageMaker,us-east-1,ml.m5.large,Host", "0.115", "sp_sagemaker", "0.08"),
    ]
    load_sheet(
        line
        for what, on_demand, plan, rate in rows
        for line in (
            f"AWS,{what},default,on_demand,0,,{on_demand},0,USD,2026-01-01",
            f"AWS,{what},default,{plan},12,none,{rate},0,USD,2026-01-01",
        )
    )
    assert to_buy() == {("sp_database", ""): Decimal("0.95"), ("sp_sagemaker", ""): Decimal("0.08")}
    plan = recommend(terms=(12,))
    assert {"Database SP", "SageMaker SP"} < {row["name"] for row in plan.working["comparison"]}
    assert plan.working["only_reserved"] == ""


def test_day_in_one_account_and_night_in_another_are_one_machine_only_where_accounts_share(tmp_path):
    """Together they run all hours: one reservation. Apart each runs half the hours, and it pays from 60%: none."""
    load_cur(
        tmp_path,
        cur("BoxUsage:m5.large", hours=range(8, 20), resource="i-1", **{"lineItem/UsageAccountId": "111"}),
        cur(
            "BoxUsage:m5.large", hours=[*range(8), *range(20, 24)], resource="i-2", **{"lineItem/UsageAccountId": "222"}
        ),
    )
    prices("EC2,m5.large,Linux,default,0.10,0.06")
    assert to_buy() == {("ri_standard", "m5.large Linux in us-east-1"): 1}
    assert to_buy(is_shared=False) == {}
    plan = recommend(is_shared=False, terms=(12,))
    assert not plan.items.exists()
    assert any("Accounts do not share commitments" in note for note in plan.notes)
    assert recommend(terms=(12,)).items.get().quantity == 1
    assert [pool.account for pool in market(is_shared=False).pools] == ["111", "222"]


def test_an_account_that_does_not_share_buys_for_itself(tmp_path):
    """Two machines in each account: two reservations in each, never four in one."""
    load_cur(
        tmp_path,
        *(
            cur("BoxUsage:m5.large", resource=f"i-{account}-{n}", **{"lineItem/UsageAccountId": account})
            for account in ("111", "222")
            for n in range(2)
        ),
    )
    prices("EC2,m5.large,Linux,default,0.10,0.06")
    items = recommend(is_shared=False, terms=(12,)).items.order_by("account")
    assert [(item.account, item.quantity) for item in items] == [("111", 2), ("222", 2)]
    offered = market(is_shared=False)
    assert [option.is_whole for option in offered.problem.options] == [True, True]
    assert [float(count) for count in solve(offered.problem).quantities] == [2, 2]
    assert sum(to_buy().values()) == 4


def focus_hours(**changes):
    return [{**hour(day, at), "SkuPriceDetails": "", **changes} for day in DAYS for at in range(24)]


def test_a_focus_row_without_price_details_is_read_from_its_usage_type(tmp_path):
    load(
        tmp_path,
        focus_hours(
            x_UsageType="DedicatedUsage:m5.xlarge", x_Operation="RunInstances:0002", ChargeDescription="Compute"
        ),
    )
    assert machines() == {"m5.xlarge Windows, dedicated in us-east-1": 1}


def test_a_focus_row_is_read_from_its_description_where_it_has_nothing_else(tmp_path):
    load(tmp_path, focus_hours(ChargeDescription="$0.212 per On Demand RHEL c5.2xlarge Instance Hour"))
    assert machines() == {"c5.2xlarge RHEL in us-east-1": 1}


def test_machines_that_nobody_can_name_are_named_with_what_they_cost(tmp_path):
    """168 hours at 0.096 are 16.128."""
    load(tmp_path, [*focus_hours(ChargeDescription="On Demand Instance Hour"), hour(7, 1)])
    assert "16.13 USD are hours of machines whose type the bill does not name" in notes()


EURO = {"BillingCurrency": "EUR"}


def euro_bill(folder, **changes):
    load(folder, [{**hour(day, at), **EURO, **changes} for day in DAYS for at in range(24)])


def test_a_bill_in_euros_is_advised_at_prices_in_euros(tmp_path):
    euro_bill(tmp_path)
    start = "AWS,EC2,us-east-1,m5.large,Linux,default"
    load_sheet(
        [
            f"{start},on_demand,0,,0.09,0,EUR,2026-01-01",
            f"{start},ri_standard,12,none,0.05,0,EUR,2026-01-01",
            f"{start},on_demand,0,,0.10,0,USD,2026-02-01",
            f"{start},ri_standard,12,none,0.02,0,USD,2026-02-01",
        ]
    )
    plan = recommend(terms=(12,))
    item = plan.items.get()
    # One machine: 0.05 EUR x 8,760 hours against 0.09.
    assert (plan.currency, round(item.committed_cost, 2), round(item.on_demand_cost, 2)) == (
        "EUR",
        Decimal("438.00"),
        Decimal("788.40"),
    )
    (offer,) = market(currency="EUR").offers
    assert (offer.price.hourly, offer.price.currency, offer.on_demand) == (Decimal("0.05"), "EUR", Decimal("0.09"))


def test_a_list_in_dollars_is_converted_for_a_bill_in_euros_and_says_at_which_rate(tmp_path):
    """0.10 USD at 0.90 are 0.09 EUR."""
    euro_bill(tmp_path)
    prices("EC2,m5.large,Linux,default,0.10,0.06")
    load_rates(exchange_rates.parse("date,base,quote,rate\n2026-03-06,USD,EUR,0.90\n"))
    (offer,) = market(currency="EUR").offers
    assert (offer.price.hourly, offer.on_demand) == (Decimal("0.054"), Decimal("0.09"))
    assert offer.price.source == "list, converted: 1 USD = 0.9 EUR of 6 Mar 2026"
    assert any("converted (1 USD = 0.9 EUR of 6 Mar 2026)" in note for note in recommend(terms=(12,)).notes)


def test_machines_of_another_currency_are_named_and_never_mixed_in(tmp_path):
    """Seven days of one machine in euros (16.13), and an hour in dollars (0.10)."""
    euro_bill(tmp_path)
    load(tmp_path, [hour(7, 1, "i-2")], "dollars.csv")
    assert "0.10 USD are on bills in USD: this advice is for what is billed in EUR." in notes()


def test_without_a_rate_prices_in_dollars_are_none_in_euros(tmp_path):
    euro_bill(tmp_path)
    prices("EC2,m5.large,Linux,default,0.10,0.06")
    offered = market(currency="EUR")
    assert (offered.offers, [str(pool) for pool in offered.unpriced]) == ([], ["m5.large Linux in us-east-1"])
    notes = recommend(terms=(12,)).notes
    assert any("is in USD, and the bill in EUR: load a list in EUR, or exchange rates" in note for note in notes)


def test_a_report_without_contracted_costs_shows_the_discount_in_what_it_charges(tmp_path):
    """Public price 0.10, charged 0.09 an hour: on demand 10% below the list."""
    load_cur(
        tmp_path,
        cur(
            "BoxUsage:m5.large",
            resource="i-1",
            **{"lineItem/UnblendedCost": "0.09", "pricing/publicOnDemandCost": "0.10"},
        ),
    )
    prices("EC2,m5.large,Linux,default,0.10,0.06")
    (offer,) = market().offers
    assert offer.on_demand == Decimal("0.09")


def test_on_demand_costs_what_the_contract_says_in_the_bill(tmp_path):
    """List 0.10, contracted 0.08 an hour: a reservation at 0.085 saves 15% of the list and nothing of the bill."""
    load(
        tmp_path,
        [
            {
                **hour(day, at),
                "ListCost": "0.10",
                "ContractedCost": "0.08",
                "EffectiveCost": "0.08",
                "BilledCost": "0.08",
            }
            for day in DAYS
            for at in range(24)
        ],
    )
    prices("EC2,m5.large,Linux,default,0.10,0.085")
    assert market().problem.on_demand.tolist() == [pytest.approx(0.08)]
    assert to_buy() == {}
    assert to_buy(is_net=False) == {("ri_standard", "m5.large Linux in us-east-1"): 1}


def test_a_price_list_of_another_region_is_named_and_prices_nothing_here(tmp_path):
    load_cur(tmp_path, cur("BoxUsage:m7i.large", resource="i-1"))
    load_sheet(["AWS,EC2,eu-west-1,m7i.large,Linux,default,on_demand,0,,0.10,0,USD,2026-01-01"])
    plan = recommend(terms=(12,))
    assert not plan.items.exists()
    assert any("A price list has some of these types in eu-west-1 only" in note for note in plan.notes)


def test_an_indicative_price_never_competes_with_a_list(tmp_path):
    """The list knows a price on demand and no option: nothing is bought at discounts that nobody offers."""
    load_cur(tmp_path, cur("BoxUsage:m5.large", resource="i-1"), cur("BoxUsage:c5.large", resource="i-2"))
    assert {offer.price.is_indicative for offer in market().offers} == {True}
    prices("EC2,m5.large,Linux,default,0.10,")
    offered = market()
    assert offered.offers == []
    assert [str(pool) for pool in offered.unpriced] == ["c5.large Linux in us-east-1"]
    assert Rate.objects.count() == 1


AZURE = {
    "ProviderName": "Microsoft",
    "ServiceName": "Virtual Machines",
    "RegionId": "westeurope",
    "BillingCurrency": "EUR",
}


def azure(type_, machine, product="Virtual Machines Dsv5 Series"):
    details = f'{{"ServiceType": "{type_}"}}'
    return [
        {
            **hour(day, at, machine),
            **AZURE,
            "SkuPriceDetails": "",
            "x_SkuDetails": details,
            "ChargeDescription": product,
        }
        for day in DAYS
        for at in range(24)
    ]


def test_an_azure_reservation_covers_its_series_by_cores(tmp_path):
    """Two cores and four cores are three reservations of two cores: 3 x 0.06 against 0.30 an hour."""
    load(tmp_path, [*azure("Standard_D2s_v5", "vm-1"), *azure("Standard_D4s_v5", "vm-2")])
    lines = [
        f"Azure,Virtual Machines,westeurope,{type_},Linux,default,{rest},0,EUR,2026-01-01"
        for type_, rest in (
            ("Standard_D2s_v5", "on_demand,0,,0.10"),
            ("Standard_D4s_v5", "on_demand,0,,0.20"),
            ("Standard_D2s_v5", "azure_reservation,12,none,0.06"),
            ("Standard_D4s_v5", "azure_plan,12,none,0.18"),
        )
    ]
    load_sheet(lines)
    expected = ("azure_reservation", "Azure/Virtual Machines: Standard_D2s_v5 Linux in westeurope")
    assert to_buy(currency="EUR") == {expected: 3}


GOOGLE = {"ProviderName": "Google Cloud", "ServiceName": "Compute Engine", "RegionId": "europe-west1"}


def google(part, amount):
    return [
        {
            **hour(day, at, "vm-1"),
            **GOOGLE,
            "SkuPriceDetails": "",
            "ChargeDescription": f"N2 Instance {part} running in Belgium",
            "ConsumedQuantity": amount,
        }
        for day in DAYS
        for at in range(24)
    ]


def test_cores_and_memory_of_google_cloud_are_committed_apart(tmp_path):
    """4 cores and 16 GB, always: as many of each. A flexible commitment takes 28% off where this takes 37%."""
    load(tmp_path, [*google("Core", "4"), *google("Ram", "16")])
    table = (
        "Service description,SKU description,List price ($)\n"
        "Compute Engine,N2 Instance Core running in Belgium,0.0350\n"
        "Compute Engine,N2 Instance Ram running in Belgium,0.0047\n"
        "Compute Engine,Commitment v1: N2 Cpu in Belgium for 1 Year,0.0220\n"
        "Compute Engine,Commitment v1: N2 Ram in Belgium for 1 Year,0.0030\n"
    )
    price_book.load_prices(parse_price_list(table, "google-2026-01-31.csv"))
    place = "in europe-west1"
    assert to_buy() == {
        ("gcp_cud", f"Google Cloud/Compute Engine: n2-vCPU {place}"): 4,
        ("gcp_cud", f"Google Cloud/Compute Engine: n2-RAM {place}"): 16,
    }
    # 4 x 0.035 x 0.72 + 16 x 0.0047 x 0.72
    assert to_buy(kinds=("gcp_flexible",)) == {("gcp_flexible", ""): Decimal("0.154944")}


def test_a_teams_advice_names_what_it_has_no_figure_for(tmp_path, people):
    """In 168 hours Fargate at 0.10 an hour costs 16.80, and capacity units at 0.05 cost 8.40: no machine is either."""
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Payments", team=team, tag_key="user:Team", tag_value="Payments")
    fargate = {"operation": "FargateTask", "type_": " ", "lineItem/UnblendedCost": "0.10"}
    units = {"operation": "CommittedThroughput", "type_": " ", "lineItem/UnblendedCost": "0.05"}
    load_cur(
        tmp_path,
        cur("Fargate-vCPU-Hours:perCPU", product="AmazonECS", **fargate),
        cur("WriteCapacityUnit-Hrs", product="AmazonDynamoDB", **units),
        cur("BoxUsage:m5.large", operation="RunInstances:0002", resource="i-1"),
    )
    demand = collect_demand(AS_OF, 30, team).demand
    assert [str(pool) for pool in demand.pools] == ["m5.large Linux in us-east-1"]
    words = " ".join(demand.notes)
    assert "16.80 USD of containers (ECS, EKS and Fargate) are in no figure here" in words
    assert "8.40 USD of DynamoDB are in no figure here" in words
    assert "do not name the system of these machines: m5.large as Linux." in words, "its bill says Windows"
