"""Bills of commitments as they come: what nobody loaded, what comes twice, what was returned, exchanged, topped up."""

import json
from datetime import date
from decimal import Decimal

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Period
from reservations import kpis
from reservations.calc.stated_terms import kind_of
from reservations.inventory import commitment_usage, commitment_use, metrics, usage_checks
from reservations.models import Commitment, Coverage, Rate, Utilisation
from tests import bills
from tests.reservations.small_bills.test_owned import (
    BILLED,
    BILLED_FOCUS,
    FEBRUARY,
    FOCUS_RI,
    PLAN,
    PLAN_OF_CUR,
    RI,
    RI_OF_CUR,
    UNUSED,
    USED,
    focus_row,
    load,
    times,
)

pytestmark = pytest.mark.django_db
WHOLE_MONTH = Period(FEBRUARY.start, FEBRUARY.next.start)
FIRST, SECOND = ("2026-02-01T00", "2026-02-02T00"), ("2026-02-02T00", "2026-02-03T00")


def focus(folder, *rows, **options):
    return load(folder, bills.focus_csv(rows, **BILLED_FOCUS), **options)


def cur(folder, *rows, **options):
    return load(folder, bills.cur_csv(rows, **BILLED), **options)


def used(day=FIRST, quantity="24", cost="1.44", **changes):
    amounts = {"CommitmentDiscountQuantity": quantity, "EffectiveCost": cost, "ConsumedQuantity": quantity}
    return focus_row(*day, **{**FOCUS_RI, **USED, **amounts, "ListCost": "2.304", **changes})


def unused(day=FIRST, quantity="24", cost="1.44", **changes):
    amounts = {"CommitmentDiscountQuantity": quantity, "EffectiveCost": cost, "ListCost": "0"}
    return focus_row(*day, **{**FOCUS_RI, **UNUSED, **amounts, **changes})


def holds():
    return all(check.holds for check in usage_checks.commitment_checks(FEBRUARY))


class TestKinds:
    @pytest.mark.parametrize(
        ("words", "kind", "origin"),
        [
            ("Compute Savings Plan", "sp_compute", "bill"),
            ("ComputeSP:1yrNoUpfront", "sp_compute", "bill"),
            ("EC2 Instance Savings Plan", "sp_ec2", "bill"),
            ("EC2InstanceSavingsPlans", "sp_ec2", "bill"),
            ("SageMaker Savings Plan", "sp_sagemaker", "bill"),
            ("Database Savings Plan", "sp_database", "bill"),
            ("Savings Plan", "sp_compute", "guess"),
            ("Convertible Reserved Instance", "ri_convertible", "bill"),
            ("Standard Reserved Instance", "ri_standard", "bill"),
            ("Reserved Instance", "ri_standard", "guess"),
            ("", "other", "guess"),
        ],
    )
    def test_a_kind_is_as_sure_as_its_words(self, words, kind, origin):
        stated = kind_of("AWS", words, "")
        assert (stated.value, stated.origin) == (kind, origin)

    def test_a_plan_that_covers_two_families_is_a_compute_plan(self, people, tmp_path):
        """FOCUS of AWS calls every plan a Savings Plan."""
        plan = {"CommitmentDiscountId": PLAN, "CommitmentDiscountType": "Savings Plan", "ListCost": "0.2"}
        other = {"SkuPriceDetails": '{"InstanceType": "c5.large"}', "ResourceId": "i-2"}
        focus(tmp_path, used(**plan))
        assert Commitment.objects.get().origins["kind"] == "guess"
        focus(tmp_path, used(**plan), used(**plan, **other), name="more.csv", accept=True)
        row = Commitment.objects.get()
        assert (row.kind, row.origins["kind"]) == ("sp_compute", "bill")

    def test_an_ec2_plan_names_its_family_and_region_though_nothing_uses_it(self, people, tmp_path):
        fee = {
            **PLAN_OF_CUR,
            **times("2026-02-01T00", "2026-02-01T01"),
            "savingsPlan/OfferingType": "EC2InstanceSavingsPlans",
            "savingsPlan/InstanceTypeFamily": "m5",
            "savingsPlan/Region": "eu-west-1",
            "product/region": "",
            "product/instanceType": "",
            "lineItem/LineItemType": "SavingsPlanRecurringFee",
            "savingsPlan/TotalCommitmentToDate": "0.73",
            "savingsPlan/UsedCommitment": "0",
        }
        cur(tmp_path, fee)
        row = Commitment.objects.get()
        assert (row.kind, row.instance_type, row.region) == ("sp_ec2", "m5", "eu-west-1")
        assert row.hourly_commitment == Decimal("0.73")
        assert Utilisation.objects.get().used == 0

    def test_the_machine_of_a_reservation_is_its_own_and_not_what_used_it(self, people, tmp_path):
        """Two of an m5.large, of whose hours an m5.xlarge of another account uses some."""
        common = {**RI_OF_CUR, **times(*FIRST)}
        larger = {
            "product/instanceType": "m5.xlarge",
            "lineItem/NormalizedUsageAmount": "8",
            "lineItem/UsageAmount": "1",
        }
        hours = {"lineItem/LineItemType": "DiscountedUsage", "reservation/EffectiveCost": "0.12", **larger}
        fee = {"lineItem/LineItemType": "RIFee", "lineItem/UsageType": "HeavyUsage:m5.large"}
        idle = {"reservation/UnusedRecurringFee": "2.76", "reservation/UnusedNormalizedUnitQuantity": "184"}
        owner = {"lineItem/UsageAccountId": "000000000099"}
        cur(tmp_path, {**common, **hours, **owner}, {**common, **fee, **idle})
        row = Commitment.objects.get()
        assert (row.instance_type, row.count, row.service, row.system) == ("m5.large", 2, "EC2", "Linux")
        assert row.account == "001122334455", "the account of its ARN, whoever used it"
        (day,) = Utilisation.objects.all()
        # An hour of an xlarge is 8 units, of 2 x 24 hours of a large, 4 units each: 192.
        assert (day.used, day.unused, day.unit) == (8, 184, "Normalized units")


