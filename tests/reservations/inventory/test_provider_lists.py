"""Commitments completed by their providers' own lists: as files, and asked of AWS."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from costs.models import Credential
from reservations.calc.commitment_lists import BadList, read_list
from reservations.inventory import commitment_csv, provider_lists
from reservations.models import BuyingPolicy, Commitment
from tests import aws_counters

RI_ID = "93bbbca2-0000-4000-8000-000000000001"
RI_ARN = f"arn:aws:ec2:us-east-1:001122334455:reserved-instances/{RI_ID}"
PLAN_ARN = "arn:aws:savingsplans::001122334455:savingsplan/7f0c"
RESERVED = {
    "ReservedInstancesId": RI_ID,
    "InstanceType": "m5.large",
    "InstanceCount": 3,
    "ProductDescription": "Linux/UNIX (Amazon VPC)",
    "Duration": 31_536_000,
    "OfferingClass": "convertible",
    "OfferingType": "Partial Upfront",
    "FixedPrice": 250.0,
    "UsagePrice": 0.0,
    "RecurringCharges": [{"Amount": 0.029, "Frequency": "Hourly"}],
    "CurrencyCode": "USD",
    "Scope": "Region",
    "State": "active",
    "Start": "2025-09-01T10:00:00+00:00",
    "End": "2026-09-01T10:00:00+00:00",
}
PLAN = {
    "savingsPlanId": "7f0c",
    "savingsPlanArn": PLAN_ARN,
    "savingsPlanType": "EC2Instance",
    "ec2InstanceFamily": "m5",
    "region": "eu-west-1",
    "paymentOption": "No Upfront",
    "commitment": "0.73",
    "currency": "USD",
    "termDurationInSeconds": 94_608_000,
    "start": "2025-06-01T00:00:00.000Z",
    "end": "2028-05-31T23:59:59.000Z",
    "state": "active",
}
AZURE_RESERVATION = {
    "id": "/providers/Microsoft.Capacity/reservationOrders/O-1/reservations/R-1",
    "location": "westeurope",
    "sku": {"name": "Standard_D2s_v5"},
    "properties": {
        "displayName": "web",
        "reservedResourceType": "VirtualMachines",
        "provisioningState": "Succeeded",
        "quantity": 4,
        "term": "P3Y",
        "billingPlan": "Monthly",
        "appliedScopeType": "Shared",
        "effectiveDateTime": "2026-01-10T12:00:00.1234567Z",
        "expiryDateTime": "2029-01-10T12:00:00.1234567Z",
    },
}
AZURE_PLAN = {
    "id": "/providers/Microsoft.BillingBenefits/savingsPlanOrders/O-2/savingsPlans/S-1",
    "properties": {
        "displayName": "compute",
        "term": "P1Y",
        "billingPlan": "P1M",
        "commitment": {"currencyCode": "EUR", "amount": 1.5, "grain": "Hourly"},
        "effectiveDateTime": "2026-02-01T00:00:00Z",
        "expiryDateTime": "2027-02-01T00:00:00Z",
    },
}
TRANSACTIONS = """ReservationOrderId,EventDate,EventType,Quantity,ArmSkuName,Region,Term,Currency,BillingFrequency
O-9,2026-03-02,Purchase,2,Standard_E4s_v5,northeurope,P1Y,EUR,OneTime
O-8,2026-03-05,Refund,1,Standard_E4s_v5,northeurope,P1Y,EUR,OneTime
"""
GOOGLE = {
    "id": "4321",
    "name": "n2-cores",
    "plan": "TWELVE_MONTH",
    "type": "GENERAL_PURPOSE_N2",
    "status": "ACTIVE",
    "region": "https://www.googleapis.com/compute/v1/projects/p/regions/europe-west1",
    "startTimestamp": "2026-01-01T00:00:00.000-08:00",
    "endTimestamp": "2027-01-01T00:00:00.000-08:00",
    "resources": [{"type": "VCPU", "amount": "16"}, {"type": "MEMORY", "amount": "65536"}],
}


def stated(text):
    (listed,) = read_list(text if isinstance(text, str) else json.dumps(text))
    return listed


class TestWhatAListStates:
    def test_reserved_instances_of_aws(self):
        values = stated({"ReservedInstances": [RESERVED]}).values
        assert (values["kind"], values["count"], values["term_months"], values["payment"]) == (
            "ri_convertible",
            3,
            12,
            "partial",
        )
        assert (values["start"], values["end"]) == (date(2025, 9, 1), date(2026, 9, 2)), (
            "it covers hours of its last day"
        )
        # For each of three machines 250 are paid at once and 0.029 an hour.
        assert (values["upfront"], values["recurring_hourly"]) == (750, Decimal("0.087"))
        assert (values["system"], values["scope"], values["service"]) == ("Linux", "regional", "EC2")

    def test_a_savings_plan_of_aws(self):
        listed = stated({"savingsPlans": [PLAN]})
        assert listed.identity == PLAN_ARN
        values = listed.values
        assert (values["kind"], values["instance_type"], values["region"]) == ("sp_ec2", "m5", "eu-west-1")
        assert (values["hourly_commitment"], values["term_months"]) == (Decimal("0.73"), 36)
        assert (values["start"], values["end"]) == (date(2025, 6, 1), date(2028, 6, 1))

    def test_databases_and_caches_of_aws(self):
        database = {
            "ReservedDBInstanceId": "db-1",
            "DBInstanceClass": "db.r5.large",
            "DBInstanceCount": 2,
            "MultiAZ": True,
            "ProductDescription": "postgresql",
            "OfferingType": "All Upfront",
            "Duration": 31_536_000,
            "StartTime": "2026-01-01T00:00:00Z",
            "State": "active",
        }
        values = stated({"ReservedDBInstances": [database]}).values
        assert (values["service"], values["system"], values["payment"]) == ("RDS", "PostgreSQL Multi-AZ", "all")
        assert values["end"] == date(2027, 1, 1), "a year after its start, for the list states no end"

    def test_reservations_and_plans_of_azure(self):
        values = stated([AZURE_RESERVATION]).values
        assert (values["kind"], values["count"], values["term_months"]) == ("azure_reservation", 4, 36)
        assert (values["instance_type"], values["end"]) == ("Standard_D2s_v5", date(2029, 1, 11))
        plan = stated({"value": [AZURE_PLAN]}).values
        assert (plan["kind"], plan["hourly_commitment"], plan["currency"]) == ("azure_plan", Decimal("1.5"), "EUR")

    def test_only_purchases_of_azures_transactions_are_owned(self):
        listed = stated(TRANSACTIONS)
        assert listed.identity.endswith("/reservationorders/o-9/reservations/")
        assert (listed.values["end"], listed.values["payment"]) == (date(2027, 3, 2), "all")

    def test_commitments_of_google(self):
        values = stated([GOOGLE]).values
        assert (values["kind"], values["term_months"], values["region"]) == ("gcp_cud", 12, "europe-west1")
        assert (values["instance_type"], values["count"]) == ("n2-vCPU", 16)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{", "begins like JSON"),
            ('{"Other": []}', "None of savingsPlans"),
            ("a,b\n1,2\n", "no list of Azure's reservation transactions"),
            (
                json.dumps({"savingsPlans": [{**PLAN, "savingsPlanType": "Quantum"}]}),
                "Entry 1: 'Quantum' is no value known",
            ),
            ('{"savingsPlans": null}', "Where its commitments should be is no list"),
            ('{"savingsPlans": [7]}', "Entry 1: it is no commitment"),
            (json.dumps({"ReservedInstances": [{"InstanceType": "m5"}]}), "Entry 1: it has no ReservedInstancesId"),
            (json.dumps({"savingsPlans": [{**PLAN, "end": "2025-01-01T00:00:00Z"}]}), "ends .* before it starts"),
        ],
    )
    def test_what_cannot_be_read_says_why(self, text, words):
        with pytest.raises(BadList, match=words):
            read_list(text)

    def test_what_was_never_paid_is_not_owned(self):
        assert read_list(json.dumps({"ReservedInstances": [{**RESERVED, "State": "payment-failed"}]})) == []


@pytest.mark.django_db
class TestCompleting:
    def test_what_a_person_wrote_stays(self, people):
        commitment_csv.load_csv(f"provider,id,kind,end\nAWS,{RI_ARN},ri_standard,2026-12-31\n")
        result = provider_lists.load_list(json.dumps({"ReservedInstances": [RESERVED]}))
        assert (result.listed, result.new, result.completed) == (1, 0, 1)
        row = Commitment.objects.get()
        assert (row.kind, row.end) == ("ri_standard", date(2026, 12, 31)), "as she wrote"
        assert (row.count, row.payment, row.term_months) == (3, "partial", 12), "what she left open"

    def test_a_list_replaces_what_was_guessed_and_itself_when_it_is_newer(self, people):
        row = Commitment.objects.create(provider="AWS", commitment_id=RI_ARN, kind="ri_standard")
        provider_lists.load_list(json.dumps({"ReservedInstances": [RESERVED]}))
        row.refresh_from_db()
        assert (row.kind, row.count) == ("ri_convertible", 3)
        provider_lists.load_list(json.dumps({"ReservedInstances": [{**RESERVED, "InstanceCount": 2}]}))
        row.refresh_from_db()
        assert row.count == 2

    def test_a_list_of_orders_completes_their_reservations(self, people):
        order = "/providers/microsoft.capacity/reservationorders/o-9/reservations/"
        for name in ("a", "b"):
            Commitment.objects.create(provider="Azure", commitment_id=f"{order}{name}", kind="azure_reservation")
        provider_lists.load_list(TRANSACTIONS)
        ends = set(Commitment.objects.values_list("end", "count"))
        assert ends == {(date(2027, 3, 2), None)}, "an order's number is no number of each"

    def test_finance_loads_a_list_on_the_page_and_the_calendar_shows_the_end(self, fay, client_of):
        upload = SimpleUploadedFile("plans.json", json.dumps({"savingsPlans": [PLAN]}).encode())
        answer = client_of(fay).post("/reservations/owned/load/", {"file": upload}, follow=True)
        assert "1 commitment is loaded" in answer.content.decode()
        assert Commitment.objects.get().source == "api"

    def test_a_bad_list_changes_nothing_and_the_page_says_why(self, fay, client_of):
        bad = {"savingsPlans": [PLAN, {**PLAN, "commitment": "much"}]}
        upload = SimpleUploadedFile("plans.json", json.dumps(bad).encode())
        answer = client_of(fay).post("/reservations/owned/load/", {"file": upload})
        assert "Entry 2" in answer.content.decode()
        assert not Commitment.objects.exists()


@pytest.fixture
def aws(settings):
    counters, address, stop = aws_counters.serve()
    settings.FINOPS_STORAGE_ENDPOINTS = [address]
    counters.address = address
    yield counters
    stop()


@pytest.mark.django_db
class TestAskingAws:
    def test_it_is_asked_what_is_owned(self, people, aws):
        credential = Credential(name="reader")
        credential.seal({"access_key_id": "testing", "secret_access_key": "testing"})
        credential.save()
        moments = {name: datetime.fromisoformat(RESERVED[name]).astimezone(UTC) for name in ("Start", "End")}
        aws.reserved.append({**RESERVED, **moments})
        aws.plans["token"] = PLAN
        result = provider_lists.ask_aws(["us-east-1"], aws.address, credential, ("ec2", "savingsplans"))
        assert (result.listed, result.new) == (2, 2)
        reserved, plan = Commitment.objects.order_by("kind")
        assert (reserved.region, reserved.count, reserved.recurring_hourly) == ("us-east-1", 3, Decimal("0.087"))
        assert (plan.end, plan.hourly_commitment) == (date(2028, 6, 1), Decimal("0.73"))

    def test_the_command_says_why_aws_gives_no_list(self, people, settings):
        settings.FINOPS_STORAGE_ENDPOINTS = []
        policy = BuyingPolicy.get()
        policy.endpoint = "http://127.0.0.1:1"
        policy.save()
        with pytest.raises(CommandError, match="FINOPS_STORAGE"):
            call_command("complete_commitments", "--aws", "--region", "us-east-1")
