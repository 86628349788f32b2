"""The doors of SAML: to the provider, its answer, our metadata, and being signed out by it."""

from dataclasses import asdict
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login, render_authentication_error
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Saml
from onelogin.saml2.logout_request import OneLogin_Saml2_Logout_Request
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from finops_site.audit.events import record
from finops_site.models import AuditEntry
from finops_site.people.sessions import end_all_sessions
from finops_site.sign_in.admission import Identity
from finops_site.sign_in.providers import SamlProvider, saml_provider
from finops_site.sign_in.saml.assertions import (
    SIGNATURES,
    checked_answer,
    is_first,
    not_asked,
    not_signed,
    too_old,
    used_before,
)
from finops_site.sign_in.saml.configuration import (
    SamlFailed,
    offers_sign_out,
    our_metadata,
    request_facts,
    saml_settings,
)
from finops_site.ui.limits import HasLimit

# From the provider's answer to the page that finishes the sign-in: a redirect.
ANSWER, ANSWER_SECONDS = "saml_answer", 120
LONGEST_REQUEST = 16 * 1024
USED_SECONDS = 2 * Saml.ALLOWED_CLOCK_DRIFT


@never_cache
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Sends the browser to the provider's page."""
    provider = _known(provider_id)
    answer: HttpResponse = _of_allauth(request, provider).redirect_from_request(request)
    return answer


def metadata(request: HttpRequest, provider_id: str) -> HttpResponse:
    """What the provider is told of us."""
    return HttpResponse(our_metadata(_known(provider_id), request), content_type="application/samlmetadata+xml")


