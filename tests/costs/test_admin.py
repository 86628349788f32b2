"""The admin of bills: sources are edited by those who run them, facts by nobody, rows as everywhere else."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from costs import admin, tasks
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Credential, Delivery, DeliveryFile, Dimension, Reject, Source, TagSet
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.people import person, signed_in
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db

FACTS = [Delivery, DeliveryFile, Reject, CostLine, TagSet, Dimension]


def address(model, path="") -> str:
    return f"/admin/costs/{model._meta.model_name}/{path}"


@shared
def bill(tmp_path):
    """A line of Payments, one of Data and a rejected row in March, and a line of Payments in April."""
    for name in ["Payments", "Data"]:
        team = Team.objects.get_or_create(name=name)[0]
        OwnershipRule.objects.create(team=team, tag_key="Team", tag_value=name, order=team.pk)
    april = {"ChargePeriodStart": "2026-04-01T00:00:00Z", "ResourceId": "i-2", "ResourceName": "april-web"}
    rows = [{}, {"ResourceName": "data-db", "Tags": '{"Team": "Data"}'}, {"BilledCost": "abc"}, april]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    return load_bill(received.delivery)


def test_ada_changes_how_a_source_delivers(bill):
    ada = signed_in(person("ada"))
    fields = {"name": "renamed", "delivery_mode": "append", "kind": "upload", "expected_every_hours": "24"}
    response = ada.post(address(Source, f"{bill.source_id}/change/"), fields)
    assert response.status_code == 302
    bill.source.refresh_from_db()
    assert (bill.source.name, bill.source.delivery_mode) == ("renamed", "append")
    assert ada.post(address(Source, f"{bill.source_id}/delete/"), {"post": "yes"}).status_code == 403


def test_a_source_or_its_credential_edited_in_the_admin_is_looked_at_at_once(
    monkeypatch, settings, tmp_path, django_capture_on_commit_callbacks
):
    settings.FINOPS_FOLDERS = [str(tmp_path)]
    queued = []
    monkeypatch.setattr(tasks.synchronise_source, "delay", queued.append)
    ada, fields = signed_in(person("ada")), {"kind": "folder", "bucket": "aws", "delivery_mode": "replace"}
    with django_capture_on_commit_callbacks(execute=True):
        response = ada.post(
            address(Source, "add/"), {"name": "watched", "is_enabled": "on", "expected_every_hours": "24", **fields}
        )
    assert response.status_code == 302
    source = Source.objects.get()
    assert queued == [source.pk]
    bucket = {"kind": "s3", "bucket": "bills", "credential": Credential.objects.create(name="role")}
    Source.objects.update(**bucket)
    Source.objects.create(name="switched off", is_enabled=False, **bucket)
    with django_capture_on_commit_callbacks(execute=True):
        response = ada.post(address(Credential, f"{bucket['credential'].pk}/change/"), {"name": "another role"})
    assert response.status_code == 302
    assert queued == [source.pk, source.pk]


def test_eli_sees_no_sources_and_no_deliveries(bill):
    eli = signed_in(person("eli"))
    for model in [Source, Delivery]:
        assert eli.get(address(model)).status_code == 403


def test_max_does_not_come_in(bill):
    assert signed_in(person("max")).get("/admin/costs/delivery/").status_code == 302


@pytest.mark.parametrize("name", ["ada", "fay", "eli"])
@pytest.mark.parametrize("model", FACTS)
def test_nobody_adds_changes_or_deletes_a_fact(bill, model, name):
    client, row = signed_in(person(name)), model.objects.first()
    before = model.objects.values().get(pk=row.pk)
    assert client.get(address(model, "add/")).status_code == 403
    assert client.post(address(model, f"{row.pk}/delete/"), {"post": "yes"}).status_code in (302, 403)
    client.post(address(model, f"{row.pk}/change/"), dict.fromkeys(before, "1"))
    assert model.objects.values().get(pk=row.pk) == before


@pytest.mark.parametrize("model", FACTS)
def test_a_superuser_reads_facts_and_edits_none(bill, model):
    user = person("ada")
    user.is_superuser = True
    user.save()
    client = signed_in(user)
    row = model.objects.first()
    assert client.get(address(model)).status_code == 200
    assert client.get(address(model, f"{row.pk}/change/")).status_code == 200
    assert client.post(address(model, f"{row.pk}/change/"), {}).status_code == 403
    assert client.get(address(model, "add/")).status_code == 403


def test_fay_looks_at_deliveries_in_the_admin(bill):
    fay = signed_in(person("fay"))
    assert "northwind" in fay.get(address(Delivery)).content.decode()
    assert "focus 1.0" in fay.get(address(Delivery, f"{bill.pk}/change/")).content.decode()


def test_eli_sees_the_lines_of_payments_and_no_other(bill):
    eli, theirs = signed_in(person("eli")), CostLine.objects.get(resource_name="data-db")
    text = eli.get(address(CostLine, "?charge_month=2026-03")).content.decode()
    assert "web-1" in text
    assert "data-db" not in text
    assert eli.get(address(CostLine, f"{theirs.pk}/change/")).status_code == 302, "as if it were not there"
    assert "data-db" in signed_in(person("fay")).get(address(CostLine, f"{theirs.pk}/change/")).content.decode()


def test_lines_are_listed_a_month_at_a_time_the_latest_first(bill):
    fay = signed_in(person("fay"))
    latest = fay.get(address(CostLine)).content.decode()
    assert "april-web" in latest
    assert "web-1" not in latest
    assert "web-1" in fay.get(address(CostLine, "?charge_month=2026-03")).content.decode()
    assert "april-web" in fay.get(address(CostLine, "?charge_month=soon")).content.decode()


def test_a_million_lines_are_neither_counted_nor_skipped(bill, monkeypatch):
    monkeypatch.setattr(admin, "MOST_ROWS", 2)
    monkeypatch.setattr(admin.CostLineAdmin, "list_per_page", 1)
    fay = signed_in(person("fay"))
    with CaptureQueriesContext(connection) as queries:
        text = fay.get(address(CostLine, "?charge_month=2026-03")).content.decode()
    lines = [query["sql"] for query in queries if 'FROM "costs_costline"' in query["sql"]]
    assert lines
    assert not any("COUNT(" in sql.upper() for sql in lines)
    assert all("charge_date" in sql for sql in lines)
    assert "web-1" not in fay.get(address(CostLine, "?charge_month=2026-03&charge_category=Tax")).content.decode()
    assert ("web-1" in text) + ("data-db" in text) == 1
