"""The home page, made of what the pillars registered."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from finops_site.first_day.checklist import ChecklistLine, next_line
from finops_site.lib.language import get_zone
from finops_site.lib.periods import Month
from finops_site.people.roles import role_of
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import registry
from finops_site.reports import monthly_report
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui import typed_text
from finops_site.ui.pages import Action, Empty, Page
from finops_site.ui.to_do import SHOWN_OF_A_SOURCE, find_to_do

SUBTITLES = {
    "administrator": _lazy("Sources, people and health of the system, and what the company spends."),
    "finance": _lazy("What the whole company spends, and whose it is."),
    "executive": _lazy("What the company spends and where it is going."),
    "engineering": _lazy("What your teams spend, and what changed."),
}
NO_BILL = Empty(
    title=_lazy("No bill has been delivered yet"),
    text=_lazy("Spending appears here as soon as a bill from your cloud provider has been loaded."),
    icon="file-invoice",
    action=Action(_lazy("Upload a bill"), "costs:delivery_upload", "upload", "costs.add_delivery", primary=True),
)
NO_BILL_FOR_YOU = _lazy("Your teams own no cost yet. It appears here when a bill with their charges has been loaded.")


class Home(Page, TemplateView):
    """Open to anybody signed in: each panel decides for itself what this person sees in it."""

    template_name = "home.html"
    permission_required = None

    def get_title(self) -> str:
        return f"{greeting(timezone.localtime(timezone=get_zone()).hour)}, {self.person.get_short_name()}"

    @cached_property
    def role(self) -> str:
        return role_of(self.person)

    def get_subtitle(self) -> str:
        return SUBTITLES.get(self.role, _("What your teams spend."))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        empty = NO_BILL.for_user(self.person)
        if not empty["action_url"]:
            empty["text"] = NO_BILL_FOR_YOU
        to_do = find_to_do(self.person, self.role, most=SHOWN_OF_A_SOURCE)
        return super().get_context_data(
            panels=panels(self.request, self.role),
            to_do=to_do,
            to_decide=to_do.decisions,
            empty=empty,
            role=self.role,
            setup=self._setup(),
            newest=self._newest_report(),
            **kwargs,
        )

    def _newest_report(self) -> Month | None:
        """The newest report, for those who see the whole company."""
        if not self.person.sees_whole_company:
            return None
        return registry.newest_report_month(self.person, timezone.now().date())

    def _setup(self) -> ChecklistLine | None:
        """The first line of the checklist that is not done, for who follows it and has not hidden it."""
        if self.person.hides_setup or not self.person.has_perm("finops_site.follow_setup"):
            return None
        return next_line(self.person)


class ToDoPage(Page, TemplateView):
    """All there is to do, by kind: home shows what comes first."""

    template_name = "to_do.html"
    permission_required = None
    title = _lazy("What to do")
    subtitle = _lazy("Decisions that wait for you, then the rest by kind: those with the most money first.")
    empty = Empty(
        _lazy("Nothing waits for you"),
        _lazy("What you should see to or decide appears here, with its money."),
        "checks",
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        to_do = find_to_do(self.person, role_of(self.person))
        return super().get_context_data(to_do=to_do, empty=self.empty.for_user(self.person), **kwargs)


class Programme(Page, TemplateView):
    """The part of home that has figures against their targets; home asks for it apart, for it takes the longest."""

    template_name = "includes/gates.html"
    permission_required = "costs.view_company"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.headers.get("HX-Request"):
            return redirect("home")
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        gates, night = monthly_report.make_home_gates(self.person, timezone.now().date())
        return super().get_context_data(gates=gates, night=night, **kwargs)


def greeting(hour: int) -> str:
    if hour < 5 or hour >= 18:
        return _("Good evening")
    return _("Good morning") if hour < 12 else _("Good afternoon")


def panels(request: HttpRequest, role: str) -> list[str]:
    """Every registered panel that this person may see and that is not empty, drawn in the order of her role."""
    contexts = [(panel, panel.context(request)) for panel in registry.panels(signed_in_user(request), role)]
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
