"""Lea approves what a control proposes; eli looks, runs and records it by hand, and undoes it; fay stops all."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from budgets.controls import approvals
from budgets.models import Budget, Control, ControlChangeSet, ControlStep
from budgets.planning import budget_changes
from finops_site.lib.periods import Month
from finops_site.models import Team
from tests.browser.conftest import DESKTOP, PHONE
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def row(transactional_db):
    """A proposal to stop a dev machine and a test database of Payments, defined by fay."""
    fay, now = person("fay"), timezone.now()
    team, month = Team.objects.get(name="Payments"), Month.of(now.date())
    budget = Budget(name="Payments", team=team, start=month.start)
    budget_changes.create_budget(budget, {month.period: 300}, by=fay, why="plan")
    control = Control(
        name="Stop dev machines",
        budget=budget,
        threshold=budget.thresholds.first(),
        action="stop",
        accounts=["000000000042"],
    )
    approvals.save_control(control, user=fay, now=now)
    row = ControlChangeSet.objects.create(
        control=control,
        team=team,
        why="Payments: spent 50% is reached, 168.00 USD",
        proposed_by=fay,
        is_automatic=False,
        proposed_at=now,
        expires_at=now + timedelta(days=3),
        known_until=now.date() - timedelta(days=1),
        left_out=[
            {"resource": "web-1", "account": "000000000042", "why": "its tag Environment says production (prod)"}
        ],
        left_out_count=1,
    )
    place = {"cloud": "AWS", "account": "000000000042", "region": "us-east-1", "currency": "USD", "environment": "dev"}
    ControlStep.objects.bulk_create(
        [
            ControlStep(
                change_set=row,
                number=1,
                kind="ec2",
                target="i-00000000000000001",
                name="build-1",
                cost=11,
                saving=10,
                **place,
            ),
            ControlStep(change_set=row, number=2, kind="rds", target="orders-dev", cost=6, saving=6, **place),
        ]
    )
    return row


def test_lea_approves_and_eli_runs_records_and_undoes_it(row, visit):
    lea = visit("lea", PHONE)
    lea.goto("/")
    lea.get_by_role("link", name="A cost control waits for approval").click()
    expect(lea.locator("main")).to_contain_text("its tag Environment says production (prod)")
    lea.get_by_label("Comment").fill("Go ahead")
    lea.get_by_role("button", name="Approve").click()
    expect(lea.locator("dialog[open]")).to_contain_text("It saves 16.00 USD a day.")
    lea.locator("#confirm-yes").click()
    expect(lea.locator("main")).to_contain_text("Approved. Go ahead")

    eli = visit("eli")
    eli.goto(row.get_absolute_url())
    expect(eli.locator("main")).to_contain_text("First the dry run")
    with eli.expect_download() as script:
        eli.get_by_role("link", name="Checking script").click()
    assert "describe-instances" in script.value.path().read_text()
    states = f"finops control-{row.pk} 1 state running\nfinops control-{row.pk} 2 state available"
    eli.get_by_label("What the checking script printed").fill(states)
    eli.get_by_role("button", name="Record it").click()
    expect(eli.locator("main")).to_contain_text("Dry run: 2 to do.")
    eli.get_by_role("button", name="Run by hand").click()
    with eli.expect_download() as script:
        eli.get_by_role("link", name="Running script").click()
    assert "stop-instances" in script.value.path().read_text()
    eli.get_by_label("What the running script printed").fill(
        f"finops control-{row.pk} 1 ok\nfinops control-{row.pk} 2 failed AccessDenied"
    )
    eli.get_by_role("button", name="Record it").click()
    expect(eli.locator("main")).to_contain_text("Partly done.")
    expect(eli.locator("main")).to_contain_text("AccessDenied")

    eli.get_by_role("button", name="Undo").click()
    eli.locator("#confirm-yes").click()
    with eli.expect_download() as script:
        eli.get_by_role("link", name="Undoing script").click()
    text = script.value.path().read_text()
    assert "start-instances" in text
    assert "start-db-instance" not in text
    eli.get_by_label("What the undoing script printed").fill(f"finops control-{row.pk} 1 undone")
    eli.get_by_role("button", name="Record it").click()
    expect(eli.locator("main")).to_contain_text("Everything is as it was before.")
    row.refresh_from_db()
    assert (row.state, row.approved_by.email) == ("undone", "lea@demo.example")


def test_fay_cannot_approve_her_own_and_stops_all_with_one_button(row, visit):
    page = visit("fay", PHONE, "dark")
    page.goto(row.get_absolute_url())
    expect(page.locator("main")).to_contain_text("Somebody else has to approve it")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    page.goto("/controls/policy/")
    page.get_by_role("button", name="Disarm and stop all").click()
    expect(page.locator("main")).to_contain_text("All controls are stopped")
    page.get_by_role("button", name="Resume controls").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("main")).to_contain_text("Controls propose again.")


@pytest.mark.parametrize(("size", "scheme"), [({"width": 375, "height": 812}, "light"), (DESKTOP, "dark")])
def test_pages_of_controls_fit_their_screen(row, visit, size, scheme):
    page = visit("fay", size, scheme)
    control = row.control
    add = f"/controls/add/?budget={control.budget_id}"
    paths = ("/controls/", "/controls/changes/", row.get_absolute_url(), control.get_absolute_url(), add)
    for path in (*paths, "/controls/policy/", f"{control.get_absolute_url()}arm/"):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
