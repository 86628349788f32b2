"""Where somebody is signed in: her own page, and ending all sessions of another person."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from finops_site.mail.invitations import why_not_change
from finops_site.models import User
from finops_site.people.sessions import end_all_sessions, end_session, sessions_of
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page

BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("Linux", "Linux")),
)


def device_text(user_agent: str) -> str:
    """``Firefox, Windows``, of what a browser says about itself; empty where nobody knows it."""
    names = [next((name for mark, name in marks if mark in user_agent), "") for marks in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, names))


class SessionsPage(Page, TemplateView):
    template_name = "sessions.html"
    permission_required = None
    title = _lazy("Where I am signed in")
    subtitle = _lazy("End what is not you, or not any more. Whoever has that browser is asked to sign in.")
    breadcrumbs = ((_lazy("My settings"), "my_settings"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        here = self.request.session.session_key
        sessions = [
            {"session": one, "device": device_text(one.user_agent), "is_here": one.session_key == here}
            for one in sessions_of(self.person)
        ]
        return super().get_context_data(sessions=sessions, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ends every session but this one."""
        person = User.objects.get(pk=self.person.pk)
        end_all_sessions(person, but=request.session.session_key or "")
        request.user = person
        update_session_auth_hash(request, person)
        UserSession.objects.filter(user=person).delete()
        UserSession.objects.create_from_request(request)
        messages.success(request, _("Every other session is ended."))
        return redirect("my_sessions")


class EndSession(Page, View):
    permission_required = None

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        end_session(get_object_or_404(UserSession, user=self.person, pk=pk))
        messages.success(request, _("The session is ended."))
        return redirect("my_sessions")


class EndSessionsOfPerson(Page, View):
    permission_required = "finops_site.change_user"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        person = get_object_or_404(User, pk=pk)
        if reason := why_not_change(self.person, person):
            messages.error(request, reason)
        else:
            end_all_sessions(person)
            messages.success(request, _("{person} is signed out everywhere.").format(person=person))
        return redirect("person", pk)
