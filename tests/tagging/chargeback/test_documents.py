"""A statement is rounded once and frozen when it is closed; a running month is compared with the same days."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module

import pytest
import time_machine
from django.apps import apps
from django.core import mail
from django.urls import reverse
from django.utils.html import strip_tags

from budgets.models import Budget, BudgetPeriod
from budgets.planning import budget_changes
from costs import reconciliation
from finops_site.lib.money import exact_sum, rounded
from finops_site.mail import outbox
from finops_site.models import Team, User
from tagging.chargeback import closing, emails, month_figures, statement_figures, statement_pdf
from tagging.chargeback.closing_checklist import closing_checklist
from tagging.models import ChargebackPeriod, MonthTotal, Split, Statement, StatementLine, TagRequirement
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, charge, company, drafts, split_support, usual

pytestmark = pytest.mark.django_db


@pytest.fixture
def payments(people):
    split_support(company())
    return Team.objects.get(name="Payments")


def address(name, *args, month=MARCH):
    return reverse(f"tagging:{name}", args=[month, *args])


def text_of(page):
    main = re.search(r"<main.*?</main>", page.content.decode(), re.DOTALL).group()
    return " ".join(strip_tags(main).split())


def read(answer):
    return b"".join(answer.streaming_content)


def test_a_closed_statement_is_the_same_for_everybody_whatever_becomes_of_all_around_it(
    payments, fay, lea, tmp_path, client_of
):
    budget = Budget(name="Payments 2026", team=payments, start=date(2026, 3, 1), currency="USD")
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    budget_changes.create_budget(budget, {march.month.period: Decimal(200)}, by=fay, why="for the test")
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)

    def seen_by(person):
        client, api = client_of(person), f"/api/v1/chargeback/{MARCH}/teams/{payments.pk}/"
        return (
            text_of(client.get(address("statement", payments.pk))),
            client.get(address("statement_pdf", payments.pk)).content,
            read(client.get(address("statement_csv", payments.pk))),
            client.get(api).json(),
        )

    before = seen_by(lea)
    assert "Budget Payments 2026" in before[0]
    assert "50% of it" in before[0]

    BudgetPeriod.objects.filter(budget=budget).update(amount=50)
    Budget.objects.filter(pk=budget.pk).update(name="Another")
    bill(tmp_path, usual(payments="900"), name="newer.csv")
    Team.objects.filter(pk=payments.pk).update(name="Renamed", cost_center="CC-9")
    User.objects.filter(pk=fay.pk).update(name="Faye Other")
    TagRequirement.objects.update(is_required=False)
    drafts()
    assert seen_by(lea) == before
    assert seen_by(User.objects.get(pk=fay.pk))[1:] == before[1:]
    attached = statement_pdf.statement_attachment(Statement.objects.get(period=march, team=payments))
    assert attached == ("statement-2026-03-payments.pdf", before[1], "application/pdf")


def test_a_statement_that_was_closed_before_figures_were_kept_gets_them_once(payments, fay, tmp_path):
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    Statement.objects.update(figures=None)
    statement_figures.freeze_missing()
    stored = Statement.objects.get(team=payments).figures
    assert stored["change"]["after"] == "120.110000000000000000"
    bill(tmp_path, usual(payments="900"), name="newer.csv")
    statement_figures.freeze_missing()
    assert Statement.objects.get(team=payments).figures == stored


def test_all_amounts_of_a_month_are_one_rounded_set(payments, fay, tmp_path):
    """Halves of cents: rounded each by itself they made 30.00 of 30.02."""
    bill(tmp_path, usual(payments="10.005", data="10.005", support="0.01", nobody="10.005"))
    march = drafts()[MARCH]
    total = march.totals.get()
    assert total.document_bill == rounded(total.bill, "USD") == Decimal("30.02")
    documents = [statement.document_total for statement in march.statements.all()]
    assert exact_sum([*documents, total.document_unowned]) == Decimal("30.02")
    assert total.document_rounding == 0
    lines = StatementLine.objects.filter(statement__period=march).values_list("document_amount", flat=True)
    assert exact_sum(lines) == exact_sum(documents)
    assert [check for check in reconciliation.reconcile() if not check.holds] == []
    MonthTotal.objects.update(document_bill=1)
    assert len([check for check in reconciliation.reconcile() if not check.holds]) == 1


def test_the_files_of_a_month_have_all_places_of_its_cents(payments, fay, tmp_path, client_of):
    bill(tmp_path, usual(payments="100.1"))
    drafts()
    rows = [line.split(",") for line in read(client_of(fay).get(address("statements_csv"))).decode().splitlines()]
    amount = rows[0].index("Amount")
    rows = [row for row in rows if len(row) > 1]
    assert {len(row[amount].partition(".")[2]) for row in rows[1:]} == {2}
    assert sum(Decimal(row[amount]) for row in rows[1:]) == Decimal("187.10")
    assert sum(Decimal(row[rows[0].index("Exact amount")]) for row in rows[1:]) == Decimal("187.100000000000000001")


def test_months_from_before_get_the_amounts_of_their_documents(payments, fay, tmp_path):
    """As their PDF showed them: every total by itself, its lines so that they make it, and the rest as rounding."""
    bill(tmp_path, usual(payments="10.005", data="10.005", support="0.01", nobody="10.005"))
    march = drafts()[MARCH]
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    Statement.objects.update(document_total=0, document_direct=0)
    StatementLine.objects.update(document_amount=0)
    import_module("tagging.migrations.0035_amounts_of_documents").fill(apps, None)
    for statement in march.statements.all():
        assert statement.document_total == rounded(statement.total, "USD")
        assert exact_sum(line.document_amount for line in statement.lines.all()) == statement.document_total
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def test_a_running_month_is_compared_with_the_same_days_of_the_month_before(payments, lea, fay, tmp_path, client_of):
    late = charge("50", "Payments", day="20")
    bill(tmp_path, [*usual(payments="100", support="30"), late, *usual("2026-04", payments="120", support="30")])
    with time_machine.travel(datetime(2026, 4, 10, 12, tzinfo=UTC), tick=False):
        drafts()
        page = client_of(lea).get(address("statement", payments.pk, month="2026-04"))
        change = page.context["shown"][0].change
        # Of March the 100 of the 5th and the share of the support of the 1st, not the 50 of the 20th. Her own cost ends
        # on the 5th, the bill on the 7th.
        assert (change.against, change.before) == ("against 1 to 7 Mar 2026", Decimal("122.50"))
        assert change.after == Decimal("141.18")
        assert exact_sum(reason["amount"] for reason in change.reasons) == change.amount
        month = client_of(fay).get(address("chargeback_month", month="2026-04"))
        row = next(row for row in month.context["table"].data if row["team"] == "Payments")
        assert (row["before"], row["change"]) == (change.before, change.amount)
        assert "Against 1 to 7 Mar 2026" in text_of(month)
        assert "against 1 to 7 Mar 2026" in text_of(client_of(lea).get("/"))
    with time_machine.travel(datetime(2026, 5, 2, 12, tzinfo=UTC), tick=False):
        drafts()
        page = client_of(lea).get(address("statement", payments.pk))
        assert page.context["shown"][0].change.against == "against last month"


def test_cost_that_stopped_is_compared_by_the_days_of_the_bill_whoever_reads(payments, lea, fay, tmp_path, client_of):
    february = [charge("10", "Payments", month="2026-02", day=day) for day in ("05", "25")]
    bill(tmp_path, [*february, charge("10", "Data", month="2026-02", day="28")])
    bill(tmp_path, [charge("10", "Payments"), charge("10", "Data", day="31")])
    with time_machine.travel(NOW, tick=False):
        drafts()
        for reader, filters in ((fay, {"team": payments.pk}), (lea, {})):
            answer = client_of(reader).get("/api/v1/changes/", {"from": MARCH, "to": MARCH, **filters}).json()
            assert (answer["to"], answer["known"]["until"]) == ("2026-03-31", "2026-03-31")
            assert [Decimal(answer["totals"][0][side]) for side in ("before", "after")] == [20, 10]
            change = client_of(reader).get(address("statement", payments.pk)).context["shown"][0].change
            assert (change.before, change.after, change.against) == (20, 10, "against last month")
            month = client_of(reader).get(address("chargeback_month"))
            (row,) = (row for row in month.context["table"].data if row["team"] == "Payments")
            assert row["change"] == -10
            assert "March 2026, the first" not in text_of(client_of(reader).get(f"/costs/teams/{payments.pk}/"))


def test_days_that_one_bill_has_not_brought_are_compared_with_nothing(payments, lea, fay, tmp_path, client_of):
    def days(month, texts, **more):
        return [charge("10", "Payments", month=month, day=day, **more) for day in texts.split()]

    azure = {"ProviderName": "Azure", "BillingAccountId": "ea-1", "SubAccountId": "sub-1", "ResourceId": "vm"}
    bill(tmp_path, days("2026-02", "05 20 28"))
    bill(tmp_path, days(MARCH, "05 20 27"))
    bill(tmp_path, days("2026-02", "05 10 28", **azure), source="azure")
    bill(tmp_path, days(MARCH, "05 10", **azure), source="azure")
    with time_machine.travel("2026-03-28T12:00:00Z", tick=False):
        drafts()
        for reader in (fay, lea):
            browser = client_of(reader)
            answer = browser.get("/api/v1/changes/?group_by=provider").json()
            assert (answer["to"], answer["against_to"]) == ("2026-03-10", "2026-02-10")
            assert {Decimal(row["difference"]) for row in [*answer["results"], *answer["totals"]]} == {0}
            change = browser.get(address("statement", payments.pk)).context["shown"][0].change
            assert (change.before, change.after, change.reasons) == (30, 30, [])
            assert change.against == "of the first 10 days, against 1 to 10 Feb 2026"
            month = browser.get(address("chargeback_month"))
            row = next(row for row in month.context["table"].data if row["team"] == "Payments")
            assert (row["total"], row["before"], row["change"]) == (50, 30, 0)
            assert "Of the first 10 days, against 1 to 10 Feb 2026" in text_of(month)
            assert "March 2026, the first 10 days" in text_of(browser.get("/"))


def test_home_says_how_its_figures_join_and_each_opens(payments, lea, fay, tmp_path, client_of):
    bill(tmp_path, usual())
    drafts()
    own = text_of(client_of(lea).get("/"))
    assert "Mar 2026, by billing month: direct 100.10 USD + shared 20.01 USD = statement 120.11 USD" in own
    page = client_of(lea).get("/").content.decode()
    assert f"own_team={payments.pk}" in page
    joined = "direct 150.10 USD + shared 30.00 USD + unowned 7.00 USD = bill 187.10 USD"
    assert joined in text_of(client_of(fay).get("/"))
    Split.objects.all().delete()
    march = drafts()[MARCH]
    parts = "shared 0.00 USD + in pools nobody can take 30.00 USD + unowned 7.00 USD ="
    home = client_of(fay).get("/")
    assert parts in text_of(home)
    assert "in pools nobody can take <a" not in home.content.decode()
    items = {item.label: (item.text, bool(item.url)) for item in closing_checklist(march, NOW)}
    assert items["In pools, USD"] == ("16.0% of the bill in USD is in pools nobody can take.", False)
    assert items["Unowned, USD"] == ("3.7% of the bill in USD is unowned.", True)


def test_a_closed_months_page_is_its_frozen_statements_whatever_becomes_of_teams_and_last_month(
    payments, fay, tmp_path, client_of
):
    data = Team.objects.get(name="Data")
    Team.objects.filter(pk=data.pk).update(parent=payments)
    bill(tmp_path, usual())
    bill(tmp_path, usual("2026-02", payments="70"), name="february.csv")
    for month in ("2026-02", MARCH):
        period = drafts()[month]
        closing.close_month(period, fay, seen=period.fingerprint, now=NOW)
    page = text_of(client_of(fay).get(address("chargeback_month")))
    assert "With teams below" in page
    Team.objects.filter(pk=data.pk).update(parent=None)
    Statement.objects.filter(period__billing_month="2026-02-01").update(document_total=1)
    assert text_of(client_of(fay).get(address("chargeback_month"))) == page


def test_spread_discounts_are_a_part_of_their_own_at_every_door(payments, fay, lea, tmp_path, client_of):
    used = {"CommitmentDiscountStatus": "Used", "CommitmentDiscountId": "ri-1", "EffectiveCost": "40"}
    bill(tmp_path, [charge("100", "Payments", **used), charge("100", "Data")])
    drafts()
    ChargebackPeriod.objects.update(basis="effective_cost", discounts="spread")
    march = drafts()[MARCH]
    direct = "direct 40.00 USD + shared 0.00 USD + spread discounts 30.00 USD = statement 70.00 USD"
    assert direct in text_of(client_of(lea).get("/"))
    (row,) = month_figures.months_of_teams(lea)
    assert (row["shared"], row["spread"], row["booked"]) == (0, 30, 0)
    for url in (reverse("tagging:chargeback"), address("chargeback_month")):
        assert "Spread discounts" in text_of(client_of(lea).get(url))
    statement = client_of(lea).get(address("statement", payments.pk)).context["shown"][0]
    assert [(group["title"], group["total"]) for group in statement.groups] == [
        ("Direct", 40),
        ("Spread discounts", 30),
    ]
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    emails.post_statement_emails(NOW)
    outbox.send_queued_emails(NOW)
    message = next(sent for sent in mail.outbox if sent.to == [lea.email])
    assert "spread discounts 30.00 USD, corrections and adjustments 0.00 USD" in message.body


def test_a_month_that_is_set_aside_is_no_draft_on_its_statement(payments, fay, tmp_path, client_of, monkeypatch):
    bill(tmp_path, usual())
    closing.set_aside(drafts()[MARCH], fay, NOW)
    assert "Set aside: nobody is charged" in text_of(client_of(fay).get(address("statement", payments.pk)))
    monkeypatch.setattr(statement_pdf.typst_documents, "render_pdf", lambda name, data: data["subtitle"])
    statements = list(Statement.objects.filter(team=payments).select_related("period", "team"))
    subtitle = statement_pdf.render_statements(statements, fay, NOW.date())
    assert "Set aside: nobody is charged for it" in subtitle
    assert "Draft" not in subtitle


def test_figures_that_are_frozen_late_show_budgets_although_who_closed_has_left(payments, fay, ada, tmp_path):
    budget = Budget(name="Payments 2026", team=payments, start=date(2026, 3, 1), currency="USD")
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    budget_changes.create_budget(budget, {march.month.period: Decimal(200)}, by=fay, why="for the test")
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    Statement.objects.update(figures=None)
    flo = User.objects.create_user("flo@demo.example", "pw", name="Flo Berg")
    flo.groups.set(fay.groups.all())
    fay.groups.clear()
    statement_figures.freeze_missing()
    budgets = Statement.objects.get(team=payments).figures["budgets"]
    assert [row["name"] for row in budgets] == ["Payments 2026"]


def test_a_renamed_team_keeps_its_name_on_closed_statements(payments, fay, lea, tmp_path, client_of):
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    Team.objects.filter(pk=payments.pk).update(name="Checkout")
    assert "Payments, Mar 2026" in text_of(client_of(lea).get("/"))
    answer = client_of(lea).get(address("statement_csv", payments.pk))
    assert "statement-2026-03-payments.csv" in answer["Content-Disposition"]
