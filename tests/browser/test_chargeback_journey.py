"""Finance closes a month; a lead reads her statement and disputes a line; finance answers."""

import csv
import io
import re
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from finops_site.lib.periods import Month
from finops_site.ui.figures import month_text
from tagging.chargeback import draft_statements, periods
from tagging.models import ChargebackPeriod, Dispute
from tests.browser.conftest import DESKTOP, PHONE, follow
from tests.people import person
from tests.tagging.chargeback.helpers import bill, company, split_support, usual

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def month(transactional_db, tmp_path):
    """Last month as a draft."""
    person("fay")
    split_support(company())
    last = Month.of(timezone.now().date()).previous
    bill(tmp_path, usual(str(last)))
    draft_statements.refresh_stale_drafts()
    return str(last)


def test_fay_closes_the_month_and_lea_disputes_a_line_of_her_statement(visit, month):
    page = visit("fay")
    follow(page, "Chargeback")
    expect(page.locator("main table")).to_contain_text("187.10")
    page.locator("main table tbody a").first.click()
    expect(page.locator("#close")).to_contain_text("sums of the month are equal to the last digit")
    page.get_by_role("button", name=f"Close {month_text(month)}").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("main")).to_contain_text("2 statements are numbered")
    assert ChargebackPeriod.objects.get(billing_month=f"{month}-01").is_closed

    lead = visit("lea", PHONE)
    lead.goto(f"/chargeback/{month}/")
    lead.get_by_role("link", name="Payments").click()
    expect(lead.locator("main")).to_contain_text("direct cost 100.10 of 150.10 USD: 66.7%")
    lead.locator("main table").get_by_role("link", name="100.10").first.click()
    expect(lead).to_have_url(re.compile("/costs/lines/.*own_team="))
    expect(lead.locator("main")).to_contain_text("100.10")
    lead.locator("main table tbody a").first.click()
    expect(lead.locator("main")).to_contain_text("As delivered", ignore_case=True)
    lead.goto(f"/chargeback/{month}/")
    lead.get_by_role("link", name="Payments").click()
    with lead.expect_download() as download:
        lead.get_by_role("link", name="PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    lead.get_by_role("link", name="Dispute Amazon EC2").click()
    lead.get_by_label("What is wrong with it?").fill("Half of it is Data's")
    lead.get_by_role("button", name="Dispute this line").click()
    expect(lead.locator("main")).to_contain_text("Finance is notified")

    page.goto(f"/chargeback/disputes/{Dispute.objects.get().pk}/")
    page.get_by_label("Answer").fill("Moved")
    page.get_by_label("Correcting entry").fill("50.05")
    page.get_by_label("Moves to").select_option(label="Data")
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("main")).to_contain_text("50.05 USD from Payments to Data")
    lead.goto(f"/chargeback/disputes/{Dispute.objects.get().pk}/")
    expect(lead.locator("main")).to_contain_text("Moved")

    page.goto(f"/chargeback/{month}/")
    page.get_by_role("link", name="Journal").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    sums = [sum(Decimal(row[side] or 0) for row in rows) for side in ("Debit", "Credit")]
    assert sums == [Decimal("180.10"), Decimal("180.10")]
    # The correcting entry is in the month that is open, and names the statement that it corrects.
    draft_statements.refresh_stale_drafts()
    open_month = periods.open_period().month
    page.goto(f"/chargeback/{open_month}/teams/{Dispute.objects.get().line.statement.team_id}/")
    expect(page.locator("main")).to_contain_text(f"after dispute {Dispute.objects.get().pk} of statement {month}-")


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")])
def test_pages_of_chargeback_fit_their_screen(visit, month, size, scheme):
    page = visit("fay", size, scheme)
    team = ChargebackPeriod.objects.get(billing_month=f"{month}-01").statements.first().team_id
    for path in ("", f"{month}/", f"{month}/teams/{team}/", "splits/", "splits/add/", "disputes/", "accounts/"):
        page.goto(f"/chargeback/{path}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
