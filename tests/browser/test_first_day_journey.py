"""The first day in a browser: nobody is there yet, and soon a bill has owners and a budget; and the demo removed."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import expect

from budgets.models import Budget
from costs.models import Delivery
from finops_site.models import DemoCompany, Membership, Team, User
from finops_site.people import demo
from finops_site.people.demo_rows import noted_as_demo
from tagging.models import OwnershipRule
from tests import bills
from tests.browser.conftest import DESKTOP, sign_in
from tests.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def newcomer(chromium, live_server, transactional_db, at_once, settings, tmp_path):
    """A browser in which nobody is signed in, on a site of its own; what the page complains about fails the test."""
    settings.FINOPS_VAR = tmp_path / "var"
    complaints = []
    context = chromium.new_context(base_url=live_server.url, viewport=DESKTOP)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def last_month():
    """The first day of the month before this, and of this."""
    this = timezone.now().date().replace(day=1)
    return (this - timedelta(days=1)).replace(day=1), this


def bill_of_last_month():
    first, this = last_month()
    days = {
        "BillingPeriodStart": f"{first}T00:00:00Z",
        "BillingPeriodEnd": f"{this}T00:00:00Z",
        "ChargePeriodStart": f"{this - timedelta(days=1)}T00:00:00Z",
        "ChargePeriodEnd": f"{this}T00:00:00Z",
    }
    rows = [
        {"BilledCost": "820", "Tags": '{"Team": "Checkout"}'},
        {"BilledCost": "180", "Tags": "", "ServiceName": "Amazon S3", "ResourceId": "lake"},
    ]
    return bills.focus_csv(rows, **days)


def test_ivy_begins_uploads_a_bill_and_finance_accepts_a_rule_and_a_budget_that_it_suggests(newcomer):
    page = newcomer
    page.goto("/")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    page.get_by_label("E-mail").fill("ivy@strand.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    main = page.locator("main")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up")
    expect(page.get_by_role("row", name=re.compile("First bill"))).to_contain_text("Open")
    main.get_by_role("link", name="First bill").click()
    page.locator("input[name=files]").set_input_files(
        {"name": "bill.csv", "mimeType": "text/csv", "buffer": bill_of_last_month()}
    )
    page.get_by_label("Source").fill("Strand (AWS)")
    page.get_by_role("button", name="Upload").click()
    expect(main).to_contain_text("Current", timeout=90_000)
    assert Delivery.objects.get().status == "current"
    page.goto("/set-up/")
    expect(page.get_by_role("row", name=re.compile("First bill"))).to_contain_text("Done")
    expect(page.get_by_role("row", name=re.compile("Ownership rules"))).to_contain_text("Somebody with another role")

    fin = User.objects.create_user("fin@strand.example", PASSWORD)
    fin.groups.add(Group.objects.get(name="finance"))
    page.context.clear_cookies()
    sign_in(page, fin)
    page.goto("/set-up/")
    main.get_by_role("link", name="Ownership rules").click()
    expect(main).to_contain_text("no team is called like this yet")
    page.get_by_label("Accept Tag Team is Checkout").check()
    expect(page.get_by_label("Team of Tag Team is Checkout")).to_have_value("Checkout")
    page.get_by_role("button", name="What stays unowned?").click()
    expect(main.locator(".stats")).to_contain_text("180", timeout=30_000)
    page.get_by_role("button", name="Add the ticked rules").click()
    expect(main).to_contain_text("1 rule added", timeout=60_000)
    assert str(OwnershipRule.objects.get().team) == "Checkout"
    page.goto("/set-up/")
    main.get_by_role("link", name="First budgets").click()
    amount = page.get_by_label("Amount of Checkout in USD")
    expect(amount).to_have_value("820")
    amount.fill("900")
    page.get_by_label("Make Checkout").check()
    page.get_by_role("button", name="Make the ticked budgets").click()
    expect(main).to_contain_text("1 budget made", timeout=30_000)
    assert [budget.name for budget in Budget.objects.all()] == ["Checkout"]


def test_ivy_removes_the_demo_and_stays(newcomer):
    with noted_as_demo():
        demo.make_people(PASSWORD)
    ivy = User.objects.create_user("ivy@strand.example", PASSWORD)
    ivy.groups.add(Group.objects.get(name="administrator"))
    Membership.objects.create(user=ivy, team=Team.objects.get(name="Data"))
    page = newcomer
    sign_in(page, ivy)
    page.get_by_role("link", name="Remove the demo").click()
    expect(page.get_by_role("row", name=re.compile("People"))).to_contain_text("6")
    page.get_by_role("button", name="Remove the demo").click()
    page.locator("#confirm-yes").click()
    expect(page.get_by_text("There is no demo company here.")).to_be_visible()
    expect(page.get_by_text("are made up")).to_have_count(0)
    assert list(User.objects.all()) == [ivy]
    assert [team.name for team in Team.objects.all()] == ["Data"]
    assert DemoCompany.objects.get().removed_at
