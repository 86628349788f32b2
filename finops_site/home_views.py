"""The home page, made of what the pillars registered, and the page of one's API token."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.generic import TemplateView, View
from rest_framework.authtoken.models import Token

from finops_site.first_day.checklist import ChecklistLine, next_line
from finops_site.lib.person import Person
from finops_site.people.roles import role_of
from finops_site.people.signed_in import signed_in_user
from finops_site.people.tokens import drop_token, make_token
from finops_site.registry import Panel, registry
from finops_site.reports import monthly_report
from finops_site.ui import typed_text
from finops_site.ui.pages import Action, Empty, Page
from finops_site.ui.pending_decisions import waiting_for

SUBTITLES = {
    "administrator": "Sources, people and health of the system, and what the company spends.",
    "finance": "What the whole company spends, and whose it is.",
    "executive": "What the company spends and where it is going.",
    "engineering": "What your teams spend, and what changed.",
}
NO_BILL = Empty(
    title="No bill has been delivered yet",
    text="Spending appears here as soon as a bill from your cloud provider has been loaded.",
    icon="file-invoice",
    action=Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery", primary=True),
)
NO_BILL_FOR_YOU = "Your teams own no cost yet. It appears here when a bill with their charges has been loaded."


class Home(Page, TemplateView):
    """Open to anybody signed in: each panel decides for itself what this person sees in it."""

    template_name = "home.html"
    permission_required = None

    def get_title(self) -> str:
        return f"{greeting(timezone.localtime().hour)}, {self.person.get_short_name()}"

    @cached_property
    def role(self) -> str:
        return role_of(self.person)

    def get_subtitle(self) -> str:
        return SUBTITLES.get(self.role, "What your teams spend.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        empty = NO_BILL.for_user(self.person)
        if not empty["action_url"]:
            empty["text"] = NO_BILL_FOR_YOU
        return super().get_context_data(
            panels=panels(self.request),
            to_decide=waiting_for(self.person),
            empty=empty,
            role=self.role,
            setup=self._setup(),
            **programme(self.person),
            **kwargs,
        )

    def _setup(self) -> ChecklistLine | None:
        """The first line of the checklist that is not done, for who follows it and has not hidden it."""
        if self.person.hides_setup or not self.person.has_perm("finops_site.follow_setup"):
            return None
        return next_line(self.person)


class ApiToken(Page, TemplateView):
    """The token of one's own programs: shown once, when it is made."""

    template_name = "token.html"
    permission_required = None
    title = "API token"
    subtitle = "What your scripts and spreadsheets sign in with. They see what you see, and nothing more."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(current=Token.objects.filter(user=self.person).first(), **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        if "stop" in request.POST:
            drop_token(signed_in_user(request))
            messages.success(request, "The token no longer works.")
            return redirect("token")
        return self.render_to_response(self.get_context_data(fresh=make_token(signed_in_user(request)).key))


def greeting(hour: int) -> str:
    if hour < 5 or hour >= 18:
        return "Good evening"
    return "Good morning" if hour < 12 else "Good afternoon"


def programme(user: Person) -> dict[str, Any]:
    """The figures of the programme and the newest report, for those who see the whole company."""
    if not user.sees_whole_company:
        return {}
    today = timezone.now().date()
    return {"gates": monthly_report.make_gates(user, today), "newest": registry.newest_report_month(user, today)}


def panels(request: HttpRequest) -> list[str]:
    """Every registered panel that this person may see and that is not empty, drawn."""
    contexts = [(panel, panel.context(request)) for panel in registry.allowed(Panel, signed_in_user(request))]
    return [
        render_to_string(panel.template, {"panel": panel, **context}, request=request)
        for panel, context in contexts
        if context is not None
    ]


class DiscardTypedText(Page, View):
    """Throws away what waits for a form: see ui/typed_text.py."""

    permission_required = None

    def post(self, request: HttpRequest) -> HttpResponse:
        typed_text.discard(request)
        return redirect(typed_text.page_of(request) if request.headers.get("Referer") else "home")
