"""What each provider's bill means, in small bills whose numbers can be worked out on paper beside them."""

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from django.db.models import Sum

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery, Dimension
from tests import bills

pytestmark = pytest.mark.django_db
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "bills"


@pytest.fixture
def load(tmp_path):
    """Loads texts as the files of one delivery and returns it, its books proved."""

    def load(*texts, source="known", name="bill.csv", **options):
        paths = [bills.write(tmp_path, f"{number}-{name}", text) for number, text in enumerate(texts)]
        (received,) = receive_bill(source, paths, **options)
        delivery = load_bill(received.delivery)
        assert [check for check in reconciliation.reconcile() if not check.holds] == []
        return delivery

    return load


def costs(delivery, currency="USD"):
    sums = delivery.totals[currency]
    return sums["billed_cost"], sums["effective_cost"]


def charges(delivery, *columns):
    """The charges as written, for columns that no cost line keeps."""
    (month,) = delivery.months.all()
    return duckdb.execute(
        f"SELECT {', '.join(columns)} FROM read_parquet('{month.charges_glob}') ORDER BY ResourceId"
    ).fetchall()


CUR2_ROW = {
    "bill_payer_account_id": "001122334455",
    "bill_payer_account_name": "Northwind payer",
    "bill_billing_period_start_date": "2026-03-01 00:00:00.000",
    "line_item_usage_account_id": "000000000042",
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": "2026-03-05 00:00:00.000",
    "line_item_usage_end_date": "2026-03-05 01:00:00.000",
    "line_item_product_code": "AmazonEC2",
    "line_item_operation": "RunInstances",
    "line_item_resource_id": "i-1",
    "line_item_currency_code": "USD",
    "line_item_unblended_cost": "0.096",
    "pricing_public_on_demand_cost": "0.096",
    "product": '{"product_name": "Amazon Elastic Compute Cloud"}',
    "resource_tags": '{"user_team": "Payments", "aws_created_by": "root"}',
}


def cur2_csv(rows, **defaults):
    filled = [{**CUR2_ROW, **defaults, **row} for row in rows]
    return bills.csv_text(list(dict.fromkeys(name for row in filled for name in row)), filled).encode()


