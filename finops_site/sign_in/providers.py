"""The identity providers that people sign in by, as the environment names them (docs/sign-in.md)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

NAME_OF_ID = re.compile(r"[a-z][a-z0-9-]{0,29}")
# Of FINOPS_OIDC_ISSUER and the settings beside it, and of FINOPS_SAML_METADATA and those.
ONLY_OIDC, ONLY_SAML = "oidc", "saml"
USUAL_SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """One provider, of either kind: its name, and whom it may bring in."""

    # How allauth calls the kind.
    kind: ClassVar[str]
    # The settings that it is read from begin so.
    prefix: ClassVar[str]
    # What an entry must name.
    needed: ClassVar[tuple[str, ...]]

    id: str
    name: str = "single sign-on"
    # Whose addresses we believe it; nobody of another domain comes in.
    domains: tuple[str, ...] = ()
    # Nobody gets an account by signing in: an administrator invites her first.
    invited_only: bool = False
    # It lies in our own network, where it may lack https.
    inner: bool = False

    @property
    def login_url(self) -> str:
        """The address that leads to its page."""
        return reverse(f"{self.kind}_login", args=[self.id])

    def trusts(self, email: str) -> bool:
        """Whether the address is of a domain that the provider speaks for."""
        return email.rpartition("@")[2].lower() in self.domains

    def hosts_inside(self, url: str) -> tuple[str, ...]:
        """The host of an address, where it may lie in our own network."""
        host = urlsplit(url).hostname or ""
        return (host,) if self.inner else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider(IdentityProvider):
    """One provider of OpenID Connect: where it is, and who we are to it."""

    kind: ClassVar[str] = "openid_connect"
    prefix: ClassVar[str] = "FINOPS_OIDC"
    needed: ClassVar[tuple[str, ...]] = ("id", "issuer", "client_id")

    issuer: str
    client_id: str
    client_secret: str = ""
    scopes: tuple[str, ...] = USUAL_SCOPES
    groups_claim: str = "groups"
    email_claim: str = "email"
    verified_claim: str = "email_verified"
    name_claim: str = "name"

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The hosts that may be asked though they lie in our own network."""
        return self.hosts_inside(self.issuer)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlProvider(IdentityProvider):
    """One provider of SAML: by its metadata, or by what stands in there, and how it names what it says of a person.

    An attribute that is left empty is looked for under the names that the usual providers have for it.
    """

    kind: ClassVar[str] = "saml"
    prefix: ClassVar[str] = "FINOPS_SAML"
    needed: ClassVar[tuple[str, ...]] = ("id",)

    # An https address, or the path of a file.
    metadata: str = ""
    entity_id: str = ""
    sso_url: str = ""
    slo_url: str = ""
    # PEM or base64, or the path of a file with it; several follow one another.
    certificate: str = ""
    # Who we are to it; empty: the address of our metadata.
    audience: str = ""
    # Empty: the NameID.
    subject_attribute: str = ""
    email_attribute: str = ""
    # An attribute that must say "true" of an address; empty: the provider speaks for each it sends.
    verified_attribute: str = ""
    name_attribute: str = ""
    groups_attribute: str = ""
    # Whether an answer is taken that no browser asked for.
    idp_initiated: bool = False

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The hosts that may be asked though they lie in our own network."""
        return self.hosts_inside(self.metadata)

    @property
    def our_entity_id(self) -> str:
        return self.audience or settings.SITE_URL.rstrip("/") + reverse("saml_metadata", args=[self.id])


def saml_is_installed() -> bool:
    """Whether the packages are here that SAML needs; without them the site goes on without it."""
    return find_spec("onelogin") is not None and find_spec("xmlsec") is not None


def saml_lacks_packages() -> bool:
    """Whether the settings name a provider of SAML, and its packages are not here."""
    return bool(_saml_entries()) and not saml_is_installed()


def identity_providers() -> dict[str, IdentityProvider]:
    """Every provider of the settings by its id. Raises ImproperlyConfigured for one that cannot be read."""
    named: list[IdentityProvider] = [
        OidcProvider(**_checked(entry, OidcProvider)) for entry in [*_only_oidc(), *settings.FINOPS_OIDC_PROVIDERS]
    ]
    saml = [_checked_saml(entry) for entry in _saml_entries()]
    if saml_is_installed():
        named += saml
    by_id = {one.id: one for one in named}
    if len(by_id) < len(named):
        raise ImproperlyConfigured("FINOPS_OIDC_PROVIDERS, FINOPS_SAML_PROVIDERS: two providers have the same id.")
    return by_id


def oidc_provider(provider_id: str) -> OidcProvider | None:
    one = identity_providers().get(provider_id)
    return one if isinstance(one, OidcProvider) else None


def saml_provider(provider_id: str) -> SamlProvider | None:
    one = identity_providers().get(provider_id)
    return one if isinstance(one, SamlProvider) else None


def _only_oidc() -> list[dict[str, Any]]:
    if not settings.FINOPS_OIDC_ISSUER:
        return []
    names = ("issuer", "client_id", "client_secret", "name", "inner", "scopes")
    claims = ("groups_claim", "email_claim", "verified_claim", "name_claim")
    return [{"id": ONLY_OIDC, **_values_of("FINOPS_OIDC", [*names, *claims])}]


def _saml_entries() -> list[Any]:
    if not (settings.FINOPS_SAML_METADATA or settings.FINOPS_SAML_SSO_URL):
        return list(settings.FINOPS_SAML_PROVIDERS)
    names = ("metadata", "entity_id", "sso_url", "slo_url", "certificate", "audience", "name", "inner", "idp_initiated")
    attributes = [f"{name}_attribute" for name in ("subject", "email", "verified", "name", "groups")]
    return [{"id": ONLY_SAML, **_values_of("FINOPS_SAML", [*names, *attributes])}, *settings.FINOPS_SAML_PROVIDERS]


def _values_of(prefix: str, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(settings, f"{prefix}_{name.upper()}") for name in names}


def _checked_saml(entry: object) -> SamlProvider:
    one = SamlProvider(**_checked(entry, SamlProvider))
    if not one.metadata and not (one.entity_id and one.sso_url and one.certificate):
        raise ImproperlyConfigured(
            "FINOPS_SAML: a provider has no metadata; without it entity_id, sso_url and certificate are needed."
        )
    return one


def _checked(entry: object, kind: type[IdentityProvider]) -> dict[str, Any]:
    """The values of an entry; what it leaves out of domains and invitations is as the site has it."""
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f"{kind.prefix}_PROVIDERS is a list of JSON objects.")
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(entry) - known):
        raise ImproperlyConfigured(f"{kind.prefix}_PROVIDERS: {', '.join(unknown)} is no setting of a provider.")
    if missing := [name for name in kind.needed if not entry.get(name)]:
        raise ImproperlyConfigured(f"{kind.prefix}: a provider has no {', '.join(missing)}.")
    if entry["id"] == "scim":
        raise ImproperlyConfigured(f"{kind.prefix}_PROVIDERS: scim is what groups are called that came by SCIM.")
    if not NAME_OF_ID.fullmatch(str(entry["id"])):
        raise ImproperlyConfigured(f"{kind.prefix}_PROVIDERS: an id is small letters, digits and hyphens, at most 30.")
    domains = entry.get("domains", settings.FINOPS_SIGN_IN_DOMAINS)
    values = {
        "invited_only": settings.FINOPS_SIGN_IN_INVITED_ONLY,
        **entry,
        "domains": tuple(str(name).lower().lstrip("@") for name in domains),
    }
    if "scopes" in known:
        values["scopes"] = tuple(entry.get("scopes") or USUAL_SCOPES)
    return values
