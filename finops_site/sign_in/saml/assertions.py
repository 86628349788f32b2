"""What a provider of SAML answers, looked at before any of it is believed.

python3-saml looks at the signature, the schema, the provider's name, the audience and the times. What it takes where
it is missing is refused here: an audience, the address it is for, an end, and the request that it answers, each in the
part that is signed. So are signatures of a kind that nobody needs, before anything of them is counted.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Saml
from onelogin.saml2.errors import OneLogin_Saml2_ValidationError as Invalid
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from finops_site.sign_in.admission import (
    LONGEST_NAME,
    LONGEST_SUBJECT,
    Identity,
    plain_groups,
    plain_text,
)
from finops_site.sign_in.providers import SamlProvider
from finops_site.sign_in.saml.configuration import SamlFailed, request_facts, saml_settings

logger = logging.getLogger(__name__)
# In base64; thousands of groups fit.
LONGEST_ANSWER = 2 * 1024 * 1024
NAMES = {"saml": Saml.NS_SAML, "samlp": Saml.NS_SAMLP, "ds": Saml.NS_DS}
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SIGNATURES = {f"{MORE}{kind}-sha{bits}" for kind in ("rsa", "ecdsa") for bits in (256, 384, 512)}
DIGESTS = {Saml.SHA256, Saml.SHA384, Saml.SHA512}
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
CANONICAL = {EXCLUSIVE, f"{EXCLUSIVE}WithComments", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"}
TRANSFORMS = CANONICAL | {"http://www.w3.org/2000/09/xmldsig#enveloped-signature"}
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
MICROSOFT = "http://schemas.microsoft.com"
EMAIL = ("email", "mail", "emailAddress", f"{CLAIMS}/emailaddress", "urn:oid:0.9.2342.19200300.100.1.3")
PERSON = ("displayName", "name", f"{MICROSOFT}/identity/claims/displayname", "urn:oid:2.16.840.1.113730.3.1.241")
GROUPS = ("groups", f"{MICROSOFT}/ws/2008/06/identity/claims/groups", "http://schemas.xmlsoap.org/claims/Group")
# Entra ID says so where there are too many to name them.
TOO_MANY_GROUPS = f"{MICROSOFT}/claims/groups.link"


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """Who came, and which request of ours it answers; empty where the provider began by itself."""

    identity: Identity
    request_id: str


def checked_answer(provider: SamlProvider, request: HttpRequest, answer: str) -> CheckedAnswer:
    """What a provider's answer says, which it says once. Raises SamlFailed where it is not to be believed."""
    response = _parsed(provider, request, answer)
    document = response.document
    _check_kinds_of_signature(document)
    end = _check_is_for_us(provider, request, document)
    try:
        response.is_valid(request_facts(request), raise_exceptions=True)
        identity = _identity_of(provider, response)
    except SamlFailed:
        raise
    except Invalid as error:
        raise SamlFailed(str(error), _words_of(error.code)) from None
    except Exception as error:
        # What the parser and the library of signatures raise for odd bytes is no list that one could name.
        raise SamlFailed(f"{type(error).__name__}: {str(error)[:200]}") from None
    _check_is_new(provider, response.get_assertion_id(), end)
    return CheckedAnswer(identity, response.get_in_response_to() or "")


def _parsed(provider: SamlProvider, request: HttpRequest, answer: str) -> Any:
    if not answer:
        raise SamlFailed("there is no answer (SAMLResponse)")
    if len(answer) > LONGEST_ANSWER:
        raise SamlFailed(f"its answer is longer than {LONGEST_ANSWER} characters")
    settings = saml_settings(provider, request)
    try:
        response = OneLogin_Saml2_Response(settings, answer)
    except Exception as error:
        # As above: no list of what odd bytes raise.
        raise SamlFailed(f"its answer cannot be read: {type(error).__name__}: {str(error)[:200]}") from None
    if response.encrypted:
        raise SamlFailed("its assertion is encrypted: switch that off, TLS does it", _("It is encrypted."))
    return response


def _words_of(code: int | None) -> str:
    """What python3-saml found, in words for whoever came."""
    signature = (
        *(Invalid.NO_SIGNATURE_FOUND, Invalid.NO_SIGNED_ASSERTION, Invalid.INVALID_SIGNATURE),
        *(Invalid.DEPRECATED_SIGNATURE_METHOD, Invalid.DEPRECATED_DIGEST_METHOD),
    )
    if code in signature:
        return not_signed()
    if code in (Invalid.ASSERTION_EXPIRED, Invalid.SESSION_EXPIRED, Invalid.ASSERTION_TOO_EARLY):
        return too_old()
    if code in (Invalid.WRONG_AUDIENCE, Invalid.WRONG_DESTINATION, Invalid.WRONG_SUBJECTCONFIRMATION):
        return _for_another()
    if code == Invalid.STATUS_CODE_IS_NOT_SUCCESS:
        return _("It says that you are not let in.")
    return ""


def not_signed() -> str:
    return _("It is not signed by a certificate that is known here.")


def too_old() -> str:
    return _("It is too old, or from the future: the clocks may differ.")


def _for_another() -> str:
    return _("It was made for another service than this one.")


def not_asked() -> str:
    return _("This browser did not ask for it.")


def used_before() -> str:
    return _("It was used before.")


