"""Fay imports what providers state of their emissions; teams see the accounts that are theirs alone."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.people import signed_in
from usage.calc.fact_reading import read_facts
from usage.carbon.figures import Carbon
from usage.models import CarbonMonth
from usage.sources import imports

MARCH = Month(2026, 3)
AWS = """usage_account_id,usage_period_start,usage_period_end,region_code,product_code,model_version,\
total_mbm_emissions_value,total_mbm_emissions_unit,total_lbm_emissions_value,total_scope_1_emissions_value,\
total_scope_2_mbm_emissions_value,total_scope_3_mbm_emissions_value
111,2026-03-01 00:00:00Z,2026-04-01 00:00:00Z,eu-west-1,AmazonEC2,v3.0.0,0.5,MTCO2e,1.25,0.1,0.15,0.25
111,2026-03-01 00:00:00Z,2026-04-01 00:00:00Z,eu-west-1,AmazonEC2,v3.0.0,0.1,MTCO2e,0.1,,,
222,2026-03-01 00:00:00Z,2026-04-01 00:00:00Z,eu-west-1,AmazonS3,v3.0.0,0.02,MTCO2e,,,,
"""
AZURE = """dateKey,enrollmentId,subscriptionId,azureServiceName,azureRegionName,scope,scopeId,totalEmissions
20260301,9,AAAA-1,Storage,westeurope,Scope 1,1,0.001
20260301,9,AAAA-1,Storage,westeurope,Scope 2,2,0.002
20260301,9,AAAA-1,Storage,westeurope,Scope 3,3,0.003
"""
GOOGLE = """usage_month,billing_account_id,project.id,service.description,location.region,carbon_model_version,\
carbon_footprint_kgCO2e.scope1,carbon_footprint_kgCO2e.scope2.location_based,\
carbon_footprint_kgCO2e.scope2.market_based,carbon_footprint_kgCO2e.scope3,\
carbon_footprint_total_kgCO2e.location_based,carbon_footprint_total_kgCO2e.market_based
2026-03-01,B-1,shop,Cloud Run,us-central1,12,10,400,105.8,986.8,1396.8,1102.6
2026-02-01,B-1,shop,Cloud Run,us-central1,12,1,1,1,1,3,3
"""


def read(tmp_path, text):
    path, out = tmp_path / "carbon.csv", tmp_path / "carbon.parquet"
    path.write_text(text)
    db = duckdb.connect()
    facts = read_facts(db, path, "carbon.csv", out, date(2026, 6, 1))
    names = ("account", "month", "market", "location", "scope1", "scope2_market", "scope2_location", "scope3_market")
    rows = db.execute(f"SELECT {', '.join(names)} FROM '{out}' ORDER BY ALL").fetchall()
    return facts, [dict(zip(names, row, strict=True)) for row in rows]


def test_tonnes_become_kilograms_and_what_is_not_stated_is_no_zero(tmp_path):
    facts, (one, other) = read(tmp_path, AWS)
    assert (facts.kind, facts.layout) == ("carbon", "AWS carbon emissions (Data Exports)")
    assert (facts.first_day, facts.last_day) == (date(2026, 3, 1), date(2026, 3, 31))
    assert (one["market"], one["location"], one["scope1"]) == (600, 1350, 100)
    assert (one["scope2_market"], one["scope3_market"], one["scope2_location"]) == (150, 250, None)
    assert (other["market"], other["location"], other["scope1"]) == (20, None, None)


def test_rows_of_scopes_are_one_row_and_total_only_where_all_three_are_there(tmp_path):
    _facts, (one,) = read(tmp_path, AZURE)
    assert (one["account"], one["market"], one["location"]) == ("aaaa-1", 6, None)
    assert (one["scope1"], one["scope2_market"], one["scope3_market"]) == (1, 2, 3)
    _facts, (one,) = read(tmp_path, "\n".join(AZURE.splitlines()[:3]))
    assert (one["market"], one["scope2_market"]) == (None, 2)


def test_google_states_kilograms_and_both_methods(tmp_path):
    _facts, rows = read(tmp_path, GOOGLE)
    assert [row["month"] for row in rows] == [date(2026, 2, 1), date(2026, 3, 1)]
    assert (rows[1]["market"], rows[1]["location"]) == (Decimal("1102.6"), Decimal("1396.8"))


def test_rows_that_cannot_be_carbon_are_rejected_with_the_reason(tmp_path):
    header = "provider,account,month,kg_market\n"
    facts, rows = read(
        tmp_path,
        f"{header}aws,1,2026-03,5\naws,1,soon,5\naws,,2026-03,5\naws,1,2027-03,5\naws,1,2026-03,-5\naws,1,2026-03,",
    )
    assert [row["market"] for row in rows] == [5]
    assert [(one.line, one.reason) for one in facts.rejects] == [
        (3, "it is no month: write 2026-03"),
        (4, "it names no account"),
        (5, "it lies in the future"),
        (6, "it is no amount"),
        (7, "it states no emissions"),
    ]


@pytest.fixture
def shared_accounts(people, tmp_path, settings):
    """In March account 111 is Payments' alone; 222 is used by Payments and by nobody."""
    for name in ("Payments", "Data"):
        OwnershipRule.objects.create(name=name, team=Team.objects.get(name=name), tag_key="Team", tag_value=name)
    rows = [
        {"SubAccountId": "111", "Tags": '{"Team": "Payments"}'},
        {"SubAccountId": "222", "Tags": '{"Team": "Payments"}', "ResourceId": "i-2"},
        {"SubAccountId": "222", "Tags": "", "ResourceId": "i-3"},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    assert load_bill(received.delivery).status == "current"
    settings.FINOPS_VAR = str(tmp_path / "var")
    return people


def take(name, text, folder):
    path = Path(folder) / name
    path.write_text(text)
    return imports.receive(path, name)


def test_a_team_sees_the_account_that_is_hers_alone_and_fay_all_of_it(shared_accounts, tmp_path):
    take("aws.csv", AWS, tmp_path)
    take("google.csv", GOOGLE, tmp_path)
    fay, eli, ola = (shared_accounts[name] for name in ("fay", "eli", "ola"))
    carbon = Carbon(fay)
    assert carbon.newest == MARCH
    assert [(one.name, one.market) for one in carbon.by_provider(MARCH)] == [
        ("Google Cloud", Decimal("1102.6")),
        ("AWS", 620),
    ]
    assert [(one.name, one.market) for one in carbon.by_team(MARCH)] == [
        ("Payments", 600),
        ("", Decimal("1122.6")),
    ]
    # What AWS did not deliver of February is no zero.
    assert [(str(one.month), one.market, one.without) for one in carbon.by_month()] == [
        ("2026-03", Decimal("1722.6"), []),
        ("2026-02", 3, ["AWS"]),
    ]
    assert [(one.name, one.market) for one in Carbon(eli).by_team(MARCH)] == [("Payments", 600)]
    assert Carbon(ola).rows == []
    page = signed_in(eli).get("/usage/carbon/").content.decode()
    assert "600 kg" in page
    assert "Google Cloud" not in page
    assert "No carbon of your teams alone" in signed_in(ola).get("/usage/carbon/").content.decode()
    answer = signed_in(eli).get("/api/v1/usage-carbon/").json()
    assert (answer["month"], answer["teams"][0]["market_kg"]) == ("2026-03", "600")
    export = b"".join(signed_in(eli).get("/usage/carbon/?_export=csv").streaming_content).decode()
    assert "111,eu-west-1,AmazonEC2" in export
    assert "222" not in export


def test_the_links_of_months_open_them_and_no_other_month_stands_in(shared_accounts, tmp_path):
    take("google.csv", GOOGLE, tmp_path)
    fay = signed_in(shared_accounts["fay"])
    assert 'href="?month=2026-02"' in fay.get("/usage/carbon/").content.decode()
    page = fay.get("/usage/carbon/?month=2026-02")
    assert [one.market for one in page.context["providers"] if one.is_delivered] == [3]
    assert fay.get("/api/v1/usage-carbon/?month=2026-02").json()["month"] == "2026-02"
    assert fay.get("/api/v1/usage-carbon/?month=2020-01").status_code == 400
    # Ola, who may see none of it, gets a file with a header alone.
    export = signed_in(shared_accounts["ola"]).get("/usage/carbon/?_export=csv")
    assert b"".join(export.streaming_content).decode().count("\n") == 1


def test_a_sum_of_what_only_some_accounts_state_says_that_it_is_of_a_part(shared_accounts, tmp_path):
    take("aws.csv", AWS, tmp_path)
    (aws,) = Carbon(shared_accounts["fay"]).by_provider(MARCH)
    assert (aws.market_text, aws.location_text) == ("620 kg", "1,350 kg of a part"), (
        "222 states no location-based figure"
    )
    (row,) = signed_in(shared_accounts["fay"]).get("/api/v1/usage-carbon/").json()["providers"]
    assert row["of_a_part"] == ["location_kg", "scope1_kg", "scope2_market_kg", "scope3_market_kg"]


def test_a_provider_that_bills_and_delivers_no_carbon_is_named(shared_accounts, tmp_path):
    take("google.csv", GOOGLE, tmp_path)
    names = {one.name: one.is_delivered for one in Carbon(shared_accounts["fay"]).by_provider(MARCH)}
    assert names == {"Google Cloud": True, "AWS": False}
    page = signed_in(shared_accounts["fay"]).get("/usage/carbon/").content.decode()
    assert "not delivered" in page


def test_a_restated_month_counts_once_and_the_older_one_again_when_it_is_withdrawn(shared_accounts, tmp_path):
    take("aws.csv", AWS, tmp_path)
    again = take("again.csv", "\n".join(AWS.replace("0.5,MTCO2e", "0.4,MTCO2e").splitlines()[:2]), tmp_path)
    fay = shared_accounts["fay"]
    # Of account 111 the newer file counts alone, of 222 the older.
    assert [(one.name, one.market) for one in Carbon(fay).by_provider(MARCH)] == [("AWS", 420)]
    imports.withdraw(fay, again)
    assert [(one.name, one.market) for one in Carbon(fay).by_provider(MARCH)] == [("AWS", 620)]
    assert CarbonMonth.objects.count() == 3
