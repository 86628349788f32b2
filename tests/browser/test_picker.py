"""Many of many in a filter bar: Tom Select where there is JavaScript, a plain list where there is none."""

import pytest

from tests.browser.conftest import DESKTOP, PHONE, sign_in
from tests.people import person

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def chosen(page):
    return page.locator("select[name=status]").evaluate("select => [...select.selectedOptions].map(one => one.value)")


def test_states_are_picked_by_keyboard_and_the_list_and_its_address_follow(visit):
    page = visit("fay")
    page.goto("/deliveries/")
    picker = page.get_by_role("combobox", name="Status")
    picker.focus()
    page.keyboard.press("ArrowDown")
    search = page.locator(".ts-dropdown:visible input.dropdown-input")
    search.type("supers")
    page.keyboard.press("Enter")
    page.wait_for_url("**status=superseded**")
    assert chosen(page) == ["superseded"]
    search.fill("")
    page.get_by_role("option", name="Current").click()
    page.wait_for_url("**status=current**")
    assert sorted(chosen(page)) == ["current", "superseded"]
    page.keyboard.press("Escape")
    # A chip takes its value away, and the picker follows the address.
    page.locator(".chip", has_text="Current").click()
    page.wait_for_function("!location.search.includes('status=current')")
    assert chosen(page) == ["superseded"]
    assert [text.split()[0] for text in page.locator(".ts-control .item").all_inner_texts()] == ["Superseded"]


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")])
def test_the_list_of_choices_stays_inside_the_window(visit, size, scheme):
    page = visit("fay", size, scheme)
    page.goto("/deliveries/")
    if size is PHONE:
        page.get_by_role("button", name="Filters").click()
    page.locator(".filter-multiple .ts-control").last.click()
    box = page.locator(".ts-dropdown:visible").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]


def test_without_javascript_it_is_a_plain_list(chromium, live_server, transactional_db):
    context = chromium.new_context(base_url=live_server.url, viewport=DESKTOP, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, person("fay"))
    page.goto("/deliveries/")
    page.get_by_label("Status").select_option(["superseded", "current"])
    page.get_by_role("button", name="Apply").click()
    assert "status=superseded" in page.url
    page.locator(".chip").nth(1).wait_for()
    context.close()
