"""Every page that each person of the demo company can reach, in light and dark, on a phone and a desk, by axe-core.

``python3 run.py manage shell -c "from benchmarks import accessibility; accessibility.main()"`` takes half an hour; name
people, themes or widths for a part of it.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.test import Client
from django.urls import Resolver404, resolve
from playwright.sync_api import sync_playwright

from tests.browser.accessibility import THEMES, WIDTHS, Window

PEOPLE = ("ada", "fay", "eli", "lea", "ola", "max")
# Made by other packages, or no page of the site.
OTHERS = ("/admin/", "/api/", "/static/", "/mail/", "/accounts/logout/")
# One view shows pages that differ: kinds of reports, parts of a plan.
KINDS = ("kind", "part")


class Links(HTMLParser):
    """The addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if tag == "a" and name == "href" and value]


def main(people: Sequence[str] = PEOPLE, themes: Sequence[str] = THEMES, widths: Sequence[int] = tuple(WIDTHS)) -> None:
    """Prints what is wrong as it is found, and a line for each person, theme and width with its count."""
    from finops_site.models import User

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    settings.ALLOWED_HOSTS = ["*"]
    rules: Counter[str] = Counter()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for who in people:
            client = Client()
            user = User.objects.get(email=f"{who}@demo.example")
            client.force_login(user, backend="finops_site.people.backends.RoleBackend")
            pages = reachable(client)
            for theme in themes:
                for width in widths:
                    faults = look(Window(browser, theme, width), client, pages)
                    rules.update(fault.partition(":")[0] for fault in faults)
                    print(f"| {who} | {theme} | {width} | {len(pages)} | {len(faults)} |", flush=True)
        browser.close()
    print(dict(rules) or "no faults")


def look(window: Window, client: Client, pages: Sequence[str]) -> list[str]:
    """The faults of all pages in one window; each is printed."""
    faults = []
    for path in pages:
        for fault in window.faults(client, path) or []:
            print(f"{path}: {fault}", flush=True)
            faults.append(fault)
    window.close()
    return faults


def reachable(client: Client) -> list[str]:
    """One address of each kind of page that links lead to from home."""
    kinds: dict[str, str] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop(0)
        kind = kind_of(path)
        if not kind or kind in kinds:
            continue
        response = client.get(path)
        if response.status_code >= 400:
            print(f"{path}: a link leads to {response.status_code}", flush=True)
        if response.status_code != 200 or not response.get("Content-Type", "").startswith("text/html"):
            continue
        kinds[kind] = path
        links = Links()
        links.feed(response.content.decode())
        waiting += [urljoin(path, link) for link in links.addresses]
    return list(kinds.values())


def kind_of(path: str) -> str:
    """The name of the view behind an address of ours, and which of its kinds; empty where it is no page to look at."""
    parts = urlsplit(path)
    if parts.netloc or not parts.path.startswith("/") or parts.path.startswith(OTHERS) or "format=" in parts.query:
        return ""
    try:
        match = resolve(parts.path)
    except Resolver404:
        return ""
    return " ".join([match.view_name, *(str(match.kwargs[name]) for name in KINDS if name in match.kwargs)])
