"""The identity providers that people sign in by, as the environment names them (docs/sign-in.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NAME_OF_ID = re.compile(r"[a-z][a-z0-9-]{0,29}")
# Of FINOPS_OIDC_ISSUER and the settings beside it.
ONLY_ID = "oidc"
USUAL_SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """One provider of OpenID Connect: where it is, who we are to it, and whom it may bring in."""

    id: str
    issuer: str
    client_id: str
    client_secret: str = ""
    name: str = "single sign-on"
    # Whose addresses we believe it; nobody of another domain comes in.
    domains: tuple[str, ...] = ()
    # Nobody gets an account by signing in: an administrator invites her first.
    invited_only: bool = False
    # It lies in our own network, where it may lack https.
    inner: bool = False
    scopes: tuple[str, ...] = USUAL_SCOPES
    groups_claim: str = "groups"
    email_claim: str = "email"
    verified_claim: str = "email_verified"
    name_claim: str = "name"

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The hosts that may be asked though they lie in our own network."""
        host = urlsplit(self.issuer).hostname or ""
        return (host,) if self.inner else ()

    def trusts(self, email: str) -> bool:
        """Whether the address is of a domain that the provider speaks for."""
        return email.rpartition("@")[2].lower() in self.domains


def identity_providers() -> dict[str, IdentityProvider]:
    """Every provider of the settings by its id. Raises ImproperlyConfigured for one that cannot be read."""
    named = [_checked(entry) for entry in [*_only_provider(), *settings.FINOPS_OIDC_PROVIDERS]]
    by_id = {one.id: one for one in named}
    if len(by_id) < len(named):
        raise ImproperlyConfigured("FINOPS_OIDC_PROVIDERS: two providers have the same id.")
    return by_id


def _only_provider() -> list[dict[str, Any]]:
    if not settings.FINOPS_OIDC_ISSUER:
        return []
    return [
        {
            "id": ONLY_ID,
            "issuer": settings.FINOPS_OIDC_ISSUER,
            "client_id": settings.FINOPS_OIDC_CLIENT_ID,
            "client_secret": settings.FINOPS_OIDC_CLIENT_SECRET,
            "name": settings.FINOPS_OIDC_NAME,
            "inner": settings.FINOPS_OIDC_INNER,
            "scopes": settings.FINOPS_OIDC_SCOPES,
            "groups_claim": settings.FINOPS_OIDC_GROUPS_CLAIM,
            "email_claim": settings.FINOPS_OIDC_EMAIL_CLAIM,
            "verified_claim": settings.FINOPS_OIDC_VERIFIED_CLAIM,
            "name_claim": settings.FINOPS_OIDC_NAME_CLAIM,
        }
    ]


def _checked(entry: object) -> IdentityProvider:
    """The provider of an entry; what it leaves out of domains and invitations is as the site has it."""
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured("FINOPS_OIDC_PROVIDERS is a list of JSON objects.")
    known = {field.name for field in fields(IdentityProvider)}
    if unknown := sorted(set(entry) - known):
        raise ImproperlyConfigured(f"FINOPS_OIDC_PROVIDERS: {', '.join(unknown)} is no setting of a provider.")
    if missing := [name for name in ("id", "issuer", "client_id") if not entry.get(name)]:
        raise ImproperlyConfigured(f"FINOPS_OIDC: a provider has no {', '.join(missing)}.")
    if entry["id"] == "scim":
        raise ImproperlyConfigured("FINOPS_OIDC_PROVIDERS: scim is what groups are called that came by SCIM.")
    if not NAME_OF_ID.fullmatch(str(entry["id"])):
        raise ImproperlyConfigured("FINOPS_OIDC_PROVIDERS: an id is small letters, digits and hyphens, at most 30.")
    domains = entry.get("domains", settings.FINOPS_SIGN_IN_DOMAINS)
    values = {
        "invited_only": settings.FINOPS_SIGN_IN_INVITED_ONLY,
        **entry,
        "domains": tuple(str(name).lower().lstrip("@") for name in domains),
        "scopes": tuple(entry.get("scopes") or USUAL_SCOPES),
    }
    return IdentityProvider(**values)
