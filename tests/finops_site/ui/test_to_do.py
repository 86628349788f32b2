"""What home says to do first: in which order, how much of each kind, and where the rest is."""

from decimal import Decimal

import pytest

from finops_site.models import Team
from finops_site.registry import (
    HomeFigure,
    Panel,
    PendingDecision,
    PendingDecisionSource,
    Registry,
    ToDo,
    ToDoSource,
    Urgency,
)
from finops_site.ui import to_do
from tests.people import person, signed_in

pytestmark = pytest.mark.django_db


def source(name, items, **more):
    """A source with as many rows as items, out of the teams that are there."""
    Team.objects.bulk_create(Team(name=f"{name} {number}") for number in range(len(items)))
    rows = Team.objects.filter(name__startswith=f"{name} ")
    return ToDoSource(name, name, "bell", lambda user: rows, lambda user, rows, most: items[:most], **more)


def costing(text, amount, urgency=Urgency.SOON):
    return ToDo(text, "/x/", Decimal(amount), "USD", urgency=urgency)


@pytest.fixture
def house(monkeypatch):
    empty = Registry()
    for module in ("finops_site.ui.to_do", "finops_site.home_views"):
        monkeypatch.setattr(f"{module}.registry", empty)
    return empty


def first(name, role="engineering"):
    return [task.item.text for task in to_do.find_to_do(person(name), role).first]


def test_lea_sees_the_urgent_first_then_the_most_money_and_at_most_two_of_a_kind(house):
    many = [costing(f"resource {number}", 900 - number, Urgency.SOME_DAY) for number in range(9)]
    house.add(
        source("Tags", many),
        source("Anomaly", [costing("jump", 50), costing("rise", 70)]),
        source("Alert", [costing("over by a little", 1, Urgency.NOW)]),
    )
    assert first("lea") == ["over by a little", "rise", "jump", "resource 0", "resource 1"]
    everything = to_do.find_to_do(person("lea"), "engineering")
    assert (everything.count, everything.more) == (12, 7)


def test_the_api_lists_what_the_page_lists(house):
    house.add(source("Anomaly", [costing("jump", 50)], url_name="notifications"))
    answer = signed_in(person("lea")).get("/api/v1/to-do/").json()
    assert (answer["count"], answer["decisions"]) == (1, [])
    (group,) = answer["groups"]
    item = {"text": "jump", "url": "/x/", "amount": "50", "currency": "USD", "note": ""}
    assert (group["label"], group["url"], group["items"]) == ("Anomaly", "/notifications/", [item])


def test_a_decision_stands_before_everything_with_its_money(house):
    teams = source("Alert", [costing("over", 900, Urgency.NOW)])
    decision = PendingDecision("Approve 10 machines", "/y/", Decimal(438), "USD", "over the whole term")
    house.add(teams, PendingDecisionSource("d", lambda user: Team.objects.all(), lambda user, rows: [decision]))
    assert first("fay") == ["Approve 10 machines", "over"]
    page = signed_in(person("fay")).get("/").content.decode()
    assert page.index("Approve 10 machines") < page.index("over the whole term") < page.index("438.00")


def test_all_that_home_left_out_is_one_click_away(house):
    house.add(source("Tags", [costing(f"resource {number}", number + 1) for number in range(9)]))
    browser = signed_in(person("lea"))
    assert "All 9" in browser.get("/").content.decode() or not browser.get("/").context["panels"]
    page = browser.get("/to-do/").content.decode()
    assert all(f"resource {number}" in page for number in range(9))


def test_what_is_for_teams_is_not_asked_of_max(house):
    house.add(source("Tags", [costing("resource", 1)], roles=("engineering",)))
    assert (first("lea"), first("max", "executive")) == (["resource"], [])


def test_nothing_to_do_is_said_in_words(house):
    house.add(Panel("one", "includes/empty.html", lambda request: {"empty": {"title": "A panel"}}))
    assert "Nothing waits for you" in signed_in(person("lea")).get("/").content.decode()
    assert "Nothing waits for you" in signed_in(person("lea")).get("/to-do/").content.decode()


def test_each_role_has_its_own_order_of_panels_and_its_own_figures(house):
    house.add(
        Panel("spend", "x", lambda request: {}, order=10),
        Panel("chart", "x", lambda request: {}, order=20, places={"engineering": 5, "executive": None}),
        HomeFigure("savings", lambda user, as_of: [{"label": "Saved"}], roles=("executive",)),
    )
    orders = {role: [panel.name for panel in house.panels(person("fay"), role)] for role in ("finance", "engineering")}
    assert orders == {"finance": ["spend", "chart"], "engineering": ["chart", "spend"]}
    assert [panel.name for panel in house.panels(person("max"), "executive")] == ["spend"]
    assert house.home_stats(person("fay"), "finance", None) == []
    assert house.home_stats(person("max"), "executive", None) == [{"label": "Saved"}]
