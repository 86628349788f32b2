"""Lea saves what the explorer shows, shares it with her team, pins it, and finds it on home; Eli finds it too."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_lea_saves_shares_and_pins_a_view(visit, tmp_path):
    person("lea")
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Team", team=team, tag_key="Team", tag_value="Payments")
    month = timezone.now().date().replace(day=1)
    days = {"BillingPeriodStart": f"{month}T00:00:00Z", "ChargePeriodStart": f"{month}T00:00:00Z"}
    bill = bills.write(tmp_path, "bill.csv", bills.focus_csv([{"BilledCost": "11.11"}], **days))
    load_bill(receive_bill("northwind", [bill])[0].delivery)

    page = visit("lea")
    page.goto("/costs/?period=this-month")
    menu = page.locator("#views-menu")
    menu.get_by_role("button").click()
    menu.get_by_placeholder("Save this view as").fill("This month of ours")
    menu.get_by_role("button", name="Save", exact=True).click()
    expect(menu).to_contain_text("This month of ours")
    expect(menu).not_to_contain_text("changed")

    # A change of filter replaces the answer alone, and the menu knows it.
    page.select_option("select[name=grain]", "day")
    expect(menu).to_contain_text("changed")
    menu.get_by_role("button").first.click()
    menu.get_by_role("button", name="Save the change").click()
    expect(menu).not_to_contain_text("changed")
    expect(page.locator("select[name=grain]")).to_have_value("day")

    menu.get_by_role("button").first.click()
    menu.get_by_role("link", name="Rename, share, pin, mail").click()
    page.select_option("select[name=team]", label="Payments")
    page.get_by_label("Pin it on my home page").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("table.data")).to_contain_text("on home")

    page.goto("/")
    card = page.get_by_role("region", name="This month of ours")
    expect(card).to_contain_text("11.11")
    card.get_by_role("button", name="Take This month of ours off this page").click()
    expect(page.get_by_role("region", name="This month of ours")).to_have_count(0)

    other = visit("eli")
    other.goto("/costs/")
    other.locator("#views-menu").get_by_role("button").click()
    other.locator("#views-menu").get_by_role("link", name="This month of ours").click()
    expect(other.locator(".answer-total").first).to_contain_text("11.11")
    expect(other.locator("#views-menu")).to_contain_text("This month of ours")
