"""An identity provider makes, changes and takes away people and groups by SCIM, as Okta and Entra ID write it."""

import json

import pytest
from django.test import Client

from finops_site.models import GroupMapping, ScimGroup, ScimToken, Team, User
from finops_site.people.roles import role_of
from finops_site.scim.tokens import make_scim_token
from finops_site.sign_in import group_grants
from tests.people import signed_in, token_of

pytestmark = pytest.mark.django_db
PATCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
KIM = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "kim@example.com",
    "externalId": "00u1",
    "name": {"givenName": "Kim", "familyName": "Sand"},
    "emails": [{"value": "other@example.com"}, {"value": "Kim@example.com", "primary": True, "type": "work"}],
    "active": True,
    "title": "none of ours",
}


class Scim:
    """A provider with a token."""

    def __init__(self, key):
        self.client = Client(headers={"Authorization": f"Bearer {key}"})

    def send(self, verb, path, body=None, status=200):
        content = {"data": json.dumps(body), "content_type": "application/scim+json"} if body is not None else {}
        answer = getattr(self.client, verb)(f"/scim/v2/{path}", **content)
        assert answer.status_code == status, answer.content.decode()
        return answer.json() if answer.content else None

    def patch(self, path, *operations, status=200):
        return self.send("patch", path, {**PATCH, "Operations": list(operations)}, status)


@pytest.fixture
def scim(ada):
    return Scim(make_scim_token("Okta", ada)[1])


def member(*people):
    return [{"value": str(getattr(one, "pk", one))} for one in people]


def test_kim_is_made_found_and_changed(scim):
    made = scim.send("post", "Users", KIM, 201)
    kim = User.objects.get(email="kim@example.com")
    assert (made["id"], made["userName"], made["externalId"]) == (str(kim.pk), "kim@example.com", "00u1")
    assert (kim.name, kim.is_active, kim.has_usable_password()) == ("Kim Sand", True, False)
    for query in (
        'userName eq "KIM@example.com"',
        'externalId eq "00u1"',
        'emails[type eq "work"].value eq "kim@example.com"',
    ):
        rows = scim.client.get("/scim/v2/Users", {"filter": query}).json()
        assert (rows["totalResults"], rows["Resources"][0]["id"]) == (1, made["id"]), query
    scim.patch(f"Users/{kim.pk}", {"op": "Replace", "path": "name.familyName", "value": "Stone"})
    scim.patch(
        f"Users/{kim.pk}", {"op": "Add", "path": 'emails[type eq "work"].value', "value": "kim.stone@example.com"}
    )
    kim.refresh_from_db()
    assert (kim.name, kim.email) == ("Kim Stone", "kim.stone@example.com")
    assert (
        scim.send("post", "Users", KIM | {"emails": [{"value": "kim.stone@example.com"}]}, 409)["scimType"]
        == "uniqueness"
    )


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "value": {"active": False}},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "path": "active", "value": False},
    ],
)
def test_who_is_active_no_more_is_out_at_once(scim, lea, client, operation):
    browser, key = signed_in(lea), token_of(lea)
    shown = scim.patch(f"Users/{lea.pk}", operation)
    assert shown["active"] is False
    assert browser.get("/settings/").status_code == 302
    assert client.get("/api/v1/me/", headers={"Authorization": f"Token {key}"}).status_code == 401
    assert scim.patch(f"Users/{lea.pk}", {"op": "replace", "value": {"active": True}})["active"] is True
    assert browser.get("/settings/").status_code == 302


def test_who_is_deleted_leaves_and_may_be_made_anew(scim, lea):
    scim.send("delete", f"Users/{lea.pk}", status=204)
    lea.refresh_from_db()
    assert lea.is_active is False
    scim.send("get", f"Users/{lea.pk}", status=404)
    again = scim.send("post", "Users", {"userName": lea.email}, 201)
    lea.refresh_from_db()
    assert (again["id"], lea.is_active) == (str(lea.pk), True)


def test_groups_give_and_take_roles_and_teams(scim, people):
    payments = Team.objects.get(name="Payments")
    group_grants.save_mapping(GroupMapping(provider="scim", group="Cloud", role="engineering", team=payments))
    kim = int(scim.send("post", "Users", KIM, 201)["id"])
    group = scim.send("post", "Groups", {"displayName": "Cloud", "members": member(kim)}, 201)
    place, user = f"Groups/{group['id']}", User.objects.get(pk=kim)

    def what_kim_has():
        return role_of(user), [str(team) for team in user.teams.all()]

    assert what_kim_has() == ("engineering", ["Payments"])
    assert scim.send("get", f"Users/{kim}")["groups"] == [{"value": group["id"], "display": "Cloud"}]
    # As Okta takes somebody out, and as Entra ID does.
    scim.patch(place, {"op": "remove", "path": f'members[value eq "{kim}"]'})
    assert what_kim_has() == ("", [])
    scim.patch(place, {"op": "Add", "path": "members", "value": member(kim)})
    assert what_kim_has() == ("engineering", ["Payments"])
    scim.patch(place, {"op": "Remove", "path": "members", "value": member(kim)})
    assert what_kim_has() == ("", [])
    scim.send("put", place, {"displayName": "Cloud", "members": member(kim)})
    scim.patch(place, {"op": "replace", "value": {"id": group["id"], "displayName": "Clouds"}})
    assert what_kim_has() == ("", [])
    group_grants.save_mapping(GroupMapping(group="Clouds", role="executive"))
    assert what_kim_has() == ("executive", [])
    scim.send("delete", place, status=204)
    assert (what_kim_has(), ScimGroup.objects.exists()) == (("", []), False)


