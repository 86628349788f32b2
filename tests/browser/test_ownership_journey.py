"""Finance finds what nobody owns, writes a rule, sees what it would move, and saves it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.browser.conftest import PHONE, follow
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bill(transactional_db, tmp_path):
    """This month: Payments owns a machine; a bucket is nobody's."""
    person("fay")
    payments = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Team", team=payments, tag_key="Team", order=10)
    first = (timezone.now().date() - timedelta(days=1)).replace(day=1)
    common = {"BillingPeriodStart": f"{first}T00:00:00Z", "ChargePeriodStart": f"{first}T00:00:00Z"}
    rows = [
        {"BilledCost": "100.25", **common},
        {"BilledCost": "44.75", "ServiceName": "Amazon S3", "Tags": "", "ResourceId": "lake", **common},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message


def test_fay_gives_what_nobody_owns_to_a_team_and_sees_before_what_moves(visit, bill, at_once):
    page = visit("fay")
    follow(page, "Ownership")
    expect(page.locator("main")).to_contain_text("44.75")
    follow(page, "Ownership", "Unowned cost")
    page.get_by_label("Show").select_option("service")
    expect(page).to_have_url(re.compile("by=service"))
    page.get_by_role("row", name="Amazon S3").get_by_role("link", name="Rule").click()
    page.get_by_label("Name").fill("The lake")
    page.get_by_label("Team").select_option("Data")
    page.get_by_role("button", name="Preview what moves").click()
    preview = page.get_by_role("region", name="From whom to whom")
    expect(preview).to_contain_text("Unowned")
    expect(preview).to_contain_text("44.75")
    assert not CostLine.objects.filter(owner__name="Data").exists()
    page.get_by_role("button", name="Save and apply").click()
    expect(page.locator("main")).to_contain_text("The lake")
    expect(page.get_by_role("row", name="The lake")).to_contain_text("44.75")
    assert CostLine.objects.get(owner__name="Data").owner_rule == "The lake"
    page.get_by_role("button", name="Move The lake up").press("Enter")
    expect(page.locator("#rules tbody tr").first).to_contain_text("The lake")
    page.locator("tr", has_text="The lake").drag_to(page.locator("tr", has_text="Tag Team"))
    expect(page.locator("main")).to_contain_text("Tag Team")


def test_the_rules_fit_a_phone(visit, bill):
    page = visit("fay", PHONE)
    page.goto("/ownership/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ownership")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
