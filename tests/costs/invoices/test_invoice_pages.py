"""Invoices as people meet them: pages, API, commands, and what is not theirs to see."""

import csv
import io
import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.invoices import records
from costs.models import Invoice
from finops_site.models import AuditEntry
from tests import bills
from tests.people import person, signed_in, token_of, waiting_for

pytestmark = pytest.mark.django_db
ACCOUNT, MARCH = "111122223333", date(2026, 3, 1)
LIST = "/costs/invoices/"
FORM = {"issuer": "AWS", "billing_account": ACCOUNT, "billing_month": "2026-03", "currency": "usd", "total": "15,00"}


@pytest.fixture
def march(tmp_path):
    """Fifteen dollars of one account, on the last day of March."""

    def bill(billed="15", **values):
        row = {"BilledCost": billed, "ChargePeriodStart": "2026-03-31T00:00:00Z", **values}
        (received,) = receive_bill(
            "northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv([row]))], is_accepted=True
        )
        return load_bill(received.delivery)

    bill()
    return bill


@pytest.fixture
def fay():
    return signed_in(person("fay"))


@pytest.fixture
def api():
    def client(name) -> Client:
        return Client(headers={"Authorization": f"Token {token_of(person(name))}"})

    return client


def record(total="15", invoice_id="", **values):
    row = {"billing_account": ACCOUNT, "billing_month": MARCH, "currency": "USD", **values}
    return Invoice.objects.create(total=Decimal(total), invoice_id=invoice_id, **row)


def rows_of(client, query=""):
    response = client.get(f"{LIST}?_export=csv{query}")
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def upload(client, text, **fields):
    return client.post(f"{LIST}upload/", {"file": SimpleUploadedFile("invoices.csv", text.encode()), **fields})


def test_fay_writes_an_invoice_down_explains_it_and_signs_it_off(fay, march):
    assert "No invoice is recorded yet" in fay.get(LIST).text
    response = fay.post(f"{LIST}add/", {**FORM, "total": "16.50"})
    invoice = Invoice.objects.get()
    assert response["Location"] == f"{LIST}{invoice.pk}/"
    assert (invoice.currency, invoice.total, invoice.received_by) == ("USD", Decimal("16.5"), person("fay"))
    page = fay.get(f"{LIST}{invoice.pk}/").text
    assert "+1.5 USD" in page
    assert "Differs" in page
    refused = fay.post(f"{LIST}{invoice.pk}/", {"verb": "sign_off", "explanation": ""}, follow=True)
    assert "explain the difference first" in refused.text
    fay.post(f"{LIST}{invoice.pk}/", {"verb": "explain", "explanation": "A fee of March comes in April."})
    assert "Explained" in fay.get(f"{LIST}{invoice.pk}/").text
    done = fay.post(f"{LIST}{invoice.pk}/", {"verb": "sign_off"}, follow=True).text
    assert "Signed off, with 15 USD in the books." in done
    entries = AuditEntry.objects.about(invoice)
    assert {entry.actor for entry in entries} == {person("fay")}
    assert any("signed_at" in entry.changes for entry in entries)


def test_a_signed_invoice_is_opened_again_before_it_is_edited_or_removed(fay, march):
    invoice = records.sign_off(record().pk, user=person("fay"))
    url = f"{LIST}{invoice.pk}/"
    assert "open it again before you edit it" in fay.get(f"{url}edit/", follow=True).text
    assert "open it again before you remove it" in fay.post(url, {"verb": "remove"}, follow=True).text
    assert "open it again first" in fay.post(url, {"verb": "explain", "explanation": "x"}, follow=True).text
    fay.post(url, {"verb": "reopen"})
    assert fay.get(f"{url}edit/").context["form"]["billing_month"].value() == "2026-03"
    fay.post(f"{url}edit/", {**FORM, "total": "15", "invoice_id": "A"})
    assert Invoice.objects.get().invoice_id == "A"
    fay.post(url, {"verb": "remove"})
    assert not Invoice.objects.exists()
    assert AuditEntry.objects.filter(action=AuditEntry.Action.DELETE, object_pk=str(invoice.pk)).exists()