class TestOtherProviders:
    def test_an_azure_order_names_term_start_number_and_machine_of_its_reservation(self, people, tmp_path):
        order = "/providers/Microsoft.Capacity/reservationOrders/O-1/reservations/"
        common = {
            **{"BillingAccountId": "1", "SubscriptionId": "S", "MeterCategory": "Virtual Machines", "ResourceId": ""},
            **{"BillingPeriodStartDate": "02/01/2026", "BillingPeriodEndDate": "02/28/2026", "BillingCurrency": "EUR"},
            **{"ConsumedService": "Microsoft.Compute", "Date": "02/10/2026", "PricingModel": "Reservation"},
            **{"ProductOrderName": "Reserved VM Instance, Standard_D2s_v5, EU West, 3 Years", "Term": "36"},
            **{"ResourceLocation": "EU West", "AdditionalInfo": "", "UnitOfMeasure": "1 Hour"},
        }
        bought = {"ChargeType": "Purchase", "Frequency": "OneTime", "benefitId": order, "Quantity": "4", "Cost": "900"}
        use = {
            "ChargeType": "Usage",
            "Frequency": "UsageBased",
            "benefitId": f"{order}R-1",
            "Quantity": "24",
            "Cost": "0",
        }
        use |= {"AdditionalInfo": '{"ServiceType":"Standard_D2s_v5"}'}
        rows = [{**common, **bought}, {**common, **use}]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        load(tmp_path, bills.csv_text(columns, rows).encode())
        row = Commitment.objects.get()
        assert row.commitment_id.endswith("/reservations/r-1"), "the order is no second commitment"
        assert (row.kind, row.term_months, row.payment, row.count) == ("azure_reservation", 36, "all", 4)
        assert (row.start, row.end, row.instance_type) == (date(2026, 2, 10), date(2029, 2, 10), "Standard_D2s_v5")

    def test_focus_states_a_term_by_the_period_of_what_is_paid_once(self, people, tmp_path):
        """The specification's example: 8,760 USD for the year to come."""
        year = {"ChargePeriodStart": "2026-02-01T00:00:00Z", "ChargePeriodEnd": "2027-02-01T00:00:00Z"}
        bought = {
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "One-Time",
            "BilledCost": "8760",
            "EffectiveCost": "0",
        }
        plan = {"CommitmentDiscountId": PLAN, "CommitmentDiscountType": "Compute Savings Plan"}
        units = {"CommitmentDiscountQuantity": "8760", "CommitmentDiscountUnit": "USD"}
        focus(tmp_path, {**year, **bought, **plan, **units}, used(**plan, CommitmentDiscountUnit="USD"))
        row = Commitment.objects.get()
        assert (row.start, row.end, row.payment) == (date(2026, 2, 1), date(2027, 2, 1), "all")
        assert row.hourly_commitment == 1

    def test_google_names_the_term_in_the_fee(self, people, tmp_path):
        common = {
            **{"billing_account_id": "01", "service": {"description": "Compute Engine"}, "currency": "USD"},
            **{"usage_start_time": "2026-02-01T00:00:00Z", "usage_end_time": "2026-02-02T00:00:00Z"},
            **{"invoice": {"month": "202602"}, "project": {"id": "p"}, "location": {"region": "europe-west1"}},
            "subscription": {"instance_id": "sub-1"},
        }
        words = "Commitment v1: N2 Cpu in Netherlands for 3 Years"
        fee = {**common, "sku": {"id": "A", "description": words}, "cost": 12, "credits": []}
        content = (json.dumps(fee) + "\n").encode()
        (received,) = receive_bill("google", [bills.write(tmp_path, "gcp.jsonl", content)])
        load_bill(received.delivery)
        commitment_usage.refresh_usage(FEBRUARY)
        row = Commitment.objects.get()
        assert (row.kind, row.term_months, row.payment, row.region) == ("gcp_cud", 36, "none", "europe-west1")
        # No usage carries the fee: it is paid for what nobody used.
        (day,) = Utilisation.objects.all()
        assert (day.used, day.unused_cost, day.paid) == (0, 12, 12)
        assert Coverage.objects.sums()[0]["unused_cost_sum"] == 12
        assert holds()


