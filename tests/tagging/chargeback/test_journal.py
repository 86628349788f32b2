"""The journal: documents that balance and are the statements, on the accounts of finance, as two ledgers read them."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from costs.models import Pool
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.calc import journal
from tagging.calc.journal import CannotBook, ChargeAccounts, JournalDocument
from tagging.calc.journal_layouts import DYNAMICS, LAYOUTS, NETSUITE, PLAIN, LayoutSettings, check_dynamics_account
from tagging.calc.rounded_sets import rounded_set
from tagging.chargeback import closing, exports
from tagging.models import ChargebackPeriod, JournalAccount, Statement, StatementLine
from tests.shared_fixtures import shared
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, charge, company, drafts, split_support, usual

DAY = date(2026, 3, 31)
ACCOUNTS = ChargeAccounts("6100", "6150", {"Amazon EC2": "6110"})
SETTINGS = LayoutSettings("2026-03", "2026-03", "GenJrn", "{account}--{cost_center}")


def document(amount, lines, team="Payments", center="CC 1", currency="USD", number="2026-03-0001"):
    parts = [(name, Decimal(value), Decimal(tax)) for name, value, tax in lines]
    accounts = journal.account_amounts(parts, ACCOUNTS, currency)
    return JournalDocument(number, DAY, team, center, Decimal(amount), currency, accounts)


def entries_of(*documents):
    return journal.journal_entries(documents, credited="2990", rounding="6990")


def test_services_and_tax_have_their_own_accounts_and_rounding_a_line_of_its_own():
    lines = [("Amazon EC2", "10.00", "0"), ("Amazon S3", "5.50", "1.004"), ("Support", "-1.00", "0")]
    entries = entries_of(document("14.49", lines))
    assert [(entry.account, entry.cost_center, entry.debit, entry.credit) for entry in entries] == [
        ("6110", "CC 1", Decimal("10.00"), 0),
        ("6100", "CC 1", Decimal("3.50"), 0),
        ("6150", "CC 1", Decimal("1.00"), 0),
        ("6990", "CC 1", 0, Decimal("0.01")),
        ("2990", "", 0, Decimal("14.49")),
    ]


def test_a_team_that_is_given_back_more_than_it_used_is_credited():
    entries = entries_of(document("-40.05", [("Amazon EC2", "-40.05", "0")]))
    assert [(entry.account, entry.debit, entry.credit) for entry in entries] == [
        ("6110", 0, Decimal("40.05")),
        ("2990", Decimal("40.05"), 0),
    ]


def test_a_missing_cost_centre_is_refused_by_the_name_of_the_team():
    with pytest.raises(CannotBook, match="No cost centre: Data, Web"):
        entries_of(
            document("1", [("a", "1", "0")]),
            document("1", [("a", "1", "0")], "Web", ""),
            document("1", [("a", "1", "0")], "Data", " "),
            # What is charged nothing needs none.
            document("0", [], "Idle", ""),
        )


AMOUNT = st.decimals(min_value=-(10**6), max_value=10**6, places=18, allow_nan=False, allow_infinity=False)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(AMOUNT, AMOUNT), min_size=1, max_size=6),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.sampled_from([0, 1, -2]),
)
def test_every_document_balances_and_is_the_amount_of_its_statement(amounts, currency, cents):
    parts = rounded_set([amount for amount, _ in amounts], currency)
    lines = [(f"s{place}", part, tax) for place, (part, (_, tax)) in enumerate(zip(parts, amounts, strict=True))]
    unit = Decimal(1).scaleb(-{"USD": 2, "JPY": 0, "KWD": 3}[currency])
    total = sum(parts) + cents * unit
    entries = entries_of(document(total, lines, currency=currency))
    assert sum(entry.debit for entry in entries) == sum(entry.credit for entry in entries)
    assert sum(entry.debit - entry.credit for entry in entries if entry.account != "2990") == total


def test_amounts_have_the_decimals_of_their_currency_always():
    assert journal.amount_text(Decimal("15279.2"), "USD") == "15279.20"
    assert journal.amount_text(Decimal("15279"), "JPY") == "15279"
    assert journal.amount_text(Decimal("1.5"), "KWD") == "1.500"


def test_dynamics_reads_a_voucher_for_each_document():
    rows = list(LAYOUTS["dynamics"].rows(entries_of(document("10", [("Amazon EC2", "10", "0")])), SETTINGS))
    assert rows[0] == DYNAMICS
    first, second = (dict(zip(DYNAMICS, row, strict=True)) for row in rows[1:])
    assert (first["VOUCHER"], first["TRANSDATE"], first["JOURNALNAME"]) == ("2026-03-0001", DAY, "GenJrn")
    assert (first["ACCOUNTDISPLAYVALUE"], first["DEBITAMOUNT"], first["CREDITAMOUNT"]) == (
        "6110--CC 1",
        "10.00",
        "0.00",
    )
    assert (second["LINENUMBER"], second["ACCOUNTDISPLAYVALUE"], second["CREDITAMOUNT"]) == (2, "2990--", "10.00")


def test_a_code_that_holds_the_delimiter_of_dynamics_is_refused():
    entries = entries_of(document("10", [("a", "10", "0")], center="CC-1"))
    with pytest.raises(CannotBook, match="CC-1 holds '-'"):
        list(LAYOUTS["dynamics"].rows(entries, SETTINGS))
    for pattern in (
        "{account}",
        "{account}{cost_center}",
        "{account} {cost_center}",
        "{account}{account}-{cost_center}",
        "{account}-X-{cost_center}",
    ):
        with pytest.raises(CannotBook, match="once each"):
            check_dynamics_account(pattern)


def test_netsuite_reads_an_entry_for_each_document_and_no_third_decimal():
    rows = list(LAYOUTS["netsuite"].rows(entries_of(document("10", [("Amazon EC2", "10", "0")])), SETTINGS))
    first, second = (dict(zip(NETSUITE, row, strict=True)) for row in rows[1:])
    assert (first["External ID"], first["Debit"], first["Credit"], first["Department"]) == (
        "2026-03-0001",
        "10.00",
        "",
        "CC 1",
    )
    assert (second["Account"], second["Credit"]) == ("2990", "10.00")
    with pytest.raises(CannotBook, match="two decimals"):
        list(LAYOUTS["netsuite"].rows(entries_of(document("1", [("a", "1", "0")], currency="KWD")), SETTINGS))


@shared
def march(people, tmp_path):
    """March as a draft with tax: of Payments' own, and in the pool Support."""
    split_support(company())
    tax = {"ChargeCategory": "Tax"}
    rows = [*usual(), charge("8.40", "Payments", **tax), charge("6", "", "AWS Support", day="02", **tax)]
    bill(tmp_path, rows)
    JournalAccount.objects.create(tax="6150", unowned_center="CC 9", services={"Amazon EC2": "6110", "Support": "6120"})
    return drafts()[MARCH]


