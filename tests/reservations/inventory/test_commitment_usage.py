"""Commitments in bills: the FOCUS examples worked on paper, expiries, poor weeks, and mail sent once."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from costs.formats.base import CHARGE_COLUMNS
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import DeliveryMonth
from finops_site.lib.periods import Month
from finops_site.models import OutgoingEmail, Team
from reservations import kpis
from reservations.calc import discount_application
from reservations.inventory import commitment_usage, metrics, notices
from reservations.models import Commitment, Coverage, Notice, Utilisation
from tests import bills
from tests.shared_fixtures import shared

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
    # The export has no list price: what is covered is not known at on-demand prices, and no ratio is made of the rest.
    assert (sums["covered_cost_sum"], sums["eligible_cost_sum"], sums["unused_cost_sum"]) == (0, 5, 26)
    assert sums["unpriced_sum"] == 2


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


@shared
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
    assert "used to 50% in the week of 8 Mar 2026: 8.40 USD were paid for nothing" in notice.text
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
    assert "used to 0% in the week of 8 Mar 2026: 16.80 USD were paid for nothing" in notice.text
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


PLAN_ARN, RI_ARN = "arn:aws:savingsplans::1:savingsplan/p", "arn:aws:ec2:us-east-1:1:reserved-instances/r"


def load_cur(folder, *rows, source="aws"):
    (received,) = receive_bill(source, [bills.write(folder, f"{source}.csv", bills.cur_csv(rows))])
    delivery = load_bill(received.delivery)
    commitment_usage.refresh_usage(Month(2026, 3))
    return delivery


def test_an_hour_that_a_plan_covers_is_counted_once(people, tmp_path):
    """One covered hour and one on demand: the negation, the fee and the row of a pod repeat hours and run none."""
    plan = {"savingsPlan/SavingsPlanARN": PLAN_ARN, "lineItem/ResourceId": ""}
    load_cur(
        tmp_path,
        {},
        {**plan, "lineItem/LineItemType": "SavingsPlanCoveredUsage", "savingsPlan/SavingsPlanEffectiveCost": "0.07"},
        {**plan, "lineItem/LineItemType": "SavingsPlanNegation", "lineItem/UnblendedCost": "-0.096"},
        {
            **plan,
            "lineItem/LineItemType": "SavingsPlanRecurringFee",
            "savingsPlan/TotalCommitmentToDate": "0.10",
            "savingsPlan/UsedCommitment": "0.07",
        },
        {"lineItem/Operation": "EKSPod-EC2", "lineItem/UsageAmount": "0.5", "lineItem/UnblendedCost": "0"},
    )
    (sums,) = Coverage.objects.sums()
    assert (sums["eligible_hours_sum"], sums["covered_hours_sum"]) == (2, 1)
    assert (sums["eligible_cost_sum"], sums["covered_cost_sum"]) == (Decimal("0.192"), Decimal("0.096"))
    assert sums["unused_cost_sum"] == Decimal("0.03")
    (day,) = Utilisation.objects.all()
    assert (day.used, day.unused, day.unit) == (Decimal("0.07"), Decimal("0.03"), "USD")
    assert (day.paid, day.unused_cost, day.on_demand) == (Decimal("0.10"), Decimal("0.03"), Decimal("0.096"))


def test_what_the_bill_states_of_commitments_needs_no_csv(people, tmp_path):
    plan = {
        "lineItem/LineItemType": "SavingsPlanRecurringFee",
        "lineItem/ResourceId": "",
        "product/instanceType": "",
        "savingsPlan/SavingsPlanARN": PLAN_ARN,
        "savingsPlan/TotalCommitmentToDate": "1",
        "savingsPlan/UsedCommitment": "1",
        "savingsPlan/OfferingType": "EC2InstanceSavingsPlans",
        "savingsPlan/PurchaseTerm": "3yr",
        "savingsPlan/PaymentOption": "Partial Upfront",
        "savingsPlan/StartTime": "2025-09-01T19:55:41.000Z",
        "savingsPlan/EndTime": "2028-08-31T19:55:40.000Z",
    }
    reserved = {
        "lineItem/LineItemType": "RIFee",
        "lineItem/ResourceId": "",
        "reservation/ReservationARN": RI_ARN,
        "reservation/NumberOfReservations": "4",
        "reservation/StartTime": "2025-06-01T00:00:00.000Z",
        "reservation/EndTime": "2026-06-01T00:00:00.000Z",
        "pricing/OfferingClass": "convertible",
        "pricing/LeaseContractLength": "1yr",
        "pricing/PurchaseOption": "No Upfront",
    }
    load_cur(tmp_path, plan, reserved)
    names = ("kind", "term_months", "payment", "count", "start", "end")
    assert list(Commitment.objects.order_by("kind").values_list(*names)) == [
        ("ri_convertible", 12, "none", 4, date(2025, 6, 1), date(2026, 6, 1)),
        ("sp_ec2", 36, "partial", None, date(2025, 9, 1), date(2028, 9, 1)),
    ]


def test_the_bill_completes_what_is_open_and_never_what_a_person_wrote(people, tmp_path):
    Commitment.objects.create(provider="AWS", commitment_id=RI_ARN, kind="ri_standard", end=date(2027, 1, 1))
    reserved = {
        "lineItem/LineItemType": "RIFee",
        "reservation/ReservationARN": RI_ARN,
        "reservation/EndTime": "2026-06-01T00:00:00.000Z",
        "pricing/LeaseContractLength": "1yr",
        "pricing/OfferingClass": "convertible",
    }
    load_cur(tmp_path, reserved)
    commitment = Commitment.objects.get()
    assert (commitment.end, commitment.term_months, commitment.kind) == (date(2027, 1, 1), 12, "ri_convertible")


def test_a_months_fee_of_a_reservation_is_unused_on_every_day_of_it(people, tmp_path):
    """Of 3.00 for the month nobody used 0.70: a tenth of it on each of the ten days that the bill shows."""
    reserved = {"reservation/ReservationARN": RI_ARN}
    hours = [
        {
            **reserved,
            "lineItem/LineItemType": "DiscountedUsage",
            "lineItem/UsageStartDate": f"2026-03-{day:02}T00:00:00Z",
            "lineItem/UsageEndDate": f"2026-03-{day:02}T01:00:00Z",
            "lineItem/UnblendedCost": "0",
            "reservation/EffectiveCost": "0.23",
        }
        for day in range(1, 11)
    ]
    fee = {
        **reserved,
        "lineItem/LineItemType": "RIFee",
        "lineItem/UsageStartDate": "2026-03-01T00:00:00Z",
        "lineItem/UsageEndDate": "2026-04-01T00:00:00Z",
        "lineItem/UnblendedCost": "3.00",
        "reservation/UnusedRecurringFee": "0.70",
    }
    load_cur(tmp_path, *hours, fee)
    days = list(Utilisation.objects.order_by("day").values_list("used", "unused", "unused_cost"))
    assert days == [(Decimal("0.23"), Decimal("0.07"), Decimal("0.07"))] * 10


class TestOnDemandPricesThatNobodyStated:
    """A list cost of 0, or none at all, on usage that a commitment pays for: no ratio is made up from it."""

    @pytest.fixture
    def machines(self, people, tmp_path):
        """A machine under a reservation, 3.00 a day, and one on demand, 2.40; the prices of the first are given."""

        def load_machines(listed, contracted):
            covered = row(5, "Used", 24, "3", ListCost=listed, ContractedCost=contracted, PricingCategory="Standard")
            free = {
                "SkuPriceDetails": '{"InstanceType": "m5.large"}',
                "ResourceId": "i-2",
                **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), "2.40"),
            }
            load(tmp_path, [covered, free])

        return load_machines

    @pytest.mark.parametrize(("listed", "contracted"), [("0", "0"), ("", ""), ("0", "")])
    def test_coverage_and_savings_are_unknown(self, machines, fay, listed, contracted):
        machines(listed, contracted)
        period = metrics.period_ending_on(date(2026, 3, 5))
        (main,) = metrics.metrics_by_currency(fay, period)
        assert (main.coverage, main.savings_rate, main.unpriced) == (None, None, 1)
        assert main.coverage_hours == Decimal("0.5"), "covered, though priced as Standard"
        for kpi in (kpis.coverage_kpi, kpis.savings_rate_kpi):
            measure = kpi(fay, date(2026, 3, 6))
            assert (measure.value, measure.met) == (None, None)
            assert measure.description.startswith("not known: the bills state no on-demand price for 1 covered")
        assert Utilisation.objects.get().on_demand is None, "so that the ledger proves nothing of that day"

    def test_the_price_of_the_contract_stands_for_the_list_price(self, machines, fay):
        """5.00 at the contract's price against 3.00 paid: 2.00 saved, of 7.40 in all."""
        machines("0", "5")
        (main,) = metrics.metrics_by_currency(fay, metrics.period_ending_on(date(2026, 3, 5)))
        assert (main.eligible, main.covered, main.paid) == (Decimal("7.4"), 5, Decimal("5.4"))
        assert Utilisation.objects.get().on_demand == 5


def test_charges_that_were_written_before_a_column_existed_can_be_asked(half_used):
    """Sets of Parquet from before the terms of commitments were read lack their columns."""
    for month in DeliveryMonth.objects.all():
        (path,) = Path(month.charges_glob).parent.glob("*.parquet")
        older = path.with_name("older")
        names = ", ".join(name for name in CHARGE_COLUMNS if name.startswith("x_Commitment") and "Credits" not in name)
        duckdb.execute(f"COPY (SELECT * EXCLUDE ({names}) FROM '{path}') TO '{older}' (FORMAT parquet)")
        older.replace(path)
    before = list(Utilisation.objects.values_list("day", "used"))
    commitment_usage.refresh_usage(Month(2026, 3))
    assert list(Utilisation.objects.values_list("day", "used")) == before
    assert len(before) == 14
