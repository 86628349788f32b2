"""How people come in: finance and administrators invite, nobody signs up by herself."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from finops_site.audit.context import address_of
from finops_site.people.backends import password_opens_for
from finops_site.people.reader_language import in_language_of

# What is longer is no address, and the log of failures does not hold it.
LONGEST_ADDRESS = 255
ROLE_BACKEND = "finops_site.people.backends.RoleBackend"


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request) or "unknown"

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse | None:
        """Where passwords are off a passkey opens no more than a password does: who left the provider is out."""
        by_provider = bool((kwargs.get("signal_kwargs") or {}).get("sociallogin"))
        if not by_provider and not password_opens_for(user.email):  # type: ignore[attr-defined]
            messages.error(request, _("Sign in by your company's provider."))
            return redirect("account_login")
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """However somebody signed in, her session asks our own backend who she is and what she may do."""
        user.backend = ROLE_BACKEND
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        """Who came by an identity provider comes by it again before long: her groups may have changed."""
        if (kwargs.get("signal_kwargs") or {}).get("sociallogin"):
            request.session.set_expiry(settings.FINOPS_SSO_SESSION_HOURS * 3600)
        return super().post_login(request, user, **kwargs)

    def send_password_reset_mail(self, user: AbstractBaseUser, email: str, context: dict[str, Any]) -> None:
        """Whom a password does not open gets no link to choose one."""
        if password_opens_for(email):
            super().send_password_reset_mail(user, email, context)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """In her language, and with what templates/emails/base.html draws."""
        with in_language_of(email):
            subject = " ".join(render_to_string(f"{template_prefix}_subject.txt", context).split())
            site_url = settings.SITE_URL.rstrip("/")
            super().send_mail(template_prefix, email, {**context, "subject": subject, "site_url": site_url})


def attempted_email(request: HttpRequest, credentials: dict[str, str] | None = None) -> str:
    """The address somebody tried to sign in with, for the log of failures."""
    email = (credentials or {}).get("email") or request.POST.get("login", "")
    return email.lower()[:LONGEST_ADDRESS]
