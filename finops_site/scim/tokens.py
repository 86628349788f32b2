"""The tokens that identity providers send people and groups by: none of them is a person's."""

import secrets
from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from finops_site.audit.events import token_used
from finops_site.models import ScimToken, User
from finops_site.people.tokens import NOTE_USE_EVERY, SHOWN_CHARACTERS, hash_of


class Provisioner:
    """Who asks by such a token: nobody who signs in."""

    is_authenticated = True
    is_active = True
    pk = None


def make_scim_token(name: str, by: User) -> tuple[ScimToken, str]:
    """A token and its key, which is never seen again."""
    key = secrets.token_hex(32)
    token = ScimToken.objects.create(
        name=name[:100], key_hash=hash_of(key), key_start=key[:SHOWN_CHARACTERS], created_by=by
    )
    return token, key


class ScimAuthentication(BaseAuthentication):
    """``Authorization: Bearer ...``; a session and a person's token open nothing here."""

    def authenticate(self, request: Request) -> tuple[Provisioner, ScimToken]:
        scheme, _space, key = get_authorization_header(request).decode("latin-1").partition(" ")
        token = ScimToken.objects.filter(key_hash=hash_of(key.strip())).first() if scheme.lower() == "bearer" else None
        if token is None:
            raise AuthenticationFailed("Send the token that an administrator made under People, as a bearer token.")
        _note_use(token, timezone.now())
        token_used(token, Provisioner())
        return Provisioner(), token

    def authenticate_header(self, request: HttpRequest) -> str:
        return "Bearer"


def _note_use(token: ScimToken, now: datetime) -> None:
    if token.last_used_at is None or token.last_used_at < now - NOTE_USE_EVERY:
        ScimToken.objects.filter(pk=token.pk).update(last_used_at=now)