def _check_kinds_of_signature(document: Any) -> None:
    """Nothing but the usual ones, each of one part: others (XSLT, XPath, HMAC) are a way in, and nobody needs them."""
    for signature in document.iterfind(".//ds:Signature", NAMES):
        usual = {
            "SignatureMethod": SIGNATURES,
            "CanonicalizationMethod": CANONICAL,
            "DigestMethod": DIGESTS,
            "Transform": TRANSFORMS,
        }
        for name, allowed in usual.items():
            for node in signature.iterfind(f".//ds:{name}", NAMES):
                if node.get("Algorithm") not in allowed:
                    raise SamlFailed(f"its signature has {name} {str(node.get('Algorithm'))[:80]!r}", not_signed())
        if len(signature.findall(".//ds:Reference", NAMES)) != 1:
            raise SamlFailed("its signature is not of one part", not_signed())


def _check_is_for_us(provider: SamlProvider, request: HttpRequest, document: Any) -> float:
    """That the one assertion names us, this address, an end and the request that it answers; returns its end.

    There is no other assertion in the document, and python3-saml looks whether this one is signed.
    """
    assertions = document.findall(".//saml:Assertion", NAMES)
    if len(assertions) != 1 or assertions[0].getparent() is not document:
        raise SamlFailed("its answer has not one assertion")
    assertion = assertions[0]
    audiences = [
        (one.text or "").strip()
        for one in assertion.iterfind("saml:Conditions/saml:AudienceRestriction/saml:Audience", NAMES)
    ]
    if provider.our_entity_id not in audiences:
        raise SamlFailed(f"its audience is {', '.join(audiences)[:200]!r}", _for_another())
    place = request.build_absolute_uri(reverse("saml_acs", args=[provider.id]))
    request_id = document.get("InResponseTo") or ""
    if not request_id and not provider.idp_initiated:
        raise SamlFailed("it answers no request of ours (IdP-initiated)", not_asked())
    reasons = []
    for confirmation in assertion.iterfind("saml:Subject/saml:SubjectConfirmation", NAMES):
        data = confirmation.find("saml:SubjectConfirmationData", NAMES)
        if confirmation.get("Method") != Saml.CM_BEARER or data is None:
            continue
        try:
            return _end_of(data, place, request_id)
        except SamlFailed as failed:
            reasons.append(failed)
    raise reasons[0] if reasons else SamlFailed("its assertion is for nobody who brings it (bearer)")


def _end_of(data: Any, place: str, request_id: str) -> float:
    if data.get("Recipient") != place:
        raise SamlFailed(f"its recipient is {str(data.get('Recipient'))[:200]!r}, not {place}", _for_another())
    if (data.get("InResponseTo") or "") != request_id:
        raise SamlFailed("the signed part answers another request (InResponseTo)", not_asked())
    try:
        end = OneLogin_Saml2_Utils.parse_SAML_to_time(data.get("NotOnOrAfter") or "")
    except Exception:
        raise SamlFailed("its assertion has no end (NotOnOrAfter)", too_old()) from None
    if end <= OneLogin_Saml2_Utils.now():
        raise SamlFailed("its assertion is over (NotOnOrAfter)", too_old())
    return float(end)


def _check_is_new(provider: SamlProvider, assertion_id: str, end: float) -> None:
    """An assertion opens once: its id is remembered until it is over."""
    seconds = int(end - OneLogin_Saml2_Utils.now()) + Saml.ALLOWED_CLOCK_DRIFT
    # Without the cache what answers a request of ours is taken once all the same: the request is forgotten with it.
    if not is_first(f"{provider.id} {assertion_id}", seconds, without_cache=not provider.idp_initiated):
        raise SamlFailed("its assertion was used before", used_before())


def is_first(name: str, seconds: int, *, without_cache: bool) -> bool:
    """Whether nobody brought this in so many seconds; `without_cache` is said where the cache is away."""
    try:
        return bool(cache.add("saml:used:" + hashlib.sha256(name.encode()).hexdigest(), 1, seconds))
    except Exception:
        logger.warning("the cache is away: what comes twice by SAML is not recognised", exc_info=True)
        return without_cache


def _identity_of(provider: SamlProvider, response: Any) -> Identity:
    attributes = {**response.get_friendlyname_attributes(), **response.get_attributes()}
    name_id = plain_text(response.get_nameid(), LONGEST_SUBJECT + 1)
    kind = response.get_nameid_format()
    if provider.subject_attribute:
        subject = plain_text(_first(attributes, (provider.subject_attribute,)), LONGEST_SUBJECT + 1)
    elif kind == Saml.NAMEID_TRANSIENT:
        raise SamlFailed("its NameID is another at each sign-in (transient): name a subject attribute")
    else:
        subject = name_id
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise SamlFailed("its assertion names nobody")
    email = plain_text(_first(attributes, _names(provider.email_attribute, EMAIL)), 254)
    if not email and not provider.email_attribute and kind == Saml.NAMEID_EMAIL_ADDRESS:
        email = name_id
    verified = str(_first(attributes, (provider.verified_attribute,))).lower()
    groups = [text for name in _names(provider.groups_attribute, GROUPS) for text in attributes.get(name, ())]
    return Identity(
        subject=subject,
        email=email if "@" in email else "",
        is_verified=not provider.verified_attribute or verified in ("true", "1"),
        name=plain_text(_first(attributes, _names(provider.name_attribute, PERSON)), LONGEST_NAME),
        groups=None if TOO_MANY_GROUPS in attributes else plain_groups(groups),
    )


def _names(set_one: str, usual: Sequence[str]) -> Sequence[str]:
    return (set_one,) if set_one else usual


def _first(attributes: Mapping[str, list[Any]], names: Sequence[str]) -> Any:
    return next((attributes[name][0] for name in names if attributes.get(name)), "")
