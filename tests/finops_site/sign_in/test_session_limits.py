"""A session is over when nobody used it for long, and after some days however much it is used."""

import time

import pytest
from django.contrib.sessions.models import Session

from finops_site.sign_in.session_limits import SEEN
from tests.people import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch):
    """Hours that have passed since it was asked for."""

    class Clock:
        hours = 0.0

    began = time.time()
    monkeypatch.setattr("finops_site.sign_in.session_limits.time.time", lambda: began + Clock.hours * 3600)
    return Clock


def test_who_is_away_longer_than_the_settings_say_signs_in_again(lea, clock, settings):
    settings.FINOPS_SESSION_IDLE_HOURS = 2
    client = signed_in(lea)
    key = client.session.session_key
    for hours in (1.5, 3.0):
        clock.hours = hours
        assert client.get("/").status_code == 200
    clock.hours = 5.1
    assert client.get("/")["Location"].startswith("/accounts/login/")
    assert not Session.objects.filter(session_key=key).exists()


def test_a_session_ends_after_its_days_however_much_it_is_used(lea, clock, settings):
    settings.FINOPS_SESSION_DAYS = 1
    client = signed_in(lea)
    statuses = []
    for clock.hours in range(0, 30, 6):
        statuses.append(client.get("/").status_code)
    assert statuses == [200, 200, 200, 200, 302]


def test_reading_pages_writes_nothing_for_five_minutes(lea, clock):
    client = signed_in(lea)
    seen = client.session[SEEN]
    for clock.hours, is_written in ((0.05, False), (0.1, True)):
        client.get("/")
        assert (client.session[SEEN] != seen) == is_written


def test_without_limits_a_session_lasts_as_long_as_its_cookie(lea, clock, settings):
    settings.FINOPS_SESSION_IDLE_HOURS = settings.FINOPS_SESSION_DAYS = 0
    client = signed_in(lea)
    clock.hours = 24 * 13
    assert client.get("/").status_code == 200
