"""What is not production: schedules and spot, and the savings worked out by hand."""

from decimal import Decimal

import boto3
import pytest
from moto import mock_aws

from tests.usage.rules.rule_cases import PLACE, find, measured, rule_named, saving, use
from usage.calc.rules.schedules import schedule_documents
from usage.calc.rules.spot import interruption_class, types_alike

DEV = {"i-1": {"environment": "dev", "is_production": False}}
WEEK = range(168)


def week(share):
    """Rows of `week_hours` by a function of the hour."""
    return [{**PLACE, "resource": "i-1", "hour": hour, "share": share(hour)} for hour in WEEK if share(hour)]


def test_a_machine_of_a_test_environment_that_always_runs_saves_108_of_168_hours():
    """70.08 x 108 / 168 = 45.05; with and without a bill by the hour."""
    row = use("i-1", "70.08")
    assert saving(find("schedule", row, resources=DEV)) == Decimal("45.05")
    assert saving(find("schedule", row, resources=DEV, week_hours=week(lambda hour: 1.0))) == Decimal("45.05")


def test_what_is_stopped_at_night_already_saves_its_weekends():
    """Ten hours of seven days: 20 of 70 hours are at the weekend, 2 / 7 of 29.20 is 8.34."""
    by_day = week(lambda hour: 1.0 if 8 <= hour % 24 < 18 else 0)
    findings = find("schedule", use("i-1", "29.2", hours=300), resources=DEV, week_hours=by_day)
    assert saving(findings) == Decimal("8.34")
    office = week(lambda hour: 1.0 if 8 <= hour % 24 < 18 and hour < 120 else 0)
    assert find("schedule", use("i-1", "20.86", hours=220), resources=DEV, week_hours=office) == []


def test_production_and_what_nobody_tagged_is_not_stopped_at_night():
    assert find("schedule", use("i-1", "70.08"), resources={"i-1": {"is_production": True}}) == []
    assert find("schedule", use("i-1", "70.08")) == []


def test_a_schedule_saves_nothing_of_what_a_commitment_covers():
    assert find("schedule", use("i-1", "46.72", pricing="Committed"), resources=DEV) == []


@pytest.mark.parametrize("part", ["compute", "instance"])
def test_the_schedules_are_accepted_and_taken_back(part):
    finding = {**PLACE, "resource": "arn:aws:rds:us-east-1:123456789012:db:a", "part": part}
    with mock_aws():
        client = boto3.client("scheduler", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        for document in schedule_documents(finding):
            client.create_schedule(**document)
        names = {schedule["Name"] for schedule in client.list_schedules()["Schedules"]}
        assert names == {"stop-a", "start-a"}
        assert client.get_schedule(Name="stop-a")["ScheduleExpression"] == "cron(0 19 ? * MON-FRI *)"
        for name in names:
            client.delete_schedule(Name=name)
        assert client.list_schedules()["Schedules"] == []


SPOT = use("i-9", "21.9", pricing="Dynamic", monthly_list_cost="70.08", usage_type="SpotUsage:m5.large")


def test_spot_is_priced_by_what_the_company_pays_for_it():
    """Its own spot m5.large costs 21.90 / 730 = 0.03 an hour; on demand 0.096. Of 70.08, 48.18 is saved; against a
    committed price of 0.06 it would be 21.90."""
    committed = use("i-8", "43.8", pricing="Committed")
    findings = find("spot", use("i-1", "70.08"), SPOT, committed, resources=DEV)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("48.18"), "likely")
    assert round(findings[0]["evidence"]["saving_against_commitment"], 2) == 21.90


def test_without_spot_of_the_type_the_discount_of_others_needs_a_look():
    """Other spot machines cost 31.25 % of their list price: 68.75 % of 62.05 is 42.66."""
    row = use("i-1", "62.05", instance_type="c5.large", usage_type="BoxUsage:c5.large")
    findings = find("spot", row, SPOT, resources=DEV)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("42.66"), "needs a look")


def test_a_company_without_spot_has_no_price_for_it():
    assert saving(find("spot", use("i-1", "70.08"), resources=DEV)) is None


def test_spot_is_never_advised_for_what_a_commitment_covers_even_in_part():
    covered = use("i-1", "20", pricing="Committed", monthly_quantity=300)
    assert find("spot", use("i-1", "50"), covered, SPOT, resources=DEV) == []
    assert find("spot", use("i-1", "70.08"), SPOT, resources={"i-1": {"is_production": True}}) == []


def test_interruption_comes_in_the_classes_of_aws_and_mixed_types_are_alike():
    rows = [measured("m5.large", "spot_interruption", 7, account=None)]
    (finding,) = find("spot", use("i-1", "70.08"), SPOT, resources=DEV, metrics=rows)
    assert rule_named("spot").explain(finding).endswith("Of the type 5-10% are taken back in a month.")
    assert [interruption_class(percent) for percent in (0, 5, 19.9, 20)] == ["<5%", "5-10%", "15-20%", ">20%"]
    assert types_alike("m5.large")[:3] == ["m5.large", "m5a.large", "m5n.large"]
