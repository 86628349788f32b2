"""Signing in by SAML, end to end against a provider in the process: who comes in, and who does not."""

from base64 import b64decode, b64encode
from re import sub
from urllib.parse import parse_qs, urlsplit

import pytest
import xmlsec
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from lxml import etree

from finops_site.models import AuditEntry, Team, User
from finops_site.people.roles import role_of
from finops_site.sign_in import providers
from tests.finops_site.sign_in.saml_provider import (
    ACS,
    ENTITY,
    OUT,
    PAGE,
    SAML,
    US,
    SamlIdp,
    key_of,
    metadata,
    request_in,
)
from tests.finops_site.sign_in.test_oidc import maps, teams_of, who

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/saml/saml/login/"


@pytest.fixture
def idp(settings, tmp_path, people):
    cache.clear()
    described = tmp_path / "metadata.xml"
    described.write_text(metadata())
    settings.FINOPS_SAML_METADATA = str(described)
    settings.FINOPS_SAML_NAME = "Example"
    settings.FINOPS_SAML_AUDIENCE = US
    settings.FINOPS_SIGN_IN_DOMAINS = ["example.com"]
    return SamlIdp()


def go_to_provider(browser, query=""):
    """Follows the link of the sign-in page; returns the id of the request that the browser brings."""
    answer = browser.get(LOGIN + query)
    assert answer.status_code == 302, answer.content.decode()
    assert answer["Location"].startswith(PAGE)
    return request_in(answer["Location"]).get("ID")


def bring(browser, answer, **fields):
    """Posts the provider's form, from a page of its own: without the cookie of the session; and follows."""
    response = browser.post(ACS.removeprefix("http://testserver"), {"SAMLResponse": answer, **fields})
    return browser.get(response["Location"]) if response.status_code == 302 else response


def sign_in(idp, browser=None, query=""):
    browser = browser or Client()
    return bring(browser, idp.answer(go_to_provider(browser, query)))


def test_somebody_new_comes_in_with_the_role_and_the_team_of_her_groups(idp):
    maps("cloud-engineers", "engineering", Team.objects.get(name="Payments"), "lead")
    idp.attributes["groups"] = ["cloud-engineers", "everybody"]
    browser = Client()
    page = browser.get("/accounts/login/?next=/costs/").content.decode()
    assert 'href="/accounts/saml/saml/login/?next=%2Fcosts%2F">Sign in with Example</a>' in page
    answer = sign_in(idp, browser, "?next=/costs/")
    assert (answer.status_code, answer["Location"]) == (302, "/costs/")
    kim = User.objects.get(email="kim@example.com")
    assert (who(browser), role_of(kim), teams_of(kim)) == (kim.email, "engineering", {"Payments": "lead"})
    assert (kim.name, kim.has_usable_password()) == ("Kim", False)
    assert browser.session.get_expiry_age() <= 12 * 3600
    assert SocialAccount.objects.get(user=kim).extra_data == {"groups": ["cloud-engineers", "everybody"]}
    idp.attributes["groups"] = []
    sign_in(idp)
    assert (role_of(kim), teams_of(kim)) == ("", {})


def test_what_the_provider_is_asked_says_who_we_are_and_where_the_answer_goes(idp):
    request = request_in(Client().get(LOGIN + "?process=connect")["Location"])
    assert request.get("AssertionConsumerServiceURL") == ACS
    assert request.findtext(f"{{{SAML}}}Issuer") == US


def test_our_metadata_says_so_too_before_the_provider_is_described(idp, settings):
    settings.FINOPS_SAML_METADATA = "/nowhere.xml"
    answer = Client().get("/accounts/saml/saml/metadata/")
    root = etree.fromstring(answer.content)
    services = {node.tag.rpartition("}")[2]: node.get("Location") for node in root[0]}
    assert (root.get("entityID"), root.get("validUntil")) == (US, None)
    assert services["AssertionConsumerService"] == ACS
    assert services["SingleLogoutService"] == ACS.replace("/acs/", "/sls/")
    assert root[0].get("WantAssertionsSigned") == "true"
    settings.FINOPS_SAML_AUDIENCE, settings.SITE_URL = "", "https://finops.company.example"
    named = etree.fromstring(Client().get("/accounts/saml/saml/metadata/").content).get("entityID")
    assert named == "https://finops.company.example/accounts/saml/saml/metadata/"


