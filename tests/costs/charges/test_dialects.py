"""How clouds write FOCUS and their own exports: each in a small bill whose numbers can be worked out beside it."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from tests import bills

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "bills"

pytestmark = pytest.mark.django_db


def load_files(*paths, source="known", **options):
    """One delivery of these files, its books proved."""
    (received,) = receive_bill(source, paths, **options)
    delivery = load_bill(received.delivery)
    assert [check for check in reconciliation.reconcile() if not check.holds] == []
    return delivery


@pytest.fixture
def load(tmp_path):
    """Loads files of a name and a content as one delivery."""
    return lambda files, **options: load_files(
        *(bills.write(tmp_path, name, content) for name, content in files.items()), **options
    )


def case(name, *files):
    """The files of a shared case, which lies beside the clone or not at all."""
    paths = [CASES / name / file for file in files]
    if not all(path.exists() for path in paths):
        pytest.skip("the shared cases are not here; the hand-written ones still run")
    return paths


def csv_of(rows, **defaults):
    filled = [{**defaults, **row} for row in rows]
    return bills.csv_text(list(dict.fromkeys(name for row in filled for name in row)), filled).encode()


def costs(delivery, currency="USD"):
    sums = delivery.totals[currency]
    return sums["billed_cost"], sums["effective_cost"]


def charges(delivery, *columns):
    """The charges as written, the cheapest first."""
    (month,) = delivery.months.all()
    query = f"SELECT {', '.join(columns)} FROM read_parquet('{month.charges_glob}') ORDER BY BilledCost, EffectiveCost"
    return duckdb.execute(query).fetchall()


def lines(*fields):
    return list(CostLine.objects.order_by("billed_cost", "effective_cost").values_list(*fields))


# Google's FOCUS view

TAG_LIST = [
    {"key": "team", "value": "payments", "x_type": "label", "x_inherited": False, "x_namespace": "n/a"},
    {"key": "env", "value": "prod", "x_type": "project_label", "x_inherited": True, "x_namespace": "n/a"},
    {"key": "team", "value": "whole project", "x_type": "project_label", "x_inherited": True, "x_namespace": "n/a"},
]
GOOGLE = {
    **bills.FOCUS_ROW,
    "ProviderName": "Google Cloud",
    "BillingAccountId": "our billing",
    "SubAccountId": "01A2B3-C4D5E6-F7A8B9",
    "SubAccountName": "",
    "ChargeCategory": "usage",
    "PricingCategory": "standard",
    "Tags": TAG_LIST,
    "x_Project": {"id": "shop", "number": "1", "name": "Shop"},
}
GOOGLE_ROWS = [
    {"BilledCost": "10", "EffectiveCost": "10"},
    {"BilledCost": "2", "EffectiveCost": "2", "ChargeCategory": "tax", "x_Project": None},
    {"BilledCost": "-1", "EffectiveCost": "-1", "ChargeCategory": "adjustment", "ChargeClass": "correction"},
]


def google_csv():
    rows = [{**GOOGLE, **row} for row in GOOGLE_ROWS]
    return csv_of({name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in row.items()} for row in rows)


def google_lines(tags=TAG_LIST):
    return "".join(json.dumps({**GOOGLE, "Tags": tags, **row}) + "\n" for row in GOOGLE_ROWS).encode()


@pytest.mark.parametrize(
    ("name", "text"),
    [("g.csv", google_csv()), ("g.jsonl", google_lines()), ("s.jsonl", google_lines(json.dumps(json.dumps(TAG_LIST))))],
)
def test_googles_view_is_read_as_focus_spells_it(load, name, text):
    """10 + 2 of tax - 1 of correction = 11; the project is the sub account, and a label wins over its project's."""
    delivery = load({name: text})
    assert costs(delivery) == ("11", "11")
    assert lines("charge_category", "charge_class", "sub_account") == [
        ("Adjustment", "Correction", "shop"),
        ("Tax", "", ""),
        ("Usage", "", "shop"),
    ]
    assert charges(delivery, "SubAccountName") == [("Shop",), (None,), ("Shop",)]
    assert {tuple(tags.items()) for (tags,) in lines("tag_set__tags")} == {(("env", "prod"), ("team", "payments"))}
    assert '1 row has ChargeCategory written "tax", read as Tax.' in delivery.message
    assert "3 rows have the project of x_Project as sub account" in delivery.message


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        (
            [{"key": "team", "value": None}, None, {"key": None, "value": "x"}, {"key": "env", "value": "prod"}],
            {"team": "", "env": "prod"},
        ),
        ([{"Key": "team", "Value": "a"}], {"team": "a"}),
        ([{"team": "a"}, {"env": "b", "team": "c"}], {"team": "a", "env": "b"}),
        ([], {}),
        (
            {"team": 'B\u00fc "x" \U0001f600', "n": 1, "on": True, "nested": {"a": [1]}},
            {"team": 'B\u00fc "x" \U0001f600', "n": "1", "on": "true", "nested": '{"a":[1]}'},
        ),
    ],
)
def test_tags_in_any_json_are_kept(load, written, tags):
    """A list of keys and values, with nulls in it; a list of objects that are tags themselves; escapes and numbers."""
    load({"f.csv": bills.focus_csv([{"Tags": json.dumps(written)}])})
    assert CostLine.objects.get().tag_set.tags == tags


