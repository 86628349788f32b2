"""Nothing that anybody sends is answered by an error of the server."""

import base64

import pytest
from django.core import signing
from django.core.cache import cache
from django.db import DataError, connection
from django.test import Client
from django.utils.datastructures import MultiValueDictKeyError

from budgets.models import Budget
from finops_site.models import AuditEntry
from finops_site.ui.unreadable_requests import reason_of
from tests.people import signed_in

pytestmark = pytest.mark.django_db

DEEP = "[" * 5000 + "]" * 5000
NO_ROW = [2**31, 2**63, 2**70]
BUDGET = {"name": "Cloud", "amount": "100", "currency": "USD", "scope": {}, "start": "2026-01-01"}


def send(client, url, body, **headers):
    return client.post(url, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (DEEP, "nested too deeply"),
        (f'{{"name": {"[" * 100}{"]" * 100}}}', "nested too deeply"),
        ('{"name": "\\ud800"}', "half a character"),
        ('{"scope": {"service": ["\\udfff"]}}', "half a character"),
        ('{"name": "a\\u0000"}', "NUL"),
        ('{"a\\u0000": 1}', "NUL"),
        (f'{{"amount": {"9" * 5000}}}', "JSON parse error"),
        ("\xff", "JSON parse error"),
    ],
)
def test_a_body_that_nobody_can_read_is_refused_by_the_api(fay, body, says):
    answer = send(signed_in(fay), "/api/v1/budgets/", body)
    assert (answer.status_code, says in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("charset", ["hex", "undefined", "rot13", "idna", "no-such"])
def test_an_encoding_that_is_none_of_text_is_not_used(fay, charset):
    client = signed_in(fay)
    assert (
        client.generic("GET", "/budgets/?state=active", content_type=f"text/plain; charset={charset}").status_code
        == 200
    )
    answer = client.generic("POST", "/api/v1/budgets/", "{}", content_type=f"application/json; charset={charset}")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "strange"},
        {"X-Forwarded-For": "[x]:80"},
        {"X-Forwarded-For": "fe80::1%eth0"},
        {"X-Forwarded-For": "é" * 4000},
        {"X-Forwarded-Port": "99999999999"},
        {"X-Forwarded-Port": "²"},
        {"X-Correlation-Id": "9" * 3000},
        {"User-Agent": "x" * 7000, "Accept-Language": "x" * 7000, "Referer": "\xff" * 7000},
    ],
)
@pytest.mark.parametrize("proxies", [0, 1])
def test_strange_headers_hinder_nobody_and_are_not_kept(fay, settings, headers, proxies):
    settings.FINOPS_TRUSTED_PROXIES = proxies
    answer = send(signed_in(fay), "/api/v1/budgets/", BUDGET, **headers)
    assert answer.status_code == 201
    entry = AuditEntry.objects.of(Budget).get()
    assert entry.address == "127.0.0.1"
    assert len(entry.request) == 32


@pytest.mark.parametrize(
    ("proxies", "address"), [(0, "127.0.0.1"), (1, "203.0.113.5"), (2, "198.51.100.1"), (3, "127.0.0.1")]
)
def test_an_address_counts_that_our_own_proxies_named_and_none_that_anybody_can_send(fay, settings, proxies, address):
    settings.FINOPS_TRUSTED_PROXIES = proxies
    send(signed_in(fay), "/api/v1/budgets/", BUDGET, **{"X-Forwarded-For": "198.51.100.1, 203.0.113.5:4711"})
    assert AuditEntry.objects.of(Budget).get().address == address


def test_who_writes_another_address_with_every_try_is_locked_out_all_the_same(people, settings):
    cache.clear()
    settings.AXES_FAILURE_LIMIT = 3
    wrong = {"login": "lea@demo.example", "password": "wrong"}
    headers = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(4)]
    statuses = [Client().post("/accounts/login/", wrong, headers=header).status_code for header in headers]
    assert statuses[-1] == 429


@pytest.mark.parametrize("cookie", ["sessionid", "csrftoken", "messages", "django_language"])
def test_a_cookie_with_half_a_text_is_no_session(cookie):
    client = Client()
    client.cookies[cookie] = "\0aaaaaaaaaaaaaaaa"
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("login", ["a" * 400 + "@example.com", "a\0@example.com", "\ud800"])
def test_an_address_that_is_none_does_not_sign_in(people, login):
    body = {"login": login.encode("utf-8", "surrogatepass"), "password": b"x\0"}
    headers = {"User-Agent": "x" * 7000, "Accept": "y" * 7000, "X-Forwarded-For": "strange"}
    assert Client().post("/accounts/login/", body, headers=headers).status_code < 500


