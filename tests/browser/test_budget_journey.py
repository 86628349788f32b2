"""Fay plans, edits and imports budgets and takes an alert; lea proposes one and takes hers out of the mail."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import expect

from budgets.alerts import notifications
from budgets.evaluation import evaluate
from budgets.models import Alert, Budget
from budgets.planning import budget_changes
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from finops_site.mail import outbox
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.browser.conftest import PHONE
from tests.budgets.conftest import _row
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def today():
    return timezone.now().date()


@pytest.fixture
def spending_team(transactional_db, tmp_path, today):
    """Payments: 3,100 in each of the last three months, and 100 on each day of this one."""
    person("fay")
    payments = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Payments", team=payments, tag_key="Team", tag_value="Payments")
    month = Month.of(today)
    rows = [_row(past, past.start, "3100.00", {}) for past in (month.plus(-3), month.plus(-2), month.plus(-1))]
    days = [month.start + timedelta(days=number) for number in range(today.day)]
    rows += [_row(month, day, "100.00", {}) for day in days]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows))])
    assert load_bill(received.delivery).status == "current"
    return payments


@pytest.fixture
def crossed(spending_team, today):
    """Her budget of this month is spent, and everybody is told."""
    month = Month.of(today)
    budget = Budget(name="Payments", team=spending_team, start=month.start)
    budget_changes.create_budget(
        budget, {month.period: Decimal(50), month.next.period: Decimal(4000)}, by=person("fay")
    )
    now = timezone.now()
    evaluate.evaluate_nights(today, now=now, catch_up=False)
    notifications.send_due_notifications(now)
    outbox.send_queued_emails(now)
    return budget


def paste(page, text):
    """What a spreadsheet puts on the clipboard, pasted where the keyboard is."""
    page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          const paste = { clipboardData: data, bubbles: true, cancelable: true };
          document.activeElement.dispatchEvent(new ClipboardEvent("paste", paste));
        }""",
        text,
    )


def test_fay_plans_with_a_suggestion_edits_the_grid_imports_a_table_and_adds_a_threshold(
    spending_team, visit, at_once, today, tmp_path
):
    month = Month.of(today)
    page = visit("fay")
    page.goto("/budgets/")
    page.get_by_role("link", name="New budget").first.click()
    page.get_by_label("Name").fill("Plan of Payments")
    page.get_by_label("Team", exact=False).first.select_option(label="Payments")
    expect(page.locator("#id_start")).not_to_be_visible()
    beside = page.get_by_label("What it has cost")
    expect(beside).to_contain_text("The last 3 months suggest")
    beside.get_by_role("button", name="Use 3,100").click()
    expect(page.locator("#id_amount")).to_have_value("3100")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/budgets/\d+/$"))
    budget = Budget.objects.get()
    assert (budget.state, budget.periods.first().amount) == ("active", 3100)

    page.goto(f"/budgets/grid/?year={month.start.year}")
    cell = page.locator(f"input[name='cell-{budget.pk}-{month}']")
    cell.focus()
    paste(page, "3,500\r\n9\r\n")
    expect(cell).to_have_value("3,500")
    expect(page.locator("#announcer")).to_have_text("1 cell has no place here.")
    expect(page.locator("tr[data-row] [data-sum]")).to_have_text(f"{3500 + 3100 * (12 - month.start.month):,}.00")
    page.get_by_role("button", name="Check and save").click()
    expect(page.locator("main")).to_contain_text("1 amount of 1 budget would change")
    expect(page.locator("main")).to_contain_text("3,100.00 USD → 3,500.00 USD")
    assert budget.periods.get(start=month.start).amount == 3100, "shown, and not written"
    page.get_by_role("button", name="Back to the amounts").click()
    expect(cell).to_have_value("3,500")
    page.get_by_role("button", name="Check and save").click()
    page.get_by_role("button", name="Save 1 amount").click()
    expect(page.locator("main")).to_contain_text("1 amount changed")
    assert budget.periods.get(start=month.start).amount == 3500

    table = tmp_path / "amounts.csv"
    table.write_text(f"budget,{month}\nPlan of Payments,3600\n")
    page.goto("/budgets/import/")
    page.locator("input[type=file]").set_input_files(table)
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("main")).to_contain_text("3,600")
    assert budget.periods.get(start=month.start).amount == 3500, "looked at, not written"
    page.locator("main").get_by_role("button", name=re.compile("Write")).click()
    expect(page.locator("main")).to_be_visible()
    page.wait_for_url(lambda url: "/import/" not in url)
    assert budget.periods.get(start=month.start).amount == 3600

    page.goto(budget.get_absolute_url())
    page.get_by_role("link", name="Alerts and thresholds").click()
    page.locator("#thresholds").get_by_role("link", name=re.compile("Add")).click()
    page.get_by_label("Percentage").fill("90")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#thresholds")).to_contain_text("90%")


def test_fay_takes_an_alert_and_all_of_its_cause(crossed, visit, at_once):
    page = visit("fay")
    page.goto("/alerts/")
    page.locator("main table tbody a").first.click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("main")).to_contain_text("by Fay Lindqvist")
    assert set(Alert.objects.values_list("state", flat=True)) == {"acknowledged"}


def test_lea_proposes_a_budget_on_a_phone_and_fay_approves_it(spending_team, visit, at_once, today):
    page = visit("lea", PHONE)
    page.goto("/budgets/propose/")
    page.get_by_label("Name").fill("Mine")
    page.get_by_label("Team", exact=False).first.select_option(label="Payments")
    page.locator("#id_amount").fill("1,000")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/budgets/\d+/$"))
    assert Budget.objects.get().state == "proposed"
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    finance = visit("fay")
    finance.goto(Budget.objects.get().get_absolute_url())
    finance.get_by_role("button", name="Approve").click()
    expect(finance.locator("dialog[open]")).to_contain_text("12,000.00 USD in all, 1,000.00 USD each")
    assert Budget.objects.get().state == "proposed"
    finance.locator("#confirm-yes").click()
    expect(finance.locator("main")).to_contain_text("is approved and in force from now on")
    assert Budget.objects.get().state == "active"


def test_lea_takes_her_alert_out_of_the_mail_by_confirming_and_snoozes_it(
    crossed, visit, at_once, chromium, live_server
):
    (letter,) = [message for message in mail.outbox if message.to == ["lea@demo.example"]]
    link = re.search(r"https?://[^/\s]+(/alerts/acknowledge/\S+)", letter.body).group(1)
    # Her phone, where she is not signed in.
    page = chromium.new_context(base_url=live_server.url, viewport=PHONE).new_page()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Payments")
    expect(page.locator(".chart canvas, .chart svg").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("At period end")
    expect(page.locator("main a[href^='/']")).to_have_count(0)
    page.get_by_label("What you know or will do").fill("The load test: it ends tonight.")
    assert not Alert.objects.filter(state="acknowledged").exists(), "to look at it acknowledges nothing"
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("body")).to_contain_text("Thank you: you have acknowledged it.")
    page.context.close()
    assert set(Alert.objects.values_list("state", "acknowledged_by__email")) == {("acknowledged", "lea@demo.example")}
    comments = [line.get("comment") for alert in Alert.objects.all() for line in alert.history]
    assert "The load test: it ends tonight." in comments
    page = visit("lea")
    page.goto(Alert.objects.first().get_absolute_url())
    page.get_by_role("button", name="Snooze").click()
    expect(page.locator("main")).to_contain_text("snoozed")
    assert Alert.objects.filter(state="snoozed").count() == 1