def test_a_bill_that_changes_after_the_signature_is_shown_everywhere(fay, march, api):
    invoice = records.sign_off(record().pk, user=person("fay"))
    assert waiting_for(person("fay")) == []
    march("17")
    page = fay.get(f"{LIST}{invoice.pk}/").text
    assert "The books were 15 when it was signed off, and are 17." in page
    (row,) = rows_of(fay, "&state=changed")
    assert row["State"] == "Changed since signed off"
    assert waiting_for(person("fay")) == [f"An invoice differs from the bill: {invoice}"]
    comparison = api("fay").get("/api/v1/invoices/").json()["results"][0]["comparison"]
    assert (comparison["state"], comparison["books"], comparison["difference"]) == ("changed", "17", "-2")


def test_what_waits_for_fay_are_differences_without_an_explanation(march):
    record("16", "A")
    record("1", "B", billing_account="elsewhere")
    record("9", "C", billing_month=date(2026, 4, 1))
    assert waiting_for(person("fay")) == ["An invoice differs from the bill: A of Mar 2026"]
    assert waiting_for(person("max")) == []
    Invoice.objects.filter(invoice_id="A").update(explanation="known")
    assert waiting_for(person("fay")) == []


def test_the_list_filters_by_month_account_and_state_and_exports_every_digit(fay, march):
    record("15.000000000000000001", "", issuer="AWS")
    record("20", billing_account="elsewhere")
    rows = {row["Billing account"]: row for row in rows_of(fay)}
    assert rows[ACCOUNT]["Difference"] == "0.000000000000000001"
    assert (rows[ACCOUNT]["Books"], rows[ACCOUNT]["State"], rows[ACCOUNT]["Currency"]) == ("15", "Agrees", "USD")
    # Not delivered is empty, and never zero.
    assert (rows["elsewhere"]["Books"], rows["elsewhere"]["Difference"]) == ("", "")
    assert rows["elsewhere"]["State"] == "Bill not delivered"
    assert [row["Billing account"] for row in rows_of(fay, "&state=agrees")] == [ACCOUNT]
    assert [row["Billing account"] for row in rows_of(fay, "&account=elsewhere")] == ["elsewhere"]
    assert rows_of(fay, "&month=2026-04") == []
    assert "not delivered" in fay.get(LIST).text
    assert fay.get(f"{LIST}?_export=xlsx").status_code == 200


def test_cost_that_no_invoice_names_is_a_row_of_its_own(fay, march):
    record("3", billing_account="elsewhere")
    rows = {row["Billing account"]: row for row in rows_of(fay)}
    assert (rows[ACCOUNT]["State"], rows[ACCOUNT]["Books"], rows[ACCOUNT]["Invoice total"]) == ("No invoice", "15", "")
    Invoice.objects.all().delete()
    # A site that records no invoices is not reminded of each month, unless somebody asks.
    assert rows_of(fay) == []
    assert [row["State"] for row in rows_of(fay, "&state=not-invoiced")] == ["No invoice"]
    assert [row["State"] for row in rows_of(fay, "&month=2026-03")] == ["No invoice"]


def test_the_list_costs_the_same_queries_however_long_it_is(fay, march):
    record()
    fay.get(LIST)
    with CaptureQueriesContext(connection) as few:
        fay.get(LIST)
    for number in range(20):
        record("1", f"I-{number}")
    with CaptureQueriesContext(connection) as many:
        assert fay.get(LIST).status_code == 200
    assert len(many) <= len(few)


def test_an_amount_of_the_books_opens_the_lines_behind_it(fay, march):
    page = fay.get(f"{LIST}{record('16').pk}/")
    ((_, rows), *_) = page.context["breakdowns"]
    ((row, url),) = rows
    assert row.billed_cost == Decimal(15)
    lines = fay.get(url)
    assert [line.billed_cost for line in lines.context["table"].data.data] == [Decimal(15)]


