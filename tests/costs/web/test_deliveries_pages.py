"""Deliveries as people meet them: uploading a bill, seeing what became of it, and what is not theirs to see."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from costs import tasks
from costs.ingest import uploads
from costs.ingest.claims import stalled_deliveries
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery, Source
from tests import bills
from tests.people import person, signed_in

UPLOAD = "/deliveries/upload/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def queued(monkeypatch):
    """The loads handed to the worker; a test that wants one done calls `work`."""
    handed = []
    monkeypatch.setattr(tasks.load_delivery, "delay", handed.append)
    return handed


def work(queued):
    while queued:
        load_bill(Delivery.objects.get(pk=queued.pop(0)))


@pytest.fixture
def fay():
    return signed_in(person("fay"))


def hand_in(client, *contents, source="northwind", name="march.csv", **fields):
    files = [SimpleUploadedFile(name, content) for content in contents]
    return client.post(UPLOAD, {"files": files, "source": source, **fields})


@pytest.fixture
def upload(fay, django_capture_on_commit_callbacks):
    """Fay sends files through the page; what is to happen after the commit happens."""

    def send(*contents, client=fay, **options):
        with django_capture_on_commit_callbacks(execute=True):
            return hand_in(client, *contents, **options)

    return send


def delivered(tmp_path, rows, name="march.csv", source="northwind", **options):
    (received,) = receive_bill(source, [bills.write(tmp_path, name, bills.focus_csv(rows))], **options)
    return load_bill(received.delivery)


def page(client, delivery, suffix=""):
    return client.get(f"/deliveries/{delivery.pk}/{suffix}")


def test_fay_uploads_a_bill_and_sees_its_total_to_the_last_digit(fay, upload, queued):
    exact = "1234567890.1234567890123456789"
    response = upload(bills.focus_csv([{"BilledCost": exact}]))
    delivery = Delivery.objects.get()
    assert response["Location"] == f"/deliveries/{delivery.pk}/"
    assert delivery.received_by.email == "fay@demo.example"
    assert "It is queued" in fay.get("/deliveries/").content.decode()
    work(queued)
    text = page(fay, delivery).content.decode()
    assert exact in text
    assert "cost lines keep 18 decimals: 1234567890.123456789012345679" in text
    assert "1,234,567,890.12" in fay.get("/deliveries/").content.decode()
    assert CostLine.objects.current().count() == 1


def test_fay_uploads_what_excel_saved_and_reads_how_it_was_read(fay, upload, queued):
    """Windows-1252, in the header and in a name: it is taken in, and its page names a word to look at."""
    row = {**bills.FOCUS_ROW, "ResourceName": "Bücherei", "Größe": "5"}
    upload(bills.csv_text(list(row), [row]).encode("cp1252"))
    work(queued)
    text = page(fay, Delivery.objects.get()).content.decode()
    assert "the text is not UTF-8 and was read as Windows-1252" in text
    assert CostLine.objects.current().get().resource_name == "Bücherei"


def test_home_names_the_newest_bills_first(fay, tmp_path):
    months = [f"2026-{month:02}-01T00:00:00Z" for month in range(1, 8)]
    for number, month in enumerate(months):
        row = {"BillingPeriodStart": month, "ChargePeriodStart": month, "BillingPeriodEnd": "", "ChargePeriodEnd": ""}
        delivered(tmp_path, [row], name=f"{number}.csv")
    panel = fay.get("/").content.decode().partition("Newest bills")[2]
    places = [panel.index(f"{month} 2026") for month in ("Jul", "Jun", "May", "Apr", "Mar")]
    assert places == sorted(places)
    assert "Feb 2026" not in panel.partition("</section>")[0]


def test_the_list_says_what_each_bill_holds_and_what_of_it_was_not_read(fay, tmp_path):
    delivered(tmp_path, [{"BilledCost": "abc"}, {}, {"BillingCurrency": "EUR", "BilledCost": "7.25"}])
    text = fay.get("/deliveries/").content.decode()
    for words in ["northwind", "Mar 2026", "focus", "Current", "3 read, 1 not read", "7.25", "EUR", "1.00", "USD"]:
        assert words in text, words


def test_the_list_is_narrowed_by_source_status_and_month(fay, tmp_path):
    delivered(tmp_path, [{}])
    april = {"BillingPeriodStart": "2026-04-01T00:00:00Z"}
    other = delivered(tmp_path, [april], name="april.csv", source="azure")
    assert other.status == Delivery.Status.CURRENT, other.message
    for query in [f"source={other.source_id}", "month=2026-04", "status=current&month=2026-04"]:
        text = fay.get(f"/deliveries/?{query}", headers={"HX-Request": "true", "HX-Target": "list"}).content.decode()
        assert f"delivery-{other.pk}" in text, query
        assert "northwind" not in text, query
    assert "Nothing matches" in fay.get("/deliveries/?status=failed").content.decode()
    assert "is not a month" in fay.get("/deliveries/?month=soon").content.decode()


def test_the_list_costs_the_same_queries_however_long_it_is(fay, tmp_path, django_assert_max_num_queries):
    for number in range(3):
        delivered(tmp_path, [{"BilledCost": str(number)}])
    with django_assert_max_num_queries(20) as few:
        fay.get("/deliveries/")
    for number in range(3, 8):
        delivered(tmp_path, [{"BilledCost": str(number)}])
    with django_assert_max_num_queries(len(few)):
        fay.get("/deliveries/")


def test_an_empty_list_tells_fay_to_upload_and_max_what_belongs_there(fay):
    assert f'href="{UPLOAD}"' in fay.get("/deliveries/").content.decode()
    theirs = signed_in(person("max")).get("/deliveries/").content.decode()
    assert "No bill has been delivered yet" in theirs
    assert UPLOAD not in theirs


@pytest.mark.parametrize("name", ["eli", "lea", "ola"])
def test_engineering_sees_no_deliveries(name, tmp_path):
    delivery = delivered(tmp_path, [{}, {"BilledCost": "abc"}])
    client, file = signed_in(person(name)), delivery.files.get()
    for path in ["", "row/", "progress/", "rejects/", "rejects/?_export=csv", f"files/{file.pk}/"]:
        assert page(client, delivery, path).status_code == 403, path
    assert client.get("/deliveries/").status_code == 403
    assert client.get(UPLOAD).status_code == 403
    assert hand_in(client, b"a,b\n").status_code == 403
    assert client.post(f"/deliveries/{delivery.pk}/retry/").status_code == 403


def test_max_looks_and_delivers_nothing(tmp_path):
    delivery = delivered(tmp_path, [{}])
    client = signed_in(person("max"))
    assert page(client, delivery).status_code == 200
    assert client.get(UPLOAD).status_code == 403
    assert hand_in(client, bills.focus_csv([{}])).status_code == 403
    assert client.post(f"/deliveries/{delivery.pk}/retry/").status_code == 403
    assert Delivery.objects.count() == 1


def test_who_is_not_signed_in_is_asked_to(client, tmp_path):
    delivery = delivered(tmp_path, [{}])
    for path in ["/deliveries/", UPLOAD, f"/deliveries/{delivery.pk}/"]:
        assert client.get(path)["Location"].startswith("/accounts/login/")


def test_the_same_bill_again_is_a_message_with_the_way_to_it(fay, upload, queued):
    bill = bills.focus_csv([{"BilledCost": "3"}])
    upload(bill)
    work(queued)
    delivery = Delivery.objects.get()
    response = upload(bill)
    assert response["Location"] == f"/deliveries/{delivery.pk}/"
    text = fay.get("/deliveries/").content.decode()
    assert f'This bill is already here as <a href="/deliveries/{delivery.pk}/">' in text
    assert queued == []
    assert Delivery.objects.count() == 1
    assert CostLine.objects.current().totals()["USD"]["billed_cost"] == 3


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(200), "picture.png: this is no bill but a binary file"),
        ("people.csv", b"name,age\nada,36\n", "its header has none of the columns we look for"),
        ("empty.csv", b"", "empty.csv: the file is empty"),
        ("bill.zip", b"PK\x03\x04....", "bill.zip: the ZIP is damaged or cut off"),
        ("cut.csv.gz", b"\x1f\x8b\x08\x00", "ends early"),
        ("machines.csv", b"ResourceId,InstanceType,State,CostUSD,Region,Tags\ni-1,t3,running,1,,\n", "which month"),
    ],
)
def test_what_is_no_bill_is_refused_at_once_and_the_form_keeps_what_was_typed(fay, name, content, says):
    response = hand_in(fay, content, name=name, source="our payer", currency="eur", mode="append")
    text = response.content.decode()
    assert response.status_code == 200
    assert says in text, text
    assert 'value="our payer"' in text
    assert 'value="eur"' in text
    assert '<option value="append" selected>' in text
    assert not Delivery.objects.exists()
    assert not Source.objects.exists()
    assert list(Path(settings.FINOPS_VAR, "incoming").glob("*")) == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("source", "  ", "required"),
        ("source", "a\0b", "Null characters"),
        ("source", "x" * 101, "at most 100"),
        ("month", "soon", "is not a month"),
        ("currency", "Euro", "three letters"),
        ("format", "excel", "not one of the available"),
        ("mode", "destroy", "not one of the available"),
    ],
)
def test_each_field_says_what_is_wrong_with_it(fay, field, value, says):
    content = SimpleUploadedFile("march.csv", bills.focus_csv([{}]))
    response = fay.post(UPLOAD, {"files": content, "source": "northwind", field: value})
    assert says in response.content.decode()
    assert not Delivery.objects.exists()


def test_no_file_at_all_is_said(fay):
    assert "Choose the bill&#x27;s files" in fay.post(UPLOAD, {"source": "x"}).content.decode()


@override_settings(BILL_MAX_UPLOAD_BYTES=1000)
def test_too_big_a_bill_is_refused_with_the_limit(fay):
    text = hand_in(fay, b"x" * 600, b"y" * 600).content.decode()
    assert "at most 1000\xa0bytes can be uploaded at once" in text


def test_the_progress_script_gets_errors_and_the_way_on_as_json(fay, upload, queued):
    script = {"headers": {"X-Requested-With": "XMLHttpRequest"}}
    refused = fay.post(UPLOAD, {"files": SimpleUploadedFile("x.csv", b"a,b\n1,2\n"), "source": "s"}, **script)
    assert refused.status_code == 400
    assert "none of the columns" in refused.json()["errors"]["files"][0]
    taken = fay.post(UPLOAD, {"files": SimpleUploadedFile("x.csv", bills.focus_csv([{}])), "source": "s"}, **script)
    assert taken.json() == {"redirect": f"/deliveries/{Delivery.objects.get().pk}/"}


def test_many_files_are_one_delivery_and_options_are_kept(upload, queued):
    upload(
        bills.focus_csv([{"BilledCost": "1"}]),
        bills.focus_csv([{"BilledCost": "2", "ResourceId": "i-2"}]),
        mode="append",
        month="2026-03",
        format="focus",
        bill_stopped="on",
    )
    work(queued)
    delivery = Delivery.objects.get()
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    assert delivery.totals["USD"]["billed_cost"] == "3"
    assert delivery.source.delivery_mode == Source.Mode.APPEND
    options = {"month": "2026-03", "format": "focus", "bill_stopped": True, "currency": None}
    assert delivery.options == options
    assert sorted(file.name for file in delivery.files.all()) == ["2-march.csv", "march.csv"]


@override_settings(FILE_UPLOAD_MAX_MEMORY_SIZE=0)
def test_a_bill_too_big_for_memory_is_moved_and_not_copied(upload, queued):
    upload(bills.focus_csv([{"BilledCost": "4"}]))
    work(queued)
    assert Delivery.objects.get().totals["USD"]["billed_cost"] == "4"


def _with_name(name: bytes, content: bytes):
    """A form as a hostile program writes it: the client of the tests would tidy the name up."""
    lines = [
        b'--b\r\nContent-Disposition: form-data; name="source"\r\n\r\nnorthwind\r\n',
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="' + name + b'"\r\n',
        b"Content-Type: text/csv\r\n\r\n" + content + b"\r\n--b--\r\n",
    ]
    return {"data": b"".join(lines), "content_type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    "name",
    [
        b"../../../etc/cron.d/bill.csv",
        b"/etc/passwd",
        b"C:\\\\Users\\\\fay\\\\bill.csv",
        b"a\0b.csv",
        b"x" * 300 + b".csv",
        "Ünïcödé ".encode() * 40 + b".csv",
        b".hidden",
    ],
)
def test_a_name_that_means_harm_is_only_a_name(fay, name, queued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        fay.post(UPLOAD, **_with_name(name, bills.focus_csv([{}])))
    delivery = Delivery.objects.get()
    work(queued)
    delivery.refresh_from_db()
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    (file,) = delivery.files.all()
    assert file.full_path.parent == delivery.folder / "delivered"
    assert not set("/\\\0") & set(file.name)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../a.csv", "a.csv"),
        ("..", "bill"),
        ("", "bill"),
        ("a\x00\x1b\u202eb.csv", "ab.csv"),
        (".bashrc", "bashrc"),
        ("é" * 300 + ".csv.gz", "é" * 24 + "…" + "é" * 13 + ".csv.gz"),
    ],
)
def test_names_are_made_harmless(name, plain):
    assert uploads.safe_name(name) == plain


def test_a_manifest_reaches_only_files_that_came_with_it(fay, tmp_path):
    """The server's own files lie above the folder of an upload: a key must not deliver them to a reader."""
    secret = Path(settings.FINOPS_VAR) / "state.csv"
    secret.write_text("SECRET_KEY,other\n")
    manifest = json.dumps({"reportKeys": ["state.csv"], "billingPeriod": {"start": "20260301T000000.000Z"}})
    text = hand_in(fay, manifest.encode(), name="cur-Manifest.json").content.decode()
    assert "it was not delivered with it" in text
    assert not Delivery.objects.exists()
    secret.unlink()


