"""The API of what the site itself shows: figures, reports, health, the audit log; and lists as CSV."""

import csv
import io

import pytest
from django.utils import timezone

from costs.models import Pool
from finops_site.api import base
from finops_site.models import AuditEntry, Team
from tests.tagging.chargeback.helpers import NOW, bill, company, usual

pytestmark = pytest.mark.django_db


@pytest.fixture
def march(people, tmp_path, monkeypatch):
    """March's bill; today is 5 April."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    company()
    return bill(tmp_path, usual())


def csv_rows(response):
    assert response.status_code == 200, response.content
    assert response["Content-Type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(response.content.decode())))


def test_the_report_of_a_month_is_that_of_the_page_and_of_her_own_teams(march, fay, lea, client_of):
    months = client_of(fay).get("/api/v1/reports/").json()
    assert [row["month"] for row in months] == ["2026-03"]
    company_report = client_of(fay).get("/api/v1/reports/2026-03/").json()
    assert "spend" in [part["name"] for part in company_report["parts"]]
    assert "Amazon S3" in str(company_report["parts"])
    assert "Amazon S3" not in str(client_of(lea).get("/api/v1/reports/2026-03/").json()["parts"])
    for month in ("2026-04", "2026-13", "soon"):
        assert client_of(fay).get(f"/api/v1/reports/{month}/").status_code == 404


def test_kpis_have_their_value_target_and_unit(march, fay, client_of):
    kpis = {row["name"]: row for row in client_of(fay).get("/api/v1/kpis/").json()}
    owned = kpis["owned-cost"]
    assert (owned["unit"], owned["better"]) == ("%", "higher")
    assert owned["met"] is (None if owned["value"] is None else float(owned["value"]) >= float(owned["target"]))


def test_health_is_the_administrators(people, ada, fay, client_of):
    rows = client_of(ada).get("/api/v1/health/").json()
    assert {"Database", "Cache", "Broker"} <= {row["label"] for row in rows}
    assert client_of(fay).get("/api/v1/health/").status_code == 403


def test_the_audit_log_says_who_changed_what(people, fay, lea, client_of):
    browser = client_of(fay)
    made = browser.post("/api/v1/pools/", {"name": "Support"}, content_type="application/json")
    assert made.status_code == 201, made.content
    (entry,) = browser.get("/api/v1/audit/", {"thing": "pool"}).json()["results"]
    assert (entry["by"], entry["name"], entry["changes"]["name"]) == (fay.email, "Support", [None, "Support"])
    assert browser.get(f"/api/v1/audit/{entry['id']}/").json() == entry
    assert browser.get("/api/v1/audit/", {"thing": "pool", "by": lea.email}).json()["results"] == []
    assert client_of(lea).get("/api/v1/audit/").status_code == 403


def test_what_waits_for_a_person_is_what_home_shows(march, fay, client_of):
    home = [item.text for item in client_of(fay).get("/").context["to_decide"]]
    assert [row["text"] for row in client_of(fay).get("/api/v1/decisions/").json()] == home


def test_a_csv_has_every_row_or_says_that_they_are_too_many(people, fay, client_of, monkeypatch):
    Team.objects.bulk_create(Team(name=f"Team {number:03}") for number in range(60))
    browser, count = client_of(fay), Team.objects.count()
    header, *rows = csv_rows(browser.get("/api/v1/teams/", {"format": "csv"}))
    assert header[:2] == ["id", "name"]
    assert len(rows) == count
    assert len(csv_rows(browser.get("/api/v1/teams/", {"format": "csv", "page_size": 10}))) == 11
    monkeypatch.setattr(base, "MOST_ROWS", 20)
    for address in ("teams", "audit"):
        AuditEntry.objects.bulk_create([AuditEntry(**entry_of(fay)) for _ in range(21)])
        refused = browser.get(f"/api/v1/{address}/", {"format": "csv"})
        assert refused.status_code == 400
        assert "more than 20 rows" in refused.content.decode()


def entry_of(user):
    about = {"at": timezone.now(), "action": "update", "model": "costs.pool", "object_pk": "1", "name": "x"}
    return {**about, "actor": user, "door": "page"}


def test_a_csv_is_safe_to_open_and_says_when_nothing_matches(people, fay, client_of):
    Pool.objects.create(name="=cmd|' /C calc'!A0")
    browser = client_of(fay)
    header, row = csv_rows(browser.get("/api/v1/pools/", {"format": "csv"}))
    assert row[header.index("name")].startswith("'=")
    assert csv_rows(browser.get("/api/v1/disputes/", {"format": "csv"})) == [["Note: nothing matches."]]
    assert browser.get("/api/v1/pools/", {"format": "xml"}).status_code == 404


def test_an_error_of_a_csv_is_an_error(people, lea, client_of):
    assert client_of(lea).get("/api/v1/health/", {"format": "csv"}).status_code == 403
    assert client_of(lea).get("/api/v1/spend/", {"format": "csv", "colour": "red"}).status_code == 400


@pytest.mark.parametrize(
    "path", ["nothing/", "budgets/99999999999999999999999/", "teams/x/y/z/", f"budgets/{'9' * 5000}/"]
)
def test_an_address_of_the_api_that_is_not_there_is_answered_to_a_program(fay, client_of, path):
    answer = client_of(fay).get(f"/api/v1/{path}")
    assert (answer.status_code, answer["Content-Type"], list(answer.json())) == (404, "application/json", ["detail"])
