"""Month end: max follows a figure to its past and to the review, and decides; fay corrects, sends, finds again."""

import re
from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from finops_site.models import OutgoingEmail, Team
from finops_site.ui.figures import month_text
from programme.kpis import nights
from programme.models import DecisionPoint, MadeReport, ReportDelivery, ReportSchedule
from programme.roadmap import plans
from programme.roadmap.nightly import check_night
from programme.roadmap.seed_plan import ninety_days
from programme.savings_model.assumptions import start_model
from tagging.models import OwnershipRule
from tests import bills
from tests.browser.conftest import follow
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


def load(folder, amounts):
    """A bill of {month: cost} of Payments, delivered to the end of each, or to yesterday."""
    newest = timezone.now().date() - timedelta(days=1)
    last = {month: min(month.period.last_day, newest) for month in amounts}
    rows = [
        {
            "BillingPeriodStart": f"{month}-01T00:00:00Z",
            "BillingPeriodEnd": f"{month.next}-01T00:00:00Z",
            "ChargePeriodStart": f"{last[month]}T00:00:00Z",
            "ChargePeriodEnd": f"{last[month] + timedelta(days=1)}T00:00:00Z",
            "ServiceName": "Machines",
            "ResourceId": "i-1",
            "BilledCost": cost,
            "EffectiveCost": cost,
            "Tags": '{"Team": "Payments"}',
        }
        for month, cost in amounts.items()
    ]
    name = f"bill-{len(amounts)}.csv"
    (received,) = receive_bill("northwind", [bills.write(folder, name, bills.focus_csv(rows))], is_accepted=True)
    assert load_bill(received.delivery).status == "current"


@pytest.fixture
def company(transactional_db, tmp_path):
    """Payments with bills of eight months and of this one, a programme at its seventh day, and two stored nights."""
    fay = person("fay")
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Payments", team=team, tag_key="Team", tag_value="Payments")
    today = timezone.now().date()
    load(tmp_path, {Month.of(today).plus(-back): f"{1000 + back}.00" for back in range(today.day == 1, 9)})
    start = today - timedelta(days=6)
    programme = plans.start(ninety_days(), start, by=fay, now=datetime.combine(start, time(9), UTC))
    for day in (today - timedelta(days=1), today):
        nights.store_day(day, now=datetime.combine(day, time(5, 10), UTC))
    check_night(programme, today)
    start_model(user=fay, currency="USD", start=Month.of(start), now=timezone.now())
    return team


def test_max_reads_a_figure_its_past_and_the_review_and_records_a_decision(company, visit):
    page = visit("max")
    page.locator(".gates").get_by_role("link", name="Cost with an owner").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cost with an owner")
    expect(page.locator("main")).to_contain_text("100%")
    past = page.locator("#kpi-past tbody tr")
    expect(page.locator(".kpi-history")).to_contain_text("What is stored stays, whatever a later bill says.")
    page.get_by_role("link", name="By month", exact=True).click()
    page.wait_for_url("**by=month**")
    expect(past.filter(has_text="100%").first).to_be_visible()

    follow(page, "Reports", "Reviews and updates")
    page.get_by_role("link", name=re.compile("^Quarterly business review")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Quarterly business review")
    expect(page.locator("main")).to_contain_text("Promised and achieved")
    expect(page.locator("main")).to_contain_text("The whole company. Cost known")
    address = page.get_by_role("link", name="PDF").first.get_attribute("href")
    paper = page.request.get(address)
    assert paper.body().startswith(b"%PDF")

    decision = DecisionPoint.objects.order_by("due").first()
    follow(page, "Programme", "Ninety days")
    page.get_by_role("link", name=decision.name).first.click()
    page.get_by_role("button", name="Sign as CFO").click()
    expect(page.locator("main")).to_contain_text("You have signed.")
    page.locator("textarea[name=why]").fill("Bills are in and every part has a name.")
    page.get_by_role("button", name="Record it").click()
    expect(page.locator("dialog[open]")).to_contain_text("does not change any more")
    assert not DecisionPoint.objects.get(pk=decision.pk).is_decided
    page.locator("#confirm-yes").click()
    expect(page.locator("main")).to_contain_text("Bills are in and every part has a name.")
    expect(page.locator("main")).to_contain_text("It stays as it was recorded, with its evidence.")
    expect(page.get_by_role("button", name="Record it")).to_have_count(0)
    decision.refresh_from_db()
    assert (decision.is_decided, decision.decided_by.email) == (True, "max@demo.example")
    assert list(decision.signatures.values_list("role", "by__email")) == [("CFO", "max@demo.example")]


def test_fay_corrects_an_assumption_sends_the_monthly_report_and_finds_it_as_it_was(company, visit, at_once, tmp_path):
    page = visit("fay")
    follow(page, "Programme", "Savings model")
    expect(page.locator("main")).to_contain_text(
        "Conservative: stated 150,000 USD, follows 132,600 USD, 17,400 USD less."
    )
    page.get_by_role("link", name="Cost that teams answer for").click()
    expect(page.locator("main")).to_contain_text("a month by the bills")
    page.get_by_role("link", name="Change", exact=True).click()
    expect(page.locator("input[name=expected]")).to_be_visible()
    for field in page.locator("input[name=conservative], input[name=expected], input[name=optimistic]").all():
        field.fill("60,000")
    page.locator("[name=source]").fill("Bills of the last quarter")
    page.locator("[name=reason]").fill("Two teams left.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Two teams left.")
    follow(page, "Programme", "Savings model")
    # 12 % of 60,000 in twelve months, with the two other pillars.
    expect(page.locator("main")).to_contain_text(
        "Conservative: stated 150,000 USD, follows 125,400 USD, 24,600 USD less."
    )

    month = Month.of(timezone.now().date()).previous
    follow(page, "Reports", "Schedules")
    page.get_by_role("link", name="New schedule").first.click()
    page.get_by_label("Name").fill("To the board")
    page.locator("select[name=kind]").select_option("monthly")
    page.locator("select[name=people]").evaluate(
        """(select, name) => {
          for (const one of select.options) one.selected = one.text.includes(name);
          select.dispatchEvent(new Event("change", { bubbles: true }));
          if (select.tomselect) select.tomselect.sync();
        }""",
        "Max",
    )
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Nothing was sent yet")
    page.get_by_role("button", name="Send now").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("main")).to_contain_text("is being made, and sent to everybody on it")
    schedule, delivery = ReportSchedule.objects.get(), ReportDelivery.objects.get()
    assert (schedule.kind, delivery.to) == ("monthly", "max@demo.example")
    assert OutgoingEmail.objects.filter(kind="scheduled-report").count() == 1

    follow(page, "Reports", "Reviews and updates")
    page.get_by_role("link", name=f"{month_text(month, 'long')} report", exact=True).click()
    expect(page.locator("main")).to_contain_text("1,001.00")
    paper = page.request.get(page.get_by_role("link", name="PDF").first.get_attribute("href")).body()
    load(tmp_path, {month: "7777.00"})
    page.reload()
    expect(page.locator("main")).to_contain_text("1,001.00")
    expect(page.locator("main")).not_to_contain_text("7,777.00")
    expect(page.locator("main")).to_contain_text(MadeReport.objects.get().sha256)
    assert page.request.get(page.get_by_role("link", name="PDF").first.get_attribute("href")).body() == paper
    page.goto(f"/reports/{month}/")
    expect(page.locator("main")).to_contain_text("7,777.00")
