"""Fay imports what is known beside the bill; the same file counts once, and what she withdraws counts no more."""

import json
from datetime import date
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from tests.people import person, signed_in
from usage.models import FactImport

pytestmark = pytest.mark.django_db

TEXT = """provider,account,resource,metric,time,value
aws,1,i-1,cpu,2026-05-01T00:00:00Z,5
aws,1,i-2,warmth,2026-05-01,5
"""


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.FINOPS_VAR = str(tmp_path)


def send(browser, text=TEXT, name="cpu.csv"):
    return browser.post("/usage/imports/add/", {"file": SimpleUploadedFile(name, text.encode())}, follow=True)


def test_fay_imports_metrics_and_reads_what_was_not_read():
    fay = signed_in(person("fay"))
    page = send(fay).content.decode()
    row = FactImport.objects.get()
    assert (row.kind, row.rows_read, row.rows_rejected, row.last_day) == ("metrics", 1, 1, date(2026, 5, 1))
    assert "nobody reads this metric" in page
    rejects = fay.get(f"/usage/imports/{row.pk}/?_export=csv")
    assert b"3,metric,nobody reads this metric" in b"".join(rejects.streaming_content)
    again = send(fay)
    assert "is here already: it was imported as cpu.csv" in again.content.decode()
    fay.post(f"/usage/imports/{row.pk}/withdraw/")
    row.refresh_from_db()
    assert row.state == "withdrawn"
    assert send(fay, name="again.csv").status_code == 200
    assert FactImport.objects.filter(state="current").count() == 1


def test_a_file_of_nothing_stands_on_the_form_and_nothing_is_kept():
    fay = signed_in(person("fay"))
    assert "is of no export that we read" in send(fay, "a,b\n1,2\n").content.decode()
    assert not FactImport.objects.exists()


def test_a_newer_inventory_replaces_the_older_of_the_same_account_alone():
    browser = signed_in(person("fay"))

    def inventory(account, *names):
        rows = "".join(f"aws,{account},{name},machine\n" for name in names)
        return send(browser, f"provider,account,resource,kind\n{rows}", f"{account}-{len(names)}.csv")

    inventory("1", "i-1", "i-2")
    inventory("2", "i-9")
    inventory("1", "i-1")
    states = dict(FactImport.objects.values_list("source", "state"))
    assert states == {"1-2.csv": "replaced", "2-1.csv": "current", "1-1.csv": "current"}


def test_lea_imports_nothing_by_any_door():
    lea = signed_in(person("lea"))
    assert lea.get("/usage/imports/").status_code == 403
    assert send(lea).status_code == 403
    assert lea.post("/api/v1/usage-imports/", {"file": SimpleUploadedFile("a.csv", b"a")}).status_code == 403


def test_the_command_and_the_api_refuse_in_the_same_words(tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="is of no export that we read") as refused:
        call_command("load_usage_facts", str(path))
    assert refused.value.returncode == 2
    upload = SimpleUploadedFile("wrong.csv", path.read_bytes())
    answer = signed_in(person("ada")).post("/api/v1/usage-imports/", {"file": upload})
    assert answer.json()["detail"] == str(refused.value)
    path.write_text(TEXT)
    out = StringIO()
    call_command("load_usage_facts", str(path), "--json", stdout=out)
    assert json.loads(out.getvalue())[0]["rows_read"] == 1