@pytest.mark.parametrize("name", ["focus.csv", "focus.jsonl"])
def test_the_case_of_googles_view(name):
    delivery = load_files(*case("08-google-focus-view", name))
    assert costs(delivery) == ("11", "11")
    assert sorted(lines("charge_category", "charge_class", "sub_account")) == [
        ("Adjustment", "Correction", "shop"),
        ("Tax", "", "shop"),
        ("Usage", "", "shop"),
    ]
    assert CostLine.objects.filter(tag_set__tags={"team": "payments", "env": "prod"}).count() == 3


@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        ("PricingCategory", "on-demand", "Standard"),
        ("PricingCategory", "Commitment-Based", "Committed"),
        ("ChargeFrequency", "ONE_TIME", "One-Time"),
        ("ChargeFrequency", "UsageBased", "Usage-Based"),
        ("CommitmentDiscountCategory", "spend", "Spend"),
        ("CommitmentDiscountStatus", "Unused Commitment", "Unused"),
        ("ChargeCategory", "Banana", "Banana"),
    ],
)
def test_values_of_closed_lists_are_read_in_any_spelling_and_others_stay(load, column, written, value):
    delivery = load({"f.csv": bills.focus_csv([{column: written}, {}])})
    assert (value,) in charges(delivery, column)
    assert (f'"{written}", read as {value}.' in delivery.message) == (written != value)


# FOCUS 1.0-preview, Oracle's report


def without(*names):
    return {name: value for name, value in bills.FOCUS_ROW.items() if name not in names}


PREVIEW = {
    **without("ChargeCategory", "ChargeClass", "RegionId", "ConsumedQuantity", "ConsumedUnit", "ProviderName"),
    "Provider": "Microsoft",
    "ChargeType": "Usage",
    "CommitmentDiscountId": "/r1",
}


def test_the_previews_subcategories_are_what_1_0_has_columns_for(load):
    """A reservation of 3 of which 2 were used; a credit is a kind of adjustment there."""
    rows = [
        {"ChargeSubcategory": "Used Commitment", "BilledCost": "0", "EffectiveCost": "2"},
        {"ChargeSubcategory": "Unused Commitment", "BilledCost": "0", "EffectiveCost": "1"},
        {"ChargeSubcategory": "On-Demand", "CommitmentDiscountId": "", "BilledCost": "4", "EffectiveCost": "4"},
        {
            **{"ChargeSubcategory": "Credit", "ChargeType": "Adjustment", "CommitmentDiscountId": ""},
            **{"BilledCost": "-1", "EffectiveCost": "-1"},
        },
    ]
    delivery = load({"p.csv": csv_of(rows, **PREVIEW)})
    assert (delivery.format, costs(delivery)) == ("focus 1.0-preview", ("3", "6"))
    assert lines("charge_category", "commitment_status", "effective_cost") == [
        ("Credit", "", Decimal(-1)),
        ("Usage", "Unused", Decimal(1)),
        ("Usage", "Used", Decimal(2)),
        ("Usage", "", Decimal(4)),
    ]
    assert '1 row has ChargeSubcategory "Unused Commitment", read as CommitmentDiscountStatus Unused.' in (
        delivery.message
    )


