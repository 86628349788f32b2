"""Dashboards: saved views and panels of home on one page, in the order of whoever made it."""

import pytest
from django.urls import reverse

from finops_site.models import Dashboard, SavedView, Team
from finops_site.registry import Panel, registry
from tests.people import person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def newest_bills():
    """A panel that is never empty."""
    panel = Panel("bills-of-test", "costs/panels/deliveries.html", lambda request: {"deliveries": []})
    registry.add(panel)
    yield
    registry.remove(panel)


@pytest.fixture
def board(people):
    """Lea's dashboard of two views, shared with Payments; of the views the first is shared too."""
    team = Team.objects.get(name="Payments")
    shared = SavedView.objects.create(owner=person("lea"), name="Our budgets", path="/budgets/", team=team)
    private = SavedView.objects.create(owner=person("lea"), name="My alerts", path="/alerts/")
    sent = {
        "name": "Monday",
        "team": team.pk,
        "items": [f"view {shared.pk}", f"view {private.pk}", "panel bills-of-test"],
    }
    made = signed_in(person("lea")).post("/api/v1/dashboards/", sent, "application/json")
    assert made.status_code == 201, made.json()
    return Dashboard.objects.get()


def drawn(name, board):
    """(the titles of what somebody sees on a dashboard, in order; how many are hidden)."""
    context = signed_in(person(name)).get(board.get_absolute_url()).context
    titles = ("Our budgets", "My alerts", "Newest bills")
    order = [title for text in context["items"] for title in titles if f">{title}<" in text]
    return order, context["hidden"]


def act(name, board, verb, item=""):
    return signed_in(person(name)).post(reverse("dashboard_act", args=[board.pk, verb]), {"item": item}).status_code


def items(board):
    return signed_in(board.owner).get(f"/api/v1/dashboards/{board.pk}/").json()["items"]


def test_lea_sees_all_of_it_and_eli_what_is_shared_with_him(board):
    assert drawn("lea", board) == (["Our budgets", "My alerts", "Newest bills"], 0)
    assert drawn("eli", board) == (["Our budgets", "Newest bills"], 1)
    page = signed_in(person("lea")).get(board.get_absolute_url()).content.decode()
    assert "Private, so that nobody else sees" in page
    assert signed_in(person("ola")).get(board.get_absolute_url()).status_code == 404


def test_the_buttons_set_the_order(board):
    first, second, panel = items(board)
    assert act("lea", board, "down", first) == 302
    assert items(board) == [second, first, panel]
    act("lea", board, "up", panel)
    assert items(board) == [second, panel, first]
    act("lea", board, "up", second)
    act("lea", board, "remove", panel)
    assert items(board) == [second, first]
    act("lea", board, "add", "panel deliveries")
    assert items(board) == [second, first], "her home has no such panel"
    act("lea", board, "add", panel)
    assert items(board) == [second, first, panel]


def test_nobody_else_changes_it(board):
    before = items(board)
    assert [act("eli", board, verb, before[0]) for verb in ("up", "down", "remove", "add", "delete")] == [403] * 5
    assert act("ola", board, "delete") == 404
    url = f"/api/v1/dashboards/{board.pk}/"
    assert signed_in(person("eli")).patch(url, {"items": []}, "application/json").status_code == 403
    assert signed_in(person("eli")).delete(url).status_code == 403
    assert items(board) == before


@pytest.mark.parametrize("sent", [["view 999999"], ["panel none"], ["nothing"], ["panel history"] * 2, ["view x"]])
def test_the_api_refuses_what_is_no_view_or_panel_of_hers(board, sent):
    url = f"/api/v1/dashboards/{board.pk}/"
    assert signed_in(person("lea")).patch(url, {"items": sent}, "application/json").status_code == 400
    assert len(items(board)) == 3


def test_a_view_that_she_does_not_see_is_not_put_on_it(board):
    hidden = SavedView.objects.create(owner=person("ola"), name="Hers", path="/budgets/")
    url = f"/api/v1/dashboards/{board.pk}/"
    answer = signed_in(person("lea")).patch(url, {"items": [f"view {hidden.pk}"]}, "application/json")
    assert answer.status_code == 400


def test_an_empty_one_says_what_to_do_and_deleting_one_keeps_its_views(board):
    lea = signed_in(person("lea"))
    lea.post(reverse("dashboard_add"), {"name": "Empty"})
    empty = Dashboard.objects.get(name="Empty")
    assert "Add the first one" in lea.get(empty.get_absolute_url()).content.decode()
    assert act("lea", board, "delete") == 302
    assert (Dashboard.objects.count(), SavedView.objects.count()) == (1, 2)
    assert "No dashboard yet" in signed_in(person("ola")).get("/dashboards/").content.decode()
