"""What is owned, from small bills worked by hand: the same bill as AWS's report and as FOCUS says the same of it.

Two reservations of an m5.large, 0.06 an hour each, of which one is used all February (28 days, 672 hours): 672 of 1,344
hours are 50 %. Unused are 672 x 0.06 = 40.32. On demand an hour costs 0.096, so that 64.512 were saved from and
80.64 paid: 1 - 80.64 / 64.512 = -25 %. The ledger of the purchase says 64.512 - 80.64 = -16.128.

A plan of 0.10 an hour, of which 0.08 are used by a machine of 0.12 on demand, for 24 hours: 0.08 / 0.10 = 80 %,
1 - 2.40 / 2.88 = 16.7 %, and 24 x 0.02 = 0.48 are unused.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, Period
from reservations.inventory import commitment_usage, metrics
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
