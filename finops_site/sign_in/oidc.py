"""OpenID Connect as allauth has it, with our own checks in the place of its: see id_tokens.py.

allauth keeps the state of a sign-in in the session, has PKCE, and signs in by its stages, the second factor among them.
Here every address is asked through our guard, the signature of an ID token is always checked, and a nonce binds it to
the sign-in.
"""

from collections.abc import Mapping
from typing import Any

from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import get_random_string

from finops_site.sign_in.admission import LONGEST_NAME, Identity, plain_groups, plain_text
from finops_site.sign_in.id_tokens import ProviderFailed, claims_of, discovery_of, exchange_code, nonce_of
from finops_site.sign_in.providers import OidcProvider, oidc_provider


class CheckedAdapter(OpenIDConnectOAuth2Adapter):
    """Asks the provider, and believes what was checked."""

    @property
    def ours(self) -> OidcProvider:
        provider = oidc_provider(self.provider_id)
        assert provider, "the door has looked for it"
        return provider

    @property
    def openid_config(self) -> dict[str, Any]:
        return discovery_of(self.ours)

    def get_access_token_data(
        self, request: HttpRequest, app: SocialApp, client: Any, pkce_code_verifier: str | None = None
    ) -> dict[str, Any]:
        code = request.GET.get("code", "")
        return exchange_code(self.ours, code, client.callback_url, pkce_code_verifier, with_basic=self.basic_auth)

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        # The state was found in this browser's session before we come here.
        claims = claims_of(self.ours, kwargs["response"], request.GET["state"])
        identity = identity_of(self.ours, claims)
        shown = {"sub": identity.subject, "email": identity.email, "name": identity.name}
        login = self.get_provider().sociallogin_from_response(request, {"userinfo": shown})
        login.identity = identity
        return login


class CheckedProvider(OpenIDConnectProvider):
    """Its addresses are in finops_site.sign_in.urls, under allauth's names."""

    package = "finops_site.sign_in"
    oauth2_adapter_class = CheckedAdapter
    pkce_enabled_default = True

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """To the provider's page. Nothing of the address that led here changes what it is asked, but where to go then.

        `process` is what allauth would do with the answer: here it is to sign in, and never to tie somebody's
        account at the provider to whoever is signed in.
        """
        state = get_random_string(32)
        wanted = {"state_id": state, "auth_params": {"nonce": nonce_of(state)}, "scope": list(self.get_scope())}
        try:
            return super().redirect(request, AuthProcess.LOGIN, next_url, data, **wanted)
        except ProviderFailed as failed:
            return render_authentication_error(request, self, exception=failed)

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        """Kept by `admission.admit`, which knows what of it is worth keeping."""
        return {}


def identity_of(provider: OidcProvider, claims: Mapping[str, Any]) -> Identity:
    """Who the claims say somebody is, by the names that the provider's settings give them."""
    email = plain_text(_claim(claims, provider.email_claim), 254)
    verified = _claim(claims, provider.verified_claim)
    return Identity(
        subject=str(claims["sub"]),
        email=email if "@" in email else "",
        is_verified=str(verified).lower() in ("true", "1"),
        name=plain_text(_claim(claims, provider.name_claim), LONGEST_NAME),
        groups=_groups_of(provider, claims),
    )


def _groups_of(provider: OidcProvider, claims: Mapping[str, Any]) -> frozenset[str] | None:
    """The groups; None where the provider says elsewhere which they are, as Entra ID does of more than 200."""
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, dict) and provider.groups_claim in elsewhere:
        return None
    named = _claim(claims, provider.groups_claim)
    listed = named if isinstance(named, list) else [named] if named else []
    return plain_groups(listed)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or one inside of others by names with dots: ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    inside: Any = claims
    for part in name.split("."):
        inside = inside.get(part) if isinstance(inside, Mapping) else None
    return inside


@login_not_required
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Sends the browser to the provider's page."""
    _check_known(provider_id)
    return OAuth2LoginView.adapter_view(CheckedAdapter(request, provider_id))(request)


@login_not_required
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Where the provider sends the browser back to."""
    _check_known(provider_id)
    adapter = CheckedAdapter(request, provider_id)
    try:
        return OAuth2CallbackView.adapter_view(adapter)(request)
    except ProviderFailed as failed:
        return render_authentication_error(request, adapter.get_provider(), exception=failed)


def _check_known(provider_id: str) -> None:
    if oidc_provider(provider_id) is None:
        raise Http404
