"""What a blind, motor-impaired or zooming reader would stumble over on a page: axe-core, and sideways scrolling.

The pages are answered by Django in this very process, so that they show what the transaction of a test holds, and no
server is needed: ``benchmarks/accessibility.py`` looks at the demo company in the same way.
"""

from pathlib import Path

from django.http.response import HttpResponseBase
from django.test import Client
from playwright.sync_api import Browser, Page, Route, TimeoutError

AXE = Path(__file__).parent / "axe" / "axe.min.js"
HOST = "http://127.0.0.1"
WIDTHS = {390: 844, 1440: 900}
THEMES = ("light", "dark")
# A window of 1440 pixels at 200 %.
ZOOMED = {"width": 720, "height": 450}
# Every rule of axe, and one that it keeps for those who ask: what is read aloud begins with what is seen.
RUN_AXE = """async () => {
    const seen = await axe.run(document, {
        resultTypes: ["violations"], rules: {"label-content-name-mismatch": {enabled: true}}
    });
    return seen.violations.flatMap(({id, nodes}) => nodes.map((node) => id + ": " + node.html.slice(0, 160)
        + (id === "color-contrast" ? " " + node.any[0].message.slice(0, 90) : "")));
}"""
HAS_ITS_PARTS = "() => !document.querySelector('.htmx-request')"
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
CHARTS_DRAW_MILLISECONDS = 3000
# A class of a framework once laid the annual plan out as a grid, with its rows right of the page.
ROWS_OUT_OF_SIGHT = """() => [...document.querySelectorAll(".table-wrap tbody > tr:first-child > :first-child")].filter(
    (cell) => cell.checkVisibility()
        && cell.getBoundingClientRect().left >= cell.closest(".table-wrap").getBoundingClientRect().right
).length"""


# A part that says so has the page drawn anew, in the middle of looking at it: work under way has ended.
LEADS_AWAY = ("HX-Refresh", "HX-Redirect", "HX-Location")


class Window:
    """One window of a browser, of a width and a theme, in which somebody reads pages of the site."""

    def __init__(self, chromium: Browser, theme: str, width: int) -> None:
        self.size = {"width": width, "height": WIDTHS[width]}
        self.context = chromium.new_context(viewport=self.size, color_scheme=theme, reduced_motion="reduce")
        self.context.add_init_script(path=AXE)
        self.context.route("**/*", self._answer)
        self.page: Page = self.context.new_page()
        self.files: dict[str, dict[str, object]] = {}
        self.document: dict[str, object] = {}
        self.reader = Client()

    def close(self) -> None:
        self.context.close()

    def faults(self, client: Client, path: str) -> list[str] | None:
        """What is wrong on the page at `path` as the person of `client` sees it, in words; None where it is no page."""
        response = client.get(path)
        if not is_page(response):
            return None
        self.document, self.reader = as_answer(response), client
        self.page.set_viewport_size(self.size)
        self.page.goto(HOST + path, wait_until="load")
        self.page.wait_for_function(HAS_ITS_PARTS)
        faults: list[str] = self.page.evaluate(RUN_AXE)
        if self.page.evaluate(ROWS_OUT_OF_SIGHT):
            faults.append("the rows of a table are out of sight")
        for how, size in (("as it is", self.size), ("at 200 %", ZOOMED)):
            if size["width"] <= self.size["width"]:
                self.page.set_viewport_size(size)
                if not self._comes_to_fit():
                    faults.append(f"the page scrolls sideways {how}")
        return faults

    def _comes_to_fit(self) -> bool:
        """Whether nothing of it is out of sight sideways once its charts have been drawn for the new width."""
        try:
            self.page.wait_for_function(FITS, timeout=CHARTS_DRAW_MILLISECONDS)
        except TimeoutError:
            return False
        return True

    def _answer(self, route: Route) -> None:
        """Files, the page that was asked for, and its parts that come by themselves; the rest it does without."""
        path = route.request.url.removeprefix(HOST)
        if path.startswith("/static/"):
            if path not in self.files:
                self.files[path] = as_answer(Client().get(path))
            route.fulfill(**self.files[path])
        elif route.request.resource_type == "document":
            route.fulfill(**self.document)
        elif route.request.method == "GET" and route.request.headers.get("hx-request"):
            heads = {name: value for name, value in route.request.headers.items() if name.startswith("hx-")}
            part = self.reader.get(path, headers=heads)
            for name in LEADS_AWAY:
                del part[name]
            route.fulfill(**as_answer(part))
        else:
            route.fulfill(status=204)


def as_answer(response: HttpResponseBase) -> dict[str, object]:
    """An answer of Django as Playwright takes it."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return {"status": response.status_code, "headers": dict(response.items()), "body": body}


def is_page(response: HttpResponseBase) -> bool:
    """Whether an answer is a whole page, and no file, part of a page or redirection."""
    is_html = response.get("Content-Type", "").startswith("text/html")
    return is_html and not response.streaming and b"<html" in response.content[:4000]
