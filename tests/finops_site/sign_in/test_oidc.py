"""Signing in by OpenID Connect, end to end against a provider on this machine: who comes in, and who does not."""

import json
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from finops_site.models import GroupGrant, GroupMapping, OutgoingEmail, Team, User
from finops_site.people.roles import role_of
from finops_site.sign_in import group_grants
from finops_site.sign_in.providers import identity_providers
from tests.people import PASSWORD, text_of

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/oidc/oidc/login/"


def go_to_provider(browser, query=""):
    """Follows the link of the sign-in page; returns the address that the provider sends the browser back to."""
    answer = browser.get(LOGIN + query)
    assert answer.status_code == 302, answer.content.decode()
    back = urllib3.request("GET", answer["Location"], redirect=False)
    return back.headers["Location"].removeprefix("http://testserver")


def sign_in(browser=None):
    browser = browser or Client()
    return browser.get(go_to_provider(browser))


def who(browser):
    answer = browser.get("/api/v1/me/")
    return answer.json()["email"] if answer.status_code == 200 else None


def teams_of(user):
    return {str(one.team): one.role for one in user.memberships.all()}


def maps(group, role="", team=None, team_role="member", provider=""):
    mapping = GroupMapping(group=group, role=role, team=team, team_role=team_role, provider=provider)
    group_grants.save_mapping(mapping)
    return mapping


@pytest.fixture
def payments(people):
    return Team.objects.get(name="Payments")


def test_somebody_new_comes_in_with_the_role_and_the_team_of_her_groups(provider, payments):
    maps("cloud-engineers", "engineering", payments, "lead")
    provider.claims["groups"] = ["cloud-engineers", "everybody"]
    browser = Client()
    assert '<a class="btn btn-outline w-100 sign-in-provider" href="/accounts/oidc/oidc/login/?next=%2Fcosts%2F">' in (
        page := browser.get("/accounts/login/?next=/costs/").content.decode()
    )
    assert "Sign in with Example</a>" in page
    answer = browser.get(go_to_provider(browser, "?next=/costs/"))
    assert (answer.status_code, answer["Location"]) == (302, "/costs/")
    kim = User.objects.get(email="kim@example.com")
    assert (who(browser), role_of(kim), teams_of(kim)) == (kim.email, "engineering", {"Payments": "lead"})
    assert (kim.name, kim.has_usable_password()) == ("Kim", False)
    assert browser.session.get_expiry_age() <= 12 * 3600
    assert SocialAccount.objects.get(user=kim).extra_data == {"groups": ["cloud-engineers", "everybody"]}


def test_what_a_group_gave_goes_with_it_and_what_was_given_by_hand_stays(provider, payments, lea):
    data = Team.objects.get(name="Data")
    maps("money", "finance", data)
    lea_at_provider = {"sub": "lea-1", "email": "LEA@example.com", "name": ""}
    User.objects.filter(pk=lea.pk).update(email="lea@example.com")
    lea.groups.clear()
    provider.claims |= lea_at_provider | {"groups": ["money"]}
    sign_in()
    assert (role_of(lea), teams_of(lea)) == ("finance", {"Payments": "lead", "Data": "member"})
    provider.claims["groups"] = []
    sign_in()
    assert (role_of(lea), teams_of(lea)) == ("", {"Payments": "lead"})
    assert not GroupGrant.objects.filter(user=lea).exists()


def test_a_role_given_by_hand_stands_before_that_of_a_group(provider, people, ada):
    maps("money", "finance")
    User.objects.filter(pk=ada.pk).update(email="ada@example.com")
    provider.claims |= {"sub": "ada-1", "email": "ada@example.com", "groups": ["money"]}
    sign_in()
    assert set(ada.groups.values_list("name", flat=True)) == {"administrator"}


def test_of_the_roles_of_two_groups_somebody_has_the_weightiest_alone(provider, people):
    maps("money", "finance")
    maps("admins", "administrator")
    provider.claims["groups"] = ["money", "admins"]
    sign_in()
    kim = User.objects.get(email="kim@example.com")
    assert set(kim.groups.values_list("name", flat=True)) == {"administrator"}
    assert not kim.has_perm("budgets.approve_budget")


def test_no_group_gives_anything_that_nobody_mapped(provider, people):
    maps("elsewhere", "administrator", provider="another")
    provider.claims |= {"groups": ["administrator", "Administrator", "elsewhere", "finance"], "role": "administrator"}
    sign_in()
    kim = User.objects.get(email="kim@example.com")
    assert (role_of(kim), teams_of(kim), kim.is_superuser) == ("", {}, False)


