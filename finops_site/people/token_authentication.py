"""Signing in by a token at the API: whose it is, whether it ended, and whether it may do this."""

from typing import Any

from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from finops_site.models import ApiToken, User
from finops_site.people.audit import TokenAuthenticationForAudit
from finops_site.people.tokens import note_use, pillar_names, token_of_key


class ApiTokenAuthentication(TokenAuthenticationForAudit):
    """What a token may not do is refused before anything is looked up: 403 with what it may."""

    model = ApiToken

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        user_and_token = super().authenticate(request)
        if user_and_token:
            check_scope(user_and_token[1], request)
        return user_and_token

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        token = token_of_key(key)
        if token is None:
            raise AuthenticationFailed("There is no such token.")
        now = timezone.now()
        if token.has_ended(now):
            raise AuthenticationFailed(f"The token {token.name} ended on {token.expires_at:%Y-%m-%d}: make another.")
        note_use(token, now)
        return token.user, token


def check_scope(token: ApiToken, request: Request) -> None:
    """Raises PermissionDenied for what the token was not made for, whatever its person may do."""
    if token.scope == ApiToken.Scope.READ and request.method not in SAFE_METHODS:
        raise PermissionDenied(f"The token {token.name} reads, and does not write.")
    pillar = _pillar_of(request)
    if token.pillars and pillar and pillar not in token.pillars:
        raise PermissionDenied(f"The token {token.name} is for {', '.join(token.pillars)} alone, and not for {pillar}.")


def _pillar_of(request: Request) -> str:
    """The app that answers; empty for the description of the API, which shows each what she may."""
    view = request.parser_context.get("view")
    app = type(view).__module__.partition(".")[0]
    return app if app in pillar_names() else ""
