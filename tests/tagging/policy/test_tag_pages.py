"""What people do with the tag policy: look, fix, change it, ask for an exception."""

import csv
import json
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
import time_machine
from django.urls import reverse
from openpyxl import load_workbook

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.query import spend
from costs.query.question import Question
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.registry import registry
from tagging.models import OwnershipRule, TagException, TaggedResource, TagRequirement
from tagging.policy import compliance, compliance_figures, exceptions
from tests import bills
from tests.people import waiting_for
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
BILLS = Path("shared") / "data" / "bills"
ABOVE = [folder / BILLS / "seed-inventory" for folder in Path(__file__).resolve().parents]
SEED = next((folder for folder in ABOVE if folder.exists()), ABOVE[-1])
TODAY = date(2026, 3, 20)
MARCH = Month(2026, 3)
ALL_FIVE = {"Owner": "lea", "env": "prod", "Team": "Payments", "CostCenter": "CC-1", "Project": "p"}


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch):
    """What the worker would do is done by the tests themselves."""
    monkeypatch.setattr("tagging.tasks.refresh_compliance.delay", lambda: None)


@shared
def bill(people, tmp_path):
    """Payments: one right, one missing tags; Data: one missing; tax."""
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name)
    rows = [
        {"ResourceId": "i-1", "ResourceName": "web-1", "Tags": json.dumps(ALL_FIVE), "EffectiveCost": "10"},
        {"ResourceId": "i-2", "ResourceName": "=web-2", "Tags": '{"Team": "Payments", "Owner": ""}'},
        {"ResourceId": "i-3", "ResourceName": "etl-3", "Tags": '{"Team": "Data"}', "EffectiveCost": "2.5"},
        {"ResourceId": "", "ChargeCategory": "Tax", "ServiceName": "Tax", "Tags": "", "EffectiveCost": "0.7"},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    compliance.refresh_compliance()


def key_of(resource):
    return TaggedResource.objects.get(resource=resource).key


def form(**fields):
    return {"key": "Owner", "case_rule": "ignore", "order": "10", "past": "keep", "is_required": "on", **fields}


def test_the_overview_tells_counts_costs_and_what_is_not_counted(bill, fay, client_of):
    page = client_of(fay).get("/tagging/").content.decode()
    assert "1 of 3; the target is 95%" in page
    assert "33.3%" in page
    assert "Tax" in page
    total = compliance_figures.tally(fay, MARCH, TODAY)
    assert (total.by_cost("USD"), total.amount("USD", "wrong")) == (Decimal(10) / Decimal("13.5"), Decimal("3.5"))


def test_a_card_counts_the_resources_of_its_own_currency(bill, fay, tmp_path, client_of):
    rows = [
        {"ResourceId": f"e-{number}", "Tags": tags, "EffectiveCost": "4", "BillingCurrency": "EUR"}
        for number, tags in enumerate(['{"Team": "Data"}', json.dumps(ALL_FIVE)])
    ]
    path = bills.write(tmp_path, "euro.csv", bills.focus_csv(rows))
    load_bill(receive_bill("europe", [path])[0].delivery)
    compliance.refresh_compliance()
    browser = client_of(fay)
    cards = {card["label"]: card for card in browser.get("/tagging/").context["stats"]}
    assert cards["Resources that comply"]["note"].startswith("2 of 5")
    notes = {
        card["currency"]: card["note"]
        for card in browser.get("/tagging/").context["stats"]
        if card["label"] == "Cost of what is to fix"
    }
    assert notes == {"EUR": "1 resource", "USD": "2 resources"}
    text = b"".join(browser.get("/tagging/?_export=course").streaming_content).decode("utf-8-sig")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["currency"]]
    counts = {row["currency"]: (row["compliant"], row["wrong"]) for row in rows}
    assert counts == {"EUR": ("1", "1"), "USD": ("1", "2")}
    total = browser.get("/api/v1/tag-compliance/").json()["total"]
    assert total["resources_by_currency"]["EUR"] == {"compliant": 1, "wrong": 1, "excepted": 0}


def test_a_team_sees_its_own_resources_and_nobody_elses(bill, lea, ola, client_of):
    for user, own, other in ((lea, "web-2", "etl-3"), (ola, "etl-3", "web-2")):
        page = client_of(user).get("/tagging/resources/").content.decode()
        assert own in page
        assert other not in page
    assert client_of(ola).get(reverse("tagging:resource", args=[key_of("i-2")])).status_code == 404
    assert compliance_figures.tally(lea, MARCH, TODAY).counted == 2


