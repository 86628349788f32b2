"""Sidebar, tabs, breadcrumbs, shortcuts and error pages: where somebody can go, and to no closed door."""

import re

import pytest
from django.core.checks import run_checks
from django.db import OperationalError
from django.test import Client
from django.urls import resolve

from finops_site.people.backends import RoleBackend
from finops_site.registry import NavItem, NavTab, registry
from tests.people import person, signed_in
from tests.test_access import ACCESS

pytestmark = pytest.mark.django_db

PEOPLE = ("ada", "fay", "eli", "lea", "ola", "max")
COMPANY = ("ada", "fay", "max")
# What the sidebar of each person led to when it had up to 36 links (version of November 2026).
REACHED_BY_36_LINKS = {
    **dict.fromkeys(
        (
            *("/", "/reports/", "/costs/", "/costs/lines/", "/costs/teams/", "/kubernetes/"),
            *("/budgets/", "/alerts/", "/anomalies/", "/controls/", "/budgets/year/"),
            *("/tagging/", "/tagging/resources/", "/tagging/suggestions/", "/tagging/virtual-tags/"),
            *("/tagging/change-sets/", "/tagging/exceptions/", "/tagging/policy/", "/chargeback/", "/unit-costs/"),
            *("/reservations/", "/reservations/recommendations/", "/reservations/purchases/", "/reservations/owned/"),
            *("/reservations/expiries/", "/reservations/prices/", "/reservations/savings/"),
        ),
        PEOPLE,
    ),
    **dict.fromkeys(("/deliveries/", "/costs/account-groups/", "/sources/", "/rates/", "/costs/invoices/"), COMPANY),
    "/ownership/": ("ada", "fay", "eli", "lea", "ola"),
    "/set-up/": ("ada", "fay"),
    "/people/": ("ada",),
    "/health/": ("ada",),
}


def page_of(name: str, address: str) -> str:
    """The page that somebody gets at an address; it must open."""
    response = signed_in(person(name)).get(address)
    assert response.status_code == 200, f"{name} follows a link to {address}"
    return response.content.decode()


def links(page: str, label: str) -> dict[str, str]:
    """{address: text} of the links of a navigation."""
    markup = re.search(rf'<nav [^>]*aria-label="{label}".*?</nav>', page, re.S)
    pairs = re.findall(r'<a href="([^"]+)".*?>(?:<svg.*?</svg>)?(?:<span>)?([^<]+)<', markup[0] if markup else "", re.S)
    return dict(pairs)


@pytest.mark.parametrize("name", PEOPLE)
def test_sidebar_and_tabs_lead_to_all_that_the_long_sidebar_led_to(people, name):
    before = {address for address, who in REACHED_BY_36_LINKS.items() if name in who}
    sidebar = links(page_of(name, "/"), "Main")
    tabs = [address for entry in sidebar for address in links(page_of(name, entry), 'Pages of [^"]+')]
    assert before - {*sidebar, *tabs} == set()
    assert {address: ACCESS[resolve(address).view_name][name] for address in tabs} == dict.fromkeys(tabs, 200)
    assert len(sidebar) <= {"fay": 15, "ada": 16, "max": 13}.get(name, 12)  # about twelve


def test_chargeback_stands_in_the_sidebar_and_is_current_on_its_pages(people):
    page = page_of("fay", "/chargeback/splits/")
    assert links(page, "Main")["/chargeback/"] == "Chargeback"
    assert re.findall(r'<a href="(/[^"]*)" class="current"\s+aria-current="(\w+)"', page) == [("/chargeback/", "true")]
    assert re.findall(r'<a href="([^"]+)" aria-current="page">([^<]+)<', page) == [
        ("/chargeback/splits/", "Splits of pools")
    ]