ORACLE = {
    **without("ChargeClass", "RegionId", "ConsumedQuantity", "ConsumedUnit", "ProviderName", "ResourceName"),
    **{"Provider": "Oracle", "Publisher": "Oracle", "InvoiceIssuer": "Oracle America", "Region": "us-phoenix-1"},
    **{"ChargeSubcategory": "On-Demand", "UsageQuantity": "2", "UsageUnit": "OCPU", "PricingCategory": "On-Demand"},
    **{"BillingPeriodStart": "2026-03-01T00:00Z", "ChargePeriodStart": "2026-03-05T00:00Z"},
    **{"SubAccountId": "ocid1.tenancy", "SubAccountName": "northwind", "Tags": '{"finance.CostCenter":"42"}'},
    **{"oci_ReferenceNumber": "7", "oci_CompartmentId": "ocid1.compartment", "oci_CompartmentName": "dev"},
    "oci_BackReferenceNumber": "",
}


def test_oracles_headers_are_read(load):
    rows = [{}, {"BilledCost": "-0.4", "oci_BackReferenceNumber": "7", "SubAccountId": "", "SubAccountName": ""}]
    delivery = load({"o.csv": csv_of(rows, **ORACLE)})
    assert (delivery.format, delivery.provider, costs(delivery)[0]) == ("focus 1.0-preview", "Oracle", "0.6")
    assert lines("charge_class", "sub_account", "region", "quantity") == [
        ("Correction", "ocid1.compartment", "us-phoenix-1", Decimal(2)),
        ("", "ocid1.tenancy", "us-phoenix-1", Decimal(2)),
    ]
    assert CostLine.objects.first().tag_set.tags == {"finance.CostCenter": "42"}
    names = [("Oracle", "Oracle America", "dev"), ("Oracle", "Oracle America", "northwind")]
    assert charges(delivery, "PublisherName", "InvoiceIssuerName", "SubAccountName") == names


# Microsoft's FOCUS

MICROSOFT = {"ProviderName": "Microsoft", "CommitmentDiscountId": "", "CommitmentDiscountStatus": ""}
RESERVED = {"CommitmentDiscountId": "/r1", "CommitmentDiscountStatus": "Used"}


def test_a_list_cost_of_0_is_unknown_where_the_row_was_not_free(load):
    rows = [
        {"BilledCost": "9", "EffectiveCost": "9", "ListCost": "0", "ContractedCost": "0.00"},
        {**RESERVED, "BilledCost": "0", "EffectiveCost": "3", "ListCost": "0", "ContractedCost": "5"},
        {"BilledCost": "0", "EffectiveCost": "0", "ListCost": "0", "ContractedCost": "0", "ResourceId": "free"},
        {**MICROSOFT, "ProviderName": "AWS", "BilledCost": "1", "EffectiveCost": "1", "ListCost": "0"},
    ]
    delivery = load({"m.csv": csv_of(rows, **bills.FOCUS_ROW | MICROSOFT)})
    assert lines("effective_cost", "list_cost", "contracted_cost") == [
        (Decimal(0), Decimal(0), Decimal(0)),
        (Decimal(3), None, Decimal(5)),
        (Decimal(1), Decimal(0), Decimal(1)),
        (Decimal(9), None, None),
    ]
    assert "2 rows have ListCost written 0 though not free, read as unknown." in delivery.message


def test_unassigned_is_the_absence_of_a_name(load):
    row = {"SubAccountName": "Unassigned", "RegionId": "Unassigned"}
    delivery = load({"m.csv": bills.focus_csv([row], **MICROSOFT)})
    assert charges(delivery, "SubAccountName", "RegionId") == [(None, None)]
    assert '1 row has SubAccountName written "Unassigned", read as empty.' in delivery.message


def test_the_purchase_of_a_commitment_has_no_effective_cost(load):
    """72 were paid for a reservation, 48 of it are used and 24 not; support of 5 is no commitment."""
    rows = [
        {"CommitmentDiscountId": "/r1", "ChargeCategory": "Purchase", "BilledCost": "72", "EffectiveCost": "72"},
        {**RESERVED, "BilledCost": "0", "EffectiveCost": "48"},
        {**RESERVED, "CommitmentDiscountStatus": "Unused", "BilledCost": "0", "EffectiveCost": "24"},
        {"ChargeCategory": "Purchase", "BilledCost": "5", "EffectiveCost": "5"},
    ]
    delivery = load({"m.csv": bills.focus_csv(rows, **MICROSOFT)})
    assert costs(delivery) == ("77", "77"), "72 + 5 on the invoice, 48 + 24 + 5 of effective cost"
    assert "1 row has EffectiveCost on the purchase of a commitment, read as 0: its usage carries it." in (
        delivery.message
    )


