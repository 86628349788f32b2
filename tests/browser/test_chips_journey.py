"""Fay filters by a tag, sees what is in force, and takes it away again."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from tests import bills
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_fay_takes_filters_away_by_their_chips(visit, tmp_path):
    person("fay")
    month = timezone.now().date().replace(day=1)
    days = {"BillingPeriodStart": f"{month}T00:00:00Z", "ChargePeriodStart": f"{month}T00:00:00Z"}
    rows = [
        {"ResourceId": "i-1", "BilledCost": "11.11", "Tags": '{"Team": "Payments"}'},
        {"ResourceId": "i-2", "BilledCost": "22.22", "Tags": '{"Team": "Data"}'},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows, **days))])
    load_bill(received.delivery)
    page = visit("fay")
    page.goto("/costs/?period=this-month&tag:Team=Payments")
    chips = page.get_by_role("group", name="Filters in force")
    expect(chips).to_contain_text("Tag Team")
    expect(page.locator(".answer-total").first).to_contain_text("11.11")
    page.select_option("select[name=grain]", "day")
    expect(page.locator("#list thead")).to_contain_text(f"{month:%b}", ignore_case=True)
    expect(chips).to_contain_text("Payments")
    expect(page.locator(".answer-total").first).to_contain_text("11.11")
    chips.locator("a.chip").click()
    expect(page.locator(".answer-total").first).to_contain_text("33.33")
    expect(page.get_by_role("group", name="Filters in force")).to_have_count(0)
