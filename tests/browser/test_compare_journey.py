"""fay asks why March costs more: from the explorer to the comparison, and by a click on a bar to one service."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP
from tests.browser.test_journeys import bill as bill

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


def test_fay_compares_two_months_and_narrows_to_the_bar_she_clicks(visit, bill):
    page = visit("fay", DESKTOP)
    page.goto("/costs/?group_by=service&period=3-months")
    bars = page.locator("#spend-usd .chart svg")
    expect(bars).to_be_visible()
    expect(page.locator("table.data tfoot")).to_contain_text("Total USD")
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    expect(page.locator("main")).to_contain_text("Why it differs")
    page.get_by_label("Compare with").select_option("year")
    page.wait_for_url(lambda url: "against=year" in url)
    expect(page.locator("#list")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#list")).to_contain_text("New resources")
    click_bar(page, "#difference-usd .chart", 0)
    page.wait_for_url(lambda url: "service=Amazon" in url)
    expect(page.locator("#table-usd tbody tr")).to_have_count(1)
    expect(page.get_by_role("group", name="Filters in force")).to_contain_text("Amazon")


def click_bar(page, chart, step):
    """Clicks where the bar of a step is drawn: ECharts knows the pixel."""
    place = page.locator(chart)
    expect(place.locator("svg")).to_be_visible()
    place.scroll_into_view_if_needed()
    x, y = place.evaluate(
        """(place, step) => {
            const picture = echarts.getInstanceByDom(place);
            return picture.convertToPixel({ seriesIndex: 0 }, [picture.getOption().series[0].data[step] / 2, step]);
        }""",
        step,
    )
    place.click(position={"x": x, "y": y})