def test_a_resource_says_what_is_wrong_and_what_to_do(bill, eli, client_of):
    page = client_of(eli).get(reverse("tagging:resource", args=[key_of("i-2")])).content.decode()
    assert "value empty" in page
    assert "Give the tag Owner a value" in page
    assert "Add the tag Project" in page


def test_the_worklist_is_csv_and_a_workbook_that_runs_no_formula(bill, fay, client_of):
    browser = client_of(fay)
    text = b"".join(browser.get("/tagging/resources/?_export=csv").streaming_content).decode("utf-8-sig")
    assert "Owner: value empty; Environment: key missing" in text
    sheet = load_workbook(BytesIO(browser.get("/tagging/resources/?_export=xlsx").content)).active
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert "i-2" in [cell.value for cell in cells]
    assert all(cell.data_type != "f" for cell in cells)


def test_finance_sees_what_a_change_would_do_and_nothing_is_saved(bill, fay, client_of):
    rule = TagRequirement.objects.get(key="Project")
    url = reverse("tagging:requirement", args=[rule.pk])
    page = client_of(fay).post(url, form(key="Project", allowed_values="apollo", preview="1")).content.decode()
    assert "What it would do" in page
    assert "0.0%" in page
    rule.refresh_from_db()
    assert rule.allowed_values == []


