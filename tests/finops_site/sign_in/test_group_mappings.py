"""What a group gives, by page, API and admin: one service, and the same words where it is refused."""

import pytest

from finops_site.models import GroupMapping, Team
from tests.people import signed_in

pytestmark = pytest.mark.django_db
API, PAGE = "/api/v1/group-mappings/", "/people/groups/"


def test_ada_says_on_the_page_what_a_group_gives_and_takes_it_away(ada):
    browser = signed_in(ada)
    team = Team.objects.get(name="Data").pk
    data = {"group": " cloud ", "role": "engineering", "team": team, "team_role": "lead"}
    assert browser.post(f"{PAGE}add/", data).status_code == 302
    mapping = GroupMapping.objects.get(group="cloud")
    assert (mapping.role, mapping.team_id, mapping.team_role) == ("engineering", team, "lead")
    assert "cloud</a>" in browser.get(PAGE).content.decode()
    assert "The group cloud gives that already." in browser.post(f"{PAGE}add/", data).content.decode()
    browser.post(f"{PAGE}{mapping.pk}/", data | {"remove": "on"})
    assert not GroupMapping.objects.exists()


def test_the_api_does_the_same(ada, fay):
    client = signed_in(ada)
    made = client.post(API, {"group": "money", "role": "finance"}, "application/json")
    assert (made.status_code, made.json()["role"]) == (201, "finance")
    row = f"{API}{made.json()['id']}/"
    assert client.patch(row, {"team": "Data"}, "application/json").json()["team"] == "Data"
    assert signed_in(fay).patch(row, {"role": ""}, "application/json").status_code == 403
    refused = client.post(API, {"group": "nothing"}, "application/json")
    assert refused.json() == {"detail": "A group gives a role, a place in a team, or both."}
    assert client.post(API, {"group": "x", "role": "queen"}, "application/json").status_code == 400
    assert client.delete(row).status_code == 204
    assert not GroupMapping.objects.exists()