def test_tabs_are_those_of_the_person(people):
    assert links(page_of("fay", "/chargeback/"), "Pages of Chargeback").keys() == {
        *("/chargeback/", "/chargeback/disputes/", "/chargeback/splits/", "/chargeback/accounts/"),
    }
    assert "/chargeback/accounts/" not in links(page_of("lea", "/chargeback/"), "Pages of Chargeback")
    assert 'class="tabs"' not in page_of("lea", "/ownership/")  # one page needs no tab
    # Max may not read the rules: his link leads to what he may.
    assert links(page_of("max", "/"), "Main")["/ownership/unowned/"] == "Ownership"


@pytest.mark.parametrize(
    ("name", "address", "crumbs"),
    [
        ("fay", "/chargeback/", []),
        ("fay", "/costs/lines/", [("Costs", "/costs/")]),
        ("fay", "/costs/account-groups/add/", [("Costs", "/costs/"), ("Account groups", "/costs/account-groups/")]),
        ("fay", "/deliveries/upload/", [("Bills", "/deliveries/")]),
        ("fay", "/ownership/pools/add/", [("Ownership", "/ownership/"), ("Pools", "/ownership/pools/")]),
        ("max", "/ownership/pools/", [("Ownership", "/ownership/unowned/")]),
        ("max", "/ownership/unowned/", []),
        ("lea", "/tagging/policy/prevention/", [("Tags", "/tagging/"), ("Tag policy", "/tagging/policy/")]),
        ("lea", "/search/", []),
    ],
)
def test_breadcrumbs_begin_with_the_entry_of_the_sidebar(people, name, address, crumbs):
    assert signed_in(person(name)).get(address).context["breadcrumbs"] == crumbs


def test_every_shortcut_of_the_list_is_one_of_its_own_and_opens(people):
    page = page_of("ada", "/")
    listed = re.search(r'<dialog class="shortcuts".*?</dialog>', page, re.S)[0]
    keys = re.findall(r'data-keys="([^"]+)"', listed)
    assert {"?", "/", "Ctrl+K", "G C", "G B"} <= set(keys)
    assert len(keys) == len(set(keys)) == len(links(page, "Main")) + 3
    opened = dict(re.findall(r'<a href="([^"]+)" data-keys="([^"]+)"', listed))
    assert opened.keys() == links(page, "Main").keys()
    assert "data-open-shortcuts" in re.search(r'class="dropdown-menu.*?</form>', page, re.S)[0]


def test_a_tab_without_an_entry_and_a_letter_of_two_are_errors_at_start():
    lost, twin = NavTab("Lost", "home", "nowhere"), NavItem("Twin", "home", "home", key="h")
    registry.add(lost, twin)
    try:
        errors = {error.id for error in run_checks()}
    finally:
        registry.remove(lost)
        registry.remove(twin)
    assert {"finops_site.E007", "finops_site.E008"} <= errors
    assert run_checks() == []


@pytest.mark.parametrize(("address", "status"), [("/nope/", 404), ("/health/", 403)])
def test_the_sidebar_stays_where_a_page_is_not_there_or_not_hers(people, address, status):
    response = signed_in(person("lea")).get(address)
    assert response.status_code == status
    assert "/budgets/" in links(response.content.decode(), "Main")
    stranger = Client().get("/nope/")
    assert (stranger.status_code, links(stranger.content.decode(), "Main")) == (404, {})


def test_a_form_that_is_too_old_is_told_so_in_the_frame(people):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("lea"), backend="finops_site.people.backends.RoleBackend")
    response = browser.post("/accounts/logout/")
    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()
    assert "/budgets/" in links(response.content.decode(), "Main")


@pytest.mark.parametrize(
    ("gone", "status", "text"),
    [("get_all_permissions", 404, "This page is not here"), ("get_user", 503, "The database does not answer")],
)
def test_without_a_database_there_is_still_a_page(people, monkeypatch, gone, status, text):
    """It goes away while the page is made, or was away before anybody was known."""
    browser = signed_in(person("lea"))
    browser.raise_request_exception = False

    def away(*_args):
        raise OperationalError("the database is away")

    monkeypatch.setattr(RoleBackend, gone, away)
    response = browser.get("/nope/")
    assert response.status_code == status
    assert text in response.content.decode()
    assert links(response.content.decode(), "Main") == {}