def test_without_a_broker_the_bill_waits_and_the_page_says_so(fay, upload, monkeypatch):
    def down(_):
        raise OperationalError("Connection refused")

    monkeypatch.setattr(tasks.load_delivery, "delay", down)
    upload(bills.focus_csv([{}]))
    delivery = Delivery.objects.get()
    assert delivery.status == Delivery.Status.RECEIVED
    text = page(fay, delivery).content.decode()
    assert "Queued" in text
    assert f'hx-get="/deliveries/{delivery.pk}/progress/"' in text
    later = timezone.now() + timedelta(minutes=5)
    assert list(stalled_deliveries(later)) == [delivery], "the sweep takes it up"


def test_the_page_follows_the_load_until_it_ends(fay, upload, queued):
    upload(bills.focus_csv([{}]))
    delivery = Delivery.objects.get()
    Delivery.objects.update(status="loading", stage="reading", progress=0.42, heartbeat_at=timezone.now())
    text = page(fay, delivery, "progress/").content.decode()
    assert "Reading" in text
    assert "42%" in text
    assert 'hx-trigger="load delay:2s"' in text
    row = page(fay, delivery, "row/").content.decode()
    assert f'id="delivery-{delivery.pk}"' in row
    assert f'hx-get="/deliveries/{delivery.pk}/row/"' in row
    Delivery.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    assert "stopped answering" in page(fay, delivery, "progress/").content.decode()
    Delivery.objects.update(status="received")
    work(queued)
    assert page(fay, delivery, "progress/")["HX-Refresh"] == "true"
    assert f"/deliveries/{delivery.pk}/row/" not in page(fay, delivery, "row/").content.decode()