NOT_SIGNED, OLD = "It is not signed by a certificate", "It is too old"
ANOTHER, NOT_ASKED = "It was made for another service", "This browser did not ask for it"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"signs": ""}, NOT_SIGNED),
        # The envelope alone: whoever has an assertion of somebody could put it into one of her own.
        ({"signs": "response"}, NOT_SIGNED),
        ({"signer": "somebody else"}, NOT_SIGNED),
        ({"algorithm": xmlsec.Transform.RSA_SHA1}, NOT_SIGNED),
        ({"audience": "https://another.example"}, ANOTHER),
        ({"audience": ""}, ANOTHER),
        ({"recipient": "https://another.example/acs/"}, ANOTHER),
        ({"recipient": ACS + "?x"}, ANOTHER),
        ({"ends": -1}, OLD),
        ({"begins": 3600}, OLD),
        ({"in_response_to": "_of_another_request"}, NOT_ASKED),
        ({"in_response_to": ""}, NOT_ASKED),
        ({"issuer": "https://another.example"}, "Sign-in did not work"),
        ({"status": "Responder"}, "It says that you are not let in"),
        ({"name_id": ""}, "Sign-in did not work"),
        ({"name_id_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}, "Sign-in did not work"),
    ],
)
def test_an_answer_that_is_wrong_signs_nobody_in_and_the_audit_log_says_why(idp, wrong, reason):
    for name, value in wrong.items():
        setattr(idp, name, value)
    browser = Client()
    answer = sign_in(idp, browser)
    assert (answer.status_code, reason in answer.content.decode()) == (401, True)
    assert (who(browser), User.objects.filter(email="kim@example.com").exists()) == (None, False)
    assert AuditEntry.objects.get(action=AuditEntry.Action.SIGN_IN_FAILED).name.startswith("Example: ")


def test_an_answer_that_was_changed_on_the_way_signs_nobody_in(idp):
    browser = Client()
    text = b64decode(idp.answer(go_to_provider(browser)))
    answer = bring(browser, b64encode(text.replace(b"kim@example.com", b"ada@example.com")).decode())
    assert (answer.status_code, NOT_SIGNED in answer.content.decode()) == (401, True)


def test_a_second_assertion_beside_the_signed_one_signs_nobody_in(idp):
    browser = Client()
    root = etree.fromstring(b64decode(idp.answer(go_to_provider(browser))))
    signed = root.find(f"{{{SAML}}}Assertion")
    forged = etree.fromstring(etree.tostring(signed).replace(b"kim", b"ada"))
    forged.remove(forged[1])
    for place in (0, len(root)):
        both = etree.fromstring(etree.tostring(root))
        both.insert(place, etree.fromstring(etree.tostring(forged)))
        assert bring(browser, b64encode(etree.tostring(both)).decode()).status_code == 401
    # And the signed one hidden inside of the forged one.
    forged.append(signed)
    root.append(forged)
    assert bring(browser, b64encode(etree.tostring(root)).decode()).status_code == 401
    assert who(browser) is None


WITH_ENTITIES = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


@pytest.mark.parametrize(
    "odd",
    [
        *("", "no base64 !", b64encode(b"<a").decode(), b64encode(b"<a/>").decode(), "x" * 3_000_000),
        b64encode(WITH_ENTITIES).decode(),
    ],
)
def test_odd_bytes_are_refused_in_words(idp, odd):
    assert bring(Client(), odd).status_code == 401


def test_a_signature_by_a_transform_that_nobody_needs_is_not_even_counted(idp):
    browser = Client()
    text = b64decode(idp.answer(go_to_provider(browser)))
    xslt = text.replace(
        b"http://www.w3.org/2000/09/xmldsig#enveloped-signature", b"http://www.w3.org/TR/1999/REC-xslt-19991116"
    )
    answer = bring(browser, b64encode(xslt).decode())
    assert (answer.status_code, NOT_SIGNED in answer.content.decode()) == (401, True)
    assert "Transform" in AuditEntry.objects.get(action=AuditEntry.Action.SIGN_IN_FAILED).name


@pytest.mark.parametrize(
    "subject",
    [
        '<saml:NameID SPNameQualifier="https://another.example">kim-1</saml:NameID>',
        '<saml:EncryptedID><x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#"><x:CipherData>'
        "<x:CipherValue>AAAA</x:CipherValue></x:CipherData></x:EncryptedData></saml:EncryptedID>",
    ],
)
def test_a_signed_name_that_is_not_for_us_or_cannot_be_read_is_refused_in_words(idp, subject, monkeypatch):
    text = SamlIdp._text
    monkeypatch.setattr(
        SamlIdp, "_text", lambda self, request_id: sub("<saml:NameID.*</saml:NameID>", subject, text(self, request_id))
    )
    assert sign_in(idp).status_code == 401


def test_an_answer_opens_once_and_in_the_browser_that_asked_for_it(idp):
    browser = Client()
    answer = idp.answer(go_to_provider(browser))
    of_another = bring(Client(), answer)
    assert (of_another.status_code, NOT_ASKED in of_another.content.decode()) == (401, True)
    again = bring(browser, answer)
    assert (again.status_code, "It was used before" in again.content.decode()) == (401, True)
    sign_in(idp, browser)
    assert who(browser) == "kim@example.com"


def test_an_answer_that_nobody_asked_for_is_taken_only_where_the_settings_say_so(idp, settings):
    browser = Client()
    refused = bring(browser, idp.answer(""))
    assert (refused.status_code, NOT_ASKED in refused.content.decode()) == (401, True)
    settings.FINOPS_SAML_IDP_INITIATED = True
    answer = idp.answer("")
    assert bring(browser, answer, RelayState="https://evil.example/")["Location"] == "/"
    assert who(browser) == "kim@example.com"
    assert "It was used before" in bring(Client(), answer).content.decode()
    assert bring(Client(), idp.answer(""), RelayState="/costs/")["Location"] == "/costs/"


