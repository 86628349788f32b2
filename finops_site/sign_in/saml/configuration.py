"""What python3-saml is told of a provider and of us; the provider's part from its metadata, or from the settings."""

import logging
import time
from binascii import Error as BadBase64
from pathlib import Path
from re import findall
from typing import Any

from cryptography.x509 import load_der_x509_certificate
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from lxml.etree import LxmlError
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Saml
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from finops_site.lib.http_client import Undeliverable, ask, check_address
from finops_site.sign_in.providers import SamlProvider

logger = logging.getLogger(__name__)
MOST_BYTES = 4 * 1024 * 1024
METADATA_SECONDS = 3600
# While the provider's metadata cannot be had, what it said last is believed for a day.
METADATA_KEPT_SECONDS = 24 * 3600
PEM = r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"


class SamlFailed(Exception):
    """Why nobody is signed in; the message is for the log, `words` say it to whoever came."""

    def __init__(self, message: str, words: str = "") -> None:
        super().__init__(message)
        self.words = words


def saml_settings(provider: SamlProvider, request: HttpRequest, *, signed_messages: bool = False) -> Any:
    """The settings of python3-saml for this provider, with everything checked that it can check. Raises SamlFailed."""
    idp = described_provider(provider)
    values = {"strict": True, "idp": idp, "sp": _us(provider, request, idp), "security": _security(signed_messages)}
    try:
        return OneLogin_Saml2_Settings(values)
    except OneLogin_Saml2_Error as error:
        raise SamlFailed(f"its settings: {error}") from None


def our_metadata(provider: SamlProvider, request: HttpRequest) -> bytes:
    """What the provider is told of us, as XML; it needs nothing of the provider, which may not be set up yet."""
    slo = {"singleLogoutService": {"url": provider.slo_url or "-"}} if offers_sign_out(provider) else {}
    values = {"strict": True, "sp": _us(provider, request, slo), "security": _security(signed_messages=False)}
    text = OneLogin_Saml2_Settings(values, sp_validation_only=True).get_sp_metadata()
    return text if isinstance(text, bytes) else text.encode()


def offers_sign_out(provider: SamlProvider) -> bool:
    """Whether the provider may sign people out here: it names them by their NameID."""
    return not provider.subject_attribute


def request_facts(request: HttpRequest) -> dict[str, Any]:
    """What python3-saml looks at of a request."""
    return {
        "https": "on" if request.is_secure() else "off",
        "http_host": request.get_host(),
        "script_name": "",
        "path_info": request.path,
        "get_data": request.GET.dict(),
        "post_data": {},
        # What was signed is the address as it came.
        "query_string": request.META.get("QUERY_STRING", ""),
        "validate_signature_from_qs": True,
    }


def _us(provider: SamlProvider, request: HttpRequest, idp: dict[str, Any]) -> dict[str, Any]:
    acs = request.build_absolute_uri(reverse("saml_acs", args=[provider.id]))
    us = {
        "entityId": provider.our_entity_id,
        "assertionConsumerService": {"url": acs, "binding": Saml.BINDING_HTTP_POST},
        "NameIDFormat": Saml.NAMEID_UNSPECIFIED,
    }
    if idp.get("singleLogoutService") and offers_sign_out(provider):
        sls = request.build_absolute_uri(reverse("saml_sls", args=[provider.id]))
        us["singleLogoutService"] = {"url": sls, "binding": Saml.BINDING_HTTP_REDIRECT}
    return us


def _security(signed_messages: bool) -> dict[str, Any]:
    return {
        "wantAssertionsSigned": True,
        "wantMessagesSigned": signed_messages,
        "rejectDeprecatedAlgorithm": True,
        "requestedAuthnContext": False,
        "wantNameId": False,
        "wantAttributeStatement": False,
        "allowRepeatAttributeName": True,
        "allowSingleLabelDomains": True,
        "signatureAlgorithm": Saml.RSA_SHA256,
        "digestAlgorithm": Saml.SHA256,
        # Some providers read it once and never again: it has no end.
        "metadataValidUntil": "",
        "metadataCacheDuration": "",
    }


