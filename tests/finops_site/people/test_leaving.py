"""Somebody leaves, or her sessions are ended: what she came in by opens nothing any more."""

import re
from datetime import date, timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from finops_site.lib.periods import moment_text
from finops_site.models import ApiToken, SavedView, ViewMail
from finops_site.people.leaving import leave, left_behind
from programme.models import ReportSchedule
from tests.people import PASSWORD, person, signed_in, token_of

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signs_in(user):
    browser = Client(headers={"user-agent": FIREFOX})
    browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return browser


def is_in(browser):
    return browser.get("/settings/").status_code == 200


def test_ada_switches_fay_off_and_everything_of_hers_ends(ada, fay, client):
    browser, key = signs_in(fay), token_of(fay)
    client.post("/accounts/password/reset/", {"email": fay.email})
    link = re.search(r"(/accounts/password/reset/key/\S+)", mail.outbox[0].body)[1]
    view = SavedView.objects.create(owner=fay, name="Databases", path="/costs/", with_company=True)
    ViewMail.objects.create(user=fay, view=view, every="week", since=date(2026, 1, 1))
    schedule = ReportSchedule.objects.create(owner=fay, name="Monthly", kind="monthly", since=date(2026, 1, 1))
    assert is_in(browser)
    page = signed_in(ada)
    assert page.post(f"/people/{fay.pk}/", {"name": "Fay", "role": "finance"}).status_code == 302
    fay.refresh_from_db()
    schedule.refresh_from_db()
    assert (fay.is_active, is_in(browser), ViewMail.objects.exists()) == (False, False, False)
    assert client.get("/api/v1/me/", headers={"Authorization": f"Token {key}"}).status_code == 401
    assert "The link does not work" in client.get(link, follow=True).content.decode()
    assert (schedule.is_paused, "has left" in schedule.pause_reason) == (True, True)
    shown = page.get(f"/people/{fay.pk}/").content.decode()
    assert "saved views that others find: 1" in shown
    assert "schedules of reports</a>: 1" in shown
    # Nothing comes back by itself.
    page.post(f"/people/{fay.pk}/", {"name": "Fay", "role": "finance", "is_active": "on"})
    assert (is_in(browser), ApiToken.objects.exists()) == (False, False)


def test_who_looked_after_nothing_leaves_nothing_behind(people):
    max_ = person("max")
    leave(max_)
    assert left_behind(max_) == []


def test_when_a_session_was_last_seen_is_noted_once_in_five_minutes(lea):
    cache.clear()
    phone, here = signs_in(lea), signs_in(lea)
    hours_ago = timezone.now() - timedelta(hours=3)

    def seen():
        return UserSession.objects.get(session_key=phone.session.session_key).last_seen_at

    UserSession.objects.update(last_seen_at=hours_ago)
    assert is_in(phone)
    assert seen() > hours_ago + timedelta(hours=2)
    UserSession.objects.update(last_seen_at=hours_ago)
    assert is_in(phone)
    assert seen() == hours_ago
    page = here.get("/settings/sessions/").content.decode()
    assert (page.count(">now</td>"), moment_text(hours_ago) in page) == (1, True)


def test_lea_ends_her_other_sessions_and_stays(lea):
    here, phone = signs_in(lea), signs_in(lea)
    page = here.get("/settings/sessions/").content.decode()
    assert (page.count("Firefox, Windows"), page.count("this one")) == (2, 1)
    here.post("/settings/sessions/")
    assert (is_in(here), is_in(phone)) == (True, False)
    assert here.get("/settings/sessions/").content.decode().count("Firefox, Windows") == 1


def test_lea_ends_one_session_and_nobody_elses(lea, ola):
    here, phone = signs_in(lea), signs_in(lea)
    number = re.search(r"/settings/sessions/(\d+)/end/", here.get("/settings/sessions/").content.decode())[1]
    assert signs_in(ola).post(f"/settings/sessions/{number}/end/").status_code == 404
    here.post(f"/settings/sessions/{number}/end/")
    assert (is_in(here), is_in(phone)) == (True, False)


def test_ada_signs_somebody_out_everywhere_and_nobody_else_may(ada, lea, eli):
    browser, unlisted = signs_in(lea), signed_in(lea)
    url = f"/people/{lea.pk}/sessions/end/"
    assert signed_in(eli).post(url).status_code == 403
    assert is_in(browser)
    signed_in(ada).post(url)
    assert (is_in(browser), is_in(unlisted)) == (False, False)
    assert is_in(signs_in(lea))