def test_the_case_of_azures_placeholders():
    delivery = load_files(*case("22-azure-focus-placeholders", "focus.csv"))
    assert costs(delivery) == ("9", "12")
    assert charges(delivery, "EffectiveCost", "ListCost", "ContractedCost", "SubAccountName") == [
        (Decimal(3), None, Decimal(5), "prod"),
        (Decimal(9), None, None, None),
    ]


# Azure's own exports

AZURE = {
    "BillingAccountId": "8611537",
    "BillingAccountName": "Northwind",
    "BillingProfileId": "ABCD-1",
    "BillingProfileName": "Europe",
    "InvoiceSectionName": "Shop",
    "BillingPeriodStartDate": "03/01/2026",
    "SubscriptionId": "9ec51cfd",
    "Date": "03/05/2026",
    "MeterCategory": "Virtual Machines",
    "ConsumedService": "Microsoft.Compute",
    "Quantity": "2",
    "UnitOfMeasure": "1 Hour",
    "CostInBillingCurrency": "100",
    "BillingCurrencyCode": "EUR",
    "ResourceId": "/subscriptions/9ec5/x/vm-1",
    "ResourceLocation": "EastUS",
    "Tags": '"env": "prod"',
    "ChargeType": "Usage",
    "PricingModel": "OnDemand",
    "ReservationId": "",
}
AMORTIZED_PART = csv_of(
    [
        {"CostInBillingCurrency": "48", "PricingModel": "Reservation", "ReservationId": "F39D"},
        {
            **{"CostInBillingCurrency": "24", "PricingModel": "Reservation", "ReservationId": "F39D"},
            "ChargeType": "UnusedReservation",
        },
    ],
    **AZURE,
)
PLAIN_PART = csv_of([{}], **AZURE)
PURCHASES = csv_of(
    [{}, {"CostInBillingCurrency": "72", "ChargeType": "Purchase", "PricingModel": "Reservation"}], **AZURE
)
PART_NAMES = [
    ("part_0_0001.csv", "part_1_0001.csv"),
    ("part-00000.csv", "part-00001.csv"),
    ("costs-0001.csv", "costs-0002.csv.gz"),
    ("costs_1_of_2.csv", "costs_2_of_2.csv"),
    ("part-00000-8f1c-c000.csv", "part-00001-8f1c-c000.csv"),
]


@pytest.mark.parametrize("names", PART_NAMES)
@pytest.mark.parametrize("turned", [False, True])
def test_parts_of_one_amortized_export_are_of_one_view(load, names, turned):
    """48 used + 24 not used + 100 of a part that shows no view by itself: effective 172, and billed unknown."""
    parts = [PLAIN_PART, AMORTIZED_PART] if turned else [AMORTIZED_PART, PLAIN_PART]
    delivery = load(dict(zip(names, parts, strict=True)))
    assert costs(delivery, "EUR") == (None, "172")
    assert [month.view for month in delivery.months.all()] == ["amortized"]
    assert "deliver the month's actual export as well" in delivery.message


@pytest.mark.parametrize("names", [("actual.csv", "amortized.csv"), ("costs-1.csv", "costs-2.csv")])
def test_two_exports_of_both_views_stay_both(load, names):
    """Only the invoice has a purchase: 100 + 72 of billed cost beside 72 of effective cost."""
    delivery = load(dict(zip(names, (PURCHASES, AMORTIZED_PART), strict=True)))
    assert costs(delivery, "EUR") == ("172", "72")
    assert sorted(month.view for month in delivery.months.all()) == ["actual", "amortized"]


def test_the_case_of_an_amortized_export_in_parts():
    paths = case("05-azure-amortized-parts", "in/part_0_0001.csv", "in/part_1_0001.csv")
    delivery = load_files(*paths)
    assert costs(delivery, "EUR") == (None, "172")
    assert [month.view for month in delivery.months.all()] == ["amortized"]


