"""Pages of commitments, as each person finds them."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, day_text
from finops_site.models import Team
from reservations.inventory import commitment_usage
from reservations.models import Commitment, Plan
from reservations.recommendations import plan_parameters, recommend
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
ARN = "arn:aws:savingsplans::1:savingsplan/sp-1"


def machine(day, hours, **changes):
    return {
        "ChargePeriodStart": f"2026-03-{day:02}T00:00:00Z",
        "ChargePeriodEnd": f"2026-03-{day + 1:02}T00:00:00Z",
        "ChargeDescription": "On Demand Linux m5.large Instance Hour",
        "SkuPriceDetails": '{"InstanceType": "m5.large"}',
        "ConsumedQuantity": str(hours),
        "BilledCost": f"{hours * Decimal('0.096')}",
        "EffectiveCost": f"{hours * Decimal('0.096')}",
        "ListCost": f"{hours * Decimal('0.096')}",
        "ContractedCost": f"{hours * Decimal('0.096')}",
        **changes,
    }


def committed(day, used, unused):
    """A savings plan of 2.4 a day: what was used covers 4.8 on demand."""
    common = {
        "CommitmentDiscountId": ARN,
        "CommitmentDiscountType": "EC2InstanceSavingsPlans",
        "CommitmentDiscountUnit": "USD",
        "PricingCategory": "Committed",
        "BilledCost": "0",
    }
    rows = [
        machine(
            day,
            24,
            **common,
            CommitmentDiscountStatus="Used",
            CommitmentDiscountQuantity=used,
            EffectiveCost=used,
            ListCost=str(2 * Decimal(used)),
        )
    ]
    if Decimal(unused):
        rows.append(
            machine(day, 0, **common)
            | {
                "CommitmentDiscountStatus": "Unused",
                "CommitmentDiscountQuantity": unused,
                "EffectiveCost": unused,
                "ListCost": "0",
                "ConsumedQuantity": "",
                "SkuPriceDetails": "",
            }
        )
    return rows


@shared
def march(people, tmp_path):
    """Twenty days of two machines on demand, and of a plan that is used to three quarters."""
    rows = [row for day in range(1, 21) for row in [machine(day, 48), *committed(day, "1.8", "0.6")]]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    commitment_usage.refresh_usage(Month(2026, 3))


@shared
def plan(march):
    return recommend.compute_recommendation(
        recommend.create_plan(None, plan_parameters.Parameters(), as_of=date(2026, 3, 21))
    )


def test_fay_sees_coverage_utilisation_savings_rate_and_unused_cost(march, fay, client_of):
    page = client_of(fay).get("/reservations/").content.decode()
    # 20 x 3.6 of 20 x (4.608 + 3.6) on demand is covered: 43.9 %; 1.8 of 2.4 is used; 1 - 7.008 / 8.208 is saved.
    assert "43.9%" in page
    assert "75.0%" in page
    assert "14.6%" in page
    assert "12.00 <span" in page


@pytest.mark.parametrize("dimension", ["account", "family", "region", "team"])
def test_the_overview_is_split_by_whatever_is_asked(dimension, march, fay, client_of):
    assert client_of(fay).get("/reservations/", {"by": dimension}).status_code == 200
    assert client_of(fay).get("/reservations/", {"by": "nonsense"}).status_code == 400


def test_without_machines_the_overview_says_what_to_do(fay, client_of):
    assert "No running machine in the bills yet" in client_of(fay).get("/reservations/").content.decode()


def test_a_lead_sees_the_commitments_of_her_teams_only(march, lea, ola, client_of):
    Commitment.objects.update(owner=Team.objects.get(name="Payments"))
    (commitment,) = Commitment.objects.all()
    url = reverse("reservations:commitment", args=[commitment.pk])
    assert client_of(lea).get(url).status_code == 200
    assert client_of(ola).get(url).status_code == 404
    assert "Nothing is committed yet" in client_of(ola).get("/reservations/owned/").content.decode()


def test_the_list_has_use_and_unused_cost_of_each(march, fay, client_of):
    page = client_of(fay).get("/reservations/owned/").content.decode()
    assert "EC2 Instance SP 0.1/h for m5 in us-east-1</a>" in page
    assert "(sp-1)</div>" in page
    assert "75.0%" in page
    csv = b"".join(client_of(fay).get("/reservations/owned/?_export=csv").streaming_content).decode("utf-8-sig")
    assert f"{ARN},EC2 Instance SP,us-east-1,m5,0.75,12" in csv


def test_a_csv_completes_a_commitment_and_the_calendar_says_what_happens_that_day(march, fay, client_of, settings):
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.utils import timezone

    end = timezone.now().date().replace(day=28)
    end = end.replace(year=end.year + 1) if end.month == 12 else end.replace(month=end.month + 1)
    text = f"provider,id,kind,term_months,payment,end,owner\nAWS,{ARN},sp_ec2,12,none,{end},Payments\n"
    file = SimpleUploadedFile("owned.csv", text.encode())
    response = client_of(fay).post(reverse("reservations:commitments_load"), {"file": file}, follow=True)
    assert "1 commitment is loaded" in response.content.decode()
    (commitment,) = Commitment.objects.all()
    assert (commitment.term_months, commitment.payment, commitment.end) == (12, "none", end)
    assert commitment.owner.name == "Payments"
    assert day_text(end) in client_of(fay).get("/reservations/expiries/").content.decode()


@pytest.mark.parametrize(
    ("rows", "discounts"),
    [
        ("AWS,a,sp_ec2,\nAWS,a,sp_ec2,\n", "the id &#x27;a&#x27; stands in row 2 already"),
        ("AWS,a,nonsense,\n", "kind &#x27;nonsense&#x27; is none of"),
        ("AWS,a,sp_ec2,Nobody\n", "there is no team &#x27;Nobody&#x27;"),
        (",a,sp_ec2,\n", "must not be empty"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_kept(rows, discounts, fay, client_of):
    from django.core.files.uploadedfile import SimpleUploadedFile

    file = SimpleUploadedFile("owned.csv", f"provider,id,kind,owner\n{rows}".encode())
    page = client_of(fay).post(reverse("reservations:commitments_load"), {"file": file}).content.decode()
    assert discounts in page
    assert not Commitment.objects.exists()


@pytest.mark.parametrize(
    ("columns", "row", "expected"),
    [
        ("currency", "AWS,b,sp_ec2,DOLLARSANDCENTS", "Row 3: currency 'DOLLARSANDCENTS' is no code like USD"),
        ("currency", "AWS,b,sp_ec2,XYZ", "Row 3: currency 'XYZ' is no code"),
        ("term_months", "AWS,b,sp_ec2,999999999999", "Row 3: term_months '999999999999' is none of 12, 36"),
        ("term_months", "AWS,b,sp_ec2,7", "Row 3: term_months '7' is none of 12, 36"),
        ("term_months", "AWS,b,sp_ec2,12.7", "Row 3: term_months '12.7' is none of 12, 36"),
        ("name", f"AWS,{'b' * 1001},sp_ec2,", "Row 3: id has 1001 characters, and may have 1000"),
        ("instance_type", f"AWS,b,ri_standard,{'m' * 101}", "Row 3: instance_type has 101 characters"),
        ("name", "AWS,b,sp_ec2,a\0b", "Row 3: name has a NUL character in it"),
        ("end", "AWS,known,sp_ec2,2026-02-28", "Row 3: it ends (2026-02-28) before it starts (2026-03-01)"),
        ("count", "AWS,b,ri_standard,1.5", "Row 3: count '1.5' is no whole number"),
        ("count", "AWS,b,ri_standard,0", "Row 3: count '0' is no whole number"),
        ("count", "AWS,b,ri_standard,1e14", "Row 3: count '1e14' is no whole number"),
        ("name", "AWS,b,azure_plan,", "Row 3: provider 'AWS' sells no azure_plan: that is Azure's"),
        ("name", "Nobody,b,ri_standard,", "Row 3: provider 'Nobody' is none of AWS, Azure, Google Cloud"),
        ("name", "AWS,b,ri_standard,a,b", "Row 3: it has more cells than the header"),
    ],
)
def test_a_row_that_cannot_be_stored_is_named_by_line_and_column(columns, row, expected, people):
    from reservations.inventory import commitment_csv

    Commitment.objects.create(provider="AWS", commitment_id="known", kind="sp_ec2", start=date(2026, 3, 1))
    with pytest.raises(commitment_csv.BadCommitments) as refused:
        commitment_csv.load_csv(f"provider,id,kind,{columns}\nAWS,a,sp_ec2,\n{row}\n")
    assert expected in str(refused.value)
    assert Commitment.objects.get().commitment_id == "known", "nothing of the file is stored"


def test_a_recommendation_opens_to_its_demand_and_formula(plan, fay, client_of):
    browser = client_of(fay)
    page = browser.get(plan.get_absolute_url()).content.decode()
    assert "Daily use: weaker" in page
    assert "Prices are indicative" in page
    item = browser.get(reverse("reservations:recommended_item", args=[plan.pk, 1])).content.decode()
    assert "r / p" in item
    assert "20 of 480 hours" not in item
    assert "Committed" in item


def test_an_engineer_asks_for_her_own_team_and_cannot_see_the_companys(plan, eli, client_of):
    browser = client_of(eli)
    assert browser.get(plan.get_absolute_url()).status_code == 404
    values = {"lookback_days": 30, "kinds": ["sp_ec2"], "terms": [12], "payments": ["none"], "target_coverage": 70}
    payments = Team.objects.get(name="Payments")
    response = browser.post(reverse("reservations:recommend"), {**values, "team": payments.pk})
    own_plan = Plan.objects.get(requested_by=eli)
    assert response.url == own_plan.get_absolute_url()
    assert (own_plan.team, own_plan.parameters["target_coverage"]) == (payments, 0.7)
    assert browser.get(own_plan.get_absolute_url()).status_code == 200


def test_an_executive_reads_and_does_not_ask(plan, max_, client_of):
    browser = client_of(max_)
    assert browser.get(plan.get_absolute_url()).status_code == 200
    assert browser.get(reverse("reservations:recommend")).status_code == 403
    assert browser.post("/api/v1/recommendations/", {}).status_code == 403


def test_the_api_tells_it_in_exact_text(plan, fay, client_of):
    answer_json = client_of(fay).get(f"/api/v1/recommendations/{plan.pk}/").json()
    assert Decimal(answer_json["cost_before"]) - Decimal(answer_json["cost_after"]) == Decimal(answer_json["saving"])
    assert answer_json["items"][0]["working"]["ladder"]
    (commitment,) = client_of(fay).get("/api/v1/commitments/").json()["results"]
    assert commitment["commitment_id"] == ARN


@pytest.mark.parametrize(
    "values",
    [{"target_coverage": 2}, {"terms": [5]}, {"team": "Nobody"}, {"minimum_coverage": 0.9, "target_coverage": 0.1}],
)
def test_the_api_refuses_what_makes_no_sense(values, fay, client_of):
    response = client_of(fay).post("/api/v1/recommendations/", values, content_type="application/json")
    assert response.status_code == 400, response.content
    assert not Plan.objects.exists()


def test_a_discount_of_the_contract_is_asked_with_in_the_form_and_by_the_api(plan, fay, client_of):
    fay_client = client_of(fay)
    form = fay_client.get(reverse("reservations:recommend")).context["form"]
    values = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    fay_client.post(
        reverse("reservations:recommend"), values | {"negotiated": "12.5", "negotiated_on_commitments": "on"}
    )
    by_api = {"negotiated": 0.125, "negotiated_on_commitments": True}
    fay_client.post("/api/v1/recommendations/", by_api, content_type="application/json")
    newest = Plan.objects.exclude(pk=plan.pk).values_list("parameters", flat=True)
    discounts = [(entry["negotiated"], entry["negotiated_on_commitments"]) for entry in newest]
    assert discounts == [(0.125, True), (0.125, True)]


def test_the_form_starts_cautious_and_says_why(people, fay, client_of):
    page = client_of(fay).get(reverse("reservations:recommend"))
    initial = {name: field.initial for name, field in page.context["form"].fields.items()}
    cautious = {"terms": [12], "max_upfront": "0", "target_coverage": "70", "minimum_utilisation": "90"}
    assert {name: initial[name] for name in cautious} == cautious
    assert initial["cash_rate"] == "8"
    assert "It starts with what finance" in page.content.decode()
