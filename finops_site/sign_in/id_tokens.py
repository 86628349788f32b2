"""What a provider of OpenID Connect says about somebody, looked at before any of it is believed.

Its addresses (discovery, keys, token, user info) are asked through `lib.http_client` alone. An ID token must be signed
by a key that the provider publishes now, be for us, be of this sign-in (nonce) and still be valid.
"""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
import urllib3
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.core.cache import cache
from django.utils.crypto import constant_time_compare, salted_hmac

from finops_site.lib.http_client import Undeliverable, ask, check_address
from finops_site.sign_in.admission import LONGEST_SUBJECT
from finops_site.sign_in.providers import OidcProvider

# Signatures by a key pair: with a shared secret (HS256) anybody who knows ours could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MOST_BYTES = 1024 * 1024
# How far clocks may differ.
LEEWAY_SECONDS = 60
DISCOVERY_SECONDS = KEYS_SECONDS = 3600
# A key that nobody knows is looked for anew, but not for every token.
ASK_KEYS_AGAIN_SECONDS = 10
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderFailed(OAuth2Error):
    """The provider did not answer, or with something that we do not believe; the message is for the log."""


def nonce_of(state: str) -> str:
    """What the ID token must repeat: only this sign-in of this browser, which has its state, has it."""
    return salted_hmac("finops_site.sign_in.nonce", state, algorithm="sha256").hexdigest()


def discovery_of(provider: OidcProvider) -> dict[str, Any]:
    """What the provider publishes about itself. Raises ProviderFailed."""
    key = f"oidc:discovery:{provider.id}:{provider.issuer}"
    known = cache.get(key)
    if known:
        return dict(known)
    document = ask_json(provider, "GET", f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    if str(document.get("issuer", "")).rstrip("/") != provider.issuer.rstrip("/"):
        raise ProviderFailed(f"its discovery document is of another issuer: {str(document.get('issuer'))[:200]!r}")
    for name in ENDPOINTS:
        try:
            check_address(str(document.get(name, "")), provider.allowed_hosts)
        except Undeliverable as error:
            raise ProviderFailed(f"{name} of its discovery document: {error}") from None
    cache.set(key, document, DISCOVERY_SECONDS)
    return document


def exchange_code(
    provider: OidcProvider, code: str, redirect_uri: str, verifier: str | None, *, with_basic: bool
) -> dict[str, Any]:
    """The tokens for the code that the browser brought. Raises ProviderFailed."""
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    if verifier:
        body["code_verifier"] = verifier
    headers = dict(FORM)
    if with_basic:
        headers |= urllib3.make_headers(basic_auth=f"{provider.client_id}:{provider.client_secret}")
    else:
        body |= {"client_id": provider.client_id}
        body |= {"client_secret": provider.client_secret} if provider.client_secret else {}
    url = discovery_of(provider)["token_endpoint"]
    answer = ask_json(provider, "POST", url, urlencode(body).encode(), headers)
    if not isinstance(answer.get("access_token"), str) or not isinstance(answer.get("id_token"), str):
        raise ProviderFailed("its token endpoint gave no access token and ID token")
    return answer


def claims_of(provider: OidcProvider, tokens: Mapping[str, Any], state: str) -> dict[str, Any]:
    """What the ID token says, and beside it what the user info says of the same person. Raises ProviderFailed."""
    claims = checked_claims(provider, str(tokens["id_token"]), nonce_of(state))
    url = discovery_of(provider).get("userinfo_endpoint")
    if not url:
        return claims
    headers = {"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"}
    info = ask_json(provider, "GET", str(url), None, headers)
    if info.get("sub") != claims["sub"]:
        raise ProviderFailed("its user info is of somebody else than its ID token")
    # What is signed stands before what is not.
    return {**info, **claims}


def checked_claims(provider: OidcProvider, id_token: str, nonce: str) -> dict[str, Any]:
    """What an ID token says. Raises ProviderFailed where its signature, issuer, audience, time or nonce is wrong."""
    discovery = discovery_of(provider)
    try:
        header = jwt.get_unverified_header(id_token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise ProviderFailed(f"its ID token is signed by {str(algorithm)[:20]!r}")
        claims: dict[str, Any] = jwt.decode(
            id_token,
            _signing_key(provider, discovery["jwks_uri"], header.get("kid"), algorithm).key,
            algorithms=[algorithm],
            audience=provider.client_id,
            issuer=discovery["issuer"],
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ProviderFailed(f"its ID token: {error}") from error
    if not constant_time_compare(str(claims.get("nonce", "")), nonce):
        raise ProviderFailed("its ID token is of another sign-in (nonce)")
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise ProviderFailed("its ID token was given to another program (azp)")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise ProviderFailed("its ID token names nobody (sub)")
    return claims


def _signing_key(provider: OidcProvider, url: str, kid: object, algorithm: str) -> jwt.PyJWK:
    """The key by its id; where nobody knows it the keys are asked for anew, for providers change them."""
    for is_fresh in (False, True):
        keys = _keys(provider, url, is_fresh=is_fresh)
        for key in keys:
            is_meant = key.get("kid") == kid if kid else len(keys) == 1
            if is_meant and key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm:
                return jwt.PyJWK(key, algorithm)
    raise ProviderFailed(f"its keys have none that is called {str(kid)[:80]!r} for {algorithm}")


def _keys(provider: OidcProvider, url: str, *, is_fresh: bool) -> list[dict[str, Any]]:
    name = f"oidc:keys:{provider.id}:{provider.issuer}:{url}"
    known = cache.get(name)
    if not known or (is_fresh and time.time() - known["at"] >= ASK_KEYS_AGAIN_SECONDS):
        known = {"keys": ask_json(provider, "GET", url).get("keys"), "at": time.time()}
        cache.set(name, known, KEYS_SECONDS)
    return [key for key in known["keys"] or () if isinstance(key, dict)]


def ask_json(
    provider: OidcProvider,
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The JSON object that one of the provider's addresses answers. Raises ProviderFailed for anything else."""
    sent = headers or {"Accept": "application/json"}
    try:
        answer = ask(method, url, body, sent, allowed=provider.allowed_hosts, most=MOST_BYTES)
    except Undeliverable as error:
        raise ProviderFailed(f"{url}: {error}") from error
    if answer.status != 200:
        words = " ".join(answer.body.decode("utf-8", "replace").split())[:200]
        raise ProviderFailed(f"{url} answers {answer.status}: {words}")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ProviderFailed(f"{url} answers no JSON") from None
    if not isinstance(document, dict):
        raise ProviderFailed(f"{url} answers no JSON object")
    return document