def test_0_unassigned_is_no_block_of_nothing(load):
    load({"a.csv": csv_of([{"UnitOfMeasure": "0 Unassigned", "Quantity": "1"}], **AZURE)})
    assert lines("quantity", "unit") == [(Decimal(1), "Units")]


def test_the_case_of_an_unassigned_unit_of_measure():
    delivery = load_files(*case("35-azure-unit-of-measure-unassigned", "ea.csv"))
    assert costs(delivery, "EUR") == ("40", None)
    assert lines("quantity", "region", "service") == [(Decimal(1), "", "")]


def test_a_list_cost_of_0_is_unknown_in_azures_exports_too(load):
    rows = [
        {"paygCostInBillingCurrency": "0"},
        {"paygCostInBillingCurrency": "0", "CostInBillingCurrency": "0", "PricingModel": "Reservation"},
        {"paygCostInBillingCurrency": "0", "CostInBillingCurrency": "0", "ResourceId": "/x/free"},
        {"paygCostInBillingCurrency": "7", "CostInBillingCurrency": "6", "ResourceId": "/x/paid"},
    ]
    load({"a.csv": csv_of(rows, **AZURE)})
    free, reserved, paid, listed = (
        CostLine.objects.get(resource="/x/free").list_cost,
        CostLine.objects.get(commitment_status="Used").list_cost,
        CostLine.objects.get(billed_cost=100).list_cost,
        CostLine.objects.get(resource="/x/paid").list_cost,
    )
    assert (free, reserved, paid, listed) == (Decimal(0), None, None, Decimal(7))


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        (r'"env": "prod","disk": "5" of it"', {"env": "prod", "disk": '5" of it'}),
        (r'"path": "C:\data","env": "prod"', {"path": r"C:\data", "env": "prod"}),
        (r'{"path": "C:\data", "env": "prod"}', {"path": r"C:\data", "env": "prod"}),
    ],
)
def test_quotes_and_backslashes_lose_no_tags(load, written, tags):
    load({"a.csv": csv_of([{"Tags": written}], **AZURE)})
    assert CostLine.objects.get().tag_set.tags == tags


def test_billing_profile_and_invoice_section_are_read(load):
    delivery = load({"a.csv": csv_of([{"invoiceId": "G042"}], **AZURE)})
    columns = ("InvoiceId", "x_BillingProfileId", "x_BillingProfileName", "x_InvoiceSectionName")
    assert charges(delivery, *columns) == [("G042", "ABCD-1", "Europe", "Shop")]


# Google Cloud's billing export, nested

EXPORT = {
    "billing_account_id": "01A-02B-03C",
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
    "system_labels": [{"key": "compute.googleapis.com/cores", "value": "2"}],
    "location": {"location": "us-central1", "region": "us-central1"},
    "cost": 10,
    "currency": "EUR",
    "invoice": {"month": "202603"},
    "cost_type": "regular",
    "adjustment_info": {"id": None, "mode": None, "type": None, "description": None},
    "credits": [{"name": "SUD", "amount": -1.5, "type": "SUSTAINED_USAGE_DISCOUNT", "id": "x"}],
}
ADJUSTED = {"adjustment_info": {"id": "a1", "mode": "MANUAL_ADJUSTMENT", "type": None, "description": None}}
FEBRUARY = {"usage_start_time": "2026-02-10 00:00:00 UTC", "usage_end_time": "2026-02-10 01:00:00 UTC"}
EXPORT_ROWS = [
    {},
    {"cost": 5, "credits": []},
    {**ADJUSTED, **FEBRUARY, "cost": -2, "credits": [], "cost_type": "adjustment"},
    {**FEBRUARY, "cost": 1, "credits": []},
]


def export_lines(path):
    path.write_text("".join(json.dumps({**EXPORT, **row}) + "\n" for row in EXPORT_ROWS))
    return path


def export_csv_with_json_cells(path):
    rows = [{**EXPORT, **row} for row in EXPORT_ROWS]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(EXPORT))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in row.items()})
    return path


