"""Fay gets about by keyboard and by tabs, and by neither where she types or has switched shortcuts off."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, follow

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


def test_fay_gets_about_by_shortcuts_until_she_switches_them_off(visit):
    page = visit("fay")
    shortcuts, search = page.get_by_role("dialog", name="Keyboard shortcuts"), page.get_by_role("dialog", name="Search")
    page.keyboard.press("?")
    expect(shortcuts.get_by_role("link", name="Budgets")).to_be_visible()
    page.keyboard.press("Escape")
    expect(shortcuts).to_be_hidden()
    page.keyboard.type("gb")
    expect(page).to_have_url(re.compile("/budgets/$"))
    field = page.get_by_label("Name", exact=True)
    field.press_sequentially("gc?/")
    expect(field).to_have_value("gc?/")
    expect(shortcuts).to_be_hidden()
    field.press("Control+k")
    expect(search).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_role("button", name=re.compile("^Fay Finance.*account$")).click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    shortcuts.get_by_role("switch").uncheck()
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.type("?/gc")
    expect(shortcuts).to_be_hidden()
    expect(search).to_be_hidden()
    expect(page).to_have_url(re.compile("/budgets/"))
    page.keyboard.press("Control+k")
    expect(search).to_be_visible()


def test_a_tab_leads_where_it_says_and_is_in_view_on_a_phone(visit):
    page = visit("fay")
    follow(page, "Commitments", "Savings ledger")
    expect(page).to_have_url(re.compile("/reservations/savings/$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Savings ledger")
    page.set_viewport_size(PHONE)
    page.reload()
    tab = page.get_by_role("navigation", name="Pages of Commitments").locator("[aria-current=page]")
    expect(tab).to_have_text("Savings ledger")
    expect(tab).to_be_in_viewport(ratio=1)