def read(response):
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def debits(rows, **where):
    chosen = [row for row in rows if all(row[name] == value for name, value in where.items())]
    return sum(Decimal(row["Debit"] or 0) - Decimal(row["Credit"] or 0) for row in chosen)


@pytest.mark.django_db
def test_the_journal_of_a_closed_month_is_its_statements_with_their_tax(march, fay, client_of):
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    browser = client_of(fay)
    rows = read(browser.get(reverse("tagging:journal_csv", args=[MARCH]), {"posted": "2026-04-02"}))
    assert {row["Posting date"] for row in rows} == {"2026-04-02"}
    for statement in Statement.objects.all():
        of_center = [row for row in rows if row["Document"] == statement.number]
        assert debits(of_center) == 0
        assert debits([row for row in of_center if row["Account"] != "2990"]) == statement.document_total
        assert all("." in (row["Debit"] or row["Credit"]) for row in of_center)
    payments = Statement.objects.get(team__name="Payments")
    shared = StatementLine.objects.get(statement=payments, kind="shared")
    taxed = StatementLine.objects.get(statement=payments, key="direct:Amazon EC2")
    assert taxed.tax == Decimal("8.40")
    assert debits(rows, Document=payments.number, Account="6110") == Decimal("100.10")
    assert debits(rows, Document=payments.number, Account="6150") == Decimal("8.40") + round(shared.tax, 2)
    assert sum(StatementLine.objects.filter(kind="shared").values_list("tax", flat=True)) == 6
    assert debits(rows, **{"Cost centre": "CC 9"}) == 7
    total = march.totals.get().document_bill
    assert debits([row for row in rows if row["Account"] != "2990"]) == total


@pytest.mark.django_db
def test_a_month_that_is_not_closed_is_accrued_and_reversed(march, fay, client_of):
    page = client_of(fay).get(reverse("tagging:journal", args=[MARCH])).content.decode()
    assert "Accruals of March 2026" in page
    assert "reversed on" in page
    rows = read(client_of(fay).get(reverse("tagging:journal_csv", args=[MARCH])))
    by_day = {day: [row for row in rows if row["Posting date"] == day] for day in ("2026-03-31", "2026-04-01")}
    assert len(by_day["2026-03-31"]) == len(by_day["2026-04-01"]) == len(rows) / 2
    accrued = debits(by_day["2026-03-31"], Account="2980")
    assert accrued == -march.totals.get().document_bill
    assert debits(by_day["2026-04-01"], Account="2980") == -accrued
    assert debits(rows) == 0


