"""SAML as allauth has it, with our own checks in the place of its: see assertions.py.

allauth keeps the request of a sign-in in the session, and signs in by its stages, the second factor among them.
"""

from typing import Any

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from onelogin.saml2.auth import OneLogin_Saml2_Auth

from finops_site.sign_in.admission import Identity
from finops_site.sign_in.providers import saml_provider
from finops_site.sign_in.saml.configuration import SamlFailed, request_facts, saml_settings


class CheckedSamlProvider(SAMLProvider):
    """Its addresses are in finops_site.sign_in.saml.urls, under allauth's names."""

    package = "finops_site.sign_in.saml"

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """To the provider's page. Of the address that led here counts nothing but where to go then, as with OpenID."""
        ours = saml_provider(self.app.provider_id)
        assert ours, "the door has looked for it"
        try:
            auth = OneLogin_Saml2_Auth(request_facts(request), saml_settings(ours, request))
        except SamlFailed as failed:
            return render_authentication_error(
                request, self, exception=failed, extra_context={"auth_reason": failed.words}
            )
        url = auth.login(return_to="", set_nameid_policy=False)
        self.stash_redirect_state(request, AuthProcess.LOGIN, next_url, data, state_id=auth.get_last_request_id())
        return HttpResponseRedirect(url)

    def extract_uid(self, data: Identity) -> str:
        return data.subject

    def extract_extra_data(self, data: Identity) -> dict[str, Any]:
        """Kept by `admission.admit`, which knows what of it is worth keeping."""
        return {}

    def extract_common_fields(self, data: Identity) -> dict[str, Any]:
        return {"email": data.email}
