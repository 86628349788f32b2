"""One of every change through every door is found in the log: with who, by which door, from where, before and after."""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from budgets.models import Budget
from costs.ingest.load import retry_delivery
from costs.models import Credential, Delivery, ExchangeRate, Pool, Source
from finops_site.audit.context import as_acting
from finops_site.celery import app, note_the_cause, task
from finops_site.models import ApiToken, AuditEntry, Team, User
from tagging.models import MetricValue
from tests.people import PASSWORD, signed_in, token_of
from tests.test_admin_edits import edit

pytestmark = pytest.mark.django_db


def log(**facts):
    """The newest entries with these facts, the newest first."""
    return AuditEntry.objects.filter(**facts).order_by("-id")


def newest(model, **facts):
    return log(model=model._meta.label_lower, **facts).first()


def test_a_page(fay):
    signed_in(fay).post("/ownership/pools/add/", {"name": "Network", "description": ""}, REMOTE_ADDR="203.0.113.1")
    entry = newest(Pool, action="insert", name="Network")
    assert (entry.who, entry.door, entry.address) == (fay.email, "page", "203.0.113.1")
    assert entry.through == "/ownership/pools/add/"


def test_the_admin(ada, eli):
    edit(ada, eli.teams.first(), cost_center="CC-77")
    entry = newest(Team, action="update")
    assert (entry.who, entry.door, entry.changes["cost_center"][1]) == (ada.email, "admin", "CC-77")


def test_the_api_with_a_token(fay):
    key = token_of(fay)
    answer = Client().post(
        "/api/v1/pools/",
        json.dumps({"name": "Backup"}),
        content_type="application/json",
        headers={"Authorization": f"Token {key}"},
    )
    assert answer.status_code == 201
    entry = newest(Pool, name="Backup")
    assert (entry.who, entry.door) == (fay.email, "api")
    assert "(token token " in entry.through, "its kind and its name"
    used = log(action="token used")
    assert [one.who for one in used] == [fay.email]
    Client().get("/api/v1/pools/", headers={"Authorization": f"Token {key}"})
    assert used.count() == 1, "once an hour"
    assert key not in json.dumps([*AuditEntry.objects.values_list("changes", "object_pk", "name", "through")])


def test_a_token_that_is_made_and_dropped(fay):
    page = signed_in(fay).post("/token/", {"name": "nightly script", "scope": "read", "days": "30"})
    made = newest(ApiToken, action="insert")
    assert (made.who, made.name, made.changes["key_hash"]) == (fay.email, "nightly script", [None, "(hidden, new)"])
    ApiToken.objects.get().delete()
    assert newest(ApiToken, action="delete").object_pk == made.object_pk
    assert page.context["fresh"] not in json.dumps([*AuditEntry.objects.values_list("changes", flat=True)])


def test_a_csv_import(fay, client_of):
    text = "day,value\n2026-03-01,12.50\n2026-03-02,13\n"
    data = {"name": "orders", "grain": "day", "counted_for": "company", "text": text, "verb": "save"}
    client_of(fay).post("/unit-costs/upload/", data)
    values = log(model=MetricValue._meta.label_lower)
    assert {(one.who, one.door) for one in values} == {(fay.email, "page")}
    assert values.count() == 2


