"""How people come in: finance and administrators invite, nobody signs up by herself."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from finops_site.people.reader_language import in_language_of

# What is longer is no address, and the log of failures does not hold it.
LONGEST_ADDRESS = 255


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        with in_language_of(email):
            super().send_mail(template_prefix, email, context)


def attempted_email(request: HttpRequest, credentials: dict[str, str] | None = None) -> str:
    """The address somebody tried to sign in with, for the log of failures."""
    email = (credentials or {}).get("email") or request.POST.get("login", "")
    return email.lower()[:LONGEST_ADDRESS]
