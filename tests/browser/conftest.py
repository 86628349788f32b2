"""Headless Chromium, Debian's, against the real site; without it these tests skip and say so."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from finops_site.celery import app
from tests.people import PASSWORD, person

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Without a sandbox as root, and without anything that calls home.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
DESKTOP, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: browser tests skipped")
    # Playwright runs an event loop in this thread, which Django takes for an async view.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def at_once():
    """Loads run inside the request that queues them: the browser is the only other process."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def visit(chromium, live_server, transactional_db):
    """Opens the site as somebody: ``visit("lea", PHONE, "dark")``; whatever the page complains about fails the test."""
    complaints, contexts = [], []

    def open_as(name, size=DESKTOP, scheme="light"):
        context = chromium.new_context(
            base_url=live_server.url, viewport=size, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        sign_in(page, person(name))
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert complaints == []


def follow(page, link, tab=""):
    """Clicks a link of the sidebar, and then one of its tabs."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name=link, exact=True).click()
    if tab:
        page.get_by_role("navigation", name=f"Pages of {link}").get_by_role("link", name=tab, exact=True).click()


def is_complaint(message):
    """An error of the page; that a form is refused with 400 is an answer, and being offline no fault of ours."""
    answers = ("status of 400", "ERR_INTERNET_DISCONNECTED", "htmx:sendError", "htmx:afterRequest")
    return message.type == "error" and not any(text in message.text for text in answers)


def sign_in(page, user):
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(user.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/accounts/" not in url)
