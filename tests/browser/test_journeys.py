"""What people do with the mouse: lea reads her team, fay delivers a bill, eli works with the keyboard on a phone."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.browser.conftest import DESKTOP, PHONE
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bill(transactional_db, tmp_path):
    """This month and the one before, of Payments and Data."""
    person("fay")
    for order, name in enumerate(["Payments", "Data"]):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name, order=order)
    today = timezone.now().date()
    before = today.replace(day=1) - timedelta(days=1)
    rows = [
        charge(day, f"{100 + number}.25", team, service)
        for day in (today.replace(day=1), before.replace(day=1))
        for number, (team, service) in enumerate([("Payments", "Amazon EC2"), ("Data", "Amazon S3")])
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message


def charge(day, cost, team, service):
    return {
        "BillingPeriodStart": f"{day.replace(day=1)}T00:00:00Z",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ServiceName": service,
        "ResourceId": f"i-{team.lower()}",
        "ResourceName": f"{team.lower()}-web",
        "Tags": f'{{"Team": "{team}"}}',
    }


def test_lea_follows_her_teams_month_down_to_the_charges(visit, bill):
    page = visit("lea")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Lea")
    expect(page.locator("main")).to_contain_text("100.25")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Costs", exact=True).click()
    expect(page.locator("main")).to_contain_text("Amazon EC2")
    expect(page.locator("main")).not_to_contain_text("Amazon S3")
    page.get_by_role("link", name="100.25").first.click()
    page.locator("main table tbody a").first.click()
    expect(page.locator("main")).to_contain_text("As delivered", ignore_case=True)
    expect(page.locator("main")).to_contain_text("payments-web")
    page.get_by_role("region", name="Charges as delivered").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="As AWS wrote it")).to_be_visible()
    expect(page.locator("main")).to_contain_text("bill.csv, line 4")
    expect(page.get_by_role("row", name="ServiceName Amazon EC2")).to_have_count(2)


def test_fay_uploads_a_bill_and_reads_its_exact_total(visit, at_once, tmp_path):
    page = visit("fay")
    path = bills.write(tmp_path, "march.csv", bills.focus_csv([{"BilledCost": "0.123456789012345678"}, {}]))
    page.goto("/deliveries/upload/")
    page.locator("input[type=file]").set_input_files(path)
    expect(page.locator("[data-files]")).to_contain_text("march.csv")
    page.get_by_label("Source").fill("northwind")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url("**/deliveries/*/")
    expect(page.locator("main")).to_contain_text("1.123456789012345678")
    assert Delivery.objects.get().status == Delivery.Status.CURRENT
    assert CostLine.objects.totals(["billed_cost"])["USD"]["billed_cost"] == Decimal("1.123456789012345678")


def test_fay_reads_what_was_wrong_with_a_file_that_is_no_bill(visit, at_once, tmp_path):
    page = visit("fay")
    path = bills.write(tmp_path, "letter.csv", b"Dear finance,\nplease find the bill attached.\n")
    page.goto("/deliveries/upload/")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_label("Source").fill("northwind")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("[data-errors]")).to_contain_text("none of the columns we look for")
    assert not Delivery.objects.exists()


def test_a_file_above_the_limit_is_refused_before_it_is_sent(visit, settings, tmp_path):
    settings.BILL_MAX_UPLOAD_BYTES = 1000
    page = visit("fay")
    page.goto("/deliveries/upload/")
    page.locator("input[type=file]").set_input_files(bills.write(tmp_path, "big.csv", b"x" * 2000))
    expect(page.locator("[data-errors]")).to_contain_text("can be uploaded at once")


def test_fay_changes_the_question_of_the_explorer_and_downloads_the_answer(visit, bill):
    page = visit("fay")
    page.goto("/costs/")
    page.get_by_label("Group by").select_option("team")
    expect(page.locator("main table")).to_contain_text("Payments")
    assert "group_by=team" in page.url
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").first.click()
    text = download.value.path().read_text()
    assert "Payments" in text
    assert "100.25" in text


def test_the_address_of_the_explorer_can_be_shared(visit, bill):
    page = visit("fay")
    page.goto("/costs/?group_by=service&period=3-months&metric=effective_cost")
    other = visit("max")
    other.goto(page.url)
    expect(other.get_by_label("Amount")).to_have_value("effective_cost")
    expect(other.locator("main table")).to_contain_text("Amazon S3")


def test_the_keyboard_reaches_the_content_first(visit, bill):
    page = visit("eli")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/costs/", "/costs/lines/", "/costs/teams/", "/deliveries/", "/token/"])
@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")])
def test_a_page_fits_its_screen_and_complains_about_nothing(visit, bill, path, size, scheme):
    page = visit("fay", size, scheme)
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("html").get_attribute("data-bs-theme") == scheme


def test_fay_sees_only_what_the_kind_of_her_source_needs(visit):
    page = visit("fay")
    page.goto("/sources/add/")
    shown = lambda: [text.strip() for text in page.locator(".field:visible .form-label").all_inner_texts()]  # noqa: E731
    assert "Bucket optional" in shown()
    assert "AWS region optional" in shown()
    page.get_by_label("Kind").select_option("folder")
    assert "Folder optional" in shown()
    assert not {"AWS region optional", "Credential optional", "Prefix optional"} & set(shown())
    page.get_by_label("Kind").select_option("azure")
    assert "Storage account optional" in shown()
    page.get_by_label("Kind").select_option("upload")
    assert "Folder optional" not in shown()
    expect(page.get_by_label("look for bills every hour")).to_be_hidden()
