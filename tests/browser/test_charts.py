"""Charts as Chromium draws them: a forecast's band, a budget's line, and what they say to the mouse."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def gallery(settings, visit):
    """The page of the gallery with every kind of chart."""
    templates = settings.TEMPLATES[0]
    folder = Path(__file__).resolve().parents[1] / "gallery_templates"
    settings.ROOT_URLCONF = "tests.gallery"
    settings.TEMPLATES = [{**templates, "DIRS": [*templates["DIRS"], folder]}]

    def open_as(size=DESKTOP, scheme="light"):
        page = visit("lea", size, scheme)
        page.goto("/charts/")
        expect(page.locator("#chart-band svg").first).to_be_visible()
        return page

    return open_as


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_band_is_a_strip_between_its_two_sides_and_a_budget_a_dashed_line(gallery, size, scheme):
    page = gallery(size, scheme)
    page.wait_for_timeout(600)
    strips = page.locator('#chart-band .chart svg path[fill-opacity="0.2"]')
    # Five known steps have four strips between them, and each has a width.
    assert strips.count() == 4
    boxes = [strip.bounding_box() for strip in strips.all()]
    assert all(box["width"] > 3 for box in boxes)
    assert [box["height"] for box in boxes] == sorted(box["height"] for box in boxes)
    assert page.locator("#chart-band .chart svg path[stroke-dasharray]").count() >= 2
    budget = page.locator("#chart-band").get_by_role("button", name="Budget").locator("rect").get_attribute("fill")
    assert page.locator(f'#chart-band .chart svg path[stroke-dasharray][stroke="{budget}"]').count() == 1
    assert page.locator("#chart-threshold .chart svg path[stroke-dasharray]").count() >= 1


def test_the_mouse_over_a_band_is_told_both_its_sides(gallery):
    page = gallery()
    chart = page.locator("#chart-band .chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.87, box["y"] + box["height"] * 0.5)
    tip = page.locator(".chart-tip").filter(has_text="Forecast")
    expect(tip).to_contain_text("80% interval")
    expect(tip).to_contain_text(" to ")
    expect(tip).to_contain_text("Budget")


def test_switching_a_band_off_takes_its_strip_away(gallery):
    page = gallery()
    strips = page.locator('#chart-band .chart svg path[fill-opacity="0.2"]')
    expect(strips).to_have_count(4)
    page.locator("#chart-band").get_by_role("button", name="80% interval").click()
    expect(strips).to_have_count(0)
