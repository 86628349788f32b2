"""How people sign in, for the page Health: what is set up, and what of it does not work or will not for long."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography.x509 import load_der_x509_certificate
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.registry import HealthState, HealthStatus
from finops_site.sign_in.providers import (
    IdentityProvider,
    SamlProvider,
    identity_providers,
    saml_lacks_packages,
)

SOON = timedelta(days=30)


def statuses(now: datetime) -> list[HealthStatus]:
    """One for each provider, or that there is none."""
    return list(_statuses(now))


def _statuses(now: datetime) -> Iterator[HealthStatus]:
    try:
        known = identity_providers()
        lacks_packages = saml_lacks_packages()
    except (ImproperlyConfigured, TypeError) as error:
        yield HealthStatus(_("Identity providers"), HealthState.BROKEN, str(error))
        return
    if lacks_packages:
        text = _("The settings name a provider, and python3-saml is not installed: nobody signs in by it.")
        yield HealthStatus("SAML", HealthState.BROKEN, text)
    for provider in known.values():
        yield _status(provider, now)
    if not known and not lacks_packages:
        yield HealthStatus(_("Identity providers"), HealthState.GOOD, _("none is set up: people have passwords here"))


def _status(provider: IdentityProvider, now: datetime) -> HealthStatus:
    if not provider.domains:
        text = _("It is trusted with no domain of addresses: nobody signs in by it.")
        return HealthStatus(provider.name, HealthState.BROKEN, text)
    if isinstance(provider, SamlProvider):
        return _saml_status(provider, now)
    return HealthStatus(provider.name, HealthState.GOOD, _("is set up by OpenID Connect"))


def _saml_status(provider: SamlProvider, now: datetime) -> HealthStatus:
    from onelogin.saml2.utils import OneLogin_Saml2_Utils

    from finops_site.sign_in.saml.configuration import SamlFailed, described_provider

    try:
        texts = described_provider(provider)["x509certMulti"]["signing"]
    except SamlFailed as failed:
        return HealthStatus(provider.name, HealthState.BROKEN, str(failed))
    last = max(load_der_x509_certificate(OneLogin_Saml2_Utils.b64decode(text)).not_valid_after_utc for text in texts)
    if last < now + SOON:
        text = _("Its certificate ends on {day}: it will sign by another, which must be known here before.")
        return HealthStatus(provider.name, HealthState.WARNING, text.format(day=day_text(last.date())))
    text = _("is set up by SAML; its certificate ends on {day}")
    return HealthStatus(provider.name, HealthState.GOOD, text.format(day=day_text(last.date())))