class TestCur2:
    def test_it_is_told_by_its_header_and_its_tags_are_those_of_the_legacy_report(self, load):
        delivery = load(cur2_csv([{}]))
        line = CostLine.objects.get()
        assert delivery.format == "aws-cur 2.0"
        assert line.tag_set.tags == {"user:team": "Payments", "aws:created_by": "root"}
        assert Dimension.objects.get(name="service", value="AmazonEC2").label == "Amazon Elastic Compute Cloud"

    def test_any_subset_of_its_columns_will_do(self, load):
        subset = ("bill_payer_account_id", "bill_billing_period_start_date", "line_item_line_item_type")
        subset += ("line_item_usage_start_date", "line_item_unblended_cost", "line_item_currency_code")
        row = {name: CUR2_ROW[name] for name in subset}
        assert costs(load(bills.csv_text(list(row), [row]).encode())) == ("0.096", "0.096")

    def test_parquet_with_maps_and_doubles_reads_as_the_csv_does(self, load, tmp_path):
        path = bills.write(tmp_path, "cur2.csv", cur2_csv([{}, {"line_item_unblended_cost": "0.0000001"}]))
        parquet = tmp_path / "cur2.parquet"
        duckdb.execute(
            f"""COPY (SELECT * REPLACE (line_item_unblended_cost::DOUBLE AS line_item_unblended_cost,
            resource_tags::JSON::MAP(VARCHAR, VARCHAR) AS resource_tags,
            product::JSON::MAP(VARCHAR, VARCHAR) AS product,
            line_item_usage_start_date::TIMESTAMP AS line_item_usage_start_date)
            FROM read_csv('{path}', all_varchar = true)) TO '{parquet}'"""
        )
        csv, from_parquet = load(path.read_bytes()), load(parquet.read_bytes(), source="other", name="x.parquet")
        assert from_parquet.totals == csv.totals
        assert from_parquet.totals["USD"]["billed_cost"] == "0.0960001"
        assert set(CostLine.objects.values_list("tag_set__tags__user:team", flat=True)) == {"Payments"}

    def test_the_map_of_all_tags_has_those_of_resources_accounts_and_cost_categories(self, load):
        every = {
            "resourceTags/user_team": "Retail",
            "accountTag/owner": "alice",
            "costCategory/env": "prod",
            "userAttribute/department": "7",
            "iamPrincipal/role": "build",
        }
        load(cur2_csv([{"tags": json.dumps(every)}]))
        assert CostLine.objects.get().tag_set.tags == {
            "user:team": "Retail",  # of a key in both maps this one counts, as the newer
            "aws:created_by": "root",
            "owner": "alice",
            "costCategory:env": "prod",
            "userAttribute:department": "7",
            "iamPrincipal:role": "build",
        }

    def test_cost_categories_of_the_map_are_tags_with_a_prefix(self, load):
        load(cur2_csv([{"cost_category": '{"Unit": "Retail"}', "resource_tags": ""}]))
        assert CostLine.objects.get().tag_set.tags == {"costCategory:Unit": "Retail"}

    def test_without_a_billing_period_the_month_of_use_is_billed_and_said(self, load):
        rows = [{"line_item_usage_start_date": f"2026-0{month}-05 00:00:00.000"} for month in (3, 4)]
        filled = [{**CUR2_ROW, **row} for row in rows]
        columns = [name for name in CUR2_ROW if name != "bill_billing_period_start_date"]
        text = bills.csv_text(columns, [{name: row[name] for name in columns} for row in filled]).encode()
        delivery = load(text)
        assert delivery.billing_months == ["2026-03", "2026-04"]
        assert "lacks bill_billing_period_start_date" in delivery.message
        assert delivery.rows_rejected == 0

    def test_the_names_of_athena_are_read_too(self, load):
        row = {
            "line_item_unblended_cost": "2",
            "line_item_line_item_type": "RIFee",
            "line_item_usage_start_date": "2026-03-01 00:00:00",
            "bill_payer_account_id": "1",
            "bill_billing_period_start_date": "2026-03-01",
            "line_item_currency_code": "USD",
            "reservation_reservation_a_r_n": "arn:r",
            "reservation_unused_recurring_fee": "0.5",
            "reservation_unused_amortized_upfront_fee_for_billing_period": "",
            "resource_tags_user_cost_center": "42",
        }
        assert costs(load(bills.csv_text(list(row), [row]).encode())) == ("2", "0.5")
        fee, unused = CostLine.objects.order_by("charge_category")
        for line in (fee, unused):
            assert (line.commitment, line.tag_set.tags) == ("arn:r", {"user:cost_center": "42"})

    def test_discounts_in_a_column_make_the_net_cost_the_invoice(self, load):
        """10 less 10% is 9 on the invoice; a covered hour of 0.07 costs 0.063 after the same discount."""
        plan = {
            "line_item_line_item_type": "SavingsPlanCoveredUsage",
            "savings_plan_savings_plan_a_r_n": "arn:p",
            "savings_plan_savings_plan_effective_cost": "0.07",
            "savings_plan_net_savings_plan_effective_cost": "0.063",
        }
        rows = [
            {"line_item_unblended_cost": "10", "line_item_net_unblended_cost": "9", "discount_total_discount": "-1"},
            {**plan, "line_item_unblended_cost": "0.1", "line_item_net_unblended_cost": "0.1"},
            {"line_item_line_item_type": "Tax", "line_item_unblended_cost": "0.5"},
        ]
        assert costs(load(cur2_csv(rows))) == ("9.6", "9.563"), "9 + 0.1 + 0.5; 9 + 0.063 + 0.5"

    def test_what_is_unused_of_a_plan_is_discounted_as_its_fee_is(self, load):
        """0.6 of 1 an hour is unused; the month's fee is 60 upfront and 40 recurring, 54 and 36 net: 0.6 x 0.9 = 0.54.

        Of 1/3 unused, cut to twelve decimals: 0.333333333333 x 0.9 = 0.299999999999 (and 7 beyond). Without a fee to
        compare, or without net columns, it stays gross.
        """
        plan = {
            "line_item_line_item_type": "SavingsPlanRecurringFee",
            "savings_plan_savings_plan_a_r_n": "arn:p",
            "savings_plan_total_commitment_to_date": "1",
            "savings_plan_used_commitment": "0.4",
            "savings_plan_amortized_upfront_commitment_for_billing_period": "60",
            "savings_plan_net_amortized_upfront_commitment_for_billing_period": "54",
            "savings_plan_recurring_commitment_for_billing_period": "40",
            "savings_plan_net_recurring_commitment_for_billing_period": "36",
            "line_item_unblended_cost": "1",
            "line_item_net_unblended_cost": "0.9",
            "discount_total_discount": "-0.1",
        }
        third = {**plan, "savings_plan_used_commitment": "0.666666666667"}
        gross = {name: text for name, text in plan.items() if "for_billing_period" not in name}
        assert costs(load(cur2_csv([plan]), source="whole")) == ("0.9", "0.54")
        assert costs(load(cur2_csv([third]), source="third")) == ("0.9", "0.299999999999")
        assert costs(load(cur2_csv([plan, gross]), source="both"))[1] == "1.14", "0.54 + 0.6"
        assert costs(load(cur2_csv([gross]), source="gross")) == ("0.9", "0.6")

    def test_discounts_that_the_export_hides_are_said(self, load):
        delivery = load(cur2_csv([{"discount_total_discount": "-1"}]))
        assert "lacks line_item_net_unblended_cost" in delivery.message


@pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not here; the hand-written ones still run")
class TestSharedCases:
    """The same on bills that others wrote."""

    def load_case(self, name):
        (path,) = (file for file in (CASES / name).iterdir() if file.suffix != ".md")
        (received,) = receive_bill("shared", [path])
        delivery = load_bill(received.delivery)
        assert (delivery.status, delivery.rows_rejected) == ("current", 0), delivery.message
        assert [check for check in reconciliation.reconcile() if not check.holds] == []
        return delivery

    def test_a_refund_of_a_discount_on_a_plan_is_a_cost(self):
        assert costs(self.load_case("32-cur-edp-refund-on-savings-plan")) == ("630.46", "1130.46")

    def test_the_hour_of_a_plan_is_counted_once(self):
        self.load_case("34-cur-savings-plan-hours-counted-once")
        assert CostLine.objects.aggregate(Sum("quantity"))["quantity__sum"] == 2

    def test_keys_that_differ_by_case(self):
        self.load_case("12-cur-tag-keys-that-differ-by-case")
        tags = [line.tag_set.tags for line in CostLine.objects.order_by("resource")]
        assert tags == [{"user:Owner": "alice", "user:owner": "bob"}, {"user:owner": "carol"}]

    def test_the_map_of_all_tags(self):
        self.load_case("13-cur2-tags-column")
        tags = {"user:team": "payments", "owner": "alice", "costCategory:env": "prod"}
        assert CostLine.objects.get().tag_set.tags == tags

    def test_an_export_without_billing_period(self):
        delivery = self.load_case("44-cur2-without-billing-period")
        assert (delivery.billing_months, costs(delivery)) == (["2026-03"], ("7", "7"))