def test_who_breaks_the_glass_and_superusers_are_kept_by_hand(scim, ada, settings):
    settings.FINOPS_BREAK_GLASS = [ada.email]
    refused = scim.patch(f"Users/{ada.pk}", {"op": "replace", "value": {"active": False}}, status=403)
    assert refused["detail"] == f"{ada.email} is kept by hand."
    root = User.objects.create_superuser("root@demo.example")
    scim.send("delete", f"Users/{root.pk}", status=403)
    assert User.objects.filter(is_active=True, pk__in=[ada.pk, root.pk]).count() == 2


def test_an_address_of_another_domain_is_none_of_ours(scim, lea, settings):
    settings.FINOPS_SIGN_IN_DOMAINS = ["demo.example"]
    scim.send("post", "Users", KIM, 400)
    scim.patch(f"Users/{lea.pk}", {"op": "replace", "path": "userName", "value": "lea@evil.example"}, status=400)


def test_long_lists_come_in_pages(scim, people):
    rows = scim.send("get", "Users?startIndex=2&count=2")
    assert (rows["totalResults"], rows["startIndex"], rows["itemsPerPage"], len(rows["Resources"])) == (6, 2, 2, 2)
    assert scim.send("get", "Users?count=0")["Resources"] == []
    assert scim.send("get", "Users?startIndex=-5&count=100000")["itemsPerPage"] == 6


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("get", "Users?filter=userName%20co%20%22x%22", None, 400),
        ("get", "Users?filter=password%20eq%20%22x%22", None, 400),
        ("get", "Users?count=many", None, 400),
        ("get", "Users/999999999999999999", None, 404),
        ("get", "Groups/1", None, 404),
        ("post", "Users", {"userName": "nobody"}, 400),
        ("post", "Users", [1], 400),
        ("post", "Users", {"userName": {"a": 1}}, 400),
        ("post", "Groups", {"members": []}, 400),
        ("post", "Groups", {"displayName": "x", "members": [{"value": "77777777"}]}, 400),
        ("patch", "Users/{lea}", {"Operations": [{"op": "move", "path": "active"}]}, 400),
        ("patch", "Users/{lea}", {"Operations": [{"op": "replace", "path": "active", "value": "maybe"}]}, 400),
        ("patch", "Users/{lea}", {"Operations": "all"}, 400),
    ],
)
def test_what_cannot_be_read_is_answered_in_scims_own_form(scim, lea, verb, path, body, status):
    answer = scim.send(verb, path.format(lea=lea.pk), body, status)
    assert (answer["schemas"], answer["status"]) == (["urn:ietf:params:scim:api:messages:2.0:Error"], str(status))


def test_only_a_token_of_scim_opens_it_and_it_opens_nothing_else(ada, client):
    token, key = make_scim_token("Okta", ada)
    assert signed_in(ada).get("/scim/v2/Users").status_code == 401
    assert Client(headers={"Authorization": f"Bearer {token_of(ada)}"}).get("/scim/v2/Users").status_code == 401
    assert client.get("/api/v1/me/", headers={"Authorization": f"Token {key}"}).status_code == 401
    scim = Scim(key)
    assert scim.send("get", "ServiceProviderConfig")["patch"] == {"supported": True}
    assert [one["id"] for one in scim.send("get", "ResourceTypes")["Resources"]] == ["User", "Group"]
    assert len(scim.send("get", "Schemas")["Resources"]) == 2
    token.delete()
    scim.send("get", "Users", status=401)


def test_ada_makes_the_token_on_its_page_and_ends_it(ada):
    browser = signed_in(ada)
    page = browser.post("/people/scim/", {"name": "Okta"})
    key = page.context["fresh"]
    assert "http://127.0.0.1:8000/scim/v2</code>" in page.content.decode()
    Scim(key).send("get", "Users")
    again = browser.get("/people/scim/").content.decode()
    assert (key in again, key[:8] in again) == (False, True)
    browser.post(f"/people/scim/{ScimToken.objects.get().pk}/end/")
    Scim(key).send("get", "Users", status=401)
