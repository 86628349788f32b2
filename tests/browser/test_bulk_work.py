"""Many at once: fay ticks twenty resources and accepts; on a phone no list is wider than the screen or hides rows."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from tagging.models import OwnershipRule, TagRequirement, VirtualTag
from tagging.policy import compliance
from tagging.remediation import suggestions
from tests import bills
from tests.browser.conftest import PHONE
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KEYS = ("Owner", "Environment", "Team", "CostCenter", "Project")
WHOLE = '{"Owner": "lea", "Environment": "Production", "Team": "Payments", "CostCenter": "CC-1001", "Project": "p-1"}'
LISTS = (
    *("/tagging/resources/", "/tagging/suggestions/", "/costs/lines/", "/deliveries/", "/ownership/", "/tagging/"),
    *("/tagging/policy/", "/costs/teams/", "/chargeback/", "/budgets/"),
)
CUT = """() => [...document.querySelectorAll('.table-wrap')].filter(box => box.offsetParent
    && box.scrollHeight > box.clientHeight + 1 && getComputedStyle(box).overflowY !== 'visible').length"""


@pytest.fixture
def machines(transactional_db, tmp_path):
    """Two machines with all tags, 22 with the Owner alone."""
    person("fay")
    for order, key in enumerate(KEYS):
        TagRequirement.objects.get_or_create(key=key, defaults={"order": order})
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Owner lea", team=team, tag_key="Owner", tag_value="lea")
    today = timezone.now().date()
    first = today.replace(day=1)
    when = dict.fromkeys(("BillingPeriodStart", "ChargePeriodStart"), f"{first}T00:00:00Z")
    when |= {"ChargePeriodEnd": f"{first.replace(day=2)}T00:00:00Z"}
    when |= {"BillingPeriodEnd": f"{(first.replace(day=28) + timedelta(days=4)).replace(day=1)}T00:00:00Z"}
    rows = [
        {
            "ResourceId": f"i-0abcdef{n:02}",
            "ResourceName": f"web-{n}",
            "EffectiveCost": str(100 - n),
            "Tags": WHOLE if n < 2 else '{"Owner": "lea"}',
        }
        for n in range(24)
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "b.csv", bills.focus_csv(rows, **when))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    compliance.refresh_compliance()
    suggestions.rebuild_suggestions(today)


def test_fay_accepts_twenty_with_three_clicks_and_takes_them_back(machines, visit, at_once):
    page = visit("fay")
    page.goto("/tagging/suggestions/")
    page.get_by_role("checkbox", name="All on this page").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("20 ticked, 1,770.00 USD")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    bar, top = page.locator(".bulk-bar"), page.locator(".topbar")
    assert bar.bounding_box()["y"] >= top.bounding_box()["height"] - 1
    page.get_by_role("button", name="Accept ticked").click()
    outcome, slow = page.locator("#list"), 60_000
    expect(outcome).to_contain_text("80 virtual tags set; 20 resources comply with them", timeout=slow)
    assert VirtualTag.objects.in_force().count() == 80
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(outcome).to_contain_text("80 virtual tags taken back", timeout=slow)
    page.goto("/tagging/resources/")
    page.get_by_role("checkbox", name="All 22 that the filters leave").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("All 22, 1,925.00 USD")
    page.locator("summary", has_text="Set a tag").click()
    page.get_by_label("Key", exact=True).fill("Team")
    page.get_by_label("Value", exact=True).fill("Payments")
    page.keyboard.press("Enter")
    expect(outcome).to_contain_text("Team=Payments is set on 22 resources", timeout=slow)


def test_no_list_is_wider_than_a_phone_or_cut(machines, visit):
    page = visit("fay", PHONE)
    for path in LISTS:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert page.evaluate(CUT) == 0, path
    page.goto("/tagging/resources/")
    row = page.get_by_role("row", name="web-2").first
    assert row.bounding_box()["height"] < 140
    expect(row.get_by_text("Amazon")).to_be_hidden()
    row.get_by_role("button", name="More").click()
    expect(row.get_by_text("Amazon").first).to_be_visible()