class TestCur:
    def test_discounts_refunds_and_credits_stand_in_rows_of_their_own(self, load):
        """100 - 5 (EDP) - 3 (private rate) - 2 (refund) - 1 (credit) + 8.9 (tax) = 97.9."""
        kinds = [("Usage", "100"), ("EdpDiscount", "-5"), ("PrivateRateDiscount", "-3"), ("Refund", "-2")]
        kinds += [("Credit", "-1"), ("Tax", "8.9")]
        delivery = load(bills.cur_csv({"lineItem/LineItemType": k, "lineItem/UnblendedCost": c} for k, c in kinds))
        assert costs(delivery) == ("97.9", "97.9")
        sums = dict(CostLine.objects.order_by().values_list("charge_category").annotate(Sum("billed_cost")))
        assert sums == {
            "Usage": Decimal(100),
            "Adjustment": Decimal(-10),  # what a contract discounts, and what is refunded
            "Credit": Decimal(-1),
            "Tax": Decimal("8.9"),
        }

    def test_charge_categories_are_those_of_focus(self, load):
        """By the example mappings of the specification: a refund is an adjustment, support is usage and buys nothing, a
        product of the Marketplace is bought; every discount of a contract is an adjustment.
        """
        fee = {"lineItem/LineItemType": "Fee"}
        rows = [
            {"lineItem/ResourceId": "usage"},
            {"lineItem/ResourceId": "refund", "lineItem/LineItemType": "Refund"},
            {"lineItem/ResourceId": "support", **fee, "lineItem/ProductCode": "AWSSupportEnterprise"},
            {"lineItem/ResourceId": "market", **fee, "lineItem/ProductCode": "5hnnev"},
            *(
                {"lineItem/ResourceId": kind, "lineItem/LineItemType": kind}
                for kind in ("SppDiscount", "DistributorDiscount", "CrossServiceDiscount", "BundledDiscount")
            ),
        ]
        load(bills.cur_csv(rows))
        assert dict(CostLine.objects.values_list("resource", "charge_category")) == {
            "usage": "Usage",
            "refund": "Adjustment",
            "support": "Usage",
            "market": "Purchase",
            "SppDiscount": "Adjustment",
            "DistributorDiscount": "Adjustment",
            "CrossServiceDiscount": "Adjustment",
            "BundledDiscount": "Usage",
        }

    def test_what_nobody_used_of_a_commitment_is_usage_of_its_own(self, load):
        """Of a plan of 1.00 an hour 0.90 was used, of a reservation's 44.64 a month 0.75 was not: the fees are
        purchases that cost nothing in effective cost, and what is unused is on no invoice. The bill has its rows once.
        """
        plan, reserved = {"savingsPlan/SavingsPlanARN": "arn:p"}, {"reservation/ReservationARN": "arn:r"}
        rows = [
            {
                **plan,
                "lineItem/LineItemType": "SavingsPlanRecurringFee",
                "lineItem/UnblendedCost": "1.00",
                "savingsPlan/TotalCommitmentToDate": "1.00",
                "savingsPlan/UsedCommitment": "0.90",
            },
            {
                **reserved,
                "lineItem/LineItemType": "RIFee",
                "lineItem/UnblendedCost": "44.64",
                "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "0.5",
                "reservation/UnusedRecurringFee": "0.25",
            },
            {
                **plan,
                "lineItem/LineItemType": "SavingsPlanRecurringFee",
                "lineItem/UsageStartDate": "2026-03-06T00:00:00Z",
                "lineItem/UnblendedCost": "1.00",
                "savingsPlan/TotalCommitmentToDate": "1.00",
                "savingsPlan/UsedCommitment": "1.00",
            },
        ]
        delivery = load(bills.cur_csv(rows))
        assert (delivery.rows_read, delivery.rows_loaded, delivery.rows_rejected) == (3, 3, 0)
        assert costs(delivery) == ("46.64", "0.85")
        lines = CostLine.objects.order_by("commitment", "charge_category", "charge_date")
        names = ("commitment", "charge_category", "commitment_status", "billed_cost", "effective_cost", "quantity")
        assert list(lines.values_list(*names)) == [
            ("arn:p", "Purchase", "", 1, 0, None),
            ("arn:p", "Purchase", "", 1, 0, None),
            ("arn:p", "Usage", "Unused", 0, Decimal("0.1"), None),
            ("arn:r", "Purchase", "", Decimal("44.64"), 0, None),
            ("arn:r", "Usage", "Unused", 0, Decimal("0.75"), None),
        ]
        assert "Fees of commitments that carry what nobody used: 2." in delivery.message

    def test_a_fee_that_cannot_be_read_is_rejected_once(self, load):
        bad = {
            "lineItem/LineItemType": "RIFee",
            "lineItem/UsageStartDate": "yesterday",
            "reservation/UnusedRecurringFee": "0.25",
        }
        delivery = load(bills.cur_csv([{}, bad]))
        assert (delivery.rows_read, delivery.rows_loaded, delivery.rows_rejected) == (2, 1, 1)

    def test_hours_are_counted_where_they_run_and_nowhere_else(self, load):
        kinds = ("SavingsPlanNegation", "Tax", "Credit", "Refund", "RIFee", "SavingsPlanRecurringFee", "EdpDiscount")
        rows = [{"lineItem/LineItemType": kind} for kind in (*kinds, "SavingsPlanCoveredUsage", "DiscountedUsage")]
        rows += [{}, {"lineItem/Operation": "EKSPod-EC2", "lineItem/UsageAmount": "0.5"}]
        load(bills.cur_csv(rows))
        assert CostLine.objects.aggregate(Sum("quantity"))["quantity__sum"] == 3, "covered twice, and on demand"

    def test_keys_that_differ_by_case_are_two_tags(self, load):
        rows = [{"resourceTags/user:Owner": "alice", "resourceTags/user:owner": "bob"}]
        rows += [{"resourceTags/user:owner": "carol", "lineItem/ResourceId": "i-2"}]
        load(bills.cur_csv(rows))
        tags = [line.tag_set.tags for line in CostLine.objects.order_by("resource")]
        assert tags == [
            {"user:Owner": "alice", "user:owner": "bob", "user:Team": "Payments"},
            {"user:owner": "carol", "user:Team": "Payments"},
        ]

    def test_cost_categories_are_tags_with_a_prefix(self, load):
        load(bills.cur_csv([{"costCategory/Unit": "Retail", "resourceTags/user:Team": ""}]))
        assert CostLine.objects.get().tag_set.tags == {"costCategory:Unit": "Retail"}

    @pytest.mark.parametrize(
        ("cells", "tags"),
        [
            (("None", ""), [{"user:Team": "None"}, {}]),
            (("null", ""), [{"user:Team": "null"}, {}]),
            (("Data", "None"), [{"user:Team": "Data"}, {}]),
        ],
    )
    def test_somebody_may_tag_with_the_word_none(self, load, cells, tags):
        """It is a value where nothing is an empty cell, and nothing where no cell is empty."""
        rows = [{"resourceTags/user:Team": cell, "lineItem/ResourceId": f"i-{n}"} for n, cell in enumerate(cells)]
        columns = {name: value for name, value in bills.CUR_ROW.items() if name != "resourceTags/aws:createdBy"}
        text = bills.csv_text(list(columns), [{**columns, **row} for row in rows]).encode()
        load(text)
        assert [line.tag_set.tags for line in CostLine.objects.order_by("resource")] == tags

    def test_rows_that_split_a_machine_among_its_pods_count_nothing(self, load):
        """The machine costs 0.096 once, whatever its pods' rows repeat."""
        pod = {"lineItem/Operation": "EKSPod-EC2", "lineItem/UnblendedCost": "0.048", "lineItem/ResourceId": "pod"}
        delivery = load(bills.cur_csv([{}, pod, {**pod, "lineItem/ResourceId": "pod-2"}]))
        assert costs(delivery) == ("0.096", "0.096")
        assert "Rows that split the cost of machines among pods or tasks: 2." in delivery.message

    def test_a_refunded_savings_plan_fee_is_no_cost_of_the_month(self, load):
        """The fee of 500 was never effective cost of one month, so neither is its refund. A refund of a discount on the
        plan's product is a cost of the month: 10000 - 8869.54 + 0.
        """
        row = {"lineItem/LineItemType": "Refund", "lineItem/ProductCode": "ComputeSavingsPlans"}
        returned = {
            **row,
            "lineItem/UnblendedCost": "-500",
            "lineItem/LineItemDescription": "Refund for one-time fee for Savings Plan ID: abc",
        }
        discount = {
            **row,
            "lineItem/UnblendedCost": "-8869.54",
            "lineItem/LineItemDescription": "Enterprise discount refund",
            "savingsPlan/SavingsPlanARN": "arn:aws:savingsplans::1:savingsplan/p",
        }
        assert costs(load(bills.cur_csv([returned]))) == ("-500", "0")
        rows = [{"lineItem/UnblendedCost": "10000"}, discount, returned]
        assert costs(load(bills.cur_csv(rows), source="other")) == ("630.46", "1130.46")

    @pytest.mark.parametrize(
        ("started", "effective"), [("2026-03-01T10:00:00Z", "0"), ("2025-09-01T10:00:00Z", "-500")]
    )
    def test_a_refund_that_names_a_plan_returns_it_within_seven_days_of_its_purchase(self, load, started, effective):
        row = {
            "lineItem/LineItemType": "Refund",
            "lineItem/ProductCode": "SageMakerSavingsPlans",
            "lineItem/LineItemDescription": "Savings Plan returned",
            "lineItem/UnblendedCost": "-500",
            "savingsPlan/SavingsPlanARN": "arn:aws:savingsplans::1:savingsplan/p",
            "savingsPlan/StartTime": started,
            "savingsPlan/EndTime": "2026-09-01T09:59:59Z",
        }
        assert costs(load(bills.cur_csv([row]))) == ("-500", effective)

    def test_a_charge_of_an_earlier_month_is_a_correction_of_it(self, load):
        load(bills.cur_csv([{"lineItem/UsageStartDate": "2026-02-27T00:00:00Z", "lineItem/UnblendedCost": "-4"}]))
        line = CostLine.objects.get()
        assert (str(line.billing_month), str(line.charge_date)) == ("2026-03-01", "2026-02-27")
        assert line.charge_class == "Correction"

    def test_a_marketplace_product_is_shown_by_its_name(self, load):
        row = {
            "bill/BillingEntity": "AWS Marketplace",
            "lineItem/ProductCode": "5hnnev",
            "product/ProductName": "RHEL 8",
        }
        load(bills.cur_csv([row]))
        assert Dimension.objects.get(name="service", value="5hnnev").label == "RHEL 8"


