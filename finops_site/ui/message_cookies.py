"""The cookies that are neither the session nor the token of forms: named so that no other host can set them."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


def host_cookie(name: str) -> str:
    """A name that browsers take from this very host and over https alone, where the site is served so."""
    return f"__Host-{name}" if settings.HTTPS else name


class HostCookieStorage(CookieStorage):
    cookie_name = host_cookie(CookieStorage.cookie_name)


class MessageStorage(FallbackStorage):
    """Messages for the next page: in a cookie, and in the session what does not fit."""

    storage_classes = (HostCookieStorage, SessionStorage)