class TestBadInput:
    def test_a_commitment_that_nobody_loaded_is_known_from_its_bill(self, people, tmp_path, fay, client_of):
        focus(tmp_path, used())
        page = client_of(fay).get("/reservations/expiries/").content.decode()
        assert "Nothing ends" in page
        assert Commitment.objects.get().end is None, "no charge states it: unknown, and no guess"

    def test_two_streams_with_the_same_charges_are_said_on_the_page(self, people, tmp_path, fay, client_of):
        focus(tmp_path, used())
        focus(tmp_path, used(), name="again.csv", source="copy")
        row = Commitment.objects.get()
        assert Utilisation.objects.get().paid == Decimal("2.88"), "as the costs of both sources count"
        page = client_of(fay).get(row.get_absolute_url()).content.decode()
        assert "northwind and copy bring charges of it for the same days" in page.replace(
            "copy and northwind", "northwind and copy"
        )
        assert holds()

    def test_a_plan_returned_within_seven_days_costs_what_was_used_of_it(self, people, tmp_path):
        plan = {**PLAN_OF_CUR, "savingsPlan/StartTime": "2026-02-01T00:00:00.000Z"}
        covered = {"lineItem/LineItemType": "SavingsPlanCoveredUsage", "savingsPlan/SavingsPlanEffectiveCost": "0.08"}
        refund = {"lineItem/LineItemType": "Refund", "lineItem/ProductCode": "ComputeSavingsPlans"}
        refund |= {"lineItem/LineItemDescription": "Refund for one-time fee for Savings Plan ID: plan-1"}
        refund |= {"lineItem/UnblendedCost": "-876", **times("2026-02-03T00", "2026-02-03T01")}
        cur(tmp_path, {**plan, **times(*FIRST), **covered}, {**plan, **refund})
        (day,) = Utilisation.objects.all()
        assert (day.used, day.paid, day.unused_cost) == (Decimal("0.08"), Decimal("0.08"), 0)
        assert holds()

    def test_a_reservation_exchanged_in_mid_month_is_two_commitments(self, people, tmp_path):
        """No day is of both: the old one to the 14th, the new one from the 15th."""
        rows = []
        for day in range(1, 29):
            name = RI if day < 15 else f"{RI}-exchanged"
            until = f"2026-02-{day + 1:02}T00" if day < 28 else "2026-03-01T00"
            rows.append(used((f"2026-02-{day:02}T00", until), CommitmentDiscountId=name))
        focus(tmp_path, *rows)
        spans = list(Commitment.objects.order_by("first_seen").values_list("first_seen", "last_seen"))
        assert spans == [(date(2026, 2, 1), date(2026, 2, 14)), (date(2026, 2, 15), date(2026, 2, 28))]
        assert Utilisation.objects.count() == 28
        assert holds()

    def test_two_true_ups_of_a_convertible_one_are_purchases_and_no_use(self, people, tmp_path):
        bought = {"ChargeCategory": "Purchase", "ChargeFrequency": "One-Time", "EffectiveCost": "0", "ListCost": "0"}
        bought |= {"CommitmentDiscountStatus": "", "CommitmentDiscountQuantity": "", "ConsumedQuantity": ""}
        trues = [used(**bought, BilledCost=cost, ChargeDescription="True-up of a convertible") for cost in ("50", "70")]
        focus(tmp_path, used(CommitmentDiscountType="Convertible Reserved Instance"), *trues)
        (day,) = Utilisation.objects.all()
        assert (day.used, day.unused, day.paid) == (24, 0, Decimal("1.44"))
        assert Commitment.objects.get().kind == "ri_convertible"

    def test_negative_hours_are_taken_back_and_no_share_is_made_of_less_than_nothing(self, people, tmp_path, fay):
        focus(
            tmp_path,
            used(),
            used(quantity="-24", cost="-1.44", ListCost="-2.304", ChargeClass="Correction"),
            unused(SECOND),
        )
        period = commitment_use.use_of(Commitment.objects.get(), WHOLE_MONTH)
        assert (period.used, period.unused, period.paid) == (0, 24, Decimal("1.44"))
        assert period.share == 0
        (main,) = metrics.metrics_by_currency(fay, WHOLE_MONTH)
        assert (main.savings_rate, main.coverage) == (None, None), "nothing ran"
        assert holds()

    def test_a_unit_that_changes_in_the_month_is_compared_in_money(self, people, tmp_path):
        """Hours on the first day, all used, and on the second 96 units of 192: 75%, and not 120 / 216."""
        units = {"CommitmentDiscountUnit": "Normalized units", "quantity": "96"}
        day_in_units = [used(SECOND, cost="0.72", **units), unused(SECOND, cost="0.72", **units)]
        focus(tmp_path, used(), *day_in_units)
        period = commitment_use.use_of(Commitment.objects.get(), WHOLE_MONTH)
        assert period.share == Decimal("0.75")
        assert period.unit == "USD"

    def test_a_unit_that_changes_in_a_day_makes_the_day_count_in_money(self, people, tmp_path):
        focus(tmp_path, used(), unused(quantity="96", CommitmentDiscountUnit="Normalized units"))
        (day,) = Utilisation.objects.all()
        assert (day.used, day.unused, day.unit) == (Decimal("1.44"), Decimal("1.44"), "USD")


