"""How people come in: finance and administrators invite, nobody signs up by herself."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


def attempted_email(request: HttpRequest, credentials: dict[str, str] | None = None) -> str:
    """The address somebody tried to sign in with, for the log of failures."""
    email = (credentials or {}).get("email") or request.POST.get("login", "")
    return email.lower()