def test_a_command(ada, tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("date,base,quote,rate\n2026-03-02,EUR,USD,1.08\n")
    call_command("load_rates", str(path), verbosity=0)
    entry = newest(ExchangeRate)
    assert (entry.door, entry.through, entry.who) == ("command", "load_rates", "")
    assert "rates.csv" in json.dumps(log(action="command", name="load_rates").get().changes)


def test_a_task_of_somebody_and_one_of_nobody(fay, rf):
    def make_pool(name):
        return Pool.objects.create(name=name).pk

    work = app.task(name="tests.makes_a_pool")(make_pool)
    with as_acting("page", "/x/", person=fay, address="203.0.113.1"):
        work.apply(args=["asked for"])
        # As a message of the broker has it, read by a worker.
        headers = {}
        note_the_cause(headers=headers)
    work.apply(args=["by a worker"], headers=headers)
    work.apply(args=["by the clock"])
    of_fay, alone = newest(Pool, name="asked for"), newest(Pool, name="by the clock")
    assert (of_fay.who, of_fay.door, of_fay.through) == (fay.email, "task", "tests.makes_a_pool")
    assert newest(Pool, name="by a worker").actor_id == fay.pk
    assert (alone.who, alone.door, alone.through) == ("", "task", "tests.makes_a_pool")
    assert task(work.name) is work


def test_bulk_and_raw_sql(ada):
    Team.objects.bulk_create([Team(name="Bulk 1"), Team(name="Bulk 2")])
    Team.objects.filter(name__startswith="Bulk").update(cost_center="77")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE finops_site_team SET email = 'b@x.example' WHERE name LIKE 'Bulk%%'", [])
    changes = [entry.changes for entry in log(name="Bulk 2", action="update").order_by("id")]
    assert changes == [{"cost_center": ["", "77"]}, {"email": ["", "b@x.example"]}]


def test_a_credential_and_its_source_without_any_secret(ada):
    credential = Credential(name="Exports", role_arn="")
    credential.seal({"secret": "hush"})
    credential.save()
    Source.objects.create(name="AWS", kind="s3", bucket="bills", credential=credential)
    credential.seal({"secret": "another"})
    credential.save()
    assert newest(Credential, action="update").changes == {"sealed": ["(hidden)", "(hidden, new)"]}
    assert newest(Source, action="insert").changes["credential_id"] == [None, credential.pk]
    assert credential.sealed not in json.dumps([*AuditEntry.objects.values_list("changes", flat=True)])


def test_a_bill_that_is_received_and_whose_state_changes(fay):
    source = Source.objects.create(name="Uploads")
    bill = Delivery.objects.create(source=source, fingerprint="f" * 64, received_by=fay)
    Delivery.objects.filter(pk=bill.pk).update(progress=0.5, stage="reading")
    Delivery.objects.filter(pk=bill.pk).update(status="withdrawn", decided_by=fay)
    received, withdrawn = AuditEntry.objects.about(bill).order_by("id")
    assert received.changes["status"] == [None, "received"]
    assert withdrawn.changes == {"status": ["received", "withdrawn"], "decided_by_id": [None, fay.pk]}


def test_a_bill_that_is_tried_again(fay):
    source = Source.objects.create(name="Uploads")
    bill = Delivery.objects.create(source=source, fingerprint="f" * 64, status="failed", message="no header")
    with as_acting("page", "/deliveries/", person=fay):
        assert retry_delivery(bill)
    changed, again = AuditEntry.objects.about(bill).exclude(action="insert").order_by("id")
    assert changed.changes == {"status": ["failed", "received"], "message": ["no header", ""]}
    assert (again.action, again.who) == ("retry", fay.email)


def test_people_come_in_fail_and_leave(ada, settings):
    browser = Client(REMOTE_ADDR="203.0.113.4")
    browser.post("/accounts/login/", {"login": ada.email, "password": "wrong"})
    failed = log(action="sign-in failed").first()
    assert (failed.name, failed.address) == (ada.email, "203.0.113.4")
    browser.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    came = log(action="sign-in").first()
    assert (came.who, came.address, came.through) == (ada.email, "203.0.113.4", "/accounts/login/")
    browser.post("/accounts/logout/")
    assert log(action="sign-out").first().who == ada.email
    assert PASSWORD not in json.dumps([*AuditEntry.objects.values_list("changes", "name", "through")])


def test_a_password_that_changes_is_never_written(ada):
    user = User.objects.get(pk=ada.pk)
    user.set_password("another one of mine")
    user.save()
    assert newest(User, action="update").changes == {"password": ["(hidden)", "(hidden, new)"]}


@pytest.mark.parametrize(
    ("address", "name"),
    [("/people/?_export=csv", "csv"), ("/people/?_export=xlsx", "xlsx"), ("/api/v1/teams/?format=csv", "text/csv")],
)
def test_what_leaves_as_a_file(ada, address, name):
    answer = signed_in(ada).get(address)
    assert answer.status_code == 200
    entry = log(action="download").first()
    assert (entry.who, entry.through) == (ada.email, address)
    assert name in entry.name
    assert not log(action="download", through="/people/").exists()


def test_a_page_and_its_filters_show_who_did_what_before_and_after(ada, fay, eli):
    signed_in(fay).post("/ownership/pools/add/", {"name": "Network", "description": "all of it"})
    entry = newest(Pool, name="Network")
    page = signed_in(ada).get("/audit/", {"who": fay.email, "model": "costs.pool", "action": "insert"})
    assert "Network" in page.content.decode()
    one = signed_in(ada).get(f"/audit/{entry.pk}/").content.decode()
    assert "all of it" in one
    assert fay.email in one
    assert "Wed 09:00" not in one
    assert signed_in(eli).get("/audit/").status_code == 403
    # Finance sees what was done with money, and not who came in.
    assert signed_in(fay).get(f"/audit/{entry.pk}/").status_code == 200
    came_in = AuditEntry.objects.filter(action="sign-in", actor=ada).first()
    assert signed_in(fay).get(f"/audit/{came_in.pk}/").status_code == 404
    csv = signed_in(ada).get("/audit/", {"_export": "csv", "model": "costs.pool"})
    assert "Network" in b"".join(csv).decode()
    assert Budget.objects.count() == 0


def test_the_page_of_an_entry_shows_lists_and_what_an_older_log_kept_as_an_object(ada, lea):
    token_of(lea)
    entry = newest(ApiToken, action="insert")
    ApiToken.objects.filter(user=lea).update(pillars=["costs", "budgets"])
    changed = newest(ApiToken, action="update")
    assert changed.changes["pillars"] == [[], ["costs", "budgets"]]
    older = AuditEntry.objects.create(
        at=entry.at, action="update", model="finops_site.user", changes={"groups": {"operation": "add"}}
    )
    pages = [signed_in(ada).get(f"/audit/{one.pk}/").content.decode() for one in (entry, changed, older)]
    assert "[&quot;costs&quot;, &quot;budgets&quot;]" in pages[1]
    assert "{&quot;operation&quot;: &quot;add&quot;}" in pages[2]