def test_a_list_is_uploaded_whole_or_not_at_all(fay, march):
    head = "billing_account,billing_month,currency,total,invoice_id,Paid by"
    bad = upload(fay, f"{head}\n{ACCOUNT},2026-03,USD,15,A,card\n{ACCOUNT},March,USD,1,B,card\n").text
    assert "Nothing was saved: 1 problem." in bad
    assert "&#x27;March&#x27; is no month: write it like 2026-03." in bad
    assert not Invoice.objects.exists()
    good = f"{head}\n{ACCOUNT},2026-03,USD,15,A,card\n"
    fay.post(f"{LIST}upload/")
    page = fay.get(upload(fay, good)["Location"]).text
    assert "Invoices: 1 new, 0 changed, 0 as before. Nothing was read from: Paid by." in page
    assert upload(fay, good.replace(",15,", ",14,"))["Location"] == LIST
    assert Invoice.objects.get().total == Decimal(14)
    template = b"".join(fay.get(f"{LIST}template/").streaming_content).decode("utf-8-sig")
    assert template.startswith("issuer,billing_account,billing_month")


def test_a_file_of_decimal_commas_says_which_mark_it_has(fay):
    text = f"billing_account;billing_month;currency;total\n{ACCOUNT};2026-03;EUR;174,025\n"
    assert "choose the decimal mark" in upload(fay, text).text
    upload(fay, text, decimal_mark=",")
    assert Invoice.objects.get().total == Decimal("174.025")


def test_a_bad_form_names_what_is_wrong(fay):
    wrong = {**FORM, "currency": "dollars", "total": "much", "tolerance_amount": "-1", "billing_month": "x"}
    errors = fay.post(f"{LIST}add/", wrong).context["form"].errors
    assert set(errors) == {"currency", "total", "tolerance_amount", "billing_month"}
    fay.post(f"{LIST}add/", FORM)
    again = fay.post(f"{LIST}add/", FORM).context["form"]
    assert "has an invoice of this month, currency and id already" in str(again.errors)