@pytest.mark.parametrize("number", NO_ROW)
@pytest.mark.parametrize(
    "door", ["/budgets/{}/", "/api/v1/budgets/{}/", "/views/{}/", "/dashboards/{}/", "/ownership/{}/"]
)
def test_a_row_that_cannot_be_is_not_found(fay, door, number):
    assert signed_in(fay).get(door.format(number)).status_code == 404


@pytest.mark.parametrize("number", [*NO_ROW, 10**400])
@pytest.mark.parametrize(
    "door",
    ["/budgets/?team={}", "/lines/?team={}", "/costs/?team={}", "/api/v1/budgets/?team={}", "/api/v1/costs/?team={}"],
)
def test_a_filter_by_a_row_that_cannot_be_is_no_error(fay, door, number):
    assert signed_in(fay).get(door.format(number)).status_code < 500


@pytest.mark.parametrize("name", ["team", "parent", "amount", "auto_months", "version", "percent"])
def test_a_form_with_a_number_that_cannot_be_is_shown_again(fay, name):
    answer = signed_in(fay).post("/budgets/add/", {**BUDGET, "scope": "", name: str(10**30)})
    assert answer.status_code in (200, 302, 400)


@pytest.mark.parametrize("left_out", ["start", "currency", "kind", "way", "amount", "name", "calendar", "basis"])
def test_a_form_without_one_of_its_fields_is_answered(fay, lea, left_out):
    form = {**BUDGET, "kind": "month", "way": "flat", "calendar": "", "basis": "billed_cost", "end": ""}
    sent = {name: value for name, value in form.items() if name not in (left_out, "scope")}
    for client, url in ((signed_in(fay), "/budgets/add/"), (signed_in(lea), "/budgets/propose/")):
        assert client.post(url, sent).status_code in (200, 302)
        assert client.post(url, {**sent, left_out: ""}).status_code in (200, 302, 409)


def test_what_the_admin_needs_and_does_not_get_is_no_error(ada):
    client = signed_in(ada)
    for query in (
        "",
        "?term=a",
        "?term=a&app_label=costs",
        "?app_label=costs&model_name=\0&field_name=x",
        "?app_label=a.b",
    ):
        assert client.get(f"/admin/autocomplete/{query}").status_code < 500
    assert client.post("/admin/costs/credential/add/", {"name": "deep", "secret": DEEP}).status_code == 200


@pytest.mark.parametrize("page", [10**9, 10**30, -1, 0, "9" * 5000, "x", "\0"])
@pytest.mark.parametrize("door", ["/budgets/", "/lines/", "/api/v1/budgets/", "/ownership/", "/people/"])
def test_no_page_is_too_far(fay, door, page):
    assert signed_in(fay).get(door, {"page": page}).status_code < 500


@pytest.mark.parametrize(
    "door", ["/lines/?after={}", "/api/v1/charges/?after={}", "/a/unsubscribe/{}/", "/dev/mail/{}/", "/search/?q={}"]
)
@pytest.mark.parametrize(
    "text",
    ["%00", base64.urlsafe_b64encode(DEEP.encode()).decode().rstrip("="), "%ED%A0%80", signing.dumps("x")],
    # A signature has the second it was made in: without names of their own two workers would know different tests.
    ids=["nul", "deep", "half a character", "signed for something else"],
)
def test_texts_that_nobody_made_are_answered(fay, door, text):
    assert signed_in(fay).get(door.format(text)).status_code < 500


def test_only_what_was_sent_is_called_unreadable():
    """A fault of ours stays an error of the server, so that somebody mends it."""
    assert reason_of(MultiValueDictKeyError("start")) == "What was sent lacks start."
    assert [reason_of(error) for error in (KeyError("start"), ValueError("no"), DataError("no"))] == ["", "", ""]
    with pytest.raises(DataError) as refused, connection.cursor() as cursor:
        cursor.execute("SELECT %s::int", [2**40])
    assert reason_of(refused.value) == "A number is too large."
