"""Doors that are no page of ours and no API: SCIM, sign-in by a provider, pages of sign-in, and links in mails."""

import copy
import json
import re

import pytest
from django.core import signing
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern

from finops_site.scim.tokens import make_scim_token
from tests.finops_site.scim.test_scim import KIM, PATCH
from tests.finops_site.sign_in.conftest import provider  # noqa: F401 (a fixture)
from tests.hostile.sending import LONG, TEXTS, Attack, chance, encoded

pytestmark = pytest.mark.django_db
VALUES = [None, [], {}, "", 0, -1, 10**40, 1.5, True, False, [[]], [None], {"value": {}}, ["x", 1], {"": ""}, 2**63]
VALUES += ["\\", '"', "x" * 5000, "‮", "é", "null", "2", "True", [{"value": "99999999999999999999999"}], [{"value": []}]]
VALUES += [
    'members[value eq "\\x"]',
    'members[value eq "1"]',
    "members",
    "name.familyName",
    "emails",
    "active",
    "a.b.c",
]
BODIES = [
    KIM,
    {"displayName": "cloud", "members": [{"value": "1"}], "externalId": "g1"},
    {**PATCH, "Operations": [{"op": "replace", "path": "active", "value": False}]},
    {**PATCH, "Operations": [{"op": "add", "path": "members", "value": [{"value": "1"}]}]},
    {**PATCH, "Operations": [{"op": "remove", "path": 'members[value eq "1"]'}]},
    {**PATCH, "Operations": [{"op": "replace", "value": {"userName": "x@example.com", "name": {"givenName": "K"}}}]},
]


def altered(body, dice):
    """A body with one value of it, at any depth, replaced by something odd, or gone."""
    places = []

    def walk(node):
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    changed = copy.deepcopy(body)
    walk(changed)
    for node, key in dice.sample(places, dice.randint(1, 2)):
        if dice.random() < 0.2 and isinstance(node, dict):
            node.pop(key, None)
        elif isinstance(node, dict) or key < len(node):
            node[key] = dice.choice([*VALUES, *(text for text in TEXTS if isinstance(text, str))])
    return changed


def test_what_a_provider_sends_by_scim_is_no_error_of_ours(people):
    key = make_scim_token("Okta", people["ada"])[1]
    attack, dice = Attack(Client(headers={"Authorization": f"Bearer {key}"})), chance("SCIM")
    group = attack.client.post(
        "/scim/v2/Groups", json.dumps(BODIES[1] | {"members": []}), "application/scim+json"
    ).json()["id"]
    doors = [
        "Users",
        f"Users/{people['eli'].pk}",
        "Groups",
        f"Groups/{group}",
        "Users/0",
        "Groups/999999999999999999",
        "Schemas",
    ]
    for _ in range(LONG * 60 or 120):
        door = f"/scim/v2/{dice.choice(doors)}"
        body = json.dumps(altered(dice.choice(BODIES), dice))
        attack.send(
            dice.choice(["POST", "PUT", "PATCH"]),
            door,
            body,
            dice.choice(["application/scim+json"] * 4 + ["text/plain"]),
        )
        text = dice.choice(
            [*TEXTS, 'userName eq "\\x"', 'id eq "9"', 'externalId eq ""', 'userName eq "\\ud800"', 'a.b eq "c"']
        )
        attack.send("GET", f"{door}?{encoded([(dice.choice(['filter', 'count', 'startIndex', 'attributes']), text)])}")
    assert attack.failed == []
    assert {200, 400} <= set(attack.statuses)


CLAIMS = [
    "sub",
    "email",
    "email_verified",
    "name",
    "groups",
    "iss",
    "aud",
    "exp",
    "iat",
    "nbf",
    "nonce",
    "_claim_names",
    "azp",
]


def test_what_comes_back_from_a_provider_is_no_error_of_ours(provider, people):  # noqa: F811
    dice = chance("OpenID Connect")
    right = dict(provider.claims)
    failed = []
    for number in range(LONG * 10 or 25):
        attack = Attack()
        attack.client.exc_info = None
        to_provider = attack.client.get("/accounts/oidc/oidc/login/") if number % 2 else None
        back = "/accounts/oidc/oidc/login/callback/"
        if to_provider is not None and to_provider.status_code == 302:
            state = re.search(r"state=([^&]+)", to_provider["Location"])[1]
            nonce = re.search(r"nonce=([^&]+)", to_provider["Location"])[1]
            provider.claims = {
                **right,
                dice.choice(CLAIMS): dice.choice(
                    [*VALUES, *(t for t in TEXTS if isinstance(t, str) and t.isprintable())]
                ),
            }
            provider.codes["c"] = {"nonce": nonce, "code_challenge": "x", "redirect_uri": "x"}
            provider.open = True
            attack.send("GET", f"{back}?{encoded([('code', dice.choice(['c', *TEXTS])), ('state', state)])}")
        names = ["code", "state", "error", "error_description", "iss", "session_state", "process", "next"]
        pairs = [(dice.choice(names), dice.choice(TEXTS)) for _ in range(3)]
        attack.send(dice.choice(["GET", "POST"]), f"{back}?{encoded(pairs)}")
        attack.send("GET", f"/accounts/oidc/oidc/login/?{encoded(pairs)}")
        failed += attack.failed
    assert failed == []


