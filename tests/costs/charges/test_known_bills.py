"""Every known bill loads to its known totals, to the last digit."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from django.db.models import Sum

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery
from finops_site.lib.periods import Month
from tests import bills

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "bills"
TRUTH = json.loads((SHARED / "truth.json").read_text())["files"] if (SHARED / "truth.json").exists() else {}
READ = {name: known for name, known in TRUTH.items() if not known["kind"].startswith("seed")}
METRICS = {"billed": "billed_cost", "effective": "effective_cost", "list": "list_cost", "contracted": "contracted_cost"}
# The truth tells the provider's own line type where we tell FOCUS categories.
CATEGORIES = {"SavingsPlanCoveredUsage": "Usage", "regular": "Usage", "": "Usage"}
# A provider has one name on every page; the truth has the names that the bill writes.
ONE_NAME = {"Microsoft": "Azure"}
# Cost lines keep 18 decimals; the control totals above are of all digits, and books tell the difference.
HALF_A_STORED_DIGIT = Decimal("5E-19")
TABLES = {
    "service": "by_service",
    "account": "by_account",
    "charge_category": "by_category",
    "month": "by_charge_month",
    "billing_month": "by_billing_month",
}

pytestmark = pytest.mark.django_db
needs_shared = pytest.mark.skipif(not READ, reason="the shared bills are not here; the hand-written ones still run")


def load(paths, source="known", **options):
    return [load_bill(received.delivery) for received in receive_bill(source, paths, **options)]


def assert_green():
    broken = [check for check in reconciliation.reconcile() if not check.holds]
    assert broken == []


@needs_shared
@pytest.mark.parametrize("name", sorted(READ) or ["none"])
def test_a_known_bill_loads_to_its_truth(name, fay, client_of):
    (delivery,) = load([SHARED / name])
    known = READ[name]
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    assert (delivery.rows_read, delivery.rows_rejected) == (known["rows"], 0)
    (sums,) = delivery.totals.values()
    # What a provider's own columns do not say, the truth leaves open.
    stated = {METRICS[name]: amount for name, amount in known["totals"].items() if amount is not None}
    assert {ours: sums[ours] for ours in stated} == stated
    assert_green()
    for group, table in TABLES.items():
        answer, wanted = answered(client_of(fay), group, delivery), expected(known, table, group)
        assert answer.keys() == wanted.keys(), table
        for value, (amount, rows) in wanted.items():
            assert abs(answer[value] - amount) <= rows * HALF_A_STORED_DIGIT, (table, value)


def answered(client, group, delivery):
    """{value: sum} of the API for everything the delivery charges, in the view that it carries."""
    months = sorted(day[:7] for month in delivery.months.all() for day in month.charge_months)
    metric = "effective_cost" if delivery.format.startswith("azure-amortized") else "billed_cost"
    query = {"group_by": group, "from": months[0], "to": months[-1], "metric": metric}
    rows = client.get("/api/v1/spend/", query).json()["results"]
    return {row[group] or "": Decimal(row[metric]) for row in rows}


def expected(known, table, group):
    """{value: (sum, rows)} of a table of the truth, in the names we use."""
    sums: dict[str, tuple[Decimal, int]] = {}
    for value, row in known[table].items():
        name = "" if value == "(null)" else value
        name = CATEGORIES.get(name, name) if group == "charge_category" else name
        # Azure's oldest exports name no billing period: the month of use is the month of the invoice.
        name = next(iter(known["by_charge_month"])) if group == "billing_month" and not name else name
        amount = Decimal(row["billed"] if row["billed"] is not None else row["effective"])
        so_far, rows = sums.get(name, (Decimal(0), 0))
        sums[name] = so_far + amount, rows + row["rows"]
    return sums


@needs_shared
def test_the_two_months_of_a_report_come_in_through_their_manifests():
    deliveries = load([SHARED / "aws-cur-nise"])
    assert [delivery.billing_months for delivery in deliveries] == [["2025-09"], ["2025-10"]]
    billed = sum(Decimal(delivery.totals["USD"]["billed_cost"]) for delivery in deliveries)
    effective = sum(Decimal(delivery.totals["USD"]["effective_cost"]) for delivery in deliveries)
    assert str(billed) == "54115.201298172353813932366"
    assert str(effective) == "54054.241298172353813932366"
    assert_green()


@needs_shared
def test_the_two_views_of_azure_are_one_bill_and_never_a_double_one():
    both = [SHARED / f"azure-finops-toolkit/EA_{view}Cost_Small.csv" for view in ("Actual", "Amortized")]
    (delivery,) = load(both)
    assert delivery.totals["USD"]["billed_cost"] == "8.5450077867419368"
    assert delivery.totals["USD"]["effective_cost"] == "16.296932136636644627485419"
    assert_green()


@needs_shared
@pytest.mark.parametrize(("bill_stopped", "expected"), [(True, "64852.11"), (False, "48278.43")])
def test_the_first_inventory_costs_what_its_rates_say(bill_stopped, expected):
    """72.109 USD/h x 720 h + 12,933.63 a month; without the stopped machines 49.09 x 720 + 12,933.63."""
    (delivery,) = load([SHARED / "seed-inventory"], month=Month(2025, 11), bill_stopped=bill_stopped)
    assert delivery.totals["USD"]["billed_cost"] == expected
    assert (delivery.rows_read, delivery.rows_rejected) == (200, 0)
    assert_green()


def test_a_written_inventory_charges_running_machines_for_every_hour_of_the_month(tmp_path):
    machines = [
        {"ResourceId": "i-1", "State": "running", "CostUSD": "0.5", "Tags": "Owner=Alice,Environment=Dev"},
        {"ResourceId": "i-2", "State": "stopped", "CostUSD": "1.25", "Tags": "Owner=Bob,Note"},
        {"ResourceId": "", "State": "", "CostUSD": "", "Tags": ""},
    ]
    columns = ["ResourceId", "InstanceType", "State", "CostUSD", "Region", "Tags"]
    bills.write(tmp_path, "ec2.csv", bills.csv_text(columns, machines).encode())
    bills.write(
        tmp_path, "s3.csv", b"BucketName,StorageClass,CostUSD,Region,Tags,TotalSizeGB\nlogs,STANDARD,10.10,,,5\n"
    )
    (february,) = load([tmp_path], month=Month(2026, 2))
    assert february.totals["USD"]["billed_cost"] == "346.1", "672 hours of 0.5 and 10.10 for the bucket"
    (source_reading,) = load([tmp_path], source="other", month=Month(2026, 2), bill_stopped=True)
    assert source_reading.totals["USD"]["billed_cost"] == "1186.1", "672 x (0.5 + 1.25) + 10.10"
    assert CostLine.objects.get(resource="i-2", delivery_month__delivery=february).tag_set.tags == {
        "Owner": "Bob",
        "Note": "",
    }
    assert_green()


def test_a_savings_plan_is_amortised_as_the_dashboards_of_aws_do(tmp_path):
    """Covered usage 0.07; a plan of 1.00 of which 0.90 was used leaves 0.10; the negation and the upfront fee are 0."""
    plan = {"savingsPlan/SavingsPlanARN": "arn:aws:savingsplans::1:savingsplan/p"}
    rows = [
        {},
        {**plan, "lineItem/LineItemType": "SavingsPlanCoveredUsage", "savingsPlan/SavingsPlanEffectiveCost": "0.07"},
        {**plan, "lineItem/LineItemType": "SavingsPlanNegation", "lineItem/UnblendedCost": "-0.096"},
        {
            **plan,
            "lineItem/LineItemType": "SavingsPlanRecurringFee",
            "lineItem/UnblendedCost": "1.00",
            "savingsPlan/TotalCommitmentToDate": "1.00",
            "savingsPlan/UsedCommitment": "0.90",
        },
        {**plan, "lineItem/LineItemType": "SavingsPlanUpfrontFee", "lineItem/UnblendedCost": "500"},
        {"lineItem/LineItemType": "Tax", "lineItem/UnblendedCost": "0.01"},
    ]
    (delivery,) = load([bills.write(tmp_path, "cur.csv.gz", bills.cur_csv(rows))])
    assert delivery.totals["USD"]["billed_cost"] == "501.106", "0.096 + 0.096 - 0.096 + 1.00 + 500 + 0.01"
    assert delivery.totals["USD"]["effective_cost"] == "0.276", "0.096 + 0.07 + 0 + 0.10 + 0 + 0.01"
    assert_green()


def test_a_reservation_is_amortised_as_the_dashboards_of_aws_do(tmp_path):
    """Covered usage 0.06; of the fee only 0.5 + 0.25 unused; a fee with a reservation 0, one without stays whole."""
    reserved = {"reservation/ReservationARN": "arn:aws:ec2:us-east-1:1:reserved-instances/r"}
    rows = [
        {
            **reserved,
            "lineItem/LineItemType": "DiscountedUsage",
            "lineItem/UnblendedCost": "0",
            "reservation/EffectiveCost": "0.06",
        },
        {
            **reserved,
            "lineItem/LineItemType": "RIFee",
            "lineItem/UnblendedCost": "44.64",
            "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "0.5",
            "reservation/UnusedRecurringFee": "0.25",
        },
        {**reserved, "lineItem/LineItemType": "Fee", "lineItem/UnblendedCost": "300"},
        {"lineItem/LineItemType": "Fee", "lineItem/UnblendedCost": "7"},
        {"lineItem/LineItemType": "Credit", "lineItem/UnblendedCost": "-2"},
    ]
    (delivery,) = load([bills.write(tmp_path, "cur.csv", bills.cur_csv(rows))])
    assert delivery.totals["USD"]["billed_cost"] == "349.64"
    assert delivery.totals["USD"]["effective_cost"] == "5.81", "0.06 + 0.75 + 0 + 7 - 2"


def test_digits_beyond_what_is_stored_are_kept_in_the_control_totals(tmp_path):
    amounts = ["0.1234567890123456789012345678", "1E-20", "-0.0000000000000000000000000001", "1234567890.1234567891"]
    rows = [{"BilledCost": amount, "ResourceId": f"i-{n}"} for n, amount in enumerate(amounts)]
    (delivery,) = load([bills.write(tmp_path, "focus.csv", bills.focus_csv(rows))])
    exact = "1234567890.2469135781123456789112345677"
    assert delivery.totals["USD"]["billed_cost"] == exact
    assert CostLine.objects.totals()["USD"]["billed_cost"] == Decimal(exact) - Decimal(
        delivery.residual["USD"]["billed_cost"]
    )
    assert Decimal(delivery.residual["USD"]["billed_cost"]) != 0
    assert_green()


def test_tags_of_columns_and_of_json_become_the_same_kind_of_map(tmp_path):
    load([bills.write(tmp_path, "cur.csv", bills.cur_csv([{}]))], source="cur")
    load([bills.write(tmp_path, "focus.csv", bills.focus_csv([{}]))], source="focus")
    tags = {line.delivery_month.delivery.source.name: line.tag_set.tags for line in CostLine.objects.all()}
    assert tags == {"cur": {"user:Team": "Payments"}, "focus": {"Team": "Payments"}}


@pytest.mark.parametrize(
    ("text", "tags", "note"),
    [
        ('{"Team": "Data", "Team": "Retail"}', {"Team": "Retail"}, "1 row repeats a tag key; the last value"),
        (r'{"Team": "Data", "path": "C:\dir\n"}', {"Team": "Data", "path": r"C:\dir" + "\n"}, "nearly JSON"),
        (r'{"Team": "Data", "path": "C:\"}', {"Team": "Data", "path": "C:\\"}, "nearly JSON"),
        ('{"Team": "Data", "env": None}', {"Team": "Data", "env": None}, "nearly JSON"),
        ('{"Team": "Data", "env": null}', {"Team": "Data", "env": None}, ""),
    ],
)
def test_tags_that_are_not_quite_json_are_not_lost(tmp_path, text, tags, note):
    (delivery,) = load([bills.write(tmp_path, "focus.csv", bills.focus_csv([{"Tags": text}]))])
    assert CostLine.objects.get().tag_set.tags == tags
    assert note in delivery.message
    assert_green()


def test_spreadsheet_money_and_american_dates_are_understood(tmp_path):
    row = {"BilledCost": "$10,000.50 ", "ChargePeriodStart": "3/5/26", "BillingPeriodStart": "3/1/2026 0:00"}
    (delivery,) = load([bills.write(tmp_path, "focus.csv", bills.focus_csv([row]))])
    assert delivery.totals["USD"]["billed_cost"] == "10000.5"
    assert str(CostLine.objects.get().charge_date) == "2026-03-05"


def test_parquet_and_csv_of_one_bill_agree(tmp_path):
    rows = [{"BilledCost": "0.1"}, {"BilledCost": "0.2", "Tags": '{"Team": "Data", "env": "prod"}'}]
    path = bills.write(tmp_path, "focus.csv", bills.focus_csv(rows))
    parquet = tmp_path / "focus.parquet"
    duckdb.execute(
        f"""COPY (SELECT * REPLACE (BilledCost::DOUBLE AS BilledCost, ChargePeriodStart::TIMESTAMP AS ChargePeriodStart,
        Tags::JSON::MAP(VARCHAR, VARCHAR) AS Tags) FROM read_csv('{path}', all_varchar = true)) TO '{parquet}'"""
    )
    (from_csv,), (from_parquet,) = load([path], source="csv"), load([parquet], source="parquet")
    assert from_parquet.totals == from_csv.totals
    keys = ("charge_date", "tag_set", "billed_cost", "resource")
    by_source = [
        list(CostLine.objects.filter(delivery_month__delivery=delivery).order_by("billed_cost").values(*keys))
        for delivery in (from_csv, from_parquet)
    ]
    assert by_source[0] == by_source[1]


@needs_shared
def test_the_sums_by_service_account_and_category_are_the_truths(tmp_path):
    load([SHARED / "focus-sample/focus_sample_1.0.csv"])
    known = READ["focus-sample/focus_sample_1.0.csv"]
    for field, key in [("service", "by_service"), ("charge_category", "by_category"), ("provider", "by_provider")]:
        sums = dict(CostLine.objects.order_by().values_list(field).annotate(Sum("billed_cost")))
        assert sums == {ONE_NAME.get(name, name): Decimal(sums["billed"]) for name, sums in known[key].items()}, field


def test_the_hand_written_bills_are_csv():
    header, row = list(csv.reader(bills.focus_csv([{}]).decode().splitlines()))
    assert len(header) == len(row)
