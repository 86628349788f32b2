"""One page of a team: spend and why it changed, budget, statement, tags and advice of a month that is chosen."""

from decimal import Decimal

import pytest

from finops_site.models import Team
from finops_site.registry import Registry, TeamPanel, registry
from tests.costs.web.test_report import two_months  # noqa: F401

pytestmark = pytest.mark.django_db


def address(name):
    return f"/costs/teams/{Team.objects.get(name=name).pk}/"


def test_lea_sees_how_one_month_led_to_the_next_and_the_csv_has_the_same(two_months, lea, client_of):  # noqa: F811
    page = client_of(lea).get(address("Payments"), {"month": "2026-03"})
    (chart,) = page.context["waterfalls"]
    assert chart["categories"] == ["1 to 5 Feb 2026", "Amazon EC2", "1 to 5 Mar 2026"]
    total, more, less = (one["data"] for one in chart["series"])
    assert (total[0], more[1], total[2]) == (Decimal(100), Decimal(30), Decimal(130))
    assert less == [None, None, None]
    csv = b"".join(client_of(lea).get(chart["csv_url"]).streaming_content).decode("utf-8-sig")
    assert "Amazon EC2,more,100,130,30,USD" in csv


def test_what_did_not_change_is_in_both_totals(two_months, fay, client_of):  # noqa: F811
    for chart in client_of(fay).get(address("Data"), {"month": "2026-03"}).context["waterfalls"]:
        total, *_ = (one["data"] for one in chart["series"])
        assert (total[0], total[-1]) == (Decimal(57), Decimal(40))


def test_the_page_asks_the_other_pillars_by_team_and_month_and_only_for_what_she_may_see(lea, monkeypatch):
    house = Registry()
    house.add(
        TeamPanel("mine", "x", lambda user, team, month: {"said": (team, str(month))}),
        TeamPanel("silent", "x", lambda user, team, month: None),
        TeamPanel("secret", "x", lambda user, team, month: {}, "costs.view_company"),
    )
    ((panel, context),) = house.team_panels(lea, 3, "2026-03")
    assert (panel.name, context) == ("mine", {"said": (3, "2026-03")})
    assert {"statement", "tags"} <= {panel.name for panel in registry.of(TeamPanel)}


def test_a_month_without_cost_says_what_will_come(two_months, lea, client_of):  # noqa: F811
    assert "owns no cost in" in client_of(lea).get(address("Payments"), {"month": "2025-01"}).content.decode()
