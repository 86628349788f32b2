"""Finance closes a month and exports it; a lead reads her statement and disputes a line."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from budgets.models import Budget
from budgets.planning import budget_changes
from costs import reconciliation
from finops_site.mail import outbox
from finops_site.models import AuditEntry, OutgoingEmail, Team
from tagging.chargeback import closing, disputes, emails
from tagging.chargeback.web.forms import PeriodForm
from tagging.models import (
    Adjustment,
    ChargebackPeriod,
    Dispute,
    Split,
    Statement,
    StatementLine,
    TagRequirement,
)
from tests.people import waiting_for
from tests.shared_fixtures import shared
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, company, drafts, split_support, totals, usual

pytestmark = pytest.mark.django_db


@shared
def march(people, tmp_path):
    """March as a draft: Payments, Data, Support split by direct cost, 7 USD that nobody owns."""
    split_support(company())
    bill(tmp_path, usual())
    return drafts()[MARCH]


@shared
def closed(march, fay):
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    drafts()
    return march


def read(response):
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def month_url(name="chargeback_month", *args):
    return reverse(f"tagging:{name}", args=[MARCH, *args])


def test_the_month_shows_the_bill_as_an_equation_and_finance_closes_it(march, fay, client_of):
    browser = client_of(fay)
    page = browser.get(month_url()).content.decode()
    for words in ("In pools nobody can take", "187.10", "7.00", "Close the month", "Draft"):
        assert words in page
    answer = browser.post(month_url("chargeback_close"), {"seen": march.fingerprint}, follow=True)
    assert "2 statements are numbered" in answer.content.decode()
    march.refresh_from_db()
    assert march.is_closed
    again = browser.post(month_url("chargeback_close"), {"seen": march.fingerprint}, follow=True).content.decode()
    assert "was closed by Fay" in again
    entry = AuditEntry.objects.about(march).filter(changes__state__1="closed").get()
    assert entry.changes["state"] == ["draft", "closed"]


def test_a_month_that_moved_is_not_closed_and_says_so(march, fay, client_of):
    answer = client_of(fay).post(month_url("chargeback_close"), {"seen": "of yesterday"}, follow=True)
    assert "Look at it again" in answer.content.decode()
    assert not ChargebackPeriod.objects.get(pk=march.pk).is_closed


@pytest.mark.parametrize("who", ["ada", "max", "lea"])
def test_only_finance_closes(march, who, people, client_of):
    assert client_of(people[who]).post(month_url("chargeback_close"), {"seen": march.fingerprint}).status_code == 403


def test_the_basis_is_fixed_when_the_month_is_closed(closed, fay, client_of):
    fields = {"basis": "effective_cost", "discounts": "used"}
    answer = client_of(fay).post(month_url("chargeback_basis"), fields, follow=True).content.decode()
    assert "its basis stays what it was" in answer
    assert ChargebackPeriod.objects.get(pk=closed.pk).basis == "billed_cost"


def test_a_month_that_is_closed_while_its_settings_are_saved_stays_closed(march, fay, client_of, monkeypatch):
    def close_first(form):
        period = ChargebackPeriod.objects.get(pk=march.pk)
        if period.is_draft:
            closing.close_month(period, fay, seen=period.fingerprint, now=NOW)

    monkeypatch.setattr(PeriodForm, "clean", close_first)
    url = reverse("tagging:chargeback_basis", args=[MARCH])
    answer = client_of(fay).post(url, {"basis": "effective_cost", "discounts": "used"}, follow=True)
    assert "March 2026 is closed: its basis stays what it was" in answer.content.decode()
    march.refresh_from_db()
    assert (march.state, march.basis, march.closed_by) == ("closed", "billed_cost", fay)


def test_a_lead_sees_her_teams_statement_and_what_changed_and_nobody_elses(march, lea, ola, client_of):
    team = Team.objects.get(name="Payments")
    page = client_of(lea).get(month_url("statement", team.pk)).content.decode()
    for words in ("Draft statement", "Amazon EC2", "direct cost 100.10 of 150.10 USD: 66.7%", "New resources"):
        assert words in page
    assert f"own_team={team.pk}" in page
    assert "Amazon S3" not in page
    assert client_of(ola).get(month_url("statement", team.pk)).status_code == 404
    own = client_of(lea).get(month_url()).content.decode()
    assert "Payments" in own
    assert "Data" not in own
    assert "In pools nobody can take" not in own


def test_every_link_of_a_statement_leads_to_lines_that_sum_to_the_number(march, fay, client_of):
    team = Team.objects.get(name="Payments")
    Team.objects.filter(name="Data").update(parent=team)
    page = client_of(fay).get(month_url("statement", team.pk))
    (direct,) = [row for group in page.context["shown"][0].groups for row in group["rows"] if row.line.kind == "direct"]
    lines = client_of(fay).get(direct.url)
    assert [row["billed_cost"] for row in lines.context["sums"]] == [direct.line.amount]


def test_the_files_of_a_month_sum_to_its_bill(closed, fay, lea, client_of):
    # What was not known when the month was closed stands below the rows.
    rows = [row for row in read(client_of(fay).get(month_url("statements_csv"))) if len(row) > 1]
    amount, exact = rows[0].index("Amount"), rows[0].index("Exact amount")
    assert sum(Decimal(row[amount]) for row in rows[1:]) == Decimal("187.10")
    assert sum(Decimal(row[exact]) for row in rows[1:]) == Decimal("187.100000000000000001")
    own_rows = [row for row in read(client_of(lea).get(month_url("statements_csv"))) if len(row) > 1]
    assert {row[own_rows[0].index("Team")] for row in own_rows[1:]} == {"Payments"}


def test_the_statement_is_a_pdf_and_the_month_a_workbook(closed, lea, client_of):
    team = Team.objects.get(name="Payments")
    pdf = client_of(lea).get(month_url("statement_pdf", team.pk))
    assert pdf.content.startswith(b"%PDF")
    book = load_workbook(io.BytesIO(client_of(lea).get(month_url("statements_xlsx")).content)).active
    assert [row[3] for row in book.iter_rows(min_row=2, values_only=True)] == ["Payments", "Payments"]


def test_the_journal_balances_and_is_refused_without_a_cost_centre(closed, fay, client_of):
    rows = read(client_of(fay).get(month_url("journal_csv")))
    debits, credits_ = (sum(Decimal(row[rows[0].index(name)] or 0) for row in rows[1:]) for name in ("Debit", "Credit"))
    assert debits == credits_ == Decimal("180.10")
    Statement.objects.update(cost_center="")
    Team.objects.filter(name="Data").update(cost_center="")
    answer = client_of(fay).get(month_url("journal_csv"), follow=True).content.decode()
    assert "No cost centre: Data" in answer


def test_the_api_says_the_same_in_cents_and_to_the_last_digit(closed, fay, lea, client_of):
    company_month = client_of(fay).get(f"/api/v1/chargeback/{MARCH}/").json()
    assert company_month["totals"][0]["bill"] == "187.10"
    assert company_month["totals"][0]["exact_bill"] == "187.100000000000000001"
    assert [listed["team"] for listed in company_month["statements"]] == ["Data", "Payments"]
    own_month = client_of(lea).get(f"/api/v1/chargeback/{MARCH}/").json()
    assert own_month["totals"] == []
    assert [listed["number"] for listed in own_month["statements"]] == ["2026-03-0002"]
    team = Team.objects.get(name="Payments").pk
    (statement,) = client_of(lea).get(f"/api/v1/chargeback/{MARCH}/teams/{team}/").json()
    assert statement["total"] == "120.11"
    assert sum(Decimal(line["amount"]) for line in statement["lines"]) == Decimal(statement["total"])
    assert sum(Decimal(line["exact_amount"]) for line in statement["lines"]) == Decimal(statement["exact_total"])
    assert client_of(lea).get("/api/v1/chargeback/2026-13/").status_code == 404


def test_a_lead_gets_her_statement_once_however_often_it_is_posted(closed, lea, ola):
    assert emails.post_statement_emails(NOW) == 2
    assert emails.post_statement_emails(NOW) == 0
    # As after a crash between the letters and the note that they are written.
    Statement.objects.update(notified_at=None)
    assert emails.post_statement_emails(NOW) == 0
    assert sorted(OutgoingEmail.objects.values_list("to", flat=True)) == sorted([lea.email, ola.email])
    assert outbox.send_queued_emails(NOW) == 2
    message = next(sent for sent in mail.outbox if sent.to == [lea.email])
    assert message.subject == "Chargeback of Payments for Mar 2026: statement 2026-03-0002"
    assert "120.11 USD" in message.body
    assert b"statement-2026-03-payments." in OutgoingEmail.objects.get(to=lea.email).content


def test_a_dispute_is_answered_or_corrected_once_and_told_once_each_way(closed, lea, fay, client_of):
    line = StatementLine.objects.get(statement__team__name="Payments", kind="direct")
    url = reverse("tagging:dispute_add", args=[line.pk])
    answer = client_of(lea).post(url, {"comment": "web-2 is Data's"}, follow=True)
    assert "Finance is notified" in answer.content.decode()
    assert "disputed already" in client_of(lea).post(url, {"comment": "Again"}).content.decode()
    dispute = Dispute.objects.get()
    assert waiting_for(fay) == [f"A lead disputes a line: {dispute}"]
    assert waiting_for(lea) == []
    resolve = reverse("tagging:dispute", args=[dispute.pk])
    assert client_of(lea).post(resolve, {"answer": "So it is"}).status_code == 403
    to = Team.objects.get(name="Data")
    fields = {"answer": "Moved, thank you", "amount": "40.05", "to_team": to.pk}
    client_of(fay).post(resolve, fields)
    twice = client_of(fay).post(resolve, fields).content.decode()
    assert "has resolved it already" in twice
    adjustment = Adjustment.objects.get()
    assert (str(adjustment.period.month), adjustment.amount) == ("2026-04", Decimal("40.05"))
    april = drafts()["2026-04"]
    assert totals(april) == {"Payments": Decimal("-40.05"), "Data": Decimal("40.05")}
    subjects = dict(OutgoingEmail.objects.values_list("to", "subject"))
    assert set(subjects) == {fay.email, lea.email}
    assert subjects[fay.email].startswith("Disputed: Amazon EC2 of Payments")
    assert subjects[lea.email].startswith("Corrected: Amazon EC2 of Payments")
    outbox.send_queued_emails(timezone.now())
    resolved = next(sent for sent in mail.outbox if sent.to == [lea.email])
    assert "Moved, thank you" in resolved.body
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def test_an_amount_given_back_to_nobody_is_still_somewhere(march, lea, fay):
    line = StatementLine.objects.get(statement__team__name="Payments", kind="direct")
    dispute = disputes.raise_dispute(line, lea, "Not ours", NOW)
    disputes.resolve_dispute(dispute, fay, "Right", NOW, disputes.CorrectingEntry(Decimal(10), None))
    period = drafts()[MARCH]
    assert period.totals.get().given_back == 10
    assert sum(totals(period).values()) == Decimal("170.100000000000000001")
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def test_a_disputed_line_stays_when_the_draft_no_longer_has_it(march, lea, tmp_path):
    line = StatementLine.objects.get(statement__team__name="Payments", kind="direct")
    disputes.raise_dispute(line, lea, "Not ours", NOW)
    bill(tmp_path, usual()[1:], name="newer.csv")
    drafts()
    line.refresh_from_db()
    assert (line.amount, line.formula) == (0, "no longer in the draft")


def test_a_member_who_does_not_lead_disputes_nothing(march, eli, client_of):
    line = StatementLine.objects.get(statement__team__name="Payments", kind="direct")
    assert client_of(eli).get(reverse("tagging:dispute_add", args=[line.pk])).status_code == 403


def test_finance_previews_a_split_before_she_saves_it(march, fay, client_of):
    split = Split.objects.get()
    url = reverse("tagging:split", args=[split.pk])
    fields = {"pool": split.pool_id, "method": "fixed", "shares": "Payments = 60\nData = 30", "start": "", "end": ""}
    assert "make 90%, not 100%" in client_of(fay).post(url, fields).content.decode()
    fields["shares"] = "Payments = 25\ndata = 75%"
    page = client_of(fay).post(url, {**fields, "preview": "1"}).content.decode()
    assert "22.50" in page
    assert Split.objects.get().method == "direct"
    assert client_of(fay).post(url, fields).status_code == 302
    assert dict(Split.objects.get().parts.values_list("team__name", "share")) == {"Payments": 25, "Data": 75}
    logged = AuditEntry.objects.about(split).filter(action=AuditEntry.Action.UPDATE).first()
    assert logged.changes["method"] == ["direct", "fixed"]


def test_check_books_finds_a_statement_that_was_tampered_with(closed):
    assert [check for check in reconciliation.reconcile() if not check.holds] == []
    Statement.objects.filter(team__name="Data").update(total=1)
    broken = {check.invariant for check in reconciliation.reconcile() if not check.holds}
    assert broken == {"lines of a statement = its total", "statements = direct + shared + corrections - given back"}


def test_check_books_covers_corrections_of_a_restated_month(closed, tmp_path):
    bill(tmp_path, usual(payments="60.05", nobody="9"), name="newer.csv")
    drafts()
    checks = reconciliation.reconcile()
    assert [check for check in checks if not check.holds] == []
    assert "statements + corrections + unowned = the bill of a closed month" in {check.invariant for check in checks}


def test_the_home_page_says_where_the_statement_stands(closed, lea, client_of):
    page = client_of(lea).get("/").content.decode()
    assert "Payments, Mar 2026" in page
    assert "closed" in page


def test_the_statement_says_what_lacks_a_tag_that_the_policy_requires(march, lea, client_of):
    url = month_url("statement", Team.objects.get(name="Payments").pk)
    page = client_of(lea).get(url).content.decode()
    assert "of it lacks a required tag" in page
    assert f"/tagging/resources/?month={MARCH}&amp;team=" in page
    TagRequirement.objects.exclude(key="Team").update(is_required=False)
    assert "all of it carries the required tags" in client_of(lea).get(url).content.decode()


def test_the_statement_shows_the_teams_budget(march, lea, fay, client_of):
    payments = Team.objects.get(name="Payments")
    budget = Budget(name="Payments 2026", team=payments, start=date(2026, 3, 1), currency="USD")
    budget_changes.create_budget(budget, {march.month.period: Decimal(200)}, by=fay, why="for the test")
    page = client_of(lea).get(month_url("statement", payments.pk)).content.decode()
    assert "Budget Payments 2026" in page
    assert "50% of it" in page
