"""The pages of allauth as we have them: passwords, codes of an app, and sessions."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.people import PASSWORD, signed_in

pytestmark = pytest.mark.django_db
NEW = "quiet harbour lantern 7"


@pytest.fixture
def app(eli):
    """Eli's app: it shows the code of the moment."""
    cache.clear()
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(eli, secret)
    eli.refresh_from_db()
    return lambda: totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time()))))


def sign_in(client, name, password=PASSWORD):
    return client.post("/accounts/login/", {"login": f"{name}@demo.example", "password": password})


def test_lea_changes_her_password_and_is_asked_for_the_one_she_has(lea):
    client, elsewhere = Client(), signed_in(lea)
    sign_in(client, "lea")
    typed = {"oldpassword": "not hers", "password1": NEW, "password2": NEW}
    assert client.post("/accounts/password/change/", typed).status_code == 200
    lea.refresh_from_db()
    assert lea.check_password(PASSWORD)
    client.post("/accounts/password/change/", {**typed, "oldpassword": PASSWORD})
    lea.refresh_from_db()
    assert lea.check_password(NEW)
    assert elsewhere.get("/").status_code == 302, "her other sessions are over"


def test_a_password_is_masked_may_be_pasted_and_kept_by_a_manager(lea, client):
    html = (
        client.get("/accounts/login/").content.decode()
        + signed_in(lea).get("/accounts/password/change/").content.decode()
    )
    fields = re.findall(r'<input[^>]*name="(?:old)?password[12]?"[^>]*>', html)
    assert len(fields) == 4
    for field in fields:
        assert 'type="password"' in field
        assert "onpaste" not in field
        assert re.search(r'autocomplete="(current|new)-password"', field), field


def test_a_session_gets_a_new_key_at_sign_in_and_is_gone_after_sign_out(eli):
    client = Client()
    client.get("/accounts/login/")
    before = client.session.session_key
    sign_in(client, "eli")
    key = client.session.session_key
    assert key not in (None, before)
    assert len(key) == 32
    client.post("/accounts/logout/")
    assert not Session.objects.filter(session_key=key).exists()
    thief = Client()
    thief.cookies["sessionid"] = key
    assert thief.get("/").status_code == 302


def test_a_code_of_the_app_opens_once(app, eli):
    code = app()
    first, second = Client(), Client()
    for client in (first, second):
        assert "2fa" in sign_in(client, "eli")["Location"]
        assert client.get("/")["Location"].startswith("/accounts/login/"), "the password alone opens nothing"
        client.post("/accounts/2fa/authenticate/", {"code": code})
    assert [client.get("/").status_code for client in (first, second)] == [200, 302]
    assert len(code) == 6
    codes = Authenticator.objects.create(user=eli, type="recovery_codes", data={"seed": "s", "used_mask": 0})
    listed = codes.wrap().generate_codes()
    assert len(set(listed)) == len(listed)
    assert min(map(len, listed)) >= 8


def test_a_forgotten_password_that_is_chosen_anew_opens_nothing_without_the_second_step(app, eli, mailoutbox):
    browser = Client()
    browser.post("/accounts/password/reset/", {"email": eli.email})
    sent = mailoutbox or mail.outbox
    link = re.search(r"/accounts/password/reset/key/\S+?/", str(sent[-1].body))[0]
    page = browser.get(link, follow=True)
    browser.post(page.request["PATH_INFO"], {"password1": NEW, "password2": NEW})
    eli.refresh_from_db()
    assert eli.check_password(NEW)
    assert browser.get("/").status_code == 302
    sign_in(browser, "eli", NEW)
    assert browser.get("/")["Location"].startswith("/accounts/login/")
    again = Client().get(link, follow=True).content.decode()
    assert 'name="password1"' not in again, "the link was good once"


def test_a_second_step_is_changed_only_by_who_proves_again_who_she_is(app, eli):
    client = signed_in(eli)
    for door in (
        "/accounts/2fa/totp/deactivate/",
        "/accounts/2fa/recovery-codes/generate/",
        "/accounts/2fa/webauthn/add/",
    ):
        answer = client.post(door)
        assert "/reauthenticate/" in answer["Location"], door
    assert Authenticator.objects.filter(user=eli, type="totp", created_at__lte=timezone.now()).exists()


def test_an_office_behind_one_address_signs_in_within_a_minute(lea):
    cache.clear()
    form = {"login": lea.email, "password": PASSWORD}
    assert {Client().post("/accounts/login/", form).status_code for _ in range(40)} == {302}