@pytest.mark.django_db
def test_what_the_journal_cannot_be_is_said(march, fay, client_of):
    browser, url = client_of(fay), reverse("tagging:journal_csv", args=[MARCH])
    for query, says in (
        ({"posted": "31.3."}, "The posting date is a day"),
        ({"posted": "9999-12-31"}, "The posting date is until 31 Dec 9998"),
        ({"layout": "sap"}, "Select a valid choice"),
        ({"layout": "dynamics"}, "holds"),
    ):
        assert says in browser.get(url, query, follow=True).content.decode()
    JournalAccount.objects.update(dynamics_account="{account}|{cost_center}")
    assert "6110|CC-1001" in {row["ACCOUNTDISPLAYVALUE"] for row in read(browser.get(url, {"layout": "dynamics"}))}
    Team.objects.filter(name="Data").update(cost_center="")
    Statement.objects.update(cost_center="")
    with pytest.raises(CannotBook, match="No cost centre: Data"):
        exports.make_journal(march)


@pytest.mark.django_db
def test_finance_gives_services_their_accounts(march, fay, client_of):
    browser, url = client_of(fay), reverse("tagging:journal_accounts")
    form = browser.get(url).context["form"]
    fields = {field.name: field.value() or "" for field in form}
    assert fields["services"] == "Amazon EC2 = 6110\nSupport = 6120"
    refused = browser.post(url, {**fields, "services": "Amazon EC2"}).content.decode()
    assert "Line 1: write a service and its account" in refused
    answer = browser.post(url, {**fields, "services": "Amazon EC2 = 1\nAmazn S3 = 2"}, follow=True).content.decode()
    assert "No bill names Amazn S3 yet" in answer
    assert JournalAccount.objects.get().services == {"Amazon EC2": "1", "Amazn S3": "2"}


@pytest.mark.django_db
def test_renaming_a_pool_changes_nothing_of_a_closed_month(march, fay, client_of):
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    team = Team.objects.get(name="Payments")

    def documents():
        lines = client_of(fay).get(f"/api/v1/chargeback/{MARCH}/teams/{team.pk}/").json()[0]["lines"]
        return exports.make_journal(march).entries, [line["pool"] for line in lines]

    before = documents()
    assert "Support" in before[1]
    Pool.objects.update(name="Help desk")
    assert documents() == before


@pytest.mark.django_db
def test_the_api_has_the_journal_of_the_page_in_every_layout(march, fay, lea, client_of):
    client, url = client_of(fay), f"/api/v1/chargeback/{MARCH}/journal/"
    JournalAccount.objects.update(dynamics_account="{account}|{cost_center}")
    layouts = client.get("/api/v1/journal-layouts/").json()
    columns = {one["name"]: tuple(one["columns"]) for one in layouts}
    assert columns == {"plain": PLAIN, "dynamics": DYNAMICS, "netsuite": NETSUITE}
    for layout in LAYOUTS:
        question = {"layout": layout, "posted": "2026-04-02"}
        file = b"".join(client.get(url, {**question, "format": "csv"}).streaming_content)
        page = client.get(reverse("tagging:journal_csv", args=[MARCH]), question)
        assert file == b"".join(page.streaming_content)
        answer = client.get(url, question).json()
        rows = list(csv.DictReader(io.StringIO(file.decode())))
        assert [{name: str(cell) for name, cell in row.items()} for row in answer["results"]] == rows
    assert (answer["state"], answer["posted"], answer["reversed_on"]) == ("draft", "2026-04-02", "2026-04-03")
    assert all(one["debit"] == one["credit"] for one in answer["sums"])
    for query, name in (({"layout": "sap"}, "layout"), ({"posted": "31.3."}, "posted"), ({"colour": "1"}, "detail")):
        assert name in client.get(url, query).json()
    Team.objects.update(cost_center="")
    Statement.objects.update(cost_center="")
    assert "No cost centre: Data" in client.get(url).json()["detail"]
    assert client_of(lea).get(url).status_code == 403


@pytest.mark.django_db
def test_the_api_sets_months_aside_and_takes_them_back(people, client_of):
    for month in (Month(2025, 12), Month(2026, 1), Month(2026, 2)):
        ChargebackPeriod.objects.create(billing_month=month.start)
    client, lea = client_of(people["fay"]), client_of(people["lea"])
    assert lea.post("/api/v1/chargeback/2026-01/aside/").status_code == 403
    aside = client.post("/api/v1/chargeback/2026-01/aside/", {"and_before": True}, content_type="application/json")
    assert [(month["month"], month["state"]) for month in aside.json()] == [("2026-01", "aside"), ("2025-12", "aside")]
    again = client.post("/api/v1/chargeback/2026-01/aside/")
    assert (again.status_code, again.json()["detail"]) == (400, "Jan 2026 is no draft any more: nothing was set aside.")
    assert "set aside" in client.get("/api/v1/chargeback/2026-01/journal/").json()["detail"]
    assert client.post("/api/v1/chargeback/2026-01/take-back/").json()["state"] == "draft"
    assert "not set aside" in client.post("/api/v1/chargeback/2026-01/take-back/").json()["detail"]
    assert client.post("/api/v1/chargeback/1999-01/aside/").status_code == 404
    ChargebackPeriod.objects.filter(billing_month="2025-12-01").update(state="closed", closed_at=NOW)
    assert "Dec 2025 is closed" in client.post("/api/v1/chargeback/2026-02/aside/").json()["detail"]
