"""What is owned, in the words of persons, lists and bills: it counts once, and only for what it really covers."""

import json
from datetime import date
from decimal import Decimal

import pytest

from costs.models import ExchangeRate
from finops_site.lib.periods import Month
from reservations.calc.commitment_lists import BadList
from reservations.inventory.commitment_csv import BadCommitments, load_csv
from reservations.inventory.commitment_usage import refresh_usage
from reservations.inventory.provider_lists import load_list
from reservations.models import Commitment
from tests.reservations.recommendations.test_recommend import load
from tests.reservations.small_bills.test_bought_before import (
    ARN,
    COVERED,
    machines_left,
    march,
    notes,
    requested,
    reserved,
)
from tests.reservations.small_bills.test_pools import cur, load_cur

pytestmark = pytest.mark.django_db
HEADER = "provider,id,kind,count,instance_type,region,system,service,start,end\n"
DAYS = "2026-01-01,2027-01-01"
PLAN_ARN = "arn:aws:savingsplans::111122223333:savingsplan/p-1"
PLAN = {
    "savingsPlanArn": PLAN_ARN,
    "savingsPlanType": "Compute",
    "paymentOption": "No Upfront",
    "commitment": "0.07008",
    "currency": "USD",
    "termDurationInSeconds": 31_536_000,
    "start": "2026-03-01T00:00:00.000Z",
    "end": "2099-03-01T00:00:00.000Z",
    "state": "active",
}
RESERVED = {
    "ReservedInstancesId": "r-1",
    "InstanceType": "m5.large",
    "ProductDescription": "Linux/UNIX",
    "InstanceCount": 1,
    "Scope": "Region",
    "OfferingClass": "standard",
    "OfferingType": "No Upfront",
    "Duration": 31_536_000,
    "Start": "2026-03-01T00:00:00Z",
    "End": "2099-03-01T00:00:00Z",
    "State": "active",
}


def three_databases():
    of_rds = {"product": "AmazonRDS", "operation": "CreateDBInstance:0014"}
    return [cur("InstanceUsage:db.r5.large", resource=f"db-{number}", **of_rds) for number in range(3)]


@pytest.mark.parametrize(
    "cells",
    [
        "m5.large,us-east-1,Linux/UNIX,Amazon EC2",
        "m5.large,us-east-1,linux,ec2",
        "m5.large,US-East-1,,Amazon Elastic Compute Cloud",
        "M5.Large,us-east-1,Linux,",
    ],
)
def test_a_person_may_write_ec2_as_bills_and_consoles_do(tmp_path, cells):
    """Ten machines, three of them reserved by a CSV: seven."""
    load(tmp_path, march(10))
    load_csv(f"{HEADER}AWS,q1,ri_standard,3,{cells},{DAYS}\n")
    assert machines_left() == {"m5.large": 7}


@pytest.mark.parametrize("system", ["Linux", "postgresql", ""])
def test_the_operating_system_of_a_database_is_no_engine(tmp_path, system):
    """Three databases, of which one is reserved, whose engine is known or not: two."""
    load_cur(tmp_path, *three_databases())
    load_csv(f"{HEADER}AWS,q1,ri_standard,1,DB.R5.Large,us-east-1,{system},Amazon RDS,{DAYS}\n")
    assert machines_left(date(2026, 3, 8), 7) == {"db.r5.large": 2}


def test_the_name_of_a_region_is_refused():
    """Bills have its code, and nothing would be taken off."""
    with pytest.raises(BadCommitments, match=r"Row 2: region 'US East' is no code .* like us-east-1"):
        load_csv(f"{HEADER}AWS,q1,ri_standard,3,m5.large,US East,,EC2,{DAYS}\n")


def test_what_covers_nothing_is_not_taken_off(tmp_path):
    """One machine in us-east-1, and a reservation in Ireland: one is left, and the notes say why."""
    load(tmp_path, march())
    reserved(1, region="eu-west-1")
    assert machines_left() == {"m5.large": 1}
    assert "Covers nothing that runs, so nothing is taken off for it: Web until 1 Jan 2027" in notes()
    assert "Taken off" not in notes()


@pytest.mark.parametrize(
    ("state", "left"), [("active", 1), ("queued", 1), ("pending-return", 1), ("returned", 2), ("retired", 2)]
)
def test_a_listed_plan_counts_by_its_state(tmp_path, state, left):
    """Two machines; the plan pays for one at its indicative rate, 0.096 x 0.73 = 0.07008: one is left if it holds."""
    load(tmp_path, march(2))
    result = load_list(json.dumps({"savingsPlans": [PLAN | {"state": state}]}))
    assert machines_left() == {"m5.large": left}
    assert ("they count until they are returned" in result.words) == (state == "pending-return")