AZURE_ROW = {
    "BillingAccountId": "8611537",
    "BillingPeriodStartDate": "03/01/2026",
    "BillingPeriodEndDate": "03/31/2026",
    "SubscriptionId": "9EC51CFD-5CA7-4D76-8101-DD0A4ABC5674",
    "Date": "03/05/2026",
    "Product": "Virtual Machines BS Series - B1s",
    "MeterCategory": "Virtual Machines",
    "ConsumedService": "Microsoft.Compute",
    "Quantity": "2",
    "UnitOfMeasure": "100 Hours",
    "Cost": "10",
    "BillingCurrency": "EUR",
    "ResourceId": "/subscriptions/9EC5/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/Web-1",
    "ResourceLocation": "EastUS",
    "Tags": '"env": "prod","CostCenter": "1234"',
    "ChargeType": "Usage",
    "PricingModel": "OnDemand",
    "ReservationId": "",
    "AdditionalInfo": '{"ServiceType":"Standard_B1s"}',
}


def azure_csv(rows, **defaults):
    filled = [{**AZURE_ROW, **defaults, **row} for row in rows]
    return "\ufeff".encode() + bills.csv_text(list(dict.fromkeys(n for row in filled for n in row)), filled).encode()


RESERVED = {"PricingModel": "Reservation", "ReservationId": "F39D"}
# A reservation of 72 for the month of which two thirds were used: the invoice shows the purchase and free usage,
# the amortised view 48 of usage and 24 of nothing.
ACTUAL = [
    {},
    {**RESERVED, "Cost": "0"},
    {**RESERVED, "ChargeType": "Purchase", "Cost": "72", "ResourceId": ""},
    {"ChargeType": "RoundingAdjustment", "Cost": "-0.01", "PricingModel": ""},
]
AMORTIZED = [
    {},
    {**RESERVED, "Cost": "48"},
    {**RESERVED, "ChargeType": "UnusedReservation", "Cost": "24"},
    {"ChargeType": "RoundingAdjustment", "Cost": "-0.01", "PricingModel": ""},
]


