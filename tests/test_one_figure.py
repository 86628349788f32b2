"""A figure is one value at every door: page, CSV, workbook, PDF, mail, API and journal of a small fixed company."""

import csv
import io
import json
import re
from datetime import timedelta
from decimal import Decimal
from email import message_from_bytes, policy

import pytest
from django.utils import timezone
from openpyxl import load_workbook
from pypdf import PdfReader

from finops_site.lib.money import formatted
from finops_site.models import OutgoingEmail, Team
from tagging.chargeback import closing, emails
from tagging.models import Statement
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, company, drafts, split_support, usual

pytestmark = pytest.mark.django_db

CENT = Decimal("0.01")
# Cents that a careless sum would turn another way: 100.105 + 50.115 + 30.013 + 7.3 = 187.533.
COSTS = {"payments": "100.105", "data": "50.115", "support": "30.013", "nobody": "7.3"}
BILLED = Decimal("187.533")


@pytest.fixture
def march(people, tmp_path, monkeypatch):
    """March of Payments and Data, with support that they share and something that nobody owns; today is 5 April."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    split_support(company())
    bill(tmp_path, usual(**COSTS))
    return drafts()[MARCH]


@pytest.fixture
def closed(march, fay):
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    drafts()
    return march


def content(response):
    assert response.status_code == 200, response
    return b"".join(response.streaming_content) if response.streaming else response.content


def words(data):
    """The text of a page, a PDF or a file, with every run of white space as one blank."""
    if data.startswith(b"%PDF"):
        data = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages).encode()
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style).*?</\1>", " ", data.decode(), flags=re.DOTALL))
    return " ".join(text.replace("&nbsp;", " ").replace("\xa0", " ").split())


def rows(data):
    """The rows of a CSV or a workbook as dicts; notes at the end are left out."""
    if data.startswith(b"PK"):
        header, *cells = load_workbook(io.BytesIO(data)).worksheets[0].iter_rows(values_only=True)
    else:
        header, *cells = csv.reader(io.StringIO(data.decode()))
    return [dict(zip(header, row, strict=False)) for row in cells if len(row) == len(header)]


def total(data, column, **where):
    matching = [row for row in rows(data) if all(row[name] == value for name, value in where.items())]
    return sum((Decimal(str(row[column] or 0)) for row in matching), Decimal(0))


def states(text, amount):
    """Whether a text states an amount of dollars, and none that is a cent beside it."""
    beside = [formatted(other, "USD") for other in (amount - CENT, amount + CENT)]
    return formatted(amount, "USD") in text and not any(re.search(rf"(?<![\d,.]){other}\b", text) for other in beside)


@pytest.mark.parametrize("name", ["Payments", "Data"])
def test_what_a_team_is_charged_is_one_amount_at_every_door(closed, name, fay, client_of):
    browser, team = client_of(fay), Team.objects.get(name=name)
    own = f"/chargeback/{MARCH}/teams/{team.pk}/"
    charged = Statement.objects.get(team=team).document_total
    assert charged == charged.quantize(CENT)
    assert emails.post_statement_emails(NOW) == 2
    stored = OutgoingEmail.objects.get(subject__contains=f"Chargeback of {name}")
    letter = message_from_bytes(bytes(stored.content), policy=policy.default)
    (paper,) = letter.iter_attachments()
    for text in (
        words(content(browser.get(own))),
        words(content(browser.get(f"{own}statement.pdf"))),
        words(content(browser.get(f"/chargeback/{MARCH}/"))),
        letter.get_body(("plain",)).get_content(),
        words(paper.get_content()),
    ):
        assert states(text, charged), text
    (of_api,) = browser.get(f"/api/v1{own}").json()
    of_month = browser.get(f"/api/v1/chargeback/{MARCH}/").json()
    amounts = {
        "api": Decimal(of_api["total"]),
        "lines of the api": sum(Decimal(line["amount"]) for line in of_api["lines"]),
        "month of the api": next(Decimal(row["total"]) for row in of_month["statements"] if row["team"] == name),
        "csv": total(content(browser.get(f"{own}statement.csv")), "Amount"),
        "csv of the month": total(content(browser.get(f"/chargeback/{MARCH}/statements.csv")), "Amount", Team=name),
        "workbook": total(content(browser.get(f"/chargeback/{MARCH}/statements.xlsx")), "Amount", Team=name),
        "journal": total(journal(browser), "Debit", **{"Cost centre": team.cost_center}),
    }
    assert set(amounts.values()) == {charged}, amounts


def journal(browser):
    return content(browser.get(f"/chargeback/{MARCH}/journal.csv"))


def test_the_bill_of_a_month_is_the_sum_of_its_documents_at_every_door(closed, fay, client_of):
    browser = client_of(fay)
    (month,) = browser.get(f"/api/v1/chargeback/{MARCH}/").json()["totals"]
    parts = [Decimal(month[name]) for name in ("direct", "shared", "unallocated", "unowned", "rounding")]
    amounts = {
        "api": Decimal(month["bill"]),
        "parts": sum(parts),
        "csv": total(content(browser.get(f"/chargeback/{MARCH}/statements.csv")), "Amount"),
        "workbook": total(content(browser.get(f"/chargeback/{MARCH}/statements.xlsx")), "Amount"),
    }
    assert set(amounts.values()) == {BILLED.quantize(CENT)}, amounts
    assert states(words(content(browser.get(f"/chargeback/{MARCH}/"))), BILLED.quantize(CENT))
    debits, credits_ = (total(journal(browser), side) for side in ("Debit", "Credit"))
    assert debits == credits_


def test_what_was_spent_is_one_amount_at_every_door(march, fay, client_of):
    browser, days = client_of(fay), {"from": "2026-03-01", "to": "2026-03-31"}
    shown = BILLED.quantize(CENT)
    spend = browser.get("/api/v1/spend/", {**days, "group_by": "service"}).json()
    changes = browser.get("/api/v1/changes/", {**days, "group_by": "service"}).json()
    lines = content(browser.get("/api/v1/cost-lines/", {**days, "format": "csv"}))
    amounts = {
        "spend": Decimal(spend["totals"]["USD"]),
        "rows of spend": sum(Decimal(row["billed_cost"]) for row in spend["results"]),
        "csv of spend": total(
            content(browser.get("/api/v1/spend/", {**days, "group_by": "service", "format": "csv"})), "billed_cost"
        ),
        "changes": Decimal(changes["totals"][0]["difference"]),
        "cost lines": total(lines, "billed_cost"),
        "csv of the lines page": total(
            content(browser.get("/costs/lines/", {**days, "_export": "csv"})), "Billed cost"
        ),
    }
    assert set(amounts.values()) == {BILLED}, amounts
    pages = {
        "explorer": browser.get("/costs/", {**days, "group_by": "service"}),
        "lines": browser.get("/costs/lines/", days),
        "report": browser.get(f"/reports/{MARCH}/"),
        "report on paper": browser.get(f"/reports/{MARCH}/pdf/"),
        "report of the api": browser.get(f"/api/v1/reports/{MARCH}/"),
    }
    texts = {name: words(content(page)) for name, page in pages.items()}
    assert "187.533" in texts.pop("report of the api")
    assert [name for name, text in texts.items() if not states(text, shown)] == []


def test_a_figure_of_the_programme_is_one_value_in_the_report_and_in_the_api(march, fay, client_of, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW - timedelta(days=5))
    browser = client_of(fay)
    kpis = {row["label"]: row for row in browser.get("/api/v1/kpis/").json()}
    gates = {row["label"]: row for row in browser.get(f"/api/v1/reports/{MARCH}/").json()["gates"]}
    owned = kpis["Cost with an owner"]
    assert owned["unit"] == "%"
    paper = words(content(browser.get(f"/reports/{MARCH}/pdf/")))
    page = words(content(browser.get(f"/reports/{MARCH}/")))
    value = gates["Cost with an owner"]["value"]
    assert value in page
    assert value in paper
    assert Decimal(value.rstrip(" %")) == round(Decimal(owned["value"]), 1)


def test_csv_and_json_of_the_api_have_the_same_rows(march, fay, client_of):
    browser = client_of(fay)
    for address in ("cost-lines", "teams", "pools", "splits", "deliveries", "exchange-rates", "audit", "kpis"):
        answer = browser.get(f"/api/v1/{address}/").json()
        listed = answer["results"] if isinstance(answer, dict) else answer
        written = rows(content(browser.get(f"/api/v1/{address}/", {"format": "csv"})))
        assert [row.get("id") for row in written] == [
            None if row.get("id") is None else str(row["id"]) for row in listed
        ], address
    (line, *_) = rows(content(browser.get("/api/v1/cost-lines/", {"format": "csv"})))
    assert json.loads(line["tags"]) in ({}, {"Team": "Payments"}, {"Team": "Data"})
