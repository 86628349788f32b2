"""How often somebody may ask: over the limit she is told how long to wait, and nobody else is kept out."""

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured

from finops_site.models import ApiToken
from finops_site.ui.limits import read_limit, seconds_to_wait
from tests.people import signed_in, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted():
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


@pytest.mark.parametrize("path", ["/alerts/acknowledge/guess/", "/programme/reports/leave/guess/"])
def test_links_in_mails_are_not_guessed_for_long(client, path, settings):
    settings.FINOPS_LINK_LIMIT = "2/minute"
    statuses = [client.get(path, REMOTE_ADDR="1.1.1.1").status_code for _ in range(3)]
    assert statuses[-1] == 429
    assert client.get(path, REMOTE_ADDR="2.2.2.2").status_code == statuses[0] != 429


def test_without_the_cache_nobody_is_kept_out(monkeypatch):
    def away(*_):
        raise ConnectionError

    monkeypatch.setattr(cache, "add", away)
    assert [seconds_to_wait("x", "lea", "1/hour") for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("text", ["often", "0/minute", "5/week", "-1/hour"])
def test_a_limit_that_nobody_can_read_is_said_at_the_start(text):
    with pytest.raises(ImproperlyConfigured):
        read_limit(text)