class TestAzure:
    def test_each_view_is_told_by_its_rows_and_says_what_it_lacks(self, load):
        actual, amortized = load(azure_csv(ACTUAL)), load(azure_csv(AMORTIZED), source="other")
        assert (actual.format, costs(actual, "EUR")) == ("azure-actual EA", ("81.99", None))
        assert (amortized.format, costs(amortized, "EUR")) == ("azure-amortized EA", (None, "81.99"))
        assert "deliver the month's amortized export" in actual.message

    @pytest.mark.parametrize("views", [(ACTUAL, AMORTIZED), (AMORTIZED, ACTUAL)])
    def test_views_that_come_one_after_the_other_are_one_month_in_either_order(self, load, views):
        first, second = (load(azure_csv(view)) for view in views)
        first.refresh_from_db()
        assert {first.status, second.status} == {Delivery.Status.CURRENT}
        sums = CostLine.objects.current().totals()["EUR"]
        assert (sums["billed_cost"], sums["effective_cost"]) == (Decimal("81.99"), Decimal("81.99"))

    def test_a_newer_view_replaces_its_own_kind_alone(self, load):
        old, other = load(azure_csv(ACTUAL)), load(azure_csv(AMORTIZED))
        load(azure_csv([*ACTUAL, {"Cost": "1"}]))
        old.refresh_from_db()
        other.refresh_from_db()
        assert (old.status, other.status) == (Delivery.Status.SUPERSEDED, Delivery.Status.CURRENT)
        sums = CostLine.objects.current().totals()["EUR"]
        assert (sums["billed_cost"], sums["effective_cost"]) == (Decimal("82.99"), Decimal("81.99"))

    def test_both_views_in_one_delivery_replace_either(self, load):
        old = load(azure_csv(ACTUAL))
        both = load(azure_csv(ACTUAL), azure_csv(AMORTIZED))
        old.refresh_from_db()
        assert (old.status, costs(both, "EUR"), both.message) == ("superseded", ("81.99", "81.99"), "")

    def test_an_amortised_month_without_commitments_is_what_a_person_says_it_is(self, load):
        assert costs(load(azure_csv([{}]), format="azure-amortized"), "EUR") == (None, "10")

    def test_unused_and_used_commitments_are_told_apart(self, load):
        load(azure_csv(AMORTIZED))
        lines = CostLine.objects.exclude(commitment="").values_list("commitment_status", "commitment", "effective_cost")
        assert sorted(lines) == [("Unused", "f39d", Decimal(24)), ("Used", "f39d", Decimal(48))]

    def test_a_refund_is_a_purchase_taken_back_and_a_correction(self, load):
        back = {**RESERVED, "ChargeType": "Refund", "Cost": "-30", "ResourceId": ""}
        load(azure_csv([*ACTUAL, back]))
        refunds = CostLine.objects.filter(billed_cost__lt=-1).values_list(
            "charge_category", "charge_class", "billed_cost", "commitment"
        )
        assert list(refunds) == [("Purchase", "Correction", Decimal(-30), "f39d")]
        assert not CostLine.objects.filter(charge_class="Correction", billed_cost__gt=-1).exists()

    def test_ids_are_grouped_without_regard_to_case_and_named_as_billed(self, load):
        shouted = {"ResourceId": AZURE_ROW["ResourceId"].upper(), "ResourceName": "Web-1"}
        load(azure_csv([{}, shouted]))
        line = CostLine.objects.get()
        assert (line.charges, line.resource_name) == (2, "Web-1")
        assert line.resource == AZURE_ROW["ResourceId"].lower()
        assert (line.sub_account, line.region) == (AZURE_ROW["SubscriptionId"].lower(), "eastus")

    @pytest.mark.parametrize(
        ("unit", "quantity", "expected"),
        [
            ("100 Hours", "2", (Decimal(200), "Hours")),
            ("10K", "0.0004", (Decimal(4), "Units")),
            ("1M", "2", (Decimal(2_000_000), "Units")),
            ("10,000s", "3", (Decimal(30_000), "s")),
            ("1 GB/Month", "5", (Decimal(5), "GB/Month")),
            ("", "5", (Decimal(5), "Units")),
        ],
    )
    def test_quantities_are_in_units_and_not_in_blocks(self, load, unit, quantity, expected):
        load(azure_csv([{"UnitOfMeasure": unit, "Quantity": quantity}]))
        line = CostLine.objects.get()
        assert (line.quantity, line.unit if unit else "Units") == expected

    @pytest.mark.parametrize(
        ("delivered", "tags"),
        [
            ('"env": "prod","a": "b, c: {d}"', {"env": "prod", "a": "b, c: {d}"}),
            ('{"env": "prod"}', {"env": "prod"}),
            ('"org": ""', {"org": ""}),
            ('""', {}),
            ("", {}),
        ],
    )
    def test_tags_are_read_with_and_without_braces(self, load, delivered, tags):
        load(azure_csv([{"Tags": delivered}]))
        assert CostLine.objects.get().tag_set.tags == tags

    def test_a_localised_header_is_read_by_the_names_in_brackets(self, load):
        text = azure_csv([{}]).decode()
        for german in ("Kosten (Cost)", "Datum (Date)", "Maßeinheit (UnitOfMeasure)"):
            text = text.replace(f",{german.split('(')[1][:-1]},", f",{german},", 1)
        delivery = load(text.encode())
        assert costs(delivery, "EUR") == ("10", None)
        assert CostLine.objects.get().quantity == 200

    def test_pay_as_you_go_names_no_billing_period(self, load):
        row = {
            "SubscriptionGuid": "11111111",
            "UsageDateTime": "2026-02-02",
            "MeterCategory": "Load Balancer",
            "ConsumedService": "Microsoft.Network",
            "UsageQuantity": "3",
            "PreTaxCost": "7.5E-02",
            "InstanceId": "/subscriptions/1/x/lb",
            "Currency": "USD",
            "UnitOfMeasure": "100 Hours",
        }
        delivery = load(bills.csv_text(list(row), [row]).encode())
        assert (delivery.format, costs(delivery)) == ("azure-actual pay-as-you-go", ("0.075", None))
        assert str(CostLine.objects.get().billing_month) == "2026-02-01"

    def test_a_customer_agreement_may_be_in_several_currencies(self, load):
        mca = {"costInBillingCurrency": "1.5", "costInPricingCurrency": "2", "ProductId": "P", "Cost": ""}
        rows = [mca, {**mca, "BillingCurrency": "USD"}]
        delivery = load(azure_csv(rows))
        assert {code: sums["billed_cost"] for code, sums in delivery.totals.items()} == {"EUR": "1.5", "USD": "1.5"}

    def test_an_export_without_rows_says_so(self, load):
        delivery = load(azure_csv([{}]).splitlines(keepends=True)[0])
        assert delivery.status == Delivery.Status.EMPTY
        assert "has a header and no charges" in delivery.message


