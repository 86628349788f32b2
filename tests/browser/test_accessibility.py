"""Every page once, by axe and at 200 %: its reader, theme and width take turns.

All of them together are `benchmarks/accessibility.py`.
"""

from zlib import crc32

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.browser.accessibility import THEMES, WIDTHS, Window
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


@pytest.mark.parametrize("path", ["/accounts/login/", "/there-is-no-such-page/"])
def test_nor_has_a_page_that_stands_before_the_site(path, chromium, people):
    window = Window(chromium, "dark", 390)
    try:
        assert window.faults(Client(), path) == []
    finally:
        window.close()
