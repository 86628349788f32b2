"""One export at a time a person, and few in a process: whoever waits for many leaves room for the others."""

import threading
import time

import pytest
from django.core.cache import cache

from finops_site.ui import one_export
from tests.people import signed_in

pytestmark = pytest.mark.django_db

FILES = ["/budgets/?_export=xlsx", "/budgets/?_export=csv", "/api/v1/budgets/?format=csv"]


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr(one_export, "PATIENCE_SECONDS", 0.3)


@pytest.fixture
def another(fay):
    """Another thread makes a file for fay."""
    key = f"export:{fay.pk}"
    cache.set(key, "another thread", 60)
    yield key
    cache.delete(key)


@pytest.mark.parametrize("url", FILES)
def test_a_second_export_is_refused_with_the_time_to_ask_again(fay, lea, another, url):
    answer = signed_in(fay).get(url)
    assert (answer.status_code, answer["Retry-After"]) == (429, "5")
    assert "one at a time" in answer.content.decode()
    assert signed_in(lea).get(url).status_code == 200, "somebody else has her own"
    assert signed_in(fay).get("/budgets/").status_code == 200, "pages are no exports"
    assert signed_in(fay).get("/api/v1/budgets/").status_code == 200
    assert signed_in(fay).get("/healthz").status_code in (200, 503)
    assert cache.get(another) == "another thread", "what was refused ends nobody else's"


@pytest.mark.parametrize("url", FILES)
def test_an_export_that_is_over_leaves_room_for_the_next(fay, url):
    client = signed_in(fay)
    for _time in range(2):
        answer = client.get(url)
        assert answer.status_code == 200
        if answer.streaming:
            assert cache.get(f"export:{fay.pk}"), "its rows are still being read"
            answer.getvalue()
        assert cache.get(f"export:{fay.pk}") is None
        assert one_export._running == {}


def test_who_clicks_twice_gets_the_file_when_the_first_has_ended(fay, another, monkeypatch):
    monkeypatch.setattr(one_export, "PATIENCE_SECONDS", 10)
    threading.Timer(0.2, cache.delete, [another]).start()
    assert signed_in(fay).get(FILES[0]).status_code == 200


def test_exports_of_several_people_leave_threads_of_the_server_free(fay, monkeypatch):
    until = time.monotonic() + 60
    monkeypatch.setattr(one_export, "_running", {-1: until, -2: until})
    answer = signed_in(fay).get(FILES[0])
    assert (answer.status_code, "Exports of others" in answer.content.decode()) == (429, True)
    assert cache.get(f"export:{fay.pk}") is None
    monkeypatch.setattr(one_export, "_running", {-1: until, -2: time.monotonic() - 1})
    assert signed_in(fay).get(FILES[0]).status_code == 200, "one that hangs is not counted for ever"


def test_without_the_cache_an_export_is_made(fay, monkeypatch):
    def away(*_ignored, **_options):
        raise ConnectionError

    monkeypatch.setattr(one_export.cache, "add", away)
    assert signed_in(fay).get(FILES[0]).status_code == 200
