"""Who must have a second step beside the password, and what happens to who has none: asked, and after a while kept out.

A second step is an app that shows codes, or a passkey. Who comes by an identity provider has hers there.
"""

from collections.abc import Callable
from datetime import date, timedelta

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.models import User
from finops_site.people.roles import names_of_groups

# What somebody needs to set a second step up, and to leave.
OPEN = ("/accounts/", "/static/", "/healthz", "/settings/")


def has_second_step(user: User) -> bool:
    """Whether she has an app or a passkey; of the person of a request it is known already (RoleBackend)."""
    known = getattr(user, "has_second_step", None)
    if known is not None:
        return bool(known)
    return Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES).exists()


def came_by_provider(request: HttpRequest) -> bool:
    """Whether this session began at an identity provider, which asks for what it wants."""
    return any(one.get("method") == "socialaccount" for one in get_authentication_records(request, request.user))


def must_have_second_step(user: User) -> bool:
    """Whether her role asks for one."""
    return bool(names_of_groups(user) & set(settings.FINOPS_MFA_REQUIRED_ROLES))


def last_day_without(user: User) -> date:
    """Until when she may go on without; it is counted from the day she was first asked."""
    asked_on = user.second_step_asked_on
    if asked_on is None:
        asked_on = timezone.now().date()
        User.objects.filter(pk=user.pk, second_step_asked_on=None).update(second_step_asked_on=asked_on)
    return asked_on + timedelta(days=settings.FINOPS_MFA_GRACE_DAYS)


class SecondStepMiddleware:
    """Asks on every visit of home until the days are over; then nothing opens but the pages where it is set up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._answer(request) or self.get_response(request)

    def _answer(self, request: HttpRequest) -> HttpResponse | None:
        if not settings.FINOPS_MFA_REQUIRED_ROLES or request.path.startswith(OPEN):
            return None
        # Who has no session is nobody, or a program with a token: asking would say that the answer hangs on one.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
            return None
        user = request.user
        if has_second_step(user) or not must_have_second_step(user) or came_by_provider(request):
            return None
        last_day = last_day_without(user)
        if timezone.now().date() <= last_day:
            if request.path == "/":
                text = _("Your role asks for a second step at sign-in: set one up by {day}, under Two-factor sign-in.")
                messages.warning(request, text.format(day=day_text(last_day)))
            return None
        if request.path.startswith("/api/"):
            return JsonResponse(
                {"detail": "Set up a second step at sign-in first: your role asks for one."}, status=403
            )
        messages.error(request, _("Your role asks for a second step at sign-in: set one up to go on."))
        return redirect("mfa_index")