def pages_of_sign_in():
    """The addresses that allauth and we have below /accounts/, with something odd in their places."""

    def walk(patterns, prefix=""):
        for entry in patterns:
            if isinstance(entry, URLPattern):
                yield prefix + str(entry.pattern)
            else:
                yield from walk(entry.url_patterns, prefix + str(entry.pattern))

    routes = [route for route in walk(get_resolver().url_patterns) if route.startswith("accounts/")]
    return sorted(
        {
            re.sub(r"\^|\$|\\", "", re.sub(r"\(\?P<\w+>[^()]*(?:\([^()]*\))*[^()]*\)|<[^>]+>", "1", route))
            for route in routes
        }
    )


FIELDS = [
    "login",
    "email",
    "password",
    "password1",
    "password2",
    "oldpassword",
    "remember",
    "next",
    "code",
    "credential",
]
FIELDS += ["action", "id", "name", "credentials", "key", "uidb36", "passwordless", "select", "trust", "pk"]
CREDENTIALS = [
    "{}",
    "[]",
    "null",
    '{"id": 1}',
    '{"id": "a", "rawId": "a", "type": "public-key", "response": {}}',
    "[" * 900,
]
RESPONSES = [
    '{"clientDataJSON": "AA", "attestationObject": "AA"}',
    '{"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}',
]
CREDENTIALS += [f'{{"id": "AA", "rawId": "AA", "type": "public-key", "response": {one}}}' for one in RESPONSES]


@pytest.mark.parametrize("who", ["nobody", "eli"])
def test_pages_of_sign_in_are_no_error_of_ours(who, people, client_of):
    dice, failed = chance("sign-in", who), []
    pages = pages_of_sign_in()
    assert "accounts/password/reset/" in pages
    for page in pages:
        for _ in range(LONG or 1):
            attack = Attack(Client() if who == "nobody" else client_of(people[who]))
            url = f"/{page}"
            attack.send("GET", f"{url}?{encoded([(dice.choice(FIELDS), dice.choice(TEXTS))])}")
            fields = [(name, dice.choice([*TEXTS, *CREDENTIALS])) for name in dice.sample(FIELDS, 6)]
            attack.send("POST", url, encoded([*fields, ("credential", dice.choice(CREDENTIALS))]))
            failed += attack.failed
    assert failed == []


SHAPES = [
    None,
    1,
    "x",
    [],
    [1],
    [1, 2, 3, 4, 5],
    {},
    [None, None, None],
    ["x", "x", "x"],
    [2**70, "a@b.example", 2**70],
]
SHAPES += [
    [1, "\0", None],
    [[], {}, []],
    [-1, -1, "x", -1],
    [1.5, 2, "é", None],
    [True, "x", 0, "x"],
    [1, 1, "x" * 9000, 1],
]


def links():
    from django.urls import reverse

    for name, salt in (
        ("budgets:acknowledge", "budgets.acknowledge"),
        ("programme:leave_report", "programme.leave_report"),
    ):
        yield name, salt, lambda token, name=name: reverse(name, args=[token])


@pytest.mark.parametrize(("name", "salt", "url_of"), list(links()))
def test_links_in_mails_are_no_error_of_ours(name, salt, url_of, people):
    attack, dice = Attack(), chance(name)
    tokens = [signing.dumps(shape, salt=salt) for shape in SHAPES]
    tokens += [
        "x",
        "a:b:c",
        ":",
        "..",
        "x" * 3000,
        signing.dumps(1, salt="other"),
        tokens[0][:-3],
        signing.Signer(salt=salt).sign("{"),
    ]
    for token in tokens:
        url = url_of(token)
        for _ in range(LONG or 1):
            attack.send(
                "GET", f"{url}?{encoded([(dice.choice(['a', 'utm_source', 'next', 'verb']), dice.choice(TEXTS))])}"
            )
            attack.send(
                "POST",
                url,
                encoded([(dice.choice(["verb", "days", "comment", "List-Unsubscribe"]), dice.choice(TEXTS))]),
            )
    assert attack.failed == []
