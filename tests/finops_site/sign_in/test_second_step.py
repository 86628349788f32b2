"""A second step beside the password: asked of the roles that must have one, and after a while nothing opens without."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from finops_site.models import User
from tests.finops_site.sign_in.test_oidc import sign_in
from tests.people import PASSWORD, signed_in, token_of

pytestmark = pytest.mark.django_db
ASKS = "Your role asks for a second step"


@pytest.fixture(autouse=True)
def required(settings):
    settings.FINOPS_MFA_REQUIRED_ROLES = ["administrator", "finance"]


def long_ago(user):
    User.objects.filter(pk=user.pk).update(second_step_asked_on=timezone.now().date() - timedelta(days=8))


def test_fay_is_asked_for_seven_days_and_then_sets_one_up_before_anything_else(fay):
    browser = signed_in(fay)
    assert ASKS in browser.get("/").content.decode()
    fay.refresh_from_db()
    assert fay.second_step_asked_on == timezone.now().date()
    long_ago(fay)
    answer = browser.get("/costs/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/")
    assert ASKS in browser.get("/accounts/2fa/").content.decode()
    refused = browser.get("/api/v1/me/")
    assert (refused.status_code, "Set up a second step" in refused.json()["detail"]) == (403, True)
    Authenticator.objects.create(user=fay, type=Authenticator.Type.RECOVERY_CODES, data={})
    assert browser.get("/costs/").status_code == 302
    Authenticator.objects.create(user=fay, type=Authenticator.Type.TOTP, data={"secret": "x"})
    assert browser.get("/costs/").status_code == 200


def test_nobody_asks_whose_role_needs_none_or_who_comes_by_a_token(lea, fay, client):
    long_ago(lea)
    page = signed_in(lea).get("/")
    assert (page.status_code, ASKS in page.content.decode()) == (200, False)
    long_ago(fay)
    assert client.get("/api/v1/me/", headers={"Authorization": f"Token {token_of(fay)}"}).status_code == 200


def test_nobody_asks_on_a_laptop(ada, settings):
    settings.FINOPS_MFA_REQUIRED_ROLES = []
    long_ago(ada)
    assert ASKS not in signed_in(ada).get("/").content.decode()


def test_who_comes_by_the_provider_has_her_second_step_there(provider, fay):
    User.objects.filter(pk=fay.pk).update(email="fay@example.com")
    long_ago(fay)
    provider.claims |= {"sub": "fay-1", "email": "fay@example.com"}
    browser = Client()
    sign_in(browser)
    assert browser.get("/costs/").status_code == 200


def test_a_passkey_opens_no_more_than_a_password_where_passwords_are_off(provider, lea, settings, monkeypatch):
    settings.FINOPS_PASSWORD_SIGN_IN = False
    # As if a passkey had been looked at and found to be hers.
    monkeypatch.setattr("allauth.account.adapter.DefaultAccountAdapter.authenticate", lambda *_, **__: lea)
    browser = Client()
    page = browser.post("/accounts/login/", {"login": lea.email, "password": PASSWORD}, follow=True)
    assert "Sign in by your company" in page.content.decode()
    assert browser.get("/settings/").status_code == 302
