import pytest

from tests.browser.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.browser]


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")])
def test_shots(visit, size, scheme):
    page = visit("fay", size, scheme)
    page.goto("/deliveries/?status=superseded&status=current&status=failed")
    name = f"/tmp/shots/{size['width']}-{scheme}"
    if size is PHONE:
        page.get_by_role("button", name="Filters").click()
        page.wait_for_timeout(500)
    page.screenshot(path=name + "-closed.png")
    page.locator(".filter-multiple .ts-control").last.click()
    page.wait_for_timeout(300)
    page.screenshot(path=name + "-open.png")
    page.goto("/deliveries/upload/")
    page.screenshot(path=name + "-form.png")