def test_rejects_are_shown_and_their_csv_runs_no_formula(fay, tmp_path):
    evil = "=cmd()|' /C calc'!A0"
    delivery = delivered(tmp_path, [{}, {"BilledCost": evil}, {"BilledCost": "<script>alert(1)</script>"}])
    text = page(fay, delivery).content.decode()
    assert "2 of 3 rows not read" in text
    assert "=cmd()" in text
    assert "<script>alert" not in text
    response = page(fay, delivery, "rejects/?_export=csv")
    assert response["Content-Disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert rows[0] == ["File", "Line", "Column", "Value", "Why"]
    assert rows[1] == ["march.csv", "3", "BilledCost", "'" + evil, "is not a number"]


def test_many_rejects_are_paged(fay, tmp_path):
    delivery = delivered(tmp_path, [{}, *({"BilledCost": f"bad {n}"} for n in range(60))])
    text = page(fay, delivery).content.decode()
    assert f"/deliveries/{delivery.pk}/rejects/" in text
    assert "bad 9<" in text
    assert "bad 10<" not in text
    first = page(fay, delivery, "rejects/").content.decode()
    assert "60 of 61 rows" in first
    assert "bad 49" in first
    assert "bad 50" not in first
    assert 'rel="next"' in first


def test_what_is_in_a_bill_or_its_name_is_never_markup(fay, tmp_path):
    evil = "<script>alert(1)</script>"
    row = {"ProviderName": evil, "ServiceName": evil, "Tags": json.dumps({evil: evil})}
    delivery = delivered(tmp_path, [row, {"BilledCost": evil}], name="<img src=x>.csv", source=f"{evil} & Co")
    for path in ["", "rejects/", "row/"]:
        text = page(fay, delivery, path).content.decode()
        assert evil not in text, path
        assert "<img" not in text, path
    assert "&lt;script&gt;" in fay.get("/deliveries/").content.decode()
    assert evil not in fay.get(UPLOAD).content.decode()


def test_a_file_comes_back_byte_for_byte_and_is_never_shown(fay, tmp_path):
    content = bills.focus_csv([{}])
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "page.html", content)])
    file = received.delivery.files.get()
    response = page(fay, received.delivery, f"files/{file.pk}/")
    assert b"".join(response.streaming_content) == content
    assert response["Content-Disposition"] == 'attachment; filename="page.html"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_file_belongs_to_its_delivery_and_one_that_is_gone_is_404(fay, tmp_path):
    one = delivered(tmp_path, [{}])
    other = delivered(tmp_path, [{}], name="other.csv", source="other")
    file = one.files.get()
    assert page(fay, other, f"files/{file.pk}/").status_code == 404
    file.full_path.unlink()
    assert page(fay, one, f"files/{file.pk}/").status_code == 404
    assert fay.get("/deliveries/999999/").status_code == 404


