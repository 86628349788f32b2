"""Ada loses neither a question that could not be asked nor what she typed while her session ended."""

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from finops_site.models import Team
from tests.people import PASSWORD, person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_ada_is_offline_for_a_moment_and_then_signed_out(visit):
    person("ada")
    page = visit("ada")
    page.goto("/notifications/")
    page.context.set_offline(True)
    page.select_option("select[name=state]", "unread")
    toast = page.locator("#toast")
    expect(toast).to_contain_text("could not be reached")
    expect(page.locator("select[name=state]")).to_have_value("")
    page.context.set_offline(False)
    toast.get_by_role("button", name="Retry").click()
    expect(page).to_have_url(re.compile("state=unread"))
    expect(page.locator("select[name=state]")).to_have_value("unread")
    expect(toast).to_have_count(0)

    page.goto("/people/teams/add/")
    page.locator("input[name=name]").fill("Workshop & Tools")
    page.locator("input[name=cost_center]").fill("CC-4711")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save").click()
    page.locator("input[name=login]").fill("ada@demo.example")
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#typed-text-notice")).to_contain_text("nothing was saved")
    expect(page.locator("input[name=name]")).to_have_value("Workshop & Tools")
    expect(page.locator("input[name=cost_center]")).to_have_value("CC-4711")
    assert not Team.objects.filter(cost_center="CC-4711").exists()
    page.get_by_role("button", name="Save").dblclick()
    expect(page.locator("#typed-text-notice")).to_have_count(0)
    assert Team.objects.filter(cost_center="CC-4711").count() == 1
