"""How often somebody may ask: over the limit she is told how long to wait, and nobody else is kept out."""

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured

from finops_site.models import ApiToken
from finops_site.ui.limits import read_limit, seconds_to_wait
from tests.people import PASSWORD, signed_in, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def still_clock(monkeypatch):
    """No window ends between two requests."""
    monkeypatch.setattr("finops_site.ui.limits.time.time", lambda: 1_000_000_000.0)


def test_a_token_over_the_limit_waits_and_another_of_hers_goes_on(lea, client, settings):
    settings.FINOPS_API_LIMIT = "2/minute"
    first, second = token_of(lea), token_of(lea)

    def ask(key):
        return client.get("/api/v1/me/", headers={"Authorization": f"Token {key}"})

    assert [ask(first).status_code for _ in range(3)] == [200, 200, 429]
    refused = ask(first)
    assert int(refused["Retry-After"]) in range(1, 61)
    assert "Request was throttled." in refused.json()["detail"]
    assert (ask(second).status_code, signed_in(lea).get("/api/v1/me/").status_code) == (200, 200)


def test_the_page_of_tokens_makes_so_many_and_is_read_as_often_as_one_likes(lea, settings):
    settings.FINOPS_TOKEN_LIMIT = "1/hour"
    browser = signed_in(lea)
    wish = {"scope": "read", "days": "30"}
    assert browser.post("/token/", wish | {"name": "one"}).status_code == 200
    refused = browser.post("/token/", wish | {"name": "two"})
    assert (refused.status_code, "This was asked for too often." in refused.content.decode()) == (429, True)
    assert browser.get("/token/").status_code == 200
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/alerts/acknowledge/guess/"),
        ("get", "/programme/reports/leave/guess/"),
        ("post", "/accounts/saml/saml/acs/"),
    ],
)
def test_links_in_mails_and_answers_of_providers_are_not_guessed_for_long(client, method, path, settings):
    settings.FINOPS_LINK_LIMIT = "2/minute"
    ask = getattr(client, method)
    statuses = [ask(path, REMOTE_ADDR="1.1.1.1").status_code for _ in range(3)]
    assert statuses[-1] == 429
    assert ask(path, REMOTE_ADDR="2.2.2.2").status_code == statuses[0] != 429


def test_a_link_to_choose_a_password_is_asked_for_so_often_for_an_address_and_from_one(lea, ola, client):
    def ask(email, address):
        return client.post("/accounts/password/reset/", {"email": email}, REMOTE_ADDR=address).status_code

    assert [ask(lea.email, f"1.1.1.{host}") for host in range(6)] == [302] * 5 + [429]
    assert ask(ola.email, "1.1.1.9") == 302
    assert len(mail.outbox) == 6
    statuses = [ask(f"nobody-{number}@example.com", "2.2.2.2") for number in range(21)]
    assert statuses == [302] * 20 + [429]
    assert len(mail.outbox) == 6, "nobody has the site write to strangers"


def test_codes_of_an_app_are_not_guessed_for_long(lea, client):
    Authenticator.objects.create(user=lea, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    client.post("/accounts/login/", {"login": lea.email, "password": PASSWORD})
    pages = [client.post("/accounts/2fa/authenticate/", {"code": "00000x"}).content.decode() for _ in range(6)]
    assert ["Too many failed login attempts" in page for page in pages] == [False] * 5 + [True]


def test_without_the_cache_nobody_is_kept_out(monkeypatch):
    def away(*_):
        raise ConnectionError

    monkeypatch.setattr(cache, "add", away)
    assert [seconds_to_wait("x", "lea", "1/hour") for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("text", ["often", "0/minute", "5/week", "-1/hour"])
def test_a_limit_that_nobody_can_read_is_said_at_the_start(text):
    with pytest.raises(ImproperlyConfigured):
        read_limit(text)
