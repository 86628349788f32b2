"""Commitments in bills: the FOCUS examples worked on paper, expiries, poor weeks, and mail sent once."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from finops_site.models import OutgoingEmail, Team
from reservations.calc import discount_application
from reservations.inventory import commitment_usage, notices
from reservations.models import Commitment, Coverage, Notice, Utilisation
from tests import bills

pytestmark = pytest.mark.django_db
PLACES = [item / "shared/data/bills/focus-spec-examples" for item in Path(__file__).resolve().parents]
EXAMPLES = next(filter(Path.exists, PLACES), PLACES[3])
# The specification's examples: used, unused, and what the covered usage costs on demand. The working beside each.
ON_PAPER = {
    # A small machine's hour is 1 unit; a large one is 3 units, of which the commitment pays 1: 1 / (1 + 0) = 100 %. The
    # charge that it covers lists 3.00 for the hour, of which 2.25 are billed on demand in a charge of their own.
    "flexibility_one_hundred_percent_utilization_with_commitment_discount_flexibility_with_1_resource": (1, 0, 3),
    # An extra large one is 4 units: two medium ones take 2 units each, 4 / (4 + 0) = 100 %, and list 2.00 + 2.00.
    "flexibility_one_hundred_percent_utilization_with_commitment_discount_flexibility_with_2_resources": (4, 0, 4),
    # Without flexibility units are hours: 1 / (1 + 0) = 100 %, and the hour lists 3.00.
    "flexibility_one_hundred_percent_utilization_without_commitment_discount_flexibility": (1, 0, 3),
    # A medium machine cannot use a large one's hour: 0 / (0 + 1) = 0 %.
    "flexibility_zero_percent_utilization_without_commitment_discount_flexibility": (0, 1, None),
    # Of 1.00 USD an hour: 1.00 / (1.00 + 0) = 100 %.
    "scenarios_commitment_discount_usage_scenario_1": (1, 0, None),
    # 0 / (0 + 1.00) = 0 %.
    "scenarios_commitment_discount_usage_scenario_2": (0, 1, None),
    # 0.75 / (0.75 + 0.25) = 75 %.
    "scenarios_commitment_discount_usage_scenario_3": ("0.75", "0.25", None),
    # 1.00 / (1.00 + 0) = 100 %; half an hour more, 0.50, runs on demand beside it and is no use of it.
    "scenarios_commitment_discount_usage_scenario_4": (1, 0, None),
}


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the FOCUS examples are not beside this checkout")
@pytest.mark.parametrize("name", ON_PAPER)
def test_a_focus_example_is_what_was_worked_on_paper(name):
    used, unused, covered = ON_PAPER[name]
    path = EXAMPLES / f"v1.2_commitment_discount_{name}.csv"
    (received,) = receive_bill("focus", [path], format="focus", currency="USD")
    load_bill(received.delivery)
    commitment_usage.refresh_usage(Month(2023, 1))
    (day,) = Utilisation.objects.all()
    assert (day.used, day.unused) == (Decimal(used), Decimal(unused))
    assert day.commitment.commitment_id == "<my-commitment-discount-id>"
    assert discount_application.utilisation_rate(day.used, day.unused) == Decimal(used) / (
        Decimal(used) + Decimal(unused)
    )
    if covered is not None:
        (sums,) = Coverage.objects.sums()
        assert sums["covered_cost_sum"] == Decimal(covered)


AZURE = {
    "BillingAccountId": "8611537",
    "BillingPeriodStartDate": "03/01/2026",
    "BillingPeriodEndDate": "03/31/2026",
    "SubscriptionId": "9EC51CFD",
    "Date": "03/05/2026",
    "Product": "Virtual Machines BS Series - B1s",
    "MeterCategory": "Virtual Machines",
    "ConsumedService": "Microsoft.Compute",
    "Quantity": "24",
    "UnitOfMeasure": "1 Hour",
    "BillingCurrency": "EUR",
    "ResourceId": "/subscriptions/9EC5/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/Web-1",
    "ResourceLocation": "EastUS",
    "AdditionalInfo": '{"ServiceType":"Standard_B1s"}',
}
RESERVATION = {"PricingModel": "Reservation", "benefitId": "/Reservations/R-1", "benefitName": "VM_RI"}
PLAN = {"PricingModel": "SavingsPlan", "benefitId": "/SavingsPlans/S-1", "benefitName": "Compute plan"}
# On paper: of a reservation of 72 two thirds were used, of a plan of 10 four fifths; 5 ran on demand. The invoice has
# the purchases, and free usage; the amortised view has what usage took of them and what nobody used.
HALVES = {
    "actual": [
        {"ChargeType": "Usage", "PricingModel": "OnDemand", "Cost": "5"},
        {**RESERVATION, "ChargeType": "Usage", "Cost": "0"},
        {**RESERVATION, "ChargeType": "Purchase", "Cost": "72", "ResourceId": ""},
        {**PLAN, "ChargeType": "Usage", "Cost": "0"},
        {**PLAN, "ChargeType": "Purchase", "Cost": "10", "ResourceId": ""},
    ],
    "amortized": [
        {"ChargeType": "Usage", "PricingModel": "OnDemand", "Cost": "5"},
        {**RESERVATION, "ChargeType": "Usage", "Cost": "48"},
        {**RESERVATION, "ChargeType": "UnusedReservation", "Cost": "24", "ResourceId": ""},
        {**PLAN, "ChargeType": "Usage", "Cost": "8"},
        {**PLAN, "ChargeType": "UnusedSavingsPlan", "Cost": "2", "ResourceId": ""},
    ],
}


@pytest.mark.parametrize("order", [("actual", "amortized"), ("amortized", "actual")])
def test_azures_halves_together_say_what_was_used_and_what_stood_idle(order, people, tmp_path):
    for view in order:
        filled = [{"benefitId": "", "benefitName": "", "PricingModel": "", **AZURE, **item} for item in HALVES[view]]
        columns = list(dict.fromkeys(name for item in filled for name in item))
        path = bills.write(tmp_path, f"{view}.csv", bills.csv_text(columns, filled).encode())
        (received,) = receive_bill("azure", [path])
        load_bill(received.delivery)
    commitment_usage.refresh_usage(Month(2026, 3))
    by_kind = {day.commitment.kind: day for day in Utilisation.objects.select_related("commitment")}
    assert set(by_kind) == {"azure_reservation", "azure_plan"}
    reservation, plan = by_kind["azure_reservation"], by_kind["azure_plan"]
    # Azure counts no units: money says how much was used, once for both views.
    assert (reservation.used, reservation.unused, reservation.unit) == (48, 24, "EUR")
    assert (plan.used, plan.unused, plan.paid, plan.unused_cost) == (8, 2, 10, 2)
    assert discount_application.utilisation_rate(plan.used, plan.unused) == Decimal("0.8")
    assert reservation.commitment.name == "VM_RI"
    (sums,) = Coverage.objects.sums()
    assert (sums["covered_cost_sum"], sums["eligible_cost_sum"], sums["unused_cost_sum"]) == (56, 61, 26)


def row(day, status, quantity, cost, month="2026-03", **changes):
    """A charge of a reservation of one machine, by the day."""
    start = date.fromisoformat(f"{month}-01") + timedelta(days=day - 1)
    return {
        "ChargePeriodStart": f"{start}T00:00:00Z",
        "ChargePeriodEnd": f"{start + timedelta(days=1)}T00:00:00Z",
        "CommitmentDiscountId": "arn:aws:ec2:us-east-1:1:reserved-instances/ri-1",
        "CommitmentDiscountType": "Reserved Instance",
        "CommitmentDiscountStatus": status,
        "CommitmentDiscountQuantity": str(quantity),
        "CommitmentDiscountUnit": "Hours",
        "PricingCategory": "Committed",
        "SkuPriceDetails": '{"InstanceType": "m5.large"}',
        "ConsumedQuantity": str(quantity) if status == "Used" else "",
        "BilledCost": "0",
        "EffectiveCost": str(cost),
        "ListCost": str(2 * Decimal(str(cost))) if status == "Used" else "0",
        **changes,
    }


def load(folder, rows, name="march.csv"):
    (received,) = receive_bill("northwind", [bills.write(folder, name, bills.focus_csv(rows))])
    load_bill(received.delivery)
    commitment_usage.refresh_usage(Month(2026, 3))


@pytest.fixture
def half_used(people, tmp_path):
    """Two weeks: the first used to three quarters, the second to half."""
    rows = [item for day in range(1, 8) for item in (row(day, "Used", 18, "1.8"), row(day, "Unused", 6, "0.6"))]
    rows += [item for day in range(8, 15) for item in (row(day, "Used", 12, "1.2"), row(day, "Unused", 12, "1.2"))]
    load(tmp_path, rows)
    commitment = Commitment.objects.get()
    Commitment.objects.update(
        end=date(2026, 6, 1), term_months=12, upfront=Decimal(876), owner=Team.objects.get(name="Payments")
    )
    commitment.refresh_from_db()
    return commitment


def test_a_commitment_is_found_with_what_the_bill_says_of_it(half_used):
    assert (half_used.kind, half_used.instance_type, half_used.region) == ("ri_standard", "m5.large", "us-east-1")
    assert (half_used.first_seen, half_used.last_seen) == (date(2026, 3, 1), date(2026, 3, 14))
    assert half_used.days.count() == 14


def test_refreshing_twice_changes_nothing(half_used):
    before = list(Utilisation.objects.values_list("day", "used", "unused_cost"))
    commitment_usage.refresh_usage(Month(2026, 3))
    assert list(Utilisation.objects.values_list("day", "used", "unused_cost")) == before
    assert Commitment.objects.count() == 1


def test_a_bill_that_shows_more_hours_than_were_bought_is_pointed_at(people, tmp_path):
    load(tmp_path, [row(1, "Used", 30, "3"), row(2, "Used", 24, "2.4")])
    commitment = Commitment.objects.get()
    commitment.count = Decimal(1)
    assert [day.day.day for day in commitment_usage.overused(commitment, commitment.days.all())] == [1]


def test_a_poor_week_is_noticed_once_with_every_way_out_priced(half_used):
    (notice,) = notices.notice_low_weeks(date(2026, 3, 15))
    assert "used to 50% in the week of 2026-03-08: 8.40 USD were paid for nothing" in notice.text
    options = {option["name"]: option for option in notice.options}
    assert set(options) == {"Sell", "Move workloads", "Wait"}
    # Half of 876 for 78 days of 365 that are left, less 12 %.
    assert Decimal(options["Sell"]["saves"]) == (Decimal(876) / 2 * 78 / 365 * Decimal("0.88")).quantize(
        Decimal("0.01")
    )
    assert "75% the week before, 50% now: falling" in options["Wait"]["working"]
    assert notices.notice_low_weeks(date(2026, 3, 15)) == notices.notice_low_weeks(date(2026, 3, 16)) == []


def test_a_family_that_no_longer_exists_is_idle_and_has_its_ways_out(people, tmp_path):
    ancient = {"SkuPriceDetails": '{"InstanceType": "m1.ancient"}'}
    load(tmp_path, [row(day, "Unused", 24, "2.4") | ancient for day in range(1, 15)])
    Commitment.objects.update(end=date(2026, 6, 1), term_months=12)
    assert Commitment.objects.get().instance_type == "m1.ancient"
    (notice,) = notices.notice_low_weeks(date(2026, 3, 15))
    assert "used to 0% in the week of 2026-03-08: 16.80 USD were paid for nothing" in notice.text
    assert {"Move workloads", "Wait"} <= {option["name"] for option in notice.options}


def test_a_convertible_one_can_be_exchanged(half_used):
    Commitment.objects.update(kind="ri_convertible")
    (notice,) = notices.notice_low_weeks(date(2026, 3, 15))
    assert "Exchange" in {option["name"] for option in notice.options}


@pytest.mark.parametrize(
    ("day", "due"), [("2026-03-03", 90), ("2026-04-02", 60), ("2026-05-02", 30), ("2026-05-25", 7)]
)
def test_an_end_is_noticed_90_60_30_and_7_days_before(day, due, half_used):
    (notice,) = notices.notice_expiries(date.fromisoformat(day))
    assert notice.days_before == due
    assert notices.notice_expiries(date.fromisoformat(day)) == []


def test_the_notice_says_what_the_bill_does_that_day(half_used):
    (notice,) = notices.notice_expiries(date(2026, 3, 15))
    # 2.4 a day is paid for what costs (7 x 3.6 + 7 x 2.4) / 14 = 3.0 on demand.
    assert "the bill rises by about 0.60 USD a day: from 2.40 to 3.00 on demand" in notice.text


def test_notices_go_to_finance_and_the_owners_lead_once(half_used):
    notices.notice_expiries(date(2026, 3, 15))
    assert notices.send_notices(notices.unsent_notices()) == 1
    assert notices.send_notices(Notice.objects.all()) == 0
    letters = OutgoingEmail.objects.order_by("to")
    assert [letter.to for letter in letters] == ["fay@demo.example", "lea@demo.example"]
    assert "ends on 1 Jun 2026" in letters[0].subject
