"""What people do on the site, page after page, with the time that they look at each.

A journey follows the links and sends the forms that it finds on the pages; what a person of her role would not find
there she passes over.
"""

import random
import re
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.load_run.browser import SIGN_IN_PATH, Answer, Browser, Page, RunIsOver, Surprise
from benchmarks.load_run.people import Person

# Seconds that somebody looks at a page before she goes on.
THINKS = (5.0, 15.0)
# People come one after the other, within so many seconds.
ARRIVE_WITHIN = 60.0
MONTH = r"\d{4}-\d\d"


class World(NamedTuple):
    """What all share: where the site is, the password, months of bills (the newest first), and when it is over."""

    port: int
    password: str
    months: Sequence[str]
    stop: threading.Event
    answers: list[Answer]
    # What no journey foresees: a page without the form that belongs there.
    surprises: list[str]


class Visit:
    """One person at her browser."""

    def __init__(self, person: Person, world: World) -> None:
        self.person, self.world = person, world
        self.browser = Browser(world.port, world.stop, world.answers)
        # The same person does the same in each run, as far as the pages are the same.
        self.chance = random.Random(person.name)
        self.token = ""

    def run(self) -> None:
        """Signs in and makes one journey after the other until the run is over."""
        journeys = JOURNEYS[self.person.kind]
        try:
            self.wait(self.chance.uniform(0, ARRIVE_WITHIN))
            self.sign_in()
            while True:
                (journey,) = self.chance.choices(list(journeys), list(journeys.values()))
                try:
                    journey(self)
                except Surprise as surprise:
                    self.world.surprises.append(f"{self.person.name}, {journey.__name__}: {surprise}")
                self.think()
        except RunIsOver:
            return

    def wait(self, seconds: float) -> None:
        if self.world.stop.wait(seconds):
            raise RunIsOver

    def think(self) -> None:
        self.wait(self.chance.uniform(*THINKS))

    def sign_in(self) -> None:
        page = self.browser.get("sign-in page", SIGN_IN_PATH)
        (form,) = page.forms(r".*", "login")
        home = self.browser.send("sign in", page, form, login=self.person.email, password=self.world.password)
        if "login" in home.path:
            raise Surprise("could not sign in")
        self.think()

    def open(self, route: str, path: str) -> Page:
        """A page that she then looks at."""
        page = self.browser.get(route, path)
        self.think()
        return page

    def follow(self, route: str, page: Page, pattern: str) -> Page | None:
        """One of the links that fit; None where there is none."""
        links = page.links(pattern)
        return self.open(route, self.chance.choice(links)) if links else None

    def press(self, route: str, page: Page, action: str, field: str = "", **values: str) -> Page | None:
        """Sends one of the forms that fit; None where there is none."""
        forms = page.forms(action, field)
        if not forms:
            return None
        page = self.browser.send(route, page, self.chance.choice(forms), **values)
        self.think()
        return page

    @property
    def newest(self) -> str:
        return self.world.months[0]

    @property
    def year(self) -> str:
        return f"from={self.world.months[-1]}&to={self.newest}"

    @property
    def month(self) -> str:
        """One of the last three, as a question."""
        month = self.chance.choice(self.world.months[:3])
        return f"from={month}&to={month}"


def read_home(visit: Visit) -> None:
    visit.open("home", "/")


def read_statement(visit: Visit) -> None:
    """Home, the months of chargeback, one of them, a statement, and what it is made of."""
    visit.open("home", "/")
    months = visit.open("months of chargeback", "/chargeback/")
    month = visit.follow("a month of chargeback", months, rf"/chargeback/{MONTH}/")
    statement = month and visit.follow("a statement", month, rf"/chargeback/{MONTH}/teams/\d+/")
    if statement:
        visit.follow("cost lines of a statement", statement, r"/costs/lines/\?.*")


def explore(visit: Visit) -> None:
    """Groups, filters, and drills down to lines, to one, and to a charge of it."""
    visit.open("explorer", "/costs/")
    visit.open("explorer, by service", f"/costs/?group_by=service&grain=month&{visit.year}")
    service = f"service=Service+{visit.chance.randrange(60)}"
    visit.open("explorer, by resource in a service", f"/costs/?group_by=resource&grain=month&{service}&{visit.month}")
    visit.open("explorer, by a tag", f"/costs/?group_by=tag:Environment&grain=month&{visit.year}")
    read_lines(visit, f"{service}&{visit.month}")