def export_parquet(path):
    lines = export_lines(path.with_suffix(".jsonl"))
    tag = "STRUCT(key VARCHAR, value VARCHAR)[]"
    types = {
        "project": f"STRUCT(id VARCHAR, name VARCHAR, labels {tag})",
        "labels": tag,
        "system_labels": tag,
        "credits": "STRUCT(name VARCHAR, amount DECIMAL(20, 4), type VARCHAR, id VARCHAR)[]",
        "adjustment_info": "STRUCT(id VARCHAR, mode VARCHAR, type VARCHAR, description VARCHAR)",
    }
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in types.items())
    duckdb.execute(f"COPY (SELECT * REPLACE ({casts}) FROM read_json('{lines}')) TO '{path}' (FORMAT parquet)")
    return path


def export_parquet_with_unmarked_lists(path):
    """As writers do that leave the groups in which Parquet holds a list."""
    plain = export_parquet(path.with_name("plain.parquet"))
    wrapped = ", ".join(
        f"{{'list': list_transform({name}, lambda x: {{'element': x}})}} AS {name}" for name in ("labels", "credits")
    )
    duckdb.execute(f"COPY (SELECT * REPLACE ({wrapped}) FROM read_parquet('{plain}')) TO '{path}' (FORMAT parquet)")
    return path


WRITERS = [
    (export_lines, "x.jsonl"),
    (export_csv_with_json_cells, "x.csv"),
    (export_parquet, "x.parquet"),
    (export_parquet_with_unmarked_lists, "w.parquet"),
]


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_a_nested_google_export_is_read_however_it_is_written(tmp_path, write, name):
    """10 - 1.5 of credit + 5 - 2 of adjustment + 1 = 12.5; labels of the resource win over those of its project."""
    delivery = load_files(write(tmp_path / name))
    assert (delivery.format, costs(delivery, "EUR")) == ("gcp", ("12.5", "12.5"))
    line = CostLine.objects.get(billed_cost=Decimal("13.5"))
    assert (line.service, line.sub_account, line.region, line.charges) == ("Compute Engine", "shop", "us-central1", 2)
    assert line.tag_set.tags == {"team": "Payments", "env": "p", "compute.googleapis.com/cores": "2"}


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_an_adjustment_of_an_earlier_month_is_a_correction_and_late_usage_is_none(tmp_path, write, name):
    load_files(write(tmp_path / name))
    rows = CostLine.objects.filter(charge_date="2026-02-10").order_by("billed_cost")
    assert list(rows.values_list("billed_cost", "charge_category", "charge_class")) == [
        (Decimal(-2), "Adjustment", "Correction"),
        (Decimal(1), "Usage", ""),
    ]


def test_labels_that_cannot_be_read_are_said(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({**EXPORT, "labels": "[team"}) + "\n")
    delivery = load_files(path)
    assert costs(delivery, "EUR") == ("8.5", "8.5")
    assert "1 row has labels that cannot be read, and were left out." in delivery.message


@pytest.mark.parametrize("name", ["bq.parquet", "rows.jsonl"])
def test_the_case_of_a_google_export_with_structs(name):
    delivery = load_files(*case("18-gcp-parquet-with-structs", name))
    assert costs(delivery) == ("13.5", "13.5")
    assert lines("service", "sub_account") == [("Compute Engine", "shop")]


@pytest.mark.parametrize(
    "tags",
    [
        "MAP {'Team': 'Payments'}",
        "[{'key': 'Team', 'value': 'Payments'}]",
        "{'Team': 'Payments'}",
        "{'key_value': [{'key': 'Team', 'value': 'Payments'}]}",
        """'[{"Key": "Team", "Value": "Payments"}]'""",
    ],
)
def test_tags_of_parquet_are_read_as_maps_lists_and_structs(load, tmp_path, tags):
    path = bills.write(tmp_path, "f.csv", bills.focus_csv([{}]))
    parquet = tmp_path / "f.parquet"
    duckdb.execute(
        f"COPY (SELECT * REPLACE ({tags} AS Tags) FROM read_csv('{path}', all_varchar = true)) TO '{parquet}'"
    )
    load_files(parquet)
    assert CostLine.objects.get().tag_set.tags == {"Team": "Payments"}


def test_tags_of_json_lines_are_read_as_an_object(load):
    row = {**bills.FOCUS_ROW, "Tags": {"Team": "Payments"}, "SkuPriceDetails": {"InstanceType": "m5.large"}}
    delivery = load({"f.jsonl": json.dumps(row).encode()})
    assert CostLine.objects.get().tag_set.tags == {"Team": "Payments"}
    assert charges(delivery, "x_InstanceType") == [("m5.large",)]