def described_provider(provider: SamlProvider) -> dict[str, Any]:
    """Its name, addresses and certificates, as python3-saml wants them. Raises SamlFailed."""
    known = _from_metadata(provider) if provider.metadata else {}
    idp: dict[str, Any] = {
        "entityId": provider.entity_id or known.get("entityId", ""),
        "singleSignOnService": {"url": provider.sso_url or known.get("singleSignOnService", {}).get("url", "")},
        "x509certMulti": {"signing": _certificates_of(provider, known)},
    }
    if slo := provider.slo_url or known.get("singleLogoutService", {}).get("url", ""):
        idp["singleLogoutService"] = {"url": slo}
        answers = known.get("singleLogoutService", {}).get("responseUrl")
        if answers and not provider.slo_url:
            idp["singleLogoutService"]["responseUrl"] = answers
    for name in ("singleSignOnService", "singleLogoutService"):
        for url in idp.get(name, {}).values():
            _check_url(provider, url)
    if not idp["entityId"]:
        raise SamlFailed("its metadata names no provider (entityID)")
    return idp


def _check_url(provider: SamlProvider, url: str) -> None:
    """A page that browsers are led to has https, unless the provider lies in our own network."""
    try:
        check_address(url, provider.hosts_inside(url))
    except Undeliverable as error:
        raise SamlFailed(f"{url or 'the address of its page'}: {error}") from None


def _certificates_of(provider: SamlProvider, known: dict[str, Any]) -> list[str]:
    if provider.certificate:
        texts = _read_certificates(provider.certificate)
    else:
        texts = known.get("x509certMulti", {}).get("signing") or [known.get("x509cert", "")]
    good = []
    for text in filter(None, texts):
        try:
            load_der_x509_certificate(OneLogin_Saml2_Utils.b64decode("".join(text.split())))
        except (ValueError, BadBase64) as error:
            raise SamlFailed(f"its certificate: {error}") from None
        good.append("".join(text.split()))
    if not good:
        raise SamlFailed("it has no certificate that it signs by")
    return good


def _read_certificates(named: str) -> list[str]:
    """Those of a PEM text, of a file, or one in base64 alone."""
    text = named.replace("\\n", "\n")
    if "BEGIN CERTIFICATE" not in text and not text.startswith("MII"):
        try:
            text = Path(named).read_text()
        except (OSError, ValueError) as error:
            raise SamlFailed(f"its certificate: {error}") from None
    return findall(PEM, text) or [text]


def _from_metadata(provider: SamlProvider) -> dict[str, Any]:
    if not provider.metadata.startswith(("http://", "https://")):
        try:
            return _parsed(provider, Path(provider.metadata).read_bytes())
        except OSError as error:
            raise SamlFailed(f"its metadata: {error}") from None
    key = f"saml:metadata:{provider.id}:{provider.metadata}"
    known = cache.get(key)
    if known and time.time() - known["at"] < METADATA_SECONDS:
        return dict(known["idp"])
    try:
        idp = _parsed(provider, _fetched(provider))
    except SamlFailed as failed:
        if not known:
            raise
        logger.warning("the metadata of %s is that of before: %s", provider.id, failed)
        return dict(known["idp"])
    cache.set(key, {"idp": idp, "at": time.time()}, METADATA_KEPT_SECONDS)
    return idp


def _fetched(provider: SamlProvider) -> bytes:
    try:
        answer = ask("GET", provider.metadata, None, {}, allowed=provider.allowed_hosts, most=MOST_BYTES)
    except Undeliverable as error:
        raise SamlFailed(f"{provider.metadata}: {error}") from None
    if answer.status != 200:
        raise SamlFailed(f"{provider.metadata} answers {answer.status}")
    return answer.body


def _parsed(provider: SamlProvider, text: bytes) -> dict[str, Any]:
    try:
        parsed = OneLogin_Saml2_IdPMetadataParser.parse(text, entity_id=provider.entity_id or None)
    except (LxmlError, OneLogin_Saml2_Error, ValueError) as error:
        raise SamlFailed(f"its metadata cannot be read: {str(error)[:200]}") from None
    idp: dict[str, Any] = parsed.get("idp") or {}
    if not idp:
        raise SamlFailed("its metadata describes no identity provider")
    return idp
