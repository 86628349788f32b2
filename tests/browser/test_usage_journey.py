"""Eli releases an address that the bill charges as idle; the next month's bill and ada's night prove it."""

from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.ops.nightly import run_checks
from finops_site.registry import NightlyCheck, registry
from tagging.models import OwnershipRule
from tests import bills
from tests.browser.conftest import PHONE, follow
from tests.people import person
from usage.findings.evaluate import evaluate
from usage.models import Finding

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ADDRESS = {
    "lineItem/UsageType": "ElasticIP:IdleAddress",
    "lineItem/Operation": "AssociateAddressVPC",
    "lineItem/ResourceId": "arn:aws:ec2:us-east-1:000000000042:elastic-ip/eipalloc-0abcdef12",
    "lineItem/LineItemDescription": "$0.005 per idle address hour",
    "product/instanceType": "",
}


def load_month(folder, month, *resources):
    """A bill of every day of a month, each resource 12 USD a day."""
    period = {
        "bill/BillingPeriodStartDate": f"{month.start}T00:00:00Z",
        "bill/BillingPeriodEndDate": f"{month.next.start}T00:00:00Z",
    }
    rows = []
    for day in month.period.each_day():
        when = {
            "lineItem/UsageStartDate": f"{day}T00:00:00Z",
            "lineItem/UsageEndDate": f"{day + timedelta(days=1)}T00:00:00Z",
            "lineItem/UsageAmount": "24",
            "lineItem/UnblendedCost": "12",
            "pricing/publicOnDemandCost": "12",
        }
        rows += [{**period, **when, **resource} for resource in resources]
    (received,) = receive_bill("northwind", [bills.write(folder, f"{month}.csv", bills.cur_csv(rows))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message


def night(today):
    """What ada's night does for usage: everything is judged anew, then what was mended is held against the bill."""
    checks = [check for check in registry.of(NightlyCheck) if check.name in ("usage", "usage-proof")]
    assert [row.outcome for row in run_checks(today, checks=checks)] == ["done", "done"]


@pytest.fixture
def idle_address(transactional_db, tmp_path):
    """The month before last is billed: a machine, and an address that nothing uses."""
    person("eli")
    OwnershipRule.objects.create(
        name="Tag Payments", team=Team.objects.get(name="Payments"), tag_key="Team", tag_value="Payments"
    )
    last = Month.of(timezone.now().date()).previous
    load_month(tmp_path, last.previous, {}, ADDRESS)
    evaluate(last.previous.period.last_day)
    return last


def test_eli_mends_it_and_the_next_bill_proves_what_it_saved(idle_address, visit, at_once, tmp_path):
    last: Month = idle_address
    page = visit("eli")
    follow(page, "Usage", "Findings")
    expect(page.locator("#list")).to_contain_text("365.00")
    page.locator('#list tbody a[href*="/usage/findings/"]').first.click()
    expect(page.locator("main")).to_contain_text("The bill charges it as an address that is not in use.")
    expect(page.locator("main")).to_contain_text("aws ec2 release-address")
    page.locator("summary", has_text="Mended").click()
    page.get_by_label("On which day").fill(str(last.start))
    page.get_by_role("button", name="It is mended").click()
    expect(page.locator("main")).to_contain_text("1 finding mended. The bills of the next months prove it.")
    expect(page.locator(".stats").first).to_contain_text("mended, awaiting proof")
    follow(page, "Usage", "What was saved")
    expect(page.locator("main")).to_contain_text("Nothing is proved yet")

    load_month(tmp_path, last, {})
    today: date = timezone.now().date()
    night(today)

    page.goto(Finding.objects.get(rule="address_unused").get_absolute_url())
    expect(page.locator(".stats").first).to_contain_text("proved by the bill")
    follow(page, "Usage", "What was saved")
    row = page.locator("#list tbody tr")
    # 12 a day of the month before, in the days of this one; 365.00 were promised for an average month.
    saved = f"{12 * last.days}.00"
    expect(row).to_contain_text("as promised")
    expect(row).to_contain_text("365.00")
    expect(row).to_contain_text(saved)

    phone = visit("fay", PHONE, "dark")
    phone.goto("/usage/proof/")
    expect(phone.locator("#list")).to_contain_text(saved)
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
