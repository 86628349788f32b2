"""Pools, splits, disputes, the tag policy and change sets by the API, by the rules of their pages."""

import pytest
from django.utils import timezone

from tagging.chargeback import draft_statements
from tagging.models import Dispute, Split, StatementLine, TagException, TagRequirement, VirtualTag
from tagging.policy import compliance
from tests.tagging.chargeback.helpers import NOW, bill, company, usual

pytestmark = pytest.mark.django_db


@pytest.fixture
def march(people, tmp_path, monkeypatch):
    """March as a draft; support is in a pool that no split divides yet."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    support = company()
    bill(tmp_path, usual())
    draft_statements.refresh_stale_drafts(NOW)
    return support


def post(client, path, body):
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def test_a_split_is_previewed_saved_changed_and_removed(march, fay, lea, client_of):
    browser, body = client_of(fay), {"pool": "Support", "method": "fixed", "shares": ["Payments = 62.5", "Data = 37.5"]}
    preview = post(browser, "splits/preview/", body)
    assert preview.status_code == 200, preview.content
    assert {row["team"] for row in preview.json()["changes"]} == {"Payments", "Data"}
    assert not Split.objects.exists()
    made = post(browser, "splits/", body)
    assert made.status_code == 201, made.content
    assert {part["team"]: part["share"] for part in made.json()["parts"]} == {"Payments": "62.5", "Data": "37.5"}
    address = f"/api/v1/splits/{made.json()['id']}/"
    changed = browser.patch(address, {"start": "2026-03"}, content_type="application/json")
    assert (changed.status_code, changed.json()["start"]) == (200, "2026-03"), changed.content
    assert len(changed.json()["parts"]) == 2
    assert "not 100%" in str(post(browser, "splits/", body | {"pool": "Support", "shares": "Data = 50"}).json())
    assert client_of(lea).get(address).json()["pool"] == "Support"
    assert client_of(lea).delete(address).status_code == 403
    assert browser.delete(address).status_code == 204


def test_a_lead_disputes_a_line_of_her_team_and_finance_answers(march, fay, lea, ola, eli, client_of):
    line = StatementLine.objects.get(statement__team__name="Payments", kind="direct")
    body = {"line": line.pk, "comment": "Not ours"}
    assert post(client_of(ola), "disputes/", body).status_code == 404
    assert post(client_of(eli), "disputes/", body).status_code == 403
    raised = post(client_of(lea), "disputes/", body)
    assert raised.status_code == 201, raised.content
    assert post(client_of(lea), "disputes/", body).status_code == 400
    address = f"disputes/{raised.json()['id']}/resolve/"
    assert post(client_of(lea), address, {"answer": "yes"}).status_code == 403
    assert post(client_of(fay), address, {"answer": ""}).status_code == 400
    answered = post(client_of(fay), address, {"answer": "Half of it", "amount": "10.50", "to_team": "Data"})
    assert (answered.status_code, answered.json()["state"]) == (200, "corrected"), answered.content
    (moved,) = client_of(ola).get("/api/v1/adjustments/").json()["results"]
    assert (moved["from_team"], moved["to_team"], moved["amount"], moved["currency"]) == (
        *("Payments", "Data"),
        *("10.5", "USD"),
    )
    assert client_of(fay).get("/api/v1/disputes/", {"state": "open"}).json()["results"] == []
    assert Dispute.objects.get().answer == "Half of it"


def test_a_rule_of_the_tag_policy_is_added_changed_and_taken_out(march, fay, lea, client_of):
    browser = client_of(fay)
    body = {"key": "Mission", "allowed_values": ["Apollo", "Gemini"], "value_aliases": {"apl": "Apollo"}}
    made = post(browser, "tag-rules/", body)
    assert made.status_code == 201, made.content
    assert (made.json()["allowed_values"], made.json()["value_aliases"]) == (["Apollo", "Gemini"], {"apl": "Apollo"})
    address = f"/api/v1/tag-rules/{made.json()['id']}/"
    changed = browser.patch(address, {"is_required": False}, content_type="application/json").json()
    assert (changed["is_required"], changed["allowed_values"]) == (False, ["Apollo", "Gemini"])
    assert browser.patch(address, {"pattern": "("}, content_type="application/json").status_code == 400
    assert client_of(lea).patch(address, {"key": "x"}, content_type="application/json").status_code == 403
    assert browser.delete(address).status_code == 204
    assert not TagRequirement.objects.filter(key="Mission", ends_on=None).exists()


def test_an_exception_is_asked_for_by_its_team_and_decided_by_finance(march, fay, lea, ola, client_of):
    compliance.refresh_compliance()
    resource = client_of(lea).get("/api/v1/tag-resources/").json()["results"][0]
    body = {"resource_key": resource["key"], "reason": "It cannot carry tags.", "expires_on": "2026-12-31"}
    assert post(client_of(ola), "tag-exceptions/", body).status_code == 404
    made = post(client_of(lea), "tag-exceptions/", body)
    assert (made.status_code, made.json()["owner"]) == (201, lea.email), made.content
    assert post(client_of(lea), "tag-exceptions/", body).status_code == 400
    address = f"tag-exceptions/{made.json()['id']}/decide/"
    assert post(client_of(lea), address, {"decision": "approve"}).status_code == 403
    assert post(client_of(fay), address, {"decision": "approve"}).json()["state"] == "approved"
    assert TagException.objects.get().decided_by == fay


def test_a_change_set_is_proposed_by_one_and_approved_by_another(march, lea, eli, client_of):
    compliance.refresh_compliance()
    resource = client_of(lea).get("/api/v1/tag-resources/").json()["results"][0]
    set_here = post(client_of(eli), "virtual-tags/", {"resource_key": resource["key"], "key": "Note", "value": "x"})
    assert set_here.status_code == 201, set_here.content
    made = post(client_of(eli), "tag-change-sets/", {"title": "Notes", "virtual_tags": [set_here.json()["id"]]})
    assert (made.status_code, made.json()["state"]) == (201, "review"), made.content
    address = f"tag-change-sets/{made.json()['id']}/review/"
    assert post(client_of(eli), address, {"approve": True}).status_code == 400
    assert post(client_of(lea), address, {"approve": True}).json()["state"] == "approved"
    assert post(client_of(eli), "tag-change-sets/", {"virtual_tags": []}).status_code == 400
    assert VirtualTag.objects.count() == 1


def test_a_correction_above_the_line_needs_a_second_person_by_the_api_too(march, ada, fay, lea, client_of):
    line = StatementLine.objects.get(statement__team__name="Payments", kind="direct")
    number = post(client_of(lea), "disputes/", {"line": line.pk, "comment": "Not ours"}).json()["id"]
    too_much = post(client_of(fay), f"disputes/{number}/resolve/", {"answer": "All", "amount": "999999"})
    assert too_much.status_code == 400, too_much.content
    assert post(client_of(fay), f"disputes/{number}/confirm/", {}).status_code == 400
    assert post(client_of(lea), f"disputes/{number}/confirm/", {}).status_code == 403
    assert post(client_of(fay), f"disputes/{number}/turn-down/", {"why": "No"}).status_code == 400
