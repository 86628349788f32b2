"""What answers say to browsers: who may keep them, what they may load, which cookies there are."""

import re

import pytest
from django.test import Client

from finops_site.ui import message_cookies
from tests.people import PASSWORD, signed_in, token_of

pytestmark = pytest.mark.django_db
DOORS = [
    "/",
    "/budgets/",
    "/lines/?_export=csv",
    "/api/v1/me/",
    "/api/docs/",
    "/admin/",
    "/nowhere/",
    "/accounts/login/",
]


@pytest.mark.parametrize("door", DOORS)
def test_nobody_keeps_what_was_for_lea_nor_loads_it_from_elsewhere(lea, door):
    answer = signed_in(lea).get(door)
    assert "no-store" in answer["Cache-Control"]
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer
    policy = answer["Content-Security-Policy"]
    for directive in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy, door
    assert not re.search(r"script-src [^;]*unsafe-inline", policy)


def test_every_answer_says_what_it_is(lea):
    for door in DOORS:
        kind = signed_in(lea).get(door, follow=True)["Content-Type"]
        assert kind == "application/json" or "charset=utf-8" in kind, (door, kind)


def test_a_file_of_the_product_may_be_kept(client):
    assert "no-store" not in client.get("/static/finops/favicon.svg").get("Cache-Control", "")


def test_signing_out_empties_the_cache_of_the_browser(lea):
    assert signed_in(lea).post("/accounts/logout/")["Clear-Site-Data"] == '"cache"'


def test_a_program_is_not_led_from_http_to_https_and_a_browser_is(lea, settings):
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^(api/v1|scim)/"]
    headers = {"Authorization": f"Token {token_of(lea)}"}
    answer = Client(headers=headers).get("/api/v1/me/")
    assert (answer.status_code, "https" in answer.json()["detail"]) == (403, True)
    assert Client(headers=headers).get("/scim/v2/Users").status_code == 403
    assert Client(headers=headers).get("/api/v1/me/", secure=True).status_code == 200
    assert Client().get("/budgets/")["Location"] == "https://testserver/budgets/"


def test_cookies_are_for_this_host_this_site_and_no_script(people, settings):
    client = Client()
    client.post("/accounts/login/", {"login": "eli@demo.example", "password": PASSWORD})
    client.get("/settings/")
    assert {"sessionid", "csrftoken"} <= set(client.cookies)
    for name, cookie in client.cookies.items():
        if cookie.value:
            assert cookie["httponly"], name
            assert (cookie["samesite"], cookie["domain"], cookie["path"]) == ("Lax", "", "/"), name


def test_cookies_over_https_have_names_that_no_other_host_can_set(settings):
    settings.HTTPS = True
    assert message_cookies.host_cookie("messages") == "__Host-messages"


def test_trace_echoes_nothing(lea):
    for door in DOORS:
        answer = signed_in(lea).generic("TRACE", door, HTTP_X_SECRET="do not echo")
        assert b"do not echo" not in answer.content, door


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "https:evil.example", "/\\evil.example", "javascript:x"]
)
def test_nobody_is_led_to_another_site(people, elsewhere):
    typed = {"login": "eli@demo.example", "password": PASSWORD, "next": elsewhere}
    assert Client().post("/accounts/login/", typed)["Location"].startswith(("/", "http://testserver/"))
    assert "evil" not in Client().post("/accounts/login/", typed)["Location"]
    assert "evil" not in signed_in(people["lea"]).post(f"/accounts/logout/?next={elsewhere}")["Location"]


def test_every_page_offers_to_sign_out(lea):
    for door in ("/", "/budgets/", "/settings/", "/nowhere/"):
        assert 'action="/accounts/logout/"' in signed_in(lea).get(door).content.decode(), door
