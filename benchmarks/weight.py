"""How much travels for a page, and how soon something is seen: the main pages of a site that runs, in Chromium.

``python3 run.py manage shell -c "from benchmarks import weight; weight.main()"`` beside a running copy of the demo.
"""

import os
import shutil
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from playwright.sync_api import Browser, sync_playwright

from benchmarks.pages import session_cookie

FIRST_PAGE_KB, CHART_PAGE_KB, PAINT_MS = 300, 500, 1000
# What a page shows: its address, whether it has charts. The first one is seen by somebody who is not signed in.
PAGES = {
    "sign in": ("/accounts/login/", False),
    "home": ("/", True),
    "explorer": ("/costs/", True),
    "cost lines": ("/costs/lines/", False),
    "teams": ("/costs/teams/", True),
    "budgets": ("/budgets/", False),
    "anomalies": ("/anomalies/", False),
    "tagging": ("/tagging/", True),
    "chargeback": ("/chargeback/", False),
    "commitments": ("/reservations/", True),
    "bills": ("/deliveries/", False),
}
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@dataclass
class Visit:
    """One load of a page: requests that were answered over the network, their bytes as they travelled, first paint."""

    requests: int
    kilobytes: float
    paint_ms: float


def main(person: str = "fay") -> None:
    """Prints each page with an empty cache and once more; first paint is the median of five loads of an empty cache."""
    from finops_site.models import User

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    cookie = session_cookie(User.objects.get(email__startswith=f"{person}@")).partition("=")
    print("| page | requests | kB, first | kB, again | first paint, ms | limit |\n|---|---|---|---|---|---|")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (path, has_charts) in PAGES.items():
            session = None if path.startswith("/accounts/") else (cookie[0], cookie[2])
            visits = [visit_twice(browser, path, session) for _ in range(5)]
            first, again = visits[0]
            paint = sorted(one.paint_ms for one, _ in visits)[2]
            limit = CHART_PAGE_KB if has_charts else FIRST_PAGE_KB
            verdict = "met" if first.kilobytes < limit and paint < PAINT_MS else "NOT MET"
            print(
                f"| {name} | {first.requests} | {first.kilobytes:.0f} | {again.kilobytes:.0f} | {paint:.0f} "
                f"| {limit} kB, {PAINT_MS} ms: {verdict} |"
            )
        browser.close()


def visit_twice(browser: Browser, path: str, session: tuple[str, str] | None) -> tuple[Visit, Visit]:
    """The page with an empty cache, and once more in the same browser."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    if session:
        context.add_cookies([{"name": session[0], "value": session[1], "url": settings.SITE_URL}])
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: note(event, sizes))
    visits = []
    for _ in range(2):
        sizes.clear()
        page.goto(settings.SITE_URL + path, wait_until="networkidle")
        visits.append(Visit(len(sizes), sum(sizes) / 1000, page.evaluate(PAINTED) or 0))
    context.close()
    return visits[0], visits[1]


def note(event: dict[str, Any], sizes: list[float]) -> None:
    """What came out of the cache travelled as nothing and is no request."""
    if event["encodedDataLength"]:
        sizes.append(event["encodedDataLength"])