def test_a_mapping_that_changes_gives_and_takes_at_once(provider, payments):
    provider.claims["groups"] = ["cloud"]
    sign_in()
    kim = User.objects.get(email="kim@example.com")
    mapping = maps("cloud", "engineering", payments)
    assert (role_of(kim), teams_of(kim)) == ("engineering", {"Payments": "member"})
    group_grants.delete_mapping(mapping)
    assert (role_of(kim), teams_of(kim)) == ("", {})


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"email_verified": False}, "does not say that your address is verified"),
        ({"email_verified": "no"}, "does not say that your address is verified"),
        ({"email": "eli@evil.example"}, "of a domain that Example does not speak for"),
        ({"email": "eli@example.com.evil.example"}, "of a domain that Example does not speak for"),
        ({"email": None}, "of a domain that Example does not speak for"),
        ({"_claim_names": {"groups": "src1"}, "_claim_sources": {}}, "they are too many"),
    ],
)
def test_an_address_alone_opens_nobodys_account(provider, eli, claims, reason):
    User.objects.filter(pk=eli.pk).update(email="eli@example.com")
    provider.claims |= {"sub": "eve", "email": "eli@example.com", **claims}
    browser = Client()
    answer = sign_in(browser)
    assert answer.status_code == 403
    assert reason in answer.content.decode()
    assert who(browser) is None
    assert not SocialAccount.objects.exists()


def test_an_account_with_a_verified_address_is_found_again_under_another(provider, eli):
    User.objects.filter(pk=eli.pk).update(email="eli@example.com")
    provider.claims |= {"sub": "eli-1", "email": "eli@example.com"}
    sign_in()
    provider.claims |= {"email": "eli.wood@example.com", "email_verified": False}
    browser = Client()
    sign_in(browser)
    assert who(browser) == "eli@example.com"


def test_an_address_that_was_given_to_somebody_else_brings_her_nothing_of_who_had_it(provider, people):
    sign_in()
    provider.claims["sub"] = "kim-2"
    answer = sign_in()
    assert answer.status_code == 403
    assert "belongs to another account of Example" in answer.content.decode()


def test_who_was_switched_off_stays_out(provider, people):
    sign_in()
    User.objects.filter(email="kim@example.com").update(is_active=False)
    answer = sign_in()
    assert (answer.status_code, "You were switched off here" in answer.content.decode()) == (403, True)


def test_only_who_was_invited_comes_in_where_the_site_says_so(provider, people, settings):
    settings.FINOPS_SIGN_IN_INVITED_ONLY = True
    assert "Nobody invited you yet" in sign_in().content.decode()
    User.objects.create_user("kim@example.com")
    assert sign_in().status_code == 302


def test_nobody_comes_in_before_the_first_administrator(provider):
    answer = sign_in()
    assert (answer.status_code, User.objects.exists()) == (403, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "of another sign-in"},
        {"exp": int(time.time()) - 3600},
        {"aud": "another program"},
        {"aud": ["finops", "another program"], "azp": "another program"},
        {"iss": "https://evil.example"},
        {"sub": ""},
    ],
)
def test_an_id_token_that_is_wrong_signs_nobody_in(provider, people, wrong):
    provider.wrong = wrong
    browser = Client()
    answer = sign_in(browser)
    assert (answer.status_code, "Sign-in did not work" in answer.content.decode()) == (401, True)
    assert (who(browser), User.objects.filter(email="kim@example.com").exists()) == (None, False)


def test_an_id_token_signed_by_our_own_secret_or_by_an_unknown_key_signs_nobody_in(provider, people):
    provider.signs_with = "shared with the provider, and long enough"
    assert sign_in().status_code == 401
    provider.signs_with = None
    sign_in()
    provider.new_key("first")
    # The same name, another key: what is known of it is the old one.
    assert sign_in().status_code == 401


def test_a_provider_that_changes_its_keys_is_asked_for_them_again(provider, people, monkeypatch):
    monkeypatch.setattr("finops_site.sign_in.id_tokens.ASK_KEYS_AGAIN_SECONDS", 0)
    sign_in()
    provider.new_key("second")
    assert sign_in().status_code == 302
    assert provider.requests.count("/keys") == 2