def explore_resources(visit: Visit) -> None:
    visit.open("explorer, by resource, a month", f"/costs/?group_by=resource&grain=month&{visit.month}")
    visit.open("explorer, by resource, a year", f"/costs/?group_by=resource&grain=month&{visit.year}")


def explore_days(visit: Visit) -> None:
    region = f"region=region-{visit.chance.randrange(10)}"
    visit.open("explorer, two groups by day", f"/costs/?group_by=service&and_by=team&grain=day&{region}&{visit.month}")
    visit.open("what changed", f"/costs/compare/?{visit.month}")


def read_lines(visit: Visit, question: str = "") -> None:
    lines = visit.open("cost lines", f"/costs/lines/?{question or visit.month}")
    second = visit.follow("cost lines, next page", lines, r"/costs/lines/\?.*after=.*")
    line = visit.follow("a cost line", second or lines, r"/costs/lines/[\w-]+/(\?.*)?")
    if line:
        visit.follow("a charge", line, r"/costs/lines/[\w-]+/charges/[\w-]+/(\?.*)?")


def search_lines(visit: Visit) -> None:
    """Somebody looks for a machine by a part of its id."""
    number = visit.chance.randrange(1000, 9999)
    visit.open("cost lines, searched", f"/costs/lines/?resource=-{number}&{visit.month}")
    visit.open("search", f"/search/?q=resource-{number}")


def answer_alert(visit: Visit) -> None:
    """Budgets, one of them, its alert, and that one is acknowledged."""
    budgets = visit.open("budgets", "/budgets/")
    visit.follow("a budget", budgets, r"/budgets/\d+/")
    alerts = visit.open("alerts", "/alerts/?answer=none")
    alert = visit.follow("an alert", alerts, r"/alerts/\d+/")
    if alert:
        visit.press("acknowledge", alert, r"/alerts/\d+/acknowledge/")


def propose_amount(visit: Visit) -> None:
    """A lead asks for more."""
    budgets = visit.open("budgets", "/budgets/")
    budget = visit.follow("a budget", budgets, r"/budgets/\d+/")
    form = budget and visit.follow("propose another amount, form", budget, r"/budgets/\d+/propose-change/")
    if form:
        amount = str(visit.chance.randrange(100, 9_000))
        visit.press("propose another amount", form, r"", "amount", amount=amount, why="we grow")


def assign_finding(visit: Visit) -> None:
    findings = visit.open("findings", "/usage/findings/")
    finding = visit.follow("a finding", findings, r"/usage/findings/\d+/")
    if finding:
        visit.press("assign a finding", finding, r"", "assignee", verb="accept")


def read_findings(visit: Visit) -> None:
    visit.open("usage", "/usage/")
    visit.open("findings, filtered", "/usage/findings/?state=accepted")


def look_at_tags(visit: Visit) -> None:
    visit.open("tags", "/tagging/")
    resources = visit.open("resources without tags", "/tagging/resources/")
    visit.follow("a resource", resources, r"/tagging/resources/[0-9a-f]{32}/")


def read_to_do(visit: Visit) -> None:
    visit.open("what to do", "/to-do/")
    visit.open("anomalies", "/anomalies/")
    visit.open("commitments", "/reservations/")


def read_team(visit: Visit) -> None:
    teams = visit.open("teams", "/costs/teams/")
    visit.follow("a team", teams, r"/costs/teams/\d+/(\?.*)?")


def export_lines(visit: Visit) -> None:
    """A small table for a spreadsheet."""
    visit.open("explorer, by service", f"/costs/?group_by=service&grain=month&{visit.year}")
    visit.open("explorer, as CSV", f"/costs/?group_by=service&grain=month&{visit.year}&_export=csv")


def pull_by_api(visit: Visit) -> None:
    """A script of hers asks for spend and for a page of lines."""
    if not visit.token:
        page = visit.open("tokens", "/token/")
        made = visit.press("make a token", page, r"", "days", name=f"script of {visit.person.name}")
        key = made and re.search(r'<code class="token">([^<]+)</code>', made.text)
        if not key:
            raise Surprise("no token was made")
        visit.token = key[1]
    visit.browser.api("API: spend", f"/api/v1/spend/?group_by=service,month&{visit.year}", visit.token)
    visit.wait(1)
    visit.browser.api("API: cost lines", f"/api/v1/cost-lines/?{visit.month}", visit.token)