GCP_ROW = {
    "billing_account_id": "01A-02B",
    "service": {"id": "6F81", "description": "Compute Engine"},
    "sku": {"id": "A1", "description": "N1 Core in Iowa"},
    "usage_start_time": "2026-03-05 00:00:00 UTC",
    "usage_end_time": "2026-03-05 01:00:00 UTC",
    "project": {
        "id": "shop",
        "name": "Shop",
        "labels": [{"key": "team", "value": "Data"}, {"key": "env", "value": "p"}],
    },
    "labels": [{"key": "team", "value": "Payments"}],
    "location": {"location": "us-central1", "region": "us-central1"},
    "cost": 10,
    "currency": "EUR",
    "invoice": {"month": "202603"},
    "cost_type": "regular",
    "credits": [],
}


def flat(row):
    """A row as flatteners write it: dotted names, lists in Python's own notation."""
    cells = {}
    for name, value in row.items():
        inner = (
            {f"{name}.{key}": inner_value for key, inner_value in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
        cells.update(inner)
    return cells


def gcp_csv(rows):
    filled = [flat({**GCP_ROW, **row}) for row in rows]
    return bills.csv_text(list(dict.fromkeys(name for row in filled for name in row)), filled).encode()


def gcp_lines(rows):
    return "".join(json.dumps({**GCP_ROW, **row}) + "\n" for row in rows).encode()


def credit(amount, kind="SUSTAINED_USAGE_DISCOUNT"):
    return {"name": "it's a credit" if kind == "PROMOTION" else "credit", "amount": amount, "type": kind, "id": None}


@pytest.mark.parametrize(
    ("write", "name"), [(gcp_csv, "gcp.csv"), (gcp_lines, "gcp.jsonl"), (gcp_lines, "gcp.json.gz")]
)
class TestGoogleCloud:
    def test_credits_are_summed_without_repeating_the_cost(self, load, write, name):
        """10 - 1.5 - 0.25 = 8.25 on the invoice, 10 at list; a row without credits stays 10."""
        delivery = load(write([{"credits": [credit(-1.5), credit(-0.25)]}, {}, {"credits": None}]), name=name)
        assert (delivery.rows_read, costs(delivery, "EUR")) == (3, ("28.25", "28.25"))
        assert delivery.totals["EUR"]["list_cost"] == "30"

    def test_the_invoice_month_is_what_the_bill_says_it_is(self, load, write, name):
        late = {"usage_start_time": "2026-02-28 23:00:00 UTC"}
        load(write([late]), name=name)
        line = CostLine.objects.get()
        assert (str(line.billing_month), str(line.charge_date)) == ("2026-03-01", "2026-02-28")

    def test_the_label_of_a_resource_goes_before_that_of_its_project(self, load, write, name):
        load(write([{}]), name=name)
        assert CostLine.objects.get().tag_set.tags == {"team": "Payments", "env": "p"}

    def test_fees_of_commitments_are_carried_by_the_usage_they_discount(self, load, write, name):
        """A fee of 10 gave credits of 3 and 1: they carry 7.5 and 2.5. Billed: 10 + (10 - 3) + (10 - 1) + 10 = 36.

        Effective: 0 + (7 + 7.5) + (9 + 2.5) + 10 = 36: the fee moves, the sum does not.
        """
        committed = "COMMITTED_USAGE_DISCOUNT"
        fee = {"sku": {"id": "F", "description": "Commitment v1: Cpu in Iowa for 1 Year"}, "labels": []}
        rows = [
            fee,
            {"credits": [credit(-3, committed)], "resource": {"name": "a"}},
            {"credits": [credit(-1, committed)], "resource": {"name": "b"}},
            {"resource": {"name": "c"}},
        ]
        delivery = load(write(rows), name=name)
        assert costs(delivery, "EUR") == ("36", "36")
        lines = CostLine.objects.values_list("resource_name", "charge_category", "billed_cost", "effective_cost")
        assert sorted(lines) == [
            ("", "Purchase", Decimal(10), Decimal(0)),
            ("a", "Usage", Decimal(7), Decimal("14.5")),
            ("b", "Usage", Decimal(9), Decimal("11.5")),
            ("c", "Usage", Decimal(10), Decimal(10)),
        ]
        assert "our own computation" in delivery.message

    def test_a_fee_meets_the_usage_that_names_its_commitment(self, load, write, name):
        """Fees of 10 (A), 6 (B) and 5 (C); credits of 3 by A, of 1 by B, none by C, which was not used.

        Billed: 21 + (10 - 3) + (10 - 1) = 37. Effective: A's usage 7 + 10, B's 9 + 6, and C's fee stays: 37.
        """

        def fee(commitment, cost):
            sku = {"id": "F", "description": "Commitment v1"}
            return {"sku": sku, "cost": cost, "subscription": {"instance_id": commitment}, "resource": {"name": ""}}

        def used(commitment, amount):
            given = {**credit(amount, "COMMITTED_USAGE_DISCOUNT"), "id": commitment}
            return {"credits": [given], "resource": {"name": f"used {commitment}"}, "subscription": {"instance_id": ""}}

        rows = [fee("A", 10), fee("B", 6), fee("C", 5), used("A", -3), used("B", -1)]
        assert costs(load(write(rows), name=name), "EUR") == ("37", "37")
        lines = CostLine.objects.values_list("commitment", "charge_category", "effective_cost")
        assert sorted(lines) == [
            ("A", "Purchase", Decimal(0)),
            ("A", "Usage", Decimal(17)),
            ("B", "Purchase", Decimal(0)),
            ("B", "Usage", Decimal(15)),
            ("C", "Purchase", Decimal(5)),
        ]

    def test_a_fee_whose_usage_does_not_name_it_meets_its_service(self, load, write, name):
        """The credit's id is a description, so that the fee of 10 is carried by what got any: 10 - 3 + 10 = 17."""
        sku = {"id": "F", "description": "Commitment v1"}
        fee = {"sku": sku, "subscription": {"instance_id": "A"}, "resource": {"name": ""}}
        given = {**credit(-3, "COMMITTED_USAGE_DISCOUNT"), "id": "Committed Usage Discount: CPU"}
        load(write([fee, {"credits": [given], "subscription": {"instance_id": ""}}]), name=name)
        lines = CostLine.objects.values_list("commitment", "effective_cost")
        assert sorted(lines) == [("", Decimal(17)), ("A", Decimal(0))]

    def test_thirds_of_a_fee_sum_to_the_fee(self, load, write, name):
        fee = {"sku": {"id": "F", "description": "Commitment v1"}, "cost": 100}
        used = {"credits": [credit(-1, "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE")]}
        delivery = load(write([fee, used, used, used, {**used, "cost": 0.1}]), name=name)
        assert costs(delivery, "EUR") == ("126.1", "126.1")

    def test_a_fee_that_covers_nothing_stays_where_it_is(self, load, write, name):
        fee = {"sku": {"id": "F", "description": "Commitment v1"}, "cost": 100}
        assert costs(load(write([fee]), name=name), "EUR") == ("100", "100")

    def test_tax_and_support_belong_to_no_project(self, load, write, name):
        tax = {"cost_type": "tax", "project": {"id": None, "name": None}, "labels": []}
        load(write([tax]), name=name)
        line = CostLine.objects.get()
        assert (line.charge_category, line.sub_account) == ("Tax", "")


class TestJsonLines:
    def test_numbers_keep_all_their_digits(self, load):
        text = gcp_lines([{}]).replace(b'"cost": 10', b'"cost": 0.12345678901234567890123')
        assert costs(load(text, name="x.jsonl"), "EUR")[0] == "0.12345678901234567890123"

    def test_a_line_that_is_no_object_is_a_reject_with_its_number(self, load):
        text = gcp_lines([{}]) + b"\n{broken\n[1]\n" + gcp_lines([{"cost": "much"}])
        delivery = load(text, name="x.jsonl")
        assert (delivery.rows_read, delivery.rows_loaded, delivery.rows_rejected) == (4, 1, 3)
        rejects = [(row.line, row.column, row.value, row.reason) for row in delivery.rejects.order_by("line")]
        assert rejects == [
            (3, "line", "{broken", "is not a JSON object"),
            (4, "line", "[1]", "is not a JSON object"),
            (5, "BilledCost", "much", "is not a number"),
        ]

    def test_a_key_that_only_a_late_line_has_is_read(self, load):
        bare = {name: value for name, value in GCP_ROW.items() if name != "credits"}
        text = "\n".join([json.dumps(bare)] * 50 + [json.dumps({**bare, "credits": [credit(-4)]})]).encode()
        assert costs(load(text, name="x.jsonl"), "EUR")[0] == "506"


def test_credits_that_cannot_be_read_are_a_reject_and_no_silent_loss(load):
    text = gcp_csv([{}, {"credits": "[{'name': 'it''s'"}])
    delivery = load(text)
    assert (delivery.rows_loaded, delivery.rows_rejected) == (1, 1)
    (reject,) = delivery.rejects.all()
    assert "credits" in reject.value


class TestOracle:
    ROW = {
        "lineItem/tenantId": "ocid1.tenancy",
        "lineItem/intervalUsageStart": "2026-03-05T00:00Z",
        "lineItem/intervalUsageEnd": "2026-03-05T01:00Z",
        "product/service": "COMPUTE",
        "product/compartmentId": "ocid1.compartment",
        "product/resourceId": "ocid1.instance",
        "cost/myCost": "1.5E-3",
        "cost/currencyCode": "USD",
        "lineItem/isCorrection": "false",
        "tags/finance.CostCenter": "42",
    }

    def test_costs_tags_and_corrections(self, load):
        rows = [
            self.ROW,
            {**self.ROW, "lineItem/isCorrection": "true", "cost/myCost": "-5E-4", "product/resourceId": "b"},
        ]
        delivery = load(bills.csv_text(list(self.ROW), rows).encode())
        assert (delivery.format, costs(delivery)) == ("oci", ("0.001", "0.001"))
        assert sorted(CostLine.objects.values_list("charge_class", flat=True)) == ["", "Correction"]
        assert CostLine.objects.first().tag_set.tags == {"finance.CostCenter": "42"}


class TestFocus:
    def test_the_names_of_the_preview_are_read(self, load):
        row = {
            name: value
            for name, value in bills.FOCUS_ROW.items()
            if name not in ("ChargeCategory", "RegionId", "EffectiveCost", "ConsumedQuantity", "ConsumedUnit")
        }
        row |= {"ChargeType": "Purchase", "Region": "eastus", "AmortizedCost": "0.5", "UsageQuantity": "3"}
        delivery = load(bills.csv_text(list(row), [row]).encode())
        line = CostLine.objects.get()
        assert (delivery.format, costs(delivery)) == ("focus 1.0-preview", ("1", "0.5"))
        assert (line.charge_category, line.region, line.quantity) == ("Purchase", "eastus", 3)

    def test_columns_of_its_own_are_kept_beside_the_charges(self, load):
        delivery = load(bills.focus_csv([{"x_Discounts": '{"EDP": 0.1}', "PricingCurrency": "Token", "Id": "7"}]))
        assert charges(delivery, "x_Discounts", "PricingCurrency", "Id") == [('{"EDP": 0.1}', "Token", "7")]

    def test_files_of_one_bill_may_have_different_columns(self, load):
        first, second = bills.focus_csv([{"x_A": "1"}]), bills.focus_csv([{"x_B": "2", "ResourceId": "i-2"}])
        assert charges(load(first, second), "x_A", "x_B") == [("1", None), (None, "2")]

    def test_a_provider_that_is_not_named_is_told_by_its_own_columns(self, load):
        load(bills.focus_csv([{"ProviderName": "", "x_BillingProfileId": "p"}]))
        assert CostLine.objects.get().provider == "Azure"


def test_a_header_that_lacks_a_column_is_refused_with_the_nearest_format(load):
    text = azure_csv([{}]).decode().replace("MeterCategory", "Meter")
    delivery = load(text.encode())
    assert "nearest is Azure cost export" in delivery.message
    assert "which also needs MeterCategory" in delivery.message