def test_the_invoice_itself_is_kept_and_is_only_downloaded(fay):
    document = SimpleUploadedFile("march.html", b"<script>alert(1)</script>", content_type="text/html")
    fay.post(f"{LIST}add/", {**FORM, "document": document})
    response = fay.get(f"{LIST}{Invoice.objects.get().pk}/file/")
    assert response.content == b"<script>alert(1)</script>"
    assert response["Content-Disposition"] == 'attachment; filename="march.html"'
    assert response["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["eli", "lea", "ola"])
def test_invoices_are_not_for_those_who_see_their_own_teams(name, march, api):
    invoice, client = record(), signed_in(person(name))
    for url in (LIST, f"{LIST}{invoice.pk}/", f"{LIST}add/", f"{LIST}{invoice.pk}/edit/", f"{LIST}upload/"):
        assert client.get(url).status_code in (403, 404), url
    assert client.post(f"{LIST}{invoice.pk}/", {"verb": "sign_off"}).status_code == 403
    program = api(name)
    assert program.get("/api/v1/invoices/").status_code == 403
    assert program.post(f"/api/v1/invoices/{invoice.pk}/sign-off/").status_code == 403


@pytest.mark.parametrize("name", ["ada", "max"])
def test_an_administrator_and_an_executive_look_and_change_nothing(name, march, api):
    invoice, client = record("16"), signed_in(person(name))
    page = client.get(f"{LIST}{invoice.pk}/")
    assert page.status_code == 200
    assert "Sign off" not in page.text
    assert client.get(f"{LIST}add/").status_code == 403
    for verb in ("sign_off", "reopen", "explain", "remove"):
        assert client.post(f"{LIST}{invoice.pk}/", {"verb": verb, "explanation": "x"}).status_code == 403
    assert client.post(f"{LIST}{invoice.pk}/", {"verb": "other"}).status_code == 404
    program = api(name)
    assert program.get(f"/api/v1/invoices/{invoice.pk}/").status_code == 200
    assert program.post("/api/v1/invoices/", {}).status_code == 403


def test_a_program_records_an_invoice_and_signs_it_off(march, api):
    program = api("fay")
    stated = {"billing_account": ACCOUNT, "billing_month": "2026-03", "currency": "usd", "total": "15.04"}
    new = program.post("/api/v1/invoices/", stated, content_type="application/json")
    assert new.status_code == 201
    comparison = new.json()["comparison"]
    assert (comparison["books"], comparison["difference"], comparison["tolerance"]) == ("15", "0.04", "0.05")
    again = program.post("/api/v1/invoices/", {**stated, "total": "16"}, content_type="application/json")
    assert (again.status_code, again.json()["total"], again.json()["comparison"]["state"]) == (200, "16", "differs")
    sign = f"/api/v1/invoices/{again.json()['id']}/sign-off/"
    refused = program.post(sign, {}, content_type="application/json")
    assert (refused.status_code, "explain the difference" in refused.json()["detail"]) == (400, True)
    signed = program.post(sign, {"explanation": "known"}, content_type="application/json").json()
    assert (signed["signed_by"], signed["signed_books"]) == (person("fay").email, "15")
    changed = program.post("/api/v1/invoices/", {**stated, "total": "17"}, content_type="application/json")
    assert (changed.status_code, "open again before it changes" in str(changed.json())) == (400, True)
    reopened = program.post(sign.replace("sign-off", "reopen"), content_type="application/json").json()
    assert (reopened["signed_by"], reopened["comparison"]["state"]) == (None, "explained")
    bad = program.post("/api/v1/invoices/", {**stated, "billing_month": "x", "total": "y"})
    assert set(bad.json()) == {"billing_month", "total"}
    states = [row["comparison"]["state"] for row in program.get("/api/v1/invoices/?state=explained").json()["results"]]
    assert states == ["explained"]


def test_the_commands_load_and_compare(march, tmp_path, capsys):
    path = tmp_path / "invoices.csv"
    path.write_text(f"billing_account,billing_month,currency,total,invoice_id\n{ACCOUNT},2026-03,USD,15,A\n")
    call_command("load_invoices", str(path), "--json")
    assert json.loads(capsys.readouterr().out) == {"new": 1, "changed": 0, "same": 0, "ignored_columns": []}
    call_command("reconcile_invoices", "--month", "2026-03", "--json")
    figures = json.loads(capsys.readouterr().out)
    (invoice,) = figures["invoices"]
    assert (figures["unsettled"], invoice["state"], invoice["books"]) == (0, "agrees", "15")
    Invoice.objects.update(total=Decimal("16.25"))
    with pytest.raises(CommandError) as caught:
        call_command("reconcile_invoices", "--month", "2026-03")
    assert caught.value.returncode == 1
    assert "Differs: A, 111122223333: invoice 16.25, books 15, difference 1.25 USD." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "billing_account,billing_month,currency,total\na,2026-03,USD,x\n",
            "line 2, column total: 'x' is not",
        ),
        ("a,b\n1,2\n", "column billing_account: The header has no such column"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_refused_in_one_line(text, says, tmp_path):
    path = tmp_path / "invoices.csv"
    if text:
        path.write_text(text)
    with pytest.raises(CommandError, match=says) as caught:
        call_command("load_invoices", str(path))
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="There is no source named"):
        call_command("load_invoices", str(bills.write(tmp_path, "x.csv", b"a")), "--source", "nowhere")


def test_the_checklist_of_a_month_says_how_many_invoices_agree(fay, march):
    from tagging.chargeback import draft_statements

    draft_statements.refresh_stale_drafts()
    page = reverse("tagging:chargeback_month", args=["2026-03"])
    assert "Invoices" not in [item.label for item in fay.get(page).context["items"]]
    record("15", "A")
    record("9", "B", billing_account="elsewhere")
    (item,) = [item for item in fay.get(page).context["items"] if item.label == "Invoices"]
    assert item.text == "1 of 2 invoices agree with the bills or are explained; the bill of 1 is not delivered."
    assert (item.state, item.url) == ("warn", f"{LIST}?month=2026-03")
