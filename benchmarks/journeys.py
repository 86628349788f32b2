"""Seventeen things that people come to do, done with the mouse on the demo company that runs, their clicks counted.

``python3 run.py manage shell -c "from benchmarks import journeys; journeys.main()"`` beside a running copy of a fresh
demo; it closes a month, approves and uploads, so the copy is used up by it. Typing is no click; a choice in a list is
one. What the journeys took before their pages were drawn anew was counted in the same way.
"""

import os
import quopri
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.pages import session_cookie
from tests import bills

FEW = 4


class Hand:
    """A person at a page: what she clicks is counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def click(self, role: str, name: str) -> None:
        """The first thing of the main part or the sidebar with this role, whose name begins so."""
        self.clicks += 1
        named = re.compile(f"^\\s*{re.escape(name)}", re.IGNORECASE)
        self.page.locator("body").get_by_role(role, name=named).locator("visible=true").first.click()  # type: ignore[arg-type]
        self.page.wait_for_load_state("networkidle")

    def confirm(self) -> None:
        """Says yes to "are you sure", which is a click too."""
        self.clicks += 1
        self.page.locator("#confirm-yes").click()
        self.page.wait_for_load_state("networkidle")

    def type(self, field: str, text: str) -> None:
        self.page.locator(f"main [name={field}]").first.fill(text)

    def sees(self, text: str) -> None:
        expect(self.page.locator("body")).to_contain_text(re.compile(text, re.IGNORECASE), timeout=60_000)


@dataclass(frozen=True)
class Journey:
    """Who comes to do what, and how many clicks it took before; None where it could not be done."""

    who: str
    task: str
    before: int | None
    walk: Callable[[Hand], None]

    def is_short(self, clicks: int) -> bool:
        """At most four clicks, or half of what it took."""
        return clicks <= max(FEW, (self.before or 0) // 2)


def what_lea_spent(hand: Hand) -> None:
    hand.sees("direct[^=]*shared[^=]*= statement")


def why(hand: Hand) -> None:
    hand.sees("Why it changed")
    hand.click("link", "Amazon SageMaker in")
    hand.sees("fraud-scoring")


def what_to_do(hand: Hand) -> None:
    hand.sees("What to do first")


def dispute(hand: Hand) -> None:
    hand.click("link", "Payments, Sep")
    hand.click("link", "Dispute Amazon DocumentDB")
    hand.type("comment", "We left it in October")
    hand.click("button", "Dispute this line")
    hand.sees("We left it in October")


def propose_budget(hand: Hand) -> None:
    hand.click("link", "Payments: ")
    hand.click("link", "Payments")
    hand.click("link", "Use it")
    hand.type("why", "SageMaker stays")
    hand.click("button", "Propose it")
    hand.sees("waits|proposes")


def untagged(hand: Hand) -> None:
    hand.sees("to tag")


def fix_twenty(hand: Hand) -> None:
    hand.click("link", "Tags")
    hand.click("link", "Suggestions")
    hand.click("checkbox", "All on this page")
    hand.click("button", "Accept ticked")
    hand.sees("resources comply")


def ask_for_a_purchase(hand: Hand) -> None:
    hand.click("link", "Commit to what runs")
    hand.click("link", "Request EC2 Instance SP")
    hand.click("button", "Request")
    hand.sees("waiting for approval")


def upload_a_bill(hand: Hand) -> None:
    hand.click("link", "Bills")
    hand.click("link", "Upload a bill")
    with tempfile.TemporaryDirectory() as folder:
        path = bills.write(Path(folder), "journey.csv", bills.focus_csv([{"BilledCost": "12.50"}]))
        hand.clicks += 1
        hand.page.locator("main [name=files]").set_input_files(str(path))
        hand.type("source", "journey")
        hand.click("button", "Upload")
        hand.page.wait_for_url(re.compile("/deliveries/"))
    hand.sees("journey")


def close_a_month(hand: Hand) -> None:
    hand.click("link", "Oct 2026")
    hand.click("button", "Close Oct 2026")
    hand.confirm()
    hand.sees("closed")


def journal(hand: Hand) -> None:
    hand.click("link", "Sep 2026")
    hand.click("link", "Journal")
    hand.sees("debit")


def edit_budgets(hand: Hand) -> None:
    hand.click("link", "Budgets")
    hand.click("link", "All amounts")
    hand.type("cell-3-2026-12", "13000")
    hand.click("button", "Check and save")
    hand.click("button", "Save")
    hand.sees("saved|changed")


def approve_purchase(hand: Hand) -> None:
    hand.click("link", "A purchase waits")
    hand.click("button", "Approve")
    hand.confirm()
    hand.sees("approved")


def approve_budget(hand: Hand) -> None:
    hand.click("link", "A budget is proposed")
    hand.click("button", "Approve")
    hand.confirm()
    hand.sees("is approved")


def one_page(hand: Hand) -> None:
    hand.click("link", "Report of")
    hand.sees("billed cost")


def person_into_team(hand: Hand) -> None:
    hand.click("link", "People")
    hand.click("link", "Eli")
    hand.click("combobox", "Member of")
    hand.page.keyboard.type("Data")
    hand.page.keyboard.press("Enter")
    hand.click("button", "Save")
    hand.sees("saved|changed")


def acknowledge_by_mail(hand: Hand) -> None:
    letters = sorted(Path(settings.EMAIL_FILE_PATH).glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    links = (
        re.search(r"/alerts/acknowledge/[^\s\"<>]+", quopri.decodestring(path.read_bytes()).decode(errors="replace"))
        for path in letters
    )
    hand.page.context.clear_cookies()
    hand.clicks += 1
    hand.page.goto(settings.SITE_URL + next(link[0] for link in links if link))
    hand.sees("Amazon|AWS")
    hand.click("button", "Acknowledge")
    hand.sees("acknowledged")


JOURNEYS = [
    Journey("lea", "what did my team spend", 0, what_lea_spent),
    Journey("lea", "why did it change", 1, why),
    Journey("lea", "what must I do", None, what_to_do),
    Journey("lea", "dispute a line of a statement", 4, dispute),
    Journey("lea", "propose another amount for a budget", 29, propose_budget),
    Journey("eli", "which resources lack tags", 1, untagged),
    Journey("eli", "fix twenty of them", 23, fix_twenty),
    Journey("eli", "ask for a purchase", 6, ask_for_a_purchase),
    Journey("fay", "upload a bill", 5, upload_a_bill),
    Journey("fay", "close a month", 3, close_a_month),
    Journey("fay", "read the journal of a month", 4, journal),
    Journey("fay", "edit amounts of budgets", 3, edit_budgets),
    Journey("fay", "approve a purchase, with its sum and term", 3, approve_purchase),
    Journey("fay", "approve a budget", 3, approve_budget),
    Journey("max", "the company on one page", 1, one_page),
    Journey("lea", "acknowledge an alert from the mail, signed out", 2, acknowledge_by_mail),
    Journey("ada", "put a person into a team", 8, person_into_team),
]


def main(only: str = "") -> None:
    """Prints each journey with its clicks before and now; one that cannot be walked says where it stopped."""
    from finops_site.models import User

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    print("| who | task | clicks before | now | at most four, or half |\n|---|---|---|---|---|", flush=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for journey in JOURNEYS:
            if only in journey.task:
                cookie = session_cookie(User.objects.get(email__startswith=f"{journey.who}@")).partition("=")
                print(walked(browser, journey, (cookie[0], cookie[2])), flush=True)
        browser.close()


def walked(browser: Browser, journey: Journey, session: tuple[str, str]) -> str:
    """A row of the table."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(15_000)
    context.add_cookies([{"name": session[0], "value": session[1], "url": settings.SITE_URL}])
    hand = Hand(context.new_page())
    hand.page.on("dialog", lambda dialog: dialog.accept())
    hand.page.goto(settings.SITE_URL)
    try:
        journey.walk(hand)
        verdict = "met" if journey.is_short(hand.clicks) else "NOT MET"
    except Exception as problem:  # the others are walked all the same
        verdict = f"STOPPED at {hand.page.url}: {str(problem).splitlines()[0]}"
    context.close()
    before = "not possible" if journey.before is None else str(journey.before)
    return f"| {journey.who} | {journey.task} | {before} | {hand.clicks} | {verdict} |"