@pytest.mark.parametrize("change", ["another state", "of another browser", "twice", "cancelled"])
def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(provider, people, change):
    browser = Client()
    back = go_to_provider(browser)
    if change == "another state":
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        back = f"{urlsplit(back).path}?{urlencode({**query, 'state': 'x' * 32})}"
    elif change == "of another browser":
        browser = Client()
    elif change == "twice":
        browser.get(back)
        browser.logout()
    else:
        back = f"{urlsplit(back).path}?{urlencode({'error': 'access_denied', 'state': parse_qs(back)['state'][0]})}"
    answer = browser.get(back, follow=True)
    assert answer.status_code == (200 if change == "cancelled" else 401)
    assert who(browser) is None


def test_user_info_of_somebody_else_is_not_believed(provider, people):
    provider.info = {"sub": "another"}
    assert sign_in().status_code == 401


def test_groups_may_come_by_the_user_info_and_lie_inside_of_other_claims(provider, people, settings):
    settings.FINOPS_OIDC_GROUPS_CLAIM = "realm_access.roles"
    maps("readers", "executive")
    provider.info = {"realm_access": {"roles": ["readers", 7, "x" * 300]}}
    sign_in()
    assert role_of(User.objects.get(email="kim@example.com")) == "executive"


def test_a_provider_inside_our_network_is_asked_only_where_the_settings_say_so(provider, people, settings, caplog):
    settings.FINOPS_OIDC_INNER = False
    cache.clear()
    answer = Client().get(LOGIN)
    assert (answer.status_code, provider.requests) == (401, [])
    assert "The address must begin with https://" in caplog.text


def test_an_endpoint_that_the_provider_names_inside_our_network_is_not_asked(provider, people, monkeypatch, caplog):
    discovery = provider.discovery()
    monkeypatch.setattr(provider, "discovery", lambda: {**discovery, "token_endpoint": "http://169.254.169.254/"})
    assert Client().get(LOGIN).status_code == 401
    assert "token_endpoint of its discovery document" in caplog.text


def test_a_provider_that_is_away_is_said_in_words(provider, people):
    provider.close()
    answer = Client().get(LOGIN)
    assert (answer.status_code, "Sign-in did not work" in answer.content.decode()) == (401, True)


def test_the_address_that_leads_there_changes_nothing_of_what_is_asked(provider, people):
    query = "?process=connect&scope=everything&auth_params=redirect_uri%3Dhttps://evil.example%26prompt%3Dnone"
    query = parse_qs(urlsplit(Client().get(LOGIN + query)["Location"]).query)
    assert query["redirect_uri"] == ["http://testserver/accounts/oidc/oidc/login/callback/"]
    assert (sorted(query["scope"][0].split()), "prompt" in query) == (["email", "openid", "profile"], False)
    assert query["code_challenge_method"] == ["S256"]


def test_without_passwords_one_opens_only_for_who_breaks_the_glass(provider, people, ada, lea, settings):
    settings.FINOPS_PASSWORD_SIGN_IN = False
    settings.FINOPS_BREAK_GLASS = ["Ada@demo.example"]
    browser = Client()
    assert "Sign in with a password, in need" in browser.get("/accounts/login/").content.decode()
    browser.post("/accounts/login/", {"login": lea.email, "password": PASSWORD})
    assert who(browser) is None
    browser.post("/accounts/password/reset/", {"email": lea.email})
    browser.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    assert who(browser) == ada.email
    browser.post("/people/invite/", {"email": "ivy@example.com"})
    letter = text_of(OutgoingEmail.objects.get(to="ivy@example.com"))
    assert ("/accounts/login/" in letter, "password" in letter) == (True, False)


def test_several_providers_are_named_as_json(settings):
    settings.FINOPS_OIDC_PROVIDERS = json.loads(
        '[{"id": "okta", "issuer": "https://okta.example", "client_id": "a", "domains": ["@One.example"]},'
        ' {"id": "entra", "issuer": "https://entra.example", "client_id": "b", "name": "Entra ID"}]'
    )
    providers = identity_providers()
    assert [(one.id, one.domains, one.inner) for one in providers.values()] == [
        ("okta", ("one.example",), False),
        ("entra", (), False),
    ]
    settings.FINOPS_OIDC_PROVIDERS[0]["isuer"] = "https://okta.example"
    with pytest.raises(ImproperlyConfigured, match="isuer is no setting"):
        identity_providers()