@method_decorator([csrf_exempt, never_cache], "dispatch")
class ReceiveAnswer(HasLimit, View):
    """Where the provider has the browser post its answer.

    Browsers send no session with a form of another site: what was found good waits in the database, and the page
    after this one looks whether this browser asked for it.
    """

    limit_name, limited_methods = "FINOPS_LINK_LIMIT", ("POST",)

    def get(self, request: HttpRequest, provider_id: str) -> HttpResponse:
        _known(provider_id)
        return HttpResponseNotAllowed(["POST"])

    def post(self, request: HttpRequest, provider_id: str) -> HttpResponse:
        provider = _known(provider_id)
        try:
            answer = checked_answer(provider, request, request.POST.get("SAMLResponse", ""))
        except SamlFailed as failed:
            return _refusal(request, provider, failed)
        groups = answer.identity.groups
        waiting = SessionStore()
        waiting.set_expiry(ANSWER_SECONDS)
        waiting[ANSWER] = {
            "provider": provider.id,
            "request_id": answer.request_id,
            "next": request.POST.get("RelayState", ""),
            "identity": {**asdict(answer.identity), "groups": None if groups is None else sorted(groups)},
        }
        waiting.create()
        url = reverse("saml_finish_acs", args=[provider.id])
        response = HttpResponseRedirect(url)
        response.set_cookie(
            ANSWER,
            waiting.session_key or "",
            max_age=ANSWER_SECONDS,
            path=url,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response


@never_cache
def finish(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Signs in whom the answer is about, in the browser that asked for it."""
    provider = _known(provider_id)
    try:
        waiting = _taken(request, provider)
        state = _state_of(request, provider, waiting)
    except SamlFailed as failed:
        return _refusal(request, provider, failed)
    values = waiting["identity"]
    groups = values.pop("groups")
    identity = Identity(**values, groups=None if groups is None else frozenset(groups))
    sign_in = _of_allauth(request, provider).sociallogin_from_response(request, identity)
    sign_in.state = state
    sign_in.identity = identity
    response: HttpResponse = complete_social_login(request, sign_in)
    response.delete_cookie(ANSWER, path=request.path)
    return response


def _taken(request: HttpRequest, provider: SamlProvider) -> dict[str, Any]:
    """What waits for this browser, which waits no longer. Raises SamlFailed."""
    store = SessionStore(request.COOKIES.get(ANSWER) or None)
    waiting = store.get(ANSWER)
    if not isinstance(waiting, dict) or waiting["provider"] != provider.id:
        raise SamlFailed("no answer waits for this browser", not_asked())
    store.delete()
    return waiting


def _state_of(request: HttpRequest, provider: SamlProvider, waiting: dict[str, Any]) -> dict[str, Any]:
    """What allauth kept of the request that is answered. Raises SamlFailed where this browser made none such."""
    if not waiting["request_id"]:
        # Only where the settings allow it: the assertion was looked at.
        url = waiting["next"]
        hosts = {request.get_host()}
        is_ours = url_has_allowed_host_and_scheme(url, hosts, require_https=request.is_secure())
        return {"process": AuthProcess.LOGIN, **({"next": url} if is_ours else {})}
    try:
        state = _of_allauth(request, provider).unstash_redirect_state(request, waiting["request_id"])
    except PermissionDenied:
        raise SamlFailed("it answers a request of another browser", not_asked()) from None
    return dict(state)


@method_decorator(never_cache, "dispatch")
class SignOut(HasLimit, View):
    """Where the provider says, signed, that somebody signed out there: her sessions here end, in every browser."""

    limit_name, limited_methods = "FINOPS_LINK_LIMIT", ("GET",)

    def get(self, request: HttpRequest, provider_id: str) -> HttpResponse:
        provider = _known(provider_id)
        if not offers_sign_out(provider):
            raise Http404
        try:
            auth = OneLogin_Saml2_Auth(request_facts(request), saml_settings(provider, request, signed_messages=True))
            if not auth.get_slo_url():
                raise Http404
            name_id, sign_out_id = _checked_request(provider, auth, request)
        except SamlFailed as failed:
            return _refusal(request, provider, failed)
        account = SocialAccount.objects.select_related("user").filter(provider=provider.id, uid=name_id).first()
        if account:
            person = account.user
            end_all_sessions(person)
            record(AuditEntry.Action.SIGN_OUT, person, actor=person.pk, who=person.email)
            if request.user.pk == person.pk:
                logout(request)
        return HttpResponseRedirect(_answer_to(auth, sign_out_id, request.GET.get("RelayState")))


def _checked_request(provider: SamlProvider, auth: Any, request: HttpRequest) -> tuple[str, str]:
    """(who signs out, the id of the request). Raises SamlFailed where it is not signed, too old or not for us."""
    sent = request.GET.dict()
    is_short = 0 < len(sent.get("SAMLRequest", "")) <= LONGEST_REQUEST
    if not is_short or any(len(values) > 1 for _name, values in request.GET.lists()):
        raise SamlFailed("there is no request to sign out (SAMLRequest), or it is there twice")
    try:
        # An algorithm that it does not know python3-saml reads as SHA-1.
        if sent.get("SigAlg") not in SIGNATURES or not auth.validate_request_signature(sent):
            raise SamlFailed("its request to sign out is not signed", not_signed())
        wish = OneLogin_Saml2_Logout_Request(auth.get_settings(), sent["SAMLRequest"])
        wish.is_valid(request_facts(request), raise_exceptions=True)
        xml = OneLogin_Saml2_XML.to_etree(wish.get_xml())
        made_at = OneLogin_Saml2_Utils.parse_SAML_to_time(xml.get("IssueInstant"))
        name_id = str(wish.get_nameid(xml))
    except SamlFailed:
        raise
    except Exception as error:
        # What odd bytes raise is no list that one could name.
        raise SamlFailed(f"its request to sign out: {type(error).__name__}: {str(error)[:200]}") from None
    if abs(OneLogin_Saml2_Utils.now() - made_at) > Saml.ALLOWED_CLOCK_DRIFT:
        raise SamlFailed("its request to sign out is too old", too_old())
    if not is_first(f"out {provider.id} {wish.id}", USED_SECONDS, without_cache=True):
        raise SamlFailed("its request to sign out was used before", used_before())
    return name_id, str(wish.id)


def _answer_to(auth: Any, sign_out_id: str, relay_state: str | None) -> str:
    """The provider's address with the answer that it is done."""
    builder = auth.logout_response_class(auth.get_settings())
    builder.build(sign_out_id)
    parameters = {"SAMLResponse": builder.get_response()}
    if relay_state:
        parameters["RelayState"] = relay_state
    return str(auth.redirect_to(auth.get_slo_response_url(), parameters))


def _known(provider_id: str) -> SamlProvider:
    provider = saml_provider(provider_id)
    if provider is None:
        raise Http404
    return provider


def _of_allauth(request: HttpRequest, provider: SamlProvider) -> Any:
    return get_adapter(request).get_provider(request, provider.id)


def _refusal(request: HttpRequest, provider: SamlProvider, failed: SamlFailed) -> HttpResponse:
    response: HttpResponse = render_authentication_error(
        request, _of_allauth(request, provider), exception=failed, extra_context={"auth_reason": failed.words}
    )
    return response
