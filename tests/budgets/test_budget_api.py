"""Budgets are made, proposed, changed and decided by the API, by the rules of their pages."""

from datetime import date

import pytest

from budgets.models import Anomaly, Budget
from finops_site.models import Team

pytestmark = pytest.mark.django_db
BODY = {"name": "Payments 2026", "team": "Payments", "start": "2026-01-01", "currency": "USD", "amount": "1,250.50"}


def post(client, path, body):
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def change(client, budget, **body):
    return client.patch(f"/api/v1/budgets/{budget}/", body, content_type="application/json")


def test_finance_makes_a_budget_and_its_periods_have_the_amount(people, fay, client_of):
    made = post(client_of(fay), "budgets/", BODY | {"end": "2027-01-01", "scope": {"service__prefix": ["Amazon"]}})
    assert made.status_code == 201, made.content
    budget = made.json()
    assert (budget["state"], budget["team"], budget["scope"]) == ("active", "Payments", {"service__prefix": ["Amazon"]})
    assert len(budget["periods"]) == 12
    assert {period["amount"] for period in budget["periods"]} == {"1250.5"}
    assert [version["by"] for version in budget["versions"]] == [fay.email]


def test_a_lead_proposes_for_her_team_and_finance_approves(people, fay, lea, ola, eli, client_of):
    assert post(client_of(lea), "budgets/", BODY).status_code == 403
    proposed = post(client_of(lea), "budgets/propose/", BODY)
    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed")
    assert post(client_of(ola), "budgets/propose/", BODY).status_code == 400
    assert post(client_of(eli), "budgets/propose/", BODY).status_code == 403
    address = f"budgets/{proposed.json()['id']}/decide/"
    body = {"decision": "approve", "version": proposed.json()["version"]}
    assert post(client_of(lea), address, body).status_code == 403
    approved = post(client_of(fay), address, body)
    assert (approved.status_code, approved.json()["state"]) == (200, "active")
    assert post(client_of(fay), address, body).status_code == 400
    assert post(client_of(fay), address, {"decision": "archive", "version": body["version"]}).status_code == 409


def test_what_is_left_out_of_a_change_stays_and_an_old_version_is_refused(people, fay, client_of):
    browser = client_of(fay)
    budget = post(browser, "budgets/", BODY | {"scope": {"region": ["us-east-1"]}}).json()
    changed = change(browser, budget["id"], name="Payments", version=budget["version"])
    assert changed.status_code == 200, changed.content
    assert (changed.json()["name"], changed.json()["scope"]) == ("Payments", {"region": ["us-east-1"]})
    assert changed.json()["periods"] == budget["periods"]
    assert change(browser, budget["id"], name="Other", version=budget["version"]).status_code == 409
    without = change(browser, budget["id"], name="Other")
    assert (without.status_code, list(without.json())) == (400, ["version"])
    assert "missing" in without.json()["version"][0]
    assert Budget.objects.get().name == "Payments"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"currency": "XXY"}, "currency"),
        ({"amount": "many"}, "amount"),
        ({"team": "Nobody's"}, "team"),
        ({"name": ""}, "name"),
        ({"scope": {"colour": ["red"]}}, "scope"),
        ({"scope": {"from": ["2026-01"]}}, "scope"),
        ({"scope": {"service__like": ["a"]}}, "scope"),
        ({"scope": {"charge_category": ["Nonsense"]}}, "scope"),
    ],
)
def test_what_the_page_refuses_the_api_refuses(people, fay, client_of, body, field):
    refused = post(client_of(fay), "budgets/", BODY | body)
    assert refused.status_code == 400
    assert field in refused.json()
    assert not Budget.objects.exists()


def test_a_team_of_the_scope_is_named_as_in_spend(people, fay, client_of):
    made = post(client_of(fay), "budgets/", BODY | {"team": None, "scope": {"team": ["Data"]}})
    assert made.status_code == 201, made.content
    assert Budget.objects.get().scope == {"team": [str(Team.objects.get(name="Data").pk)]}


def test_a_threshold_is_added_changed_and_switched_off(people, fay, lea, client_of):
    browser, budget = client_of(fay), post(client_of(fay), "budgets/", BODY).json()
    address = f"budgets/{budget['id']}/thresholds/"
    added = post(browser, address, {"kind": "actual", "percent": "73"})
    assert (added.status_code, added.json()["level"]) == (201, "73%"), added.content
    assert "already" in post(browser, address, {"kind": "actual", "percent": "73"}).content.decode()
    changed = post(browser, address, {"threshold": added.json()["id"], "percent": "74.5", "is_active": False})
    assert (changed.status_code, changed.json()["percent"], changed.json()["is_active"]) == (200, "74.5", False)
    assert post(browser, address, {"threshold": 999999, "percent": "1"}).status_code == 404
    assert post(client_of(lea), address, {"kind": "actual", "percent": "10"}).status_code == 403


def test_an_anomaly_is_answered_by_whoever_may(people, lea, ola, max_, client_of):
    team = Team.objects.get(name="Payments")
    day = date(2026, 3, 5)
    anomaly = Anomaly.objects.create(
        kind="team", team=team, currency="USD", actual=9, expected=1, day=day, last_day=day, found_as_of=day
    )
    address, body = f"anomalies/{anomaly.pk}/answer/", {"expected": True, "why": "A load test"}
    assert post(client_of(max_), address, body).status_code == 403
    assert post(client_of(ola), address, body).status_code == 404
    answered = post(client_of(lea), address, body)
    assert (answered.status_code, answered.json()["state"], answered.json()["why"]) == (200, "expected", "A load test")
