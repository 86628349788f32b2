"""How allauth finds our providers, and what it does with whom they bring."""

import logging
from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.http import HttpRequest
from django.shortcuts import render

from finops_site.sign_in.admission import SignInRefused, admit
from finops_site.sign_in.providers import IdentityProvider, identity_providers

logger = logging.getLogger(__name__)
OIDC = "openid_connect"


class SocialAdapter(DefaultSocialAccountAdapter):
    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The providers that the environment names; none that lies in a table."""
        known = [one for one in identity_providers().values() if provider in (None, OIDC, one.id)]
        return [_app_of(one) for one in known if client_id in (None, one.client_id)]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody signs up on a form: who comes in is decided below, before."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Finds or makes the person. Whom nobody lets in reads why."""
        provider = identity_providers()[sociallogin.account.provider]
        try:
            sociallogin.user = admit(sociallogin.identity, provider)
        except SignInRefused as refused:
            logger.warning("sign-in by %s refused: %s", provider.id, refused)
            page = render(request, "socialaccount/refused.html", {"reason": str(refused)}, status=403)
            raise ImmediateHttpResponse(page) from None

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        logger.warning("sign-in by %s failed: %s", provider.sub_id, exception or error)

    def get_requests_session(self) -> NoReturn:
        raise RuntimeError("addresses of providers are asked through finops_site.lib.http_client")


def _app_of(provider: IdentityProvider) -> SocialApp:
    return SocialApp(
        provider=OIDC,
        provider_id=provider.id,
        name=provider.name,
        client_id=provider.client_id,
        secret=provider.client_secret,
        settings={"server_url": provider.issuer, "scope": list(provider.scopes)},
    )