class TestListCostOfZero:
    """A covered machine of 0.06 an hour for 25 hours, and one on demand at 0.10 for 24: case by case."""

    ON_DEMAND = {
        **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), "2.40"),
        **{"SkuPriceDetails": '{"InstanceType": "m5.large"}', "ResourceId": "i-2", "ConsumedQuantity": "24"},
    }

    def machines(self, folder, *prices):
        covered = [
            used(quantity="5", cost="0.30", ResourceId=f"i-{number}", ListCost=listed, ContractedCost=contracted)
            for number, (listed, contracted) in enumerate(prices, 10)
        ]
        focus(folder, *covered, focus_row(*FIRST, **self.ON_DEMAND))

    @pytest.mark.parametrize("price", [("0", "0"), ("", ""), ("0", ""), ("", "0")])
    def test_it_is_unknown_and_home_says_so(self, price, tmp_path, fay, client_of):
        self.machines(tmp_path, *[price] * 5)
        measure = kpis.savings_rate_kpi(fay, date(2026, 2, 2))
        assert (measure.value, measure.description[:9]) == (None, "not known")
        assert "-62.5" not in client_of(fay).get("/").content.decode()

    def test_of_some_rows_it_makes_all_of_it_unknown(self, tmp_path, fay):
        self.machines(tmp_path, *[("0.5", "0.5")] * 4, ("0", "0"))
        assert kpis.coverage_kpi(fay, date(2026, 2, 2)).value is None

    def test_a_loaded_price_list_knows_it(self, tmp_path, fay, client_of):
        """At 0.10 an hour: 1 - (1.50 + 2.40) / (2.50 + 2.40) = 20.4%, and 2.50 / 4.90 = 51.0% are covered."""
        rate = {"provider": "AWS", "region": "us-east-1", "instance_type": "m5.large", "source": "list"}
        Rate.objects.create(kind="on_demand", hourly=Decimal("0.1"), day=date(2026, 1, 1), **rate)
        Rate.objects.create(kind="on_demand", hourly=9, day=date(2026, 1, 1), is_indicative=True, **rate)
        Rate.objects.create(kind="on_demand", hourly=9, day=date(2026, 1, 1), system="Windows", **rate)
        self.machines(tmp_path, *[("0", "0")] * 5)
        assert kpis.savings_rate_kpi(fay, date(2026, 2, 2)).value == Decimal("20.41")
        assert kpis.coverage_kpi(fay, date(2026, 2, 2)).value == Decimal("51.02")
        assert "at the prices of the loaded list" in kpis.savings_rate_kpi(fay, date(2026, 2, 2)).description
        assert Utilisation.objects.get().on_demand is None, "the ledger proves nothing by a list"

    def test_two_prices_for_one_machine_are_none(self, tmp_path, fay):
        rate = {"provider": "AWS", "region": "us-east-1", "instance_type": "m5.large", "source": "list"}
        for system, hourly in (("Linux", "0.1"), ("RHEL", "0.16")):
            Rate.objects.create(kind="on_demand", hourly=Decimal(hourly), day=date(2026, 1, 1), system=system, **rate)
        self.machines(tmp_path, *[("0", "0")] * 5)
        Commitment.objects.update(system="")
        commitment_usage.write_coverage(FEBRUARY)
        assert kpis.savings_rate_kpi(fay, date(2026, 2, 2)).value is None
