"""Eli asks for what is recommended; fay cannot approve her own, approves his, hands it out and records it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from finops_site.models import Team
from reservations.calc import purchase_rules
from reservations.models import Plan, PurchaseRequest, StandingOrder
from reservations.purchases import purchase_requests
from tests.browser.conftest import DESKTOP, PHONE
from tests.people import person
from tests.reservations.purchases.test_purchase_requests import make_item

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def item(transactional_db):
    """Two machines of m5.large that Payments runs all the time, to be reserved in two steps."""
    person("fay")
    item = make_item()
    Plan.objects.update(team=Team.objects.get(name="Payments"), lower_bound=2770, gap=0, confidence="hourly")
    today = timezone.now().date()
    numbers = dict.fromkeys(("ratio", "committed", "on_demand", "level", "runs", "next"), "0.5")
    days = [
        {"day": f"{today - timedelta(days=n)}", "highest": "4", "average": "3", "lowest": "2"} for n in range(9, -1, -1)
    ]
    steps = [{**step, "total": "2", "ends_on": f"{today}"} for step in item.working["ladder"]]
    item.working = {**numbers, "ladder": steps, "days": days, "unit": "m5.large machines", "above": 9, "below": 0}
    item.working["hours"] = 240
    item.save()
    item.refresh_from_db()
    return item


def test_eli_asks_and_fay_approves_hands_out_and_records(item, visit):
    engineer = visit("eli", PHONE)
    engineer.goto(f"/reservations/recommendations/{item.plan_id}/1/")
    engineer.get_by_role("link", name="Request this purchase").click()
    engineer.get_by_label("Batch 1 of 2").check()
    engineer.get_by_label("Why").fill("It runs day and night.")
    engineer.get_by_role("button", name="Request approval").click()
    expect(engineer.locator("main")).to_contain_text("Waiting for approval")
    expect(engineer.locator("main")).to_contain_text("Only finance approves purchases.")
    his = PurchaseRequest.objects.get()

    page = visit("fay")
    page.goto(f"/reservations/recommendations/{item.plan_id}/1/ask/")
    page.get_by_role("button", name="Request approval").click()
    expect(page.locator("main")).to_contain_text("Somebody else has to approve what you requested.")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)

    page.goto("/reservations/purchases/")
    expect(page.locator("#list tbody tr")).to_have_count(2)
    page.get_by_label("Show", exact=True).select_option(label="waiting for my approval")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    page.locator("#list tbody a").first.click()
    page.wait_for_url(f"**{his.get_absolute_url()}")
    page.get_by_label("Comment").fill("Go ahead")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("dialog[open]")).to_contain_text("it commits 438.00 USD for 1 year, until")
    page.locator("#confirm-yes").click()
    expect(page.locator("main")).to_contain_text("It is approved")
    page.get_by_role("button", name="Export to buy by hand").click()
    with page.expect_download() as script:
        page.get_by_role("link", name="AWS CLI").click()
    assert "--instance-count 1" in script.value.path().read_text()
    page.get_by_label("Id that AWS gave it").fill("ri-0123")
    page.get_by_role("button", name="It is bought: record it").click()
    expect(page.locator("main")).to_contain_text("The first bill that shows ri-0123 is looked for")
    expect(page.locator("main table").first).to_contain_text("Go ahead")
    his.refresh_from_db()
    assert (his.state, his.approved_by.email) == (purchase_rules.BOUGHT, "fay@demo.example")


def test_fay_stops_all_buying_with_one_button(item, visit):
    page = visit("fay", PHONE, "dark")
    page.goto("/reservations/purchases/policy/")
    page.get_by_role("button", name="Stop all buying").click()
    expect(page.locator("main")).to_contain_text("Nothing is exported and nothing is bought")
    page.get_by_role("button", name="Resume buying").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("main")).to_contain_text("Buying is resumed.")


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")])
def test_pages_of_buying_fit_their_screen(item, visit, size, scheme):
    row = purchase_requests.request_purchase(item, user=person("eli"), batch=1, comment="It runs.", now=timezone.now())
    StandingOrder.objects.create(name="Monthly", made_by=person("fay"), last_result="21 Mar 2026: Created request 1.")
    page = visit("fay", size, scheme)
    ask = f"recommendations/{item.plan_id}/1/ask/"
    orders = "purchases/standing-orders/"
    for path in ("purchases/", f"purchases/{row.pk}/", ask, "purchases/policy/", orders, f"{orders}add/"):
        page.goto(f"/reservations/{path}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
