"""What is owned, from small bills worked by hand: the same bill as AWS's report and as FOCUS says the same of it.

Two reservations of an m5.large, 0.06 an hour each, of which one is used all February (28 days, 672 hours): 672 of 1,344
hours are 50%. Unused are 672 x 0.06 = 40.32. On demand an hour costs 0.096, so that 64.512 were saved from and
80.64 paid: 1 - 80.64 / 64.512 = -25%. The ledger of the purchase says 64.512 - 80.64 = -16.128.

A plan of 0.10 an hour, of which 0.08 are used by a machine of 0.12 on demand, for 24 hours: 0.08 / 0.10 = 80%,
1 - 2.40 / 2.88 = 16.7%, and 24 x 0.02 = 0.48 are unused.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, Period
from reservations.calc.terms import family_of, units
from reservations.inventory import commitment_usage, coverage, metrics, usage_checks
from reservations.inventory.coverage_by_kind import coverage_by_kind
from reservations.models import Commitment, Coverage, LedgerMonth, PurchaseRequest, Utilisation
from reservations.savings import ledger
from tests import bills

pytestmark = pytest.mark.django_db
FEBRUARY = Month(2026, 2)
RI = "arn:aws:ec2:us-east-1:001122334455:reserved-instances/ri-1"
PLAN = "arn:aws:savingsplans::001122334455:savingsplan/plan-1"
BILLED = {"bill/BillingPeriodStartDate": "2026-02-01T00:00:00Z", "bill/BillingPeriodEndDate": "2026-03-01T00:00:00Z"}
BILLED_FOCUS = {"BillingPeriodStart": "2026-02-01T00:00:00Z", "BillingPeriodEnd": "2026-03-01T00:00:00Z"}


def load(folder, content, name="february.csv", source="northwind", accept=False):
    (received,) = receive_bill(source, [bills.write(folder, name, content)], is_accepted=accept)
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    commitment_usage.refresh_usage(FEBRUARY)
    return delivery


def times(start, end):
    return {"lineItem/UsageStartDate": f"{start}:00:00Z", "lineItem/UsageEndDate": f"{end}:00:00Z"}


def days_of_february():
    return [
        (f"2026-02-{day:02}T00", f"2026-02-{day + 1:02}T00" if day < 28 else "2026-03-01T00") for day in range(1, 29)
    ]


def hours_of_a_day():
    return [
        (f"2026-02-01T{hour:02}", f"2026-02-01T{hour + 1:02}" if hour < 23 else "2026-02-02T00") for hour in range(24)
    ]


RI_OF_CUR = {
    "reservation/ReservationARN": RI,
    "reservation/NumberOfReservations": "2",
    "reservation/StartTime": "2025-06-01T00:00:00.000Z",
    "reservation/EndTime": "2026-06-01T00:00:00.000Z",
    "pricing/OfferingClass": "standard",
    "pricing/LeaseContractLength": "1yr",
    "pricing/PurchaseOption": "No Upfront",
}
PLAN_OF_CUR = {
    "savingsPlan/SavingsPlanARN": PLAN,
    "savingsPlan/OfferingType": "ComputeSavingsPlans",
    "savingsPlan/PurchaseTerm": "3yr",
    "savingsPlan/PaymentOption": "No Upfront",
    "savingsPlan/StartTime": "2025-09-01T00:00:00.000Z",
    "savingsPlan/EndTime": "2028-09-01T00:00:00.000Z",
}


def two_reservations_as_cur():
    used = [
        {
            **RI_OF_CUR,
            **times(*day),
            "lineItem/LineItemType": "DiscountedUsage",
            "lineItem/UsageAmount": "24",
            "lineItem/UnblendedCost": "0",
            "reservation/EffectiveCost": "1.44",
            "pricing/publicOnDemandCost": "2.304",
            "lineItem/LineItemDescription": "Linux/UNIX (Amazon VPC), m5.large reserved instance applied",
        }
        for day in days_of_february()
    ]
    fee = {
        **RI_OF_CUR,
        **times("2026-02-01T00", "2026-03-01T00"),
        "lineItem/LineItemType": "RIFee",
        "lineItem/ResourceId": "",
        "lineItem/UnblendedCost": "80.64",
        "lineItem/LineItemDescription": "USD 0.06 hourly fee per Linux/UNIX (Amazon VPC), m5.large instance",
        "pricing/publicOnDemandCost": "0",
        "reservation/UnusedRecurringFee": "40.32",
        "reservation/UnusedQuantity": "672",
    }
    return bills.cur_csv([*used, fee], **BILLED)


def focus_row(start, end, **changes):
    return {"ChargePeriodStart": f"{start}:00:00Z", "ChargePeriodEnd": f"{end}:00:00Z", **changes}


FOCUS_MACHINE = {"SkuPriceDetails": '{"InstanceType": "m5.large"}', "PricingCategory": "Committed", "BilledCost": "0"}
FOCUS_MACHINE |= {"ChargeDescription": "Linux/UNIX (Amazon VPC), m5.large reserved instance applied"}
FOCUS_RI = {
    **FOCUS_MACHINE,
    "CommitmentDiscountId": RI,
    "CommitmentDiscountType": "Reserved Instance",
    "CommitmentDiscountCategory": "Usage",
    "CommitmentDiscountUnit": "Hours",
}
USED, UNUSED = {"CommitmentDiscountStatus": "Used"}, {"CommitmentDiscountStatus": "Unused", "ConsumedQuantity": ""}


def two_reservations_as_focus():
    hours = {"CommitmentDiscountQuantity": "24", "EffectiveCost": "1.44"}
    rows = []
    for day in days_of_february():
        rows.append(focus_row(*day, **FOCUS_RI, **USED, **hours, ListCost="2.304", ConsumedQuantity="24"))
        rows.append(focus_row(*day, **FOCUS_RI, **UNUSED, **hours, ListCost="0", ContractedCost="0", ResourceId=""))
    return bills.focus_csv(rows, **BILLED_FOCUS)


def a_plan_as_cur():
    rows = []
    for hour in hours_of_a_day():
        plan = {**PLAN_OF_CUR, **times(*hour), "pricing/publicOnDemandCost": "0.12"}
        covered = {"lineItem/LineItemType": "SavingsPlanCoveredUsage", "savingsPlan/SavingsPlanEffectiveCost": "0.08"}
        rows.append({**plan, **covered, "lineItem/UnblendedCost": "0.12"})
        rows.append({**plan, "lineItem/LineItemType": "SavingsPlanNegation", "lineItem/UnblendedCost": "-0.12"})
        fee = {"savingsPlan/TotalCommitmentToDate": "0.10", "savingsPlan/UsedCommitment": "0.08"}
        fee |= {"product/instanceType": "", "lineItem/ResourceId": "", "pricing/publicOnDemandCost": "0"}
        fee |= {"lineItem/ProductCode": "ComputeSavingsPlans", "lineItem/UsageType": "ComputeSP:3yrNoUpfront"}
        rows.append(
            {**plan, **fee, "lineItem/LineItemType": "SavingsPlanRecurringFee", "lineItem/UnblendedCost": "0.10"}
        )
    return bills.cur_csv(rows, **BILLED)


def a_plan_as_focus():
    plan = {
        **FOCUS_MACHINE,
        "CommitmentDiscountId": PLAN,
        "CommitmentDiscountType": "Compute Savings Plan",
        "CommitmentDiscountCategory": "Spend",
        "CommitmentDiscountUnit": "USD",
    }
    idle = {"CommitmentDiscountQuantity": "0.02", "EffectiveCost": "0.02", "ListCost": "0", "ContractedCost": "0"}
    idle |= {"ResourceId": "", "SkuPriceDetails": "", "ServiceName": "Savings Plans for AWS Compute usage"}
    idle |= {"ChargeDescription": "ComputeSP:3yrNoUpfront"}
    rows = []
    for hour in hours_of_a_day():
        used = {"CommitmentDiscountQuantity": "0.08", "EffectiveCost": "0.08", "ListCost": "0.12"}
        rows.append(focus_row(*hour, **plan, **USED, **used, ConsumedQuantity="1"))
        rows.append(focus_row(*hour, **{**plan, **idle}, **UNUSED))
    return bills.focus_csv(rows, **BILLED_FOCUS)


def bought(eli, fay, kind):
    """The purchase of the one commitment there is, approved before February; it promises 0.10 a day."""
    commitment = Commitment.objects.get()
    PurchaseRequest.objects.create(
        **{
            "plan": None,
            "position": 1,
            "batch": 0,
            "state": "seen",
            "provider": "AWS",
            "kind": kind,
            "term_months": 12,
        },
        **{"payment": "none", "quantity": 1, "unit": "machines", "hourly": 0, "upfront": 0, "monthly": 0, "value": 0},
        **{"on_demand_cost": Decimal(73), "committed_cost": Decimal("36.5"), "utilisation": 1, "currency": "USD"},
        **{"requested_by": eli, "approved_by": fay, "expires_at": datetime(2026, 2, 1, tzinfo=UTC)},
        approved_at=datetime(2026, 1, 31, tzinfo=UTC),
        region="us-east-1",
        instance_type="m5.large",
        commitment=commitment,
    )
    ledger.refresh_ledger(date(2026, 3, 1))


def figures(fay):
    """Everything that pages, reports and the ledger show of one bill."""
    (main,) = metrics.metrics_by_currency(fay, Period(FEBRUARY.start, FEBRUARY.next.start))
    days = ("day", "used", "unused", "unit", "paid", "unused_cost", "on_demand", "currency")
    names = ("utilisation", "coverage", "coverage_hours", "savings_rate", "unused_cost", "eligible", "covered", "paid")
    (line,) = LedgerMonth.objects.filter(month=FEBRUARY.start).values("realised", "on_demand", "paid", "utilisation")
    return {
        "metrics": {name: getattr(main, name) for name in names},
        "days": list(Utilisation.objects.order_by("day").values_list(*days)),
        "coverage": Coverage.objects.sums("day"),
        "ledger": line,
    }


TWO_RESERVATIONS = {"cur": two_reservations_as_cur, "focus": two_reservations_as_focus}
A_PLAN = {"cur": a_plan_as_cur, "focus": a_plan_as_focus}


@pytest.mark.parametrize("layout", TWO_RESERVATIONS)
def test_of_two_reservations_one_is_used(layout, eli, fay, tmp_path):
    load(tmp_path, TWO_RESERVATIONS[layout]())
    bought(eli, fay, "ri_standard")
    of_month = figures(fay)["metrics"]
    assert (of_month["utilisation"], of_month["unused_cost"]) == (Decimal("0.5"), Decimal("40.32"))
    assert of_month["savings_rate"] == Decimal("-0.25")
    assert figures(fay)["ledger"]["realised"] == Decimal("-16.128")
    assert Commitment.objects.get().count == 2, "two machines, as stated or as their hours add up"


@pytest.mark.parametrize("layout", A_PLAN)
def test_of_a_plan_four_fifths_are_used(layout, eli, fay, tmp_path):
    load(tmp_path, A_PLAN[layout]())
    bought(eli, fay, "sp_compute")
    of_month = figures(fay)["metrics"]
    assert (of_month["utilisation"], of_month["unused_cost"]) == (Decimal("0.8"), Decimal("0.48"))
    assert of_month["savings_rate"].quantize(Decimal("0.0001")) == Decimal("0.1667")
    assert (of_month["coverage"], of_month["coverage_hours"]) == (1, 1)
    assert figures(fay)["ledger"]["realised"] == Decimal("2.88") - Decimal("2.40")
    plan = Commitment.objects.get()
    assert (plan.kind, plan.term_months, plan.payment) == ("sp_compute", 36, "none")
    assert plan.hourly_commitment == Decimal("0.10")
    assert (plan.region, plan.instance_type, plan.service) == ("", "", ""), "it is for all of them"


@pytest.mark.parametrize(("layouts", "kind"), [(TWO_RESERVATIONS, "ri_standard"), (A_PLAN, "sp_compute")])
def test_the_same_bill_says_the_same_as_report_and_as_focus(layouts, kind, eli, fay, tmp_path):
    shown = []
    for layout, make in layouts.items():
        PurchaseRequest.objects.all().delete()
        Commitment.objects.all().delete()
        load(tmp_path, make(), name=f"{layout}.csv", accept=True)
        bought(eli, fay, kind)
        shown.append(figures(fay))
    cur, focus = shown
    assert cur == focus


def test_what_ends_soon_is_in_the_calendar_without_a_csv(fay, client_of, tmp_path):
    end = timezone.now() + timedelta(days=60)
    ends = f"{end:%Y-%m-%d}T00:00:00.000Z"
    content = two_reservations_as_cur().replace(b"2026-06-01T00:00:00.000Z", ends.encode())
    load(tmp_path, content)
    page = client_of(fay).get("/reservations/expiries/").content.decode()
    assert Commitment.objects.get().end == end.date()
    assert f"/reservations/owned/{Commitment.objects.get().pk}/" in page


@pytest.mark.parametrize(
    "type_",
    [
        *("m5.large", "m5.12xlarge", "t3.nano", "db.r5.2xlarge", "cache.r6g.xlarge", "r6g.large.search", "ra3.4xlarge"),
        *("m7i.metal-48xl", "ml.m5.large", "Standard_D2s_v5", "dc2.8xlarge", "r6g.search"),
    ],
)
def test_families_and_units_are_the_same_in_the_database(type_, db):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {coverage.FAMILY}, {coverage.UNITS} FROM (SELECT %s AS instance_type) l", [type_])
        assert cursor.fetchone() == (family_of(type_), units(type_))


class TestTheBooks:
    """check_books holds the days of commitments against the bill, from other rows than made them."""

    @pytest.mark.parametrize("layout", TWO_RESERVATIONS)
    def test_the_days_are_what_the_bill_charges(self, layout, people, tmp_path):
        load(tmp_path, TWO_RESERVATIONS[layout]())
        (check,) = usage_checks.commitment_checks(FEBRUARY)
        assert check.holds
        assert (check.about, check.left) == ("2026-02, USD", "80.64")

    def test_a_day_that_was_touched_is_named(self, people, tmp_path):
        load(tmp_path, two_reservations_as_cur())
        day = Utilisation.objects.first()
        day.paid += Decimal("0.000000000000000001")
        day.save()
        (check,) = usage_checks.commitment_checks(FEBRUARY)
        assert (check.left, check.right) == (
            "80.640000000000000001, ri-1 80.640000000000000001",
            "80.64, ri-1 80.64",
        )
        assert not check.holds
        assert check in reconciliation.reconcile(), "check_books asks it"

    def test_a_day_that_is_missing_is_named(self, people, tmp_path):
        load(tmp_path, a_plan_as_focus())
        Utilisation.objects.all().delete()
        (check,) = usage_checks.commitment_checks(None)
        assert (check.left, check.right) == ("0, plan-1 0", "2.4, plan-1 2.4")

    def test_a_tax_and_a_credit_are_no_part_of_what_it_costs(self, people, tmp_path):
        tax = {"lineItem/LineItemType": "Tax", "lineItem/UnblendedCost": "8"}
        credit = {"lineItem/LineItemType": "Credit", "lineItem/UnblendedCost": "-3"}
        used = {"lineItem/LineItemType": "DiscountedUsage", "reservation/EffectiveCost": "1.44"}
        common = {**RI_OF_CUR, **times("2026-02-01T00", "2026-02-02T00")}
        load(tmp_path, bills.cur_csv([{**common, **row} for row in (tax, credit, used)], **BILLED))
        (check,) = usage_checks.commitment_checks(FEBRUARY)
        assert (check.left, check.holds) == ("1.44", True)


SERVICES = {
    # What each line is of, its unit, hours, on demand, and what covers it.
    "fargate": ("AmazonECS", "", "hours", "AWS Fargate - vCPU - US East (N. Virginia)", "10", "4.00", PLAN),
    "lambda": ("AWSLambda", "", "Lambda-GB-Second", "AWS Lambda - Compute Duration", "1000", "2.00", ""),
    "requests": ("AWSLambda", "", "Requests", "AWS Lambda - Requests", "9", "1.00", ""),
    "cluster": ("AmazonEKS", "", "Hours", "Amazon EKS cluster usage", "24", "2.40", ""),
    "database": ("AmazonRDS", "db.r5.large", "Hrs", "RDS db.r5.large Single-AZ running PostgreSQL", "24", "6.00", RI),
    "search": ("AmazonES", "r6g.large.search", "Hrs", "r6g.large.search instance hour", "24", "4.00", ""),
    "machine": ("AmazonEC2", "m5.xlarge", "Hrs", "On Demand Linux m5.xlarge Instance Hour", "24", "4.60", ""),
    "planned": ("AmazonEC2", "m5.large", "Hrs", "On Demand Linux m5.large Instance Hour", "24", "2.40", PLAN),
    "emr": ("ElasticMapReduce", "m5.xlarge", "Hrs", "EMR fee of m5.xlarge", "24", "1.15", ""),
}


def services_as_cur():
    rows = []
    for name, (product, type_, unit, words, amount, listed, covered_by) in SERVICES.items():
        row = {
            **times("2026-02-01T00", "2026-02-02T00"),
            "lineItem/ProductCode": product,
            "lineItem/UsageType": "Use",
            "lineItem/Operation": "Run",
            "product/ProductName": product,
            "product/instanceType": type_,
            "lineItem/ResourceId": name,
            "lineItem/UsageAmount": amount,
            "lineItem/LineItemDescription": words,
            "lineItem/UnblendedCost": listed,
            "pricing/publicOnDemandCost": listed,
            "pricing/unit": unit,
        }
        half = str(Decimal(listed) / 2)
        if covered_by == PLAN:
            row |= {**PLAN_OF_CUR, "lineItem/LineItemType": "SavingsPlanCoveredUsage"}
            row |= {"savingsPlan/SavingsPlanEffectiveCost": half}
        elif covered_by:
            row |= {**RI_OF_CUR, "lineItem/LineItemType": "DiscountedUsage", "reservation/EffectiveCost": half}
        rows.append(row)
    return bills.cur_csv(rows, **BILLED)


class TestCoverageByServiceAndByKind:
    @pytest.fixture
    def services(self, people, tmp_path):
        load(tmp_path, services_as_cur())
        return Period(FEBRUARY.start, FEBRUARY.next.start)

    def test_each_service_is_a_pool_and_what_nobody_sells_commitments_for_is_none(self, services):
        """Requests of Lambda, clusters of EKS and fees of EMR are covered by nothing that could be bought."""
        rows = {row["service"]: row for row in Coverage.objects.sums("service")}
        costs = {name: (row["eligible_cost_sum"], row["covered_cost_sum"]) for name, row in rows.items()}
        assert costs == {
            "Fargate": (4, 4),
            "Lambda": (2, 0),
            "RDS": (6, 6),
            "OpenSearch": (4, 0),
            "EC2": (7, Decimal("2.4")),
        }
        assert rows["EC2"]["eligible_hours_sum"] == 48
        assert rows["Fargate"]["eligible_hours_sum"] == rows["Lambda"]["eligible_hours_sum"] == 0, "no machine's hours"
        # 24 hours of an xlarge of 8 units and of a large of 4; the database's large has 4.
        assert rows["EC2"]["eligible_units_sum"] == 24 * 12
        assert (rows["RDS"]["eligible_units_sum"], rows["RDS"]["reserved_units_sum"]) == (96, 96)

    def test_reservations_and_plans_are_covered_apart(self, services, fay):
        """Reservations: 6 of EC2 4.60, RDS 6 and OpenSearch 4. Plans: 4 and 2.40 of EC2 7, Fargate 4 and Lambda 2."""
        kinds = {kind.name: kind for kind in coverage_by_kind(fay, services, "USD")}
        reserved, planned = kinds["Reservations"], kinds["Savings plans: EC2, Fargate, Lambda"]
        assert (reserved.covered, reserved.eligible) == (6, Decimal("14.6"))
        assert reserved.hours == Decimal(24) / 72
        assert (planned.covered, planned.eligible) == (Decimal("6.4"), 13)
        both = kinds["All commitments"]
        assert (both.covered, both.eligible) == (Decimal("12.4"), 23)

    def test_a_family_is_spelled_as_everywhere(self, services):
        families = set(Coverage.objects.values_list("family", flat=True))
        assert families == {family_of(type_) for _, type_, *_ in SERVICES.values()}
        assert {"db.r5", "r6g.search", "m5"} <= families

    def test_page_and_api_show_them(self, services, fay, client_of):
        page = client_of(fay).get("/reservations/?by=service")
        assert "Savings plans: EC2, Fargate, Lambda" in page.content.decode()
        assert {"OpenSearch", "Fargate"} <= {row.record["name"] for row in page.context["rows"].rows}
        rows = {row["name"]: row for row in client_of(fay).get("/api/v1/commitments/coverage/").json()}
        assert rows["All commitments"]["covered"] == "12.4"