def test_a_change_keeps_the_months_that_have_ended(bill, fay, client_of, tmp_path):
    rows = [{"ResourceId": "i-0", "Tags": json.dumps(ALL_FIVE)}]
    february = {
        "BillingPeriodStart": "2026-02-01T00:00:00Z",
        "BillingPeriodEnd": "2026-03-01T00:00:00Z",
        "ChargePeriodStart": "2026-02-05T00:00:00Z",
        "ChargePeriodEnd": "2026-02-06T00:00:00Z",
    }
    path = bills.write(tmp_path, "february.csv", bills.focus_csv(rows, **february))
    load_bill(receive_bill("northwind", [path])[0].delivery)
    compliance.refresh_compliance()
    rule = TagRequirement.objects.get(key="Project")
    url = reverse("tagging:requirement", args=[rule.pk])
    response = client_of(fay).post(url, form(key="Project", allowed_values="apollo"))
    assert response.status_code == 302
    compliance.refresh_compliance()
    old, new = TagRequirement.objects.filter(key="Project").order_by("pk")
    assert (old.ends_on, new.starts_on, new.allowed_values) == (date(2026, 3, 1), date(2026, 3, 1), ["apollo"])
    assert compliance_figures.tally(fay, Month(2026, 2), TODAY).count("compliant") == 1
    assert compliance_figures.tally(fay, MARCH, TODAY).count("compliant") == 0


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"key": "env"}, "would name two tags"),
        ({"key": "owner"}, "has two rules at once"),
        ({"key": "New", "pattern": "(a"}, "Not a regular expression"),
        ({"key": "New", "starts_on": "2026-01-01"}, "lies before this month"),
        ({"key": "New", "value_aliases": "prod"}, "prod = Production"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_typed_is_lost(bill, fields, problem, fay, client_of):
    response = client_of(fay).post(reverse("tagging:requirement_add"), form(description="my words", **fields))
    assert response.status_code == 200
    assert problem in response.content.decode()
    assert "my words" in response.content.decode()
    assert TagRequirement.objects.count() == 9


def test_an_exception_is_asked_for_approved_and_counts_again_when_it_expires(bill, eli, fay, client_of):
    url = reverse("tagging:exception_add", args=[key_of("i-2")])
    fields = {"tag": "", "owner": eli.pk, "reason": "the vendor makes it", "expires_on": "2026-04-10"}
    assert client_of(eli).post(url, fields).status_code == 302
    assert (
        "Somebody has requested this already: finance has not answered yet."
        in client_of(eli).post(url, fields).content.decode()
    )
    exception = TagException.objects.get()
    assert waiting_for(fay) == [f"An exception is requested: {exception}"]
    assert waiting_for(eli) == []
    assert compliance_figures.tally(fay, MARCH, TODAY).count("wrong") == 2
    assert client_of(eli).post(exception.get_absolute_url(), {"verb": "approve"}).status_code == 403
    assert client_of(fay).post(exception.get_absolute_url(), {"verb": "approve"}).status_code == 302
    tally = compliance_figures.tally(fay, MARCH, TODAY)
    assert (tally.count("wrong"), tally.count("excepted"), tally.counted) == (1, 1, 2)
    # At the end of March it held; a running month after it would count again.
    TaggedResource.objects.update(last_day_of_month=date(2026, 4, 30))
    later = exception.expires_on + timedelta(days=1)
    assert TaggedResource.objects.wrong(later).count() == 2
    with pytest.raises(exceptions.CannotDecide):
        exceptions.decide_exception(exception.pk, "approve", user=fay, answer="", now=exception.requested_at)


def test_the_api_tells_the_same_figures(bill, fay, lea, client_of):
    answer = client_of(fay).get("/api/v1/tag-compliance/?group_by=tag").json()
    assert (answer["month"], answer["target"], answer["total"]["counted"]) == ("2026-03", "0.95", 3)
    owner = next(group for group in answer["groups"] if group["key"] == "Owner")
    assert owner["resources"] == {"missing": 1, "empty": 1, "not_allowed": 0, "ok": 1}
    assert answer["untaggable"] == [{"reason": "tax", "currency": "USD", "cost": "0.7"}]
    (resource,) = client_of(lea).get("/api/v1/tag-resources/").json()["results"]
    assert (resource["resource"], resource["facts"][0]["state"]) == ("i-2", "empty")
    assert client_of(fay).get("/api/v1/tag-compliance/?month=2020-01").status_code == 400


def test_the_explorer_takes_the_names_of_a_tag_from_the_policy(bill, fay):
    question = Question(MARCH.period, ("tag:Environment",), metric="effective_cost")
    assert {row.group: row.amount for row in spend.find_spend(fay, question)}[("prod",)] == Decimal(10)
    TagRequirement.objects.filter(key="Environment").update(key_aliases=[])
    assert ("prod",) not in {row.group for row in spend.find_spend(fay, question)}


def test_home_report_figures_and_advice_know_of_tags(bill, lea, fay, client_of):
    (group,) = [group for group in client_of(lea).get("/").context["to_do"].groups if group.label == "Tags"]
    assert (group.count, len(group.items)) == (1, 1)
    assert group.items[0].text.endswith("to tag")
    assert "Tags" not in [group.label for group in client_of(fay).get("/").context["to_do"].groups]
    (measure,) = [value for kpi, value in registry.measures(fay, TODAY) if kpi.name == "tag-compliance"]
    assert (measure.value, measure.target, measure.met) == (Decimal("33.3"), Decimal(95), False)
    (context,) = [value for part, value in registry.report_sections(fay, MARCH) if part.name == "tags"]
    assert "1 of 3 resources" in context["text"]
    payments = str(Team.objects.get(name="Payments").pk)
    texts = [item.text for item in registry.advice(lea, {"team": [payments]}, TODAY)]
    assert "1 resource here misses required tags: tag them" in texts


@pytest.mark.skipif(not SEED.exists(), reason="the seed inventory is not here")
def test_the_seed_inventory_has_an_owner_everywhere_and_all_five_nowhere(people, fay):
    for received in receive_bill("inventory", [SEED], month=MARCH, bill_stopped=True):
        load_bill(received.delivery)
    compliance.refresh_compliance()
    total, tags = compliance_figures.tally(fay, MARCH, TODAY), compliance_figures.by_tag(fay, MARCH)
    rows = [row for path in SEED.glob("*.csv") for row in csv.DictReader(path.open(encoding="utf-8-sig"))]
    tag_maps = [dict(tag.split("=", 1) for tag in row["Tags"].split(",")) for row in rows if row["Tags"]]
    assert total.counted == len(tag_maps) == 200
    assert total.by_resources == 0
    assert {key: tags[key].count("ok") for key in ("Owner", "Environment", "Team", "CostCenter", "Project")} == {
        "Owner": 200,
        "Environment": sum("Environment" in tag_map for tag_map in tag_maps),
        "Team": 0,
        "CostCenter": 0,
        "Project": 0,
    }
    assert tags["Owner"].count("missing") == tags["Owner"].count("empty") == tags["Owner"].count("not_allowed") == 0