def close_month(visit: Visit) -> None:
    """Finance looks whether a month could be closed: its checklist, its books, its journal."""
    visit.open("home", "/")
    visit.open("months of chargeback", "/chargeback/")
    month = visit.chance.choice(visit.world.months[:6])
    visit.open("a month of chargeback", f"/chargeback/{month}/")
    visit.open("journal of a month", f"/chargeback/{month}/journal/")


def edit_budget(visit: Visit) -> None:
    budgets = visit.open("budgets", "/budgets/")
    budget = visit.follow("a budget", budgets, r"/budgets/\d+/")
    if budget:
        form = visit.open("edit a budget, form", f"{budget.path.partition('?')[0]}edit/")
        visit.press("edit a budget", form, r"", "amount", amount=str(visit.chance.randrange(100, 9_000)))


def approve(visit: Visit) -> None:
    """What waits for finance on her home, and what a lead proposed is approved."""
    home = visit.open("home", "/")
    to_do = visit.open("what to do", "/to-do/")
    links = home.links(r"/budgets/\d+/") + to_do.links(r"/budgets/\d+/")
    if links:
        budget = visit.open("a budget", visit.chance.choice(links))
        visit.press("approve an amount", budget, r"/budgets/\d+/changes/\d+/approve/")


def plan_year(visit: Visit) -> None:
    visit.open("amounts of budgets", "/budgets/grid/")
    visit.open("plan of the year", "/budgets/year/")


def watch_bills(visit: Visit) -> None:
    bills = visit.open("bills", "/deliveries/")
    visit.follow("a bill", bills, r"/deliveries/\d+/")


def read_programme(visit: Visit) -> None:
    """An executive's morning."""
    visit.open("home", "/")
    visit.open("programme", "/programme/")
    kpis = visit.open("KPIs", "/programme/kpis/")
    visit.follow("a KPI", kpis, r"/programme/kpis/[\w-]+/")
    visit.open("roadmap", "/programme/roadmap/")
    visit.open("savings model", "/programme/savings/")


def read_report(visit: Visit) -> None:
    reports = visit.open("reports", "/reports/")
    visit.follow("a report", reports, rf"/reports/{MONTH}/")


def read_audit(visit: Visit) -> None:
    """An administrator looks who did what."""
    entries = visit.open("audit log", "/audit/")
    visit.follow("audit log, next page", entries, r"/audit/\?.*(after|page)=.*")
    visit.follow("an entry of the audit log", entries, r"/audit/\d+/")
    visit.open("audit log, searched", "/audit/?text=token")


def operate(visit: Visit) -> None:
    visit.open("home", "/")
    visit.open("health", "/health/")
    visit.open("people", "/people/")
    watch_bills(visit)


Weights = dict[Callable[[Visit], None], int]
IN_A_TEAM: Weights = {
    read_home: 3,
    read_statement: 4,
    explore: 4,
    explore_resources: 2,
    explore_days: 2,
    read_lines: 2,
    search_lines: 2,
    answer_alert: 3,
    assign_finding: 3,
    read_findings: 1,
    look_at_tags: 2,
    read_to_do: 2,
    read_team: 1,
    export_lines: 1,
    pull_by_api: 1,
}
JOURNEYS: dict[str, Weights] = {
    "lead": IN_A_TEAM | {propose_amount: 2},
    "engineer": IN_A_TEAM | {read_statement: 1, look_at_tags: 4, assign_finding: 4, pull_by_api: 2},
    "finance": {
        read_home: 2,
        close_month: 4,
        edit_budget: 3,
        approve: 3,
        plan_year: 1,
        explore: 3,
        explore_days: 1,
        read_team: 2,
        read_statement: 1,
        answer_alert: 1,
        watch_bills: 1,
        export_lines: 2,
        pull_by_api: 1,
    },
    "executive": {read_programme: 4, read_report: 2, read_team: 1, explore: 1},
    "administrator": {operate: 2, read_audit: 3, explore: 1},
}
