"""Eli finds the worst resource of his team on a phone."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from tagging.models import OwnershipRule, TagRequirement
from tagging.policy import compliance
from tests import bills
from tests.browser.conftest import PHONE
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_eli_finds_the_dearest_resource_to_fix_on_a_phone(visit, tmp_path):
    person("eli")
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag", team=team, tag_key="Team", tag_value="Payments")
    for key in ("Owner", "Environment", "Team", "CostCenter", "Project"):
        TagRequirement.objects.get_or_create(key=key)
    month = timezone.now().date().replace(day=1)
    days = {"BillingPeriodStart": f"{month}T00:00:00Z", "ChargePeriodStart": f"{month}T00:00:00Z"}
    rows = [
        {"ResourceId": "i-1", "ResourceName": "cheap", "EffectiveCost": "1"},
        {"ResourceId": "i-2", "ResourceName": "dear", "EffectiveCost": "90"},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows, **days))])
    load_bill(received.delivery)
    compliance.refresh_compliance()
    page = visit("eli", PHONE)
    page.goto("/tagging/resources/")
    first = page.locator("table tbody tr").first
    expect(first).to_contain_text("dear")
    expect(first).to_contain_text("key missing: Owner")
    first.get_by_role("link", name="dear").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("dear")
    expect(page.locator("main")).to_contain_text("Add the tag Owner")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
