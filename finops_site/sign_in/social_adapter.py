"""How allauth finds our providers, and what it does with whom they bring."""

import logging
from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from django.http import HttpRequest
from django.shortcuts import render

from finops_site.audit.events import record_safely
from finops_site.models import AuditEntry
from finops_site.sign_in.admission import SignInRefused, admit
from finops_site.sign_in.providers import IdentityProvider, OidcProvider, identity_providers

logger = logging.getLogger(__name__)


class SocialAdapter(DefaultSocialAccountAdapter):
    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The providers that the environment names; none that lies in a table."""
        every = identity_providers()
        if provider is None:
            known = list(every.values())
        elif provider in every:
            known = [every[provider]]
        else:
            known = [one for one in every.values() if one.kind == provider]
        return [app for app in map(_app_of, known) if client_id in (None, app.client_id)]

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
            _note_failure(provider, refused, sociallogin.identity.email)
            page = render(request, "socialaccount/refused.html", {"reason": str(refused)}, status=403)
            raise ImmediateHttpResponse(page) from None

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        logger.warning("sign-in by %s failed: %s", provider.sub_id, exception or error)
        if error != AuthError.CANCELLED:
            _note_failure(provider, exception or error)

    def get_requests_session(self) -> NoReturn:
        raise RuntimeError("addresses of providers are asked through finops_site.lib.http_client")


def _note_failure(provider: Any, reason: object, email: str = "") -> None:
    """In the audit log, beside wrong passwords."""
    record_safely(AuditEntry.Action.SIGN_IN_FAILED, name=f"{email + ', ' if email else ''}{provider.name}: {reason}")


def _app_of(provider: IdentityProvider) -> SocialApp:
    if not isinstance(provider, OidcProvider):
        return SocialApp(provider=provider.kind, provider_id=provider.id, name=provider.name, client_id=provider.id)
    return SocialApp(
        provider=provider.kind,
        provider_id=provider.id,
        name=provider.name,
        client_id=provider.client_id,
        secret=provider.client_secret,
        settings={"server_url": provider.issuer, "scope": list(provider.scopes)},
    )
