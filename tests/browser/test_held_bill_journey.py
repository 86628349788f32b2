"""A bill of ten thousand comes again as five hundred: fay sees what would change, rejects it, and counts it later."""

import pytest
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery
from tests import bills
from tests.browser.conftest import PHONE
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def deliver(folder, *costs):
    rows = [{"BilledCost": cost, "SubAccountId": f"account {number}"} for number, cost in enumerate(costs)]
    (receipt,) = receive_bill("northwind", [bills.write(folder, "bill.csv", bills.focus_csv(rows))])
    return load_bill(receipt.delivery)


def billed():
    return CostLine.objects.current().totals(["billed_cost"])["USD"]["billed_cost"]


def test_fay_decides_about_a_bill_that_is_not_whole(tmp_path, visit, transactional_db):
    person("fay")
    deliver(tmp_path, "9500", "500")
    held = deliver(tmp_path, "500")
    page = visit("fay", PHONE)
    page.goto("/")
    page.get_by_role("link", name="A bill is held, for it is not whole").click()
    main = page.locator("main")
    expect(main).to_contain_text("This bill is held")
    expect(main).to_contain_text("Accounts without any charge: account 1 (500.00 USD).")
    expect(main).to_contain_text("Cost on the same days goes from 10,000.00 to 500.00 USD")
    expect(main.get_by_role("region", name="Control totals").first).to_contain_text("500")
    page.get_by_role("button", name="Reject: keep what counts").click()
    expect(main).to_contain_text("The month stays as it was.")
    assert billed() == 10_000
    page.get_by_role("button", name="Count this version again").click()
    page.locator("#confirm-yes").click()
    expect(main).to_contain_text("is loaded to count again")
    load_bill(Delivery.objects.get(pk=held.pk))
    page.reload()
    expect(main).to_contain_text("Current")
    assert billed() == 500

    executive = visit("max")
    executive.goto(f"/deliveries/{held.pk}/")
    expect(executive.get_by_role("button", name="Count this version again")).to_have_count(0)
