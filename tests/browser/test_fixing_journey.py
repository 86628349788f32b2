"""Fay accepts what is suggested and watches compliance rise; eli does so on a phone; what is virtual is marked."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from tagging.models import ChangeSet, OwnershipRule, TagRequirement, VirtualTag
from tagging.policy import compliance
from tagging.remediation import suggestions
from tests import bills
from tests.browser.conftest import PHONE, follow
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FIVE = '{"Owner": "lea", "Environment": "Production", "Team": "Payments", "CostCenter": "CC-1001", "Project": "p-1"}'


@pytest.fixture
def shop(transactional_db, tmp_path):
    """Two machines with all tags, eight with the Owner alone."""
    person("fay")
    for order, key in enumerate(("Owner", "Environment", "Team", "CostCenter", "Project")):
        TagRequirement.objects.get_or_create(key=key, defaults={"order": order})
    OwnershipRule.objects.create(
        name="Owner lea", team=Team.objects.get(name="Payments"), tag_key="Owner", tag_value="lea"
    )
    today = timezone.now().date()
    first = today.replace(day=1)
    when = dict.fromkeys(("BillingPeriodStart", "ChargePeriodStart"), f"{first}T00:00:00Z")
    when |= {"ChargePeriodEnd": f"{first.replace(day=2)}T00:00:00Z"}
    when |= {"BillingPeriodEnd": f"{(first.replace(day=28) + timedelta(days=4)).replace(day=1)}T00:00:00Z"}
    rows = [
        {
            "ResourceId": f"i-0abcdef{n:02}",
            "ResourceName": f"web-{n}",
            "SubAccountId": "123456789012",
            "Tags": FIVE if n < 2 else '{"Owner": "lea"}',
        }
        for n in range(10)
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "b.csv", bills.focus_csv(rows, **when))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    compliance.refresh_compliance()
    suggestions.rebuild_suggestions(today)


def test_fay_accepts_them_all_and_compliance_passes_95_percent(shop, visit, at_once):
    page = visit("fay")
    page.goto("/tagging/")
    expect(page.locator("main")).to_contain_text("20")
    page.goto("/tagging/suggestions/")
    page.get_by_label("Confidence", exact=True).last.select_option("0")
    page.get_by_role("button", name="Accept all of them").click()
    page.get_by_role("button", name="Accept them").click()
    expect(page.locator("#list")).to_contain_text("32 virtual tags set; 8 resources comply with them")
    page.goto("/tagging/")
    expect(page.locator(".stats").first).to_contain_text("100")
    page.goto("/tagging/virtual-tags/")
    page.get_by_role("button", name="Undo").first.click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#list")).to_contain_text("32 virtual tags taken back")
    assert not VirtualTag.objects.in_force().exists()


def test_eli_goes_from_his_worklist_to_a_script_that_somebody_else_approved(shop, visit, at_once):
    page = visit("eli")
    follow(page, "Tags", "Resources to fix")
    expect(page.locator("#list")).to_contain_text("key missing: Environment, Team, CostCenter, Project")
    page.get_by_role("link", name="web-2", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("web-2")
    follow(page, "Tags", "Suggestions")
    page.get_by_role("checkbox", name="All on this page").check()
    page.get_by_role("button", name="Accept ticked").click()
    expect(page.locator("#list")).to_contain_text("virtual tags set; 8 resources comply with them")
    follow(page, "Tags")
    expect(page.locator(".stats").first).to_contain_text("10 of 10")
    follow(page, "Tags", "Virtual tags")
    page.get_by_label("Title of the change set").fill("All of Payments")
    page.get_by_role("button", name="Of all of them").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#list")).to_contain_text("Change set made: All of Payments")
    page.goto(ChangeSet.objects.get().get_absolute_url())
    page.get_by_role("button", name="Send for approval").click()
    expect(page.locator("main")).to_contain_text("It waits for somebody else's approval")

    lead = visit("lea")
    lead.goto(ChangeSet.objects.get().get_absolute_url())
    lead.get_by_role("button", name="Approve").click()
    expect(lead.locator("main")).to_contain_text("It is approved")

    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="AWS CLI").click()
    script = download.value.path().read_text()
    assert script.startswith("#!/bin/sh")
    assert script.count("i-0abcdef0") == 8
    assert "CostCenter" in script


def test_eli_ticks_two_on_a_phone_in_the_dark(shop, visit, at_once):
    page = visit("eli", PHONE, "dark")
    page.goto("/tagging/suggestions/?tag=Team")
    for box in page.locator("input[name=pick]").all()[:2]:
        box.focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Accept ticked").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_contain_text("2 virtual tags set")
    page.goto("/costs/lines/?tag=Team")
    expect(page.locator(".tag-chip.virtual").first).to_be_attached()