def test_who_was_switched_off_or_is_of_another_domain_stays_out(idp, eli):
    sign_in(idp)
    User.objects.filter(email="kim@example.com").update(is_active=False)
    answer = sign_in(idp)
    assert (answer.status_code, "You were switched off here" in answer.content.decode()) == (403, True)
    idp.name_id, idp.attributes["email"] = "eve", [eli.email]
    answer = sign_in(idp)
    assert (answer.status_code, "of a domain that Example does not speak for" in answer.content.decode()) == (403, True)
    failed = AuditEntry.objects.filter(action=AuditEntry.Action.SIGN_IN_FAILED).order_by("id").last()
    assert failed.name.startswith(f"{eli.email}, Example: ")


def test_attributes_have_the_names_that_the_settings_or_the_usual_providers_give_them(idp, settings):
    maps("0f3a", "executive")
    microsoft = "http://schemas.microsoft.com"
    idp.attributes = {
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": ["kim@example.com"],
        f"{microsoft}/identity/claims/objectidentifier": ["object-1"],
        f"{microsoft}/ws/2008/06/identity/claims/groups": ["0f3a", "7b21"],
    }
    settings.FINOPS_SAML_SUBJECT_ATTRIBUTE = f"{microsoft}/identity/claims/objectidentifier"
    sign_in(idp)
    assert role_of(SocialAccount.objects.get(uid="object-1").user) == "executive"
    idp.attributes[f"{microsoft}/claims/groups.link"] = ["https://graph.example"]
    assert "they are too many" in sign_in(idp).content.decode()


def test_an_attribute_may_have_to_say_that_the_address_is_verified(idp, settings):
    settings.FINOPS_SAML_VERIFIED_ATTRIBUTE = "verified"
    assert "does not say that your address is verified" in sign_in(idp).content.decode()
    idp.attributes["verified"] = ["true"]
    assert sign_in(idp).status_code == 302


def test_a_signed_word_of_the_provider_ends_all_her_sessions(idp):
    browser, phone = Client(), Client()
    sign_in(idp, browser)
    sign_in(idp, phone)
    for query in (idp.sign_out(signed=False), idp.sign_out(made=-3600), idp.sign_out() + "&SAMLRequest=x"):
        assert Client().get(f"/accounts/saml/saml/sls/?{query}").status_code == 401
    assert who(phone) == "kim@example.com"
    query = idp.sign_out()
    answer = browser.get(f"/accounts/saml/saml/sls/?{query}")
    assert answer["Location"].startswith(OUT)
    assert parse_qs(urlsplit(answer["Location"]).query)["RelayState"] == ["there"]
    assert (who(browser), who(phone)) == (None, None)
    assert Client().get(f"/accounts/saml/saml/sls/?{query}").status_code == 401


def test_the_provider_is_described_by_settings_or_by_an_address_that_is_asked_through_our_guard(idp, settings, caplog):
    settings.FINOPS_SAML_METADATA = "http://169.254.169.254/metadata"
    assert Client().get(LOGIN).status_code == 401
    assert "The address must begin with https://" in caplog.text
    settings.FINOPS_SAML_METADATA = ""
    settings.FINOPS_SAML_ENTITY_ID, settings.FINOPS_SAML_SSO_URL = ENTITY, PAGE
    settings.FINOPS_SAML_CERTIFICATE = "".join(key_of("idp")[1].splitlines()[1:-1])
    assert sign_in(idp).status_code == 302
    # While it changes its certificate there are two.
    settings.FINOPS_SAML_CERTIFICATE = key_of("next")[1] + key_of("idp")[1]
    assert sign_in(idp).status_code == 302
    settings.FINOPS_SAML_SSO_URL = "javascript:alert(1)"
    assert Client().get(LOGIN).status_code == 401


def test_several_providers_are_named_as_json_and_what_is_wrong_is_said(settings):
    entry = {"id": "entra", "metadata": "https://entra.example/metadata", "domains": ["@One.example"]}
    settings.FINOPS_SAML_PROVIDERS = [entry, {"id": "adfs", "metadata": "/etc/adfs.xml", "name": "ADFS"}]
    assert [(one.id, one.domains) for one in providers.identity_providers().values()] == [
        ("entra", ("one.example",)),
        ("adfs", ()),
    ]
    for wrong, reason in (({"metadata": ""}, "no metadata"), ({"metdata": ""}, "metdata is no setting")):
        settings.FINOPS_SAML_PROVIDERS = [{**entry, **wrong}]
        with pytest.raises(ImproperlyConfigured, match=reason):
            providers.identity_providers()


def test_without_its_packages_the_site_goes_on_and_says_so(idp, monkeypatch, ada):
    monkeypatch.setattr(providers, "saml_is_installed", lambda: False)
    assert "Sign in with Example" not in Client().get("/accounts/login/").content.decode()
    assert "finops_site.W014" in {problem.id for problem in run_checks()}
    browser = Client()
    browser.force_login(ada)
    assert "python3-saml" in browser.get("/health/").content.decode()
