"""Two hosts with one bucket: what comes in at one is there at the other, and a bucket that is away loses nothing."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from costs import focus_export, reconciliation, retention
from costs.ingest.leftovers import remove_leftovers, republishing
from costs.ingest.load import load_bill, retry_delivery
from costs.ingest.republish import republish_month
from costs.models import CostLine, Delivery, FocusExport
from costs.query.drilldown import charge_of, charges_of, provider_rows
from finops_site.files.product import forget_place, product_files
from finops_site.lib.person import WholeCompany
from finops_site.ops import health
from finops_site.registry import HealthState
from tests import bills
from tests.finops_site.files import buckets

pytestmark = pytest.mark.django_db
EXACT = "1234567890.123456789012345678"
ROWS = [{"BilledCost": EXACT}, {"BilledCost": "0.1", "ResourceId": "i-2"}]


@pytest.fixture(scope="module")
def url():
    with buckets.s3_server() as address:
        yield address


@pytest.fixture
def s3(url, monkeypatch):
    with buckets.environment(monkeypatch, url), buckets.bucket(url) as client:
        yield client


@pytest.fixture
def host(s3, settings, tmp_path):
    """Makes this process one of the hosts, by its name."""

    def become(name):
        settings.FINOPS_VAR, settings.FINOPS_FILES = tmp_path / name, "s3://finops/site"
        (tmp_path / name).mkdir(exist_ok=True)

    become("one")
    return become


@pytest.fixture
def fay(people, client_of):
    return client_of(people["fay"])


def upload(client, rows=ROWS):
    file = SimpleUploadedFile("march.csv", bills.focus_csv(rows))
    return client.post("/deliveries/upload/", {"files": [file], "source": "northwind"})


def keys(client):
    return sorted(row["Key"] for row in client.list_objects_v2(Bucket=buckets.BUCKET).get("Contents", ()))


def the_line():
    return CostLine.objects.current().get(resource="i-1")


def assert_green():
    checks = list(reconciliation.reconcile())
    assert checks
    assert [check for check in checks if not check.holds] == []


def test_fay_uploads_at_one_host_and_both_read_every_digit(fay, host, s3, tmp_path):
    assert upload(fay).status_code == 302
    delivery = Delivery.objects.get()
    host("two")
    loaded = load_bill(delivery)
    assert loaded.status == Delivery.Status.CURRENT, loaded.message
    assert keys(s3) == [
        f"site/bills/{delivery.pk}/charges/2026-03/charges.parquet",
        f"site/bills/{delivery.pk}/delivered/000-march.csv",
    ]
    spend = "/api/v1/spend/?group_by=service&from=2026-03&to=2026-03&metric=billed_cost"
    for name in ("one", "two", "three"):
        host(name)
        assert str(charges_of(the_line()).billed_cost) == EXACT
        assert "1234567890.223456789012345678" in fay.get(spend).content.decode()
        file = fay.get(f"/deliveries/{delivery.pk}/files/{delivery.files.get().pk}/")
        assert b"".join(file.streaming_content) == bills.focus_csv(ROWS)
    row = charges_of(the_line()).rows[0]
    found_rows = provider_rows(WholeCompany(), the_line(), charge_of(the_line(), row["key"]))
    assert (found_rows.problem, len(found_rows.rows)) == ("", 1)
    assert_green()
    assert not list((tmp_path / "two/bills").glob("*/*")), "nothing is left on a host but its copies"


def test_a_month_is_made_anew_and_exported_at_another_host(fay, host, s3):
    upload(fay)
    (month,) = load_bill(Delivery.objects.get()).months.all()
    host("two")
    with republishing(month.delivery):
        assert any("/republishing/" in key for key in keys(s3)), "the other host sees it, and tidies nothing up"
    assert republish_month(month) is not None
    export = focus_export.write_export(FocusExport.objects.create(billing_month=month.billing_month, kind="parquet"))
    assert (export.status, export.rows) == ("ready", 2), export.message
    host("one")
    answer = fay.get(f"/deliveries/exports/{export.pk}/")
    assert len(b"".join(answer.streaming_content)) == export.bytes
    FocusExport.objects.update(created_at="2026-01-01T00:00Z")
    focus_export.remove_old_exports()
    assert not any("exports" in key for key in keys(s3))
    assert_green()


def test_retention_and_tidying_up_delete_what_is_in_the_bucket(fay, host, s3, settings):
    for cost in ("100", "101", "102"):
        upload(fay, [{"BilledCost": cost}])
        load_bill(Delivery.objects.latest("pk"))
    _first, second, third = Delivery.objects.order_by("pk")
    Delivery.objects.update(received_at="2026-01-01T00:00Z", loaded_at="2026-01-01T00:00Z")
    host("two")
    pruning = retention.prune_files(timezone.now())
    assert (len(pruning.removed), pruning.problems) == (1, {})
    assert {key.split("/")[2] for key in keys(s3)} == {str(second.pk), str(third.pk)}
    s3.put_object(Bucket=buckets.BUCKET, Key="site/bills/999999/delivered/000-x.csv", Body=b"of nobody")
    remove_leftovers(timezone.now())
    assert any("999999" in key for key in keys(s3)), "a bill may be coming in just now"
    remove_leftovers(timezone.now() + retention.timedelta(hours=2))
    assert not any("999999" in key for key in keys(s3))
    assert_green()


def test_while_the_bucket_is_away_pages_say_so_and_nothing_is_lost(fay, host, url, monkeypatch, settings):
    upload(fay)
    delivery = load_bill(Delivery.objects.get())
    line = the_line()
    host("two")
    with buckets.environment(monkeypatch, buckets.NOWHERE):
        refused = upload(fay, [{"BilledCost": "2"}])
        assert refused.status_code == 200
        assert "does not answer" in refused.content.decode()
        assert Delivery.objects.count() == 1
        page = fay.get(f"/costs/lines/{line.pk}/", follow=True)
        assert page.status_code == 503
        assert "The files cannot be reached" in page.content.decode()
        assert fay.get("/costs/").status_code == 200, "sums come from the database"
        file = SimpleUploadedFile("april.csv", bills.focus_csv([{"BilledCost": "3"}]))
        answer = fay.post("/api/v1/deliveries/", {"files": file, "source": "northwind"})
        assert (answer.status_code, "does not answer" in str(answer.json())) == (503, True)
        broken = [check for check in reconciliation.reconcile() if not check.holds]
        assert {check.left.split(":")[0] for check in broken} == {"not known"}
        status = health._files()
        assert (status.state, "does not answer" in status.message) == (HealthState.BROKEN, True)
    assert upload(fay, [ROWS[0], {"BilledCost": "0.2", "ResourceId": "i-2"}]).status_code == 302
    newer = Delivery.objects.latest("pk")
    with buckets.environment(monkeypatch, buckets.NOWHERE):
        assert "does not answer" in load_bill(newer).message
    assert (CostLine.objects.current().get(resource="i-1").pk, newer.files.count()) == (line.pk, 1)
    newer.refresh_from_db()
    assert retry_delivery(newer)
    assert load_bill(newer).status == Delivery.Status.CURRENT
    assert delivery.pk != newer.pk
    assert_green()


def test_ada_moves_the_files_of_one_host_into_the_bucket(fay, host, settings, tmp_path):
    settings.FINOPS_FILES = ""
    upload(fay)
    load_bill(Delivery.objects.get())
    before = charges_of(the_line())
    out = StringIO()
    call_command("move_files", "--to", "s3://finops/moved", "--json", stdout=out)
    assert json.loads(out.getvalue())["files"] == json.loads(out.getvalue())["sent"] == 2
    host("two")
    settings.FINOPS_FILES = "s3://finops/moved"
    forget_place()
    assert product_files().address == "s3://finops/moved"
    assert charges_of(the_line()) == before
    assert_green()
    assert Path(tmp_path / "one/bills").is_dir(), "what was here stays until somebody removes it"