def test_a_plan_that_was_returned_holds_no_more(tmp_path):
    """It was listed as active, then as returned: both machines are left again."""
    load(tmp_path, march(2))
    load_list(json.dumps({"savingsPlans": [PLAN]}))
    assert machines_left() == {"m5.large": 1}
    load_list(json.dumps({"savingsPlans": [PLAN | {"state": "returned"}]}))
    assert machines_left() == {"m5.large": 2}
    assert Commitment.objects.get().end == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"savingsPlans": [PLAN | {"commitment": "-0.6"}]}, "hourly commitment -0.6"),
        ({"savingsPlans": [PLAN | {"commitment": "NaN"}]}, "hourly commitment NaN"),
        ({"ReservedInstances": [RESERVED | {"InstanceCount": -3}]}, "count -3"),
    ],
)
def test_a_list_with_less_than_nothing_is_refused(answer, what):
    with pytest.raises(BadList, match=f"Entry 1: {what} cannot be right"):
        load_list(json.dumps(answer))
    assert not Commitment.objects.exists()


def test_less_than_nothing_adds_no_machines(tmp_path):
    """However it came to be stored: of one machine one is left."""
    load(tmp_path, march())
    reserved(-3)
    assert machines_left() == {"m5.large": 1}


def test_a_database_that_was_bought_and_is_listed_counts_once(tmp_path, people, ada, fay):
    """Three databases; the one bought as finops-abc is listed by its ARN, which ends with that after a colon: two."""
    load_cur(tmp_path, *three_databases())
    of_rds = {"service": "RDS", "instance_type": "db.r5.large", "system": "PostgreSQL"}
    requested(ada, fay, "bought", reference="finops-abc", **of_rds)
    reserved(1, commitment_id="arn:aws:rds:us-east-1:111:ri:finops-abc", **of_rds)
    assert machines_left(date(2026, 3, 8), 7) == {"db.r5.large": 2}


@pytest.mark.parametrize(
    ("written", "identity"), [("aws", ARN), ("Amazon Web Services", ARN.upper()), ("AWS", "r-1"), ("aws", "R-1")]
)
def test_one_commitment_is_stored_once_however_it_is_spelled(tmp_path, written, identity):
    """Two machines, one covered: by a CSV before the bill, by the bill, and by the CSV after it; one is left."""
    row = f"{HEADER}{written},{identity},ri_standard,1,m5.large,us-east-1,Linux,EC2,{DAYS}\n"
    load_csv(row)
    load(tmp_path, [*march(), *[one | COVERED | {"ResourceId": "i-9"} for one in march()]])
    refresh_usage(Month(2026, 3))
    load_csv(row)
    stored = Commitment.objects.get()
    assert (stored.provider, stored.commitment_id, stored.count) == ("AWS", ARN, Decimal(1))
    assert machines_left() == {"m5.large": 1}


def test_azure_and_microsoft_are_one():
    """The bill says Microsoft and small letters, the portal's CSV Azure and capitals."""
    identity = "/providers/microsoft.capacity/reservationorders/o-1/reservations/r-1"
    reserved(1, provider="Microsoft", commitment_id=identity, kind="azure_reservation")
    load_csv(f"provider,id,kind,count\nAzure,{identity.upper()},azure_reservation,4\n")
    assert Commitment.objects.get().count == 4
    with pytest.raises(BadCommitments, match="stands in row 2 already"):
        load_csv(f"provider,id,kind\nAzure,{identity},azure_reservation\nMicrosoft,{identity},azure_reservation\n")


def test_a_plan_in_another_currency_is_converted_or_not_taken_off(tmp_path):
    """Four machines on a bill in USD, and a plan of 0.0876 EUR an hour: nobody knows what that is, until a euro is 1.6
    dollars: 0.14016 USD pay for two machines at the indicative 0.096 x 0.73 = 0.07008.
    """
    load(tmp_path, march(4))
    of_plan = {"kind": "sp_compute", "payment": "none", "hourly_commitment": Decimal("0.0876"), "currency": "EUR"}
    reserved(None, **of_plan, instance_type="", region="", system="")
    assert machines_left() == {"m5.large": 4}
    assert "Not in USD, in which the bill is, and no exchange rate is known: Web." in notes()
    ExchangeRate.objects.create(base="EUR", quote="USD", day=date(2026, 3, 30), rate=Decimal("1.6"))
    assert machines_left() == {"m5.large": 2}