def test_a_bill_that_replaces_another_shows_both_and_the_difference(fay, tmp_path):
    old = delivered(tmp_path, [{"BilledCost": "10"}])
    new = delivered(tmp_path, [{"BilledCost": "12.50"}], name="corrected.csv")
    for one, other in [(old, new), (new, old)]:
        text = page(fay, one).content.decode()
        assert f'href="/deliveries/{other.pk}/"' in text
        assert "+2.50" in text
        assert "Superseded" in text
    old.refresh_from_db()
    assert old.status == Delivery.Status.SUPERSEDED


def test_bills_that_add_up_are_not_compared(fay, tmp_path):
    delivered(tmp_path, [{"BilledCost": "10"}], mode="append")
    second = delivered(tmp_path, [{"BilledCost": "12"}], name="second.csv", mode="append")
    text = page(fay, second).content.decode()
    assert "adds to its months" in text
    assert "+2.00" not in text
    assert "Superseded" not in text


def test_fay_tries_a_failed_load_again(fay, tmp_path, queued, monkeypatch, django_capture_on_commit_callbacks):
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "m.csv", bills.focus_csv([{}]))])
    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
        failed = load_bill(received.delivery)
    text = page(fay, failed).content.decode()
    assert "The disk is full" in text
    assert "Try again" in text
    with django_capture_on_commit_callbacks(execute=True):
        response = fay.post(f"/deliveries/{failed.pk}/retry/", follow=True)
    assert "is queued again" in response.content.decode()
    work(queued)
    failed.refresh_from_db()
    assert failed.status == Delivery.Status.CURRENT
    again = fay.post(f"/deliveries/{failed.pk}/retry/", follow=True)
    assert "has not failed" in again.content.decode()
    assert fay.get(f"/deliveries/{failed.pk}/retry/").status_code == 405


def test_a_failed_bill_that_came_again_meanwhile_is_not_loaded_twice(fay, tmp_path, queued):
    path = bills.write(tmp_path, "m.csv", bills.focus_csv([{"BilledCost": "abc"}]))
    failed = load_bill(receive_bill("northwind", [path])[0].delivery)
    assert failed.status == Delivery.Status.FAILED
    waiting = receive_bill("northwind", [path])[0].delivery
    response = fay.post(reverse("costs:delivery_retry", args=[failed.pk]), follow=True)
    assert f'already here as <a href="/deliveries/{waiting.pk}/">' in response.content.decode()
    assert queued == []
