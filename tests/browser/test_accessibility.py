"""Every page once, by axe and at 200 %: its reader, theme and width take turns.

All of them together are `benchmarks/accessibility.py`.
"""

from zlib import crc32

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.browser.accessibility import THEMES, WIDTHS, Window
from tests.people import PASSWORD
from tests.test_access import ACCESS, NAMES, QUERIES, a_line, arguments  # noqa: F401 (pytest finds the fixture here)

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

# Made by another package; a mail as a mail program shows it.
OTHERS = {"api-docs", "dev_mail_html"}
WINDOWS = [(theme, width) for theme in THEMES for width in WIDTHS]


class Undo(Exception):
    """Takes back what the arguments of an address made."""


def readers(name):
    return [who for who in NAMES if ACCESS[name][who] == 200]


def shown(window, name, line, people):
    """The faults of the page of `name`, for the one reader whose turn it is; None where it is no page."""
    allowed = readers(name)
    who = allowed[crc32(name.encode()) // len(WINDOWS) % len(allowed)]
    client = Client()
    if who != "nobody":
        client.force_login(people[who], backend="finops_site.people.backends.RoleBackend")
    path = reverse(name, args=arguments(name, line)) + QUERIES.get(name, "")
    faults = window.faults(client, path)
    return faults and [f"{fault} ({name}, {who})" for fault in faults]


@pytest.mark.parametrize(("theme", "width"), WINDOWS)
def test_no_page_has_a_fault_that_axe_or_a_zooming_reader_finds(theme, width, chromium, people, request):
    line = request.getfixturevalue("a_line")
    turn = WINDOWS.index((theme, width))
    window, wrong, seen = Window(chromium, theme, width), [], 0
    try:
        for name in sorted(set(ACCESS) - OTHERS):
            if crc32(name.encode()) % len(WINDOWS) != turn or not readers(name) or name.startswith("api"):
                continue
            try:
                with transaction.atomic():
                    faults = shown(window, name, line, people)
                    raise Undo
            except Undo:
                seen += faults is not None
                wrong += faults or []
    finally:
        window.close()
    assert seen > 10, "pages were looked at"

    assert wrong == []


def test_nor_have_pages_that_stand_before_the_site_and_of_a_second_step(chromium, people, settings):
    settings.FINOPS_OIDC_ISSUER, settings.FINOPS_OIDC_CLIENT_ID = "https://login.example", "finops"
    settings.FINOPS_SAML_METADATA = "/nowhere.xml"
    window, nobody, ada = Window(chromium, "dark", 390), Client(), Client()
    ada.post("/accounts/login/", {"login": "ada@demo.example", "password": PASSWORD})
    ada.post("/accounts/reauthenticate/", {"password": PASSWORD})
    before = ("login/", "password/reset/", "saml/saml/acs/finish/")
    of_ada = ("2fa/", "reauthenticate/", "2fa/totp/activate/", "2fa/webauthn/add/")
    pages = [(nobody, path) for path in before] + [(ada, path) for path in of_ada]
    try:
        faults = {path: window.faults(browser, f"/accounts/{path}") for browser, path in pages}
        faults["/there-is-no-such-page/"] = window.faults(nobody, "/there-is-no-such-page/")
        assert {path: wrong for path, wrong in faults.items() if wrong != []} == {}
    finally:
        window.close()
