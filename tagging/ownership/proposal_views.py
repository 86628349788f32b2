"""The page of ownership rules that the bill suggests: tick, name the team, accept."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from finops_site.lib.words import counted
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Page
from tagging.ownership.month_pages import BREADCRUMBS
from tagging.ownership.proposals import CannotAccept, Proposals, accept_proposals, find_proposals

SHOWN_OVERLAPS = 3


class ProposalsPage(Page, TemplateView):
    """Rules out of tags and accounts that are called like teams, with what each would own; accepted together."""

    permission_required = ("tagging.add_ownershiprule", "tagging.change_ownershiprule")
    template_name = "tagging/rule_proposals.html"
    title = _lazy("Proposed rules")
    breadcrumbs = BREADCRUMBS
    # {key: team}, as they were ticked; None before anybody did.
    ticked: dict[str, str] | None = None

    def get_subtitle(self) -> str:
        return _("Tags and accounts of the bill that are called like teams.")

    def post(self, request: HttpRequest) -> HttpResponse:
        self.ticked = {key: request.POST.get(f"team {key}", "") for key in request.POST.getlist("pick")}
        if "preview" not in request.POST:
            try:
                accepted = accept_proposals(self.person, self.ticked, timezone.now().date())
            except CannotAccept as error:
                for problem in error.problems:
                    messages.error(request, problem)
            else:
                added = counted(len(accepted), "rule")
                messages.success(
                    request, _("{added} added. The open months are being reallocated.").format(added=added)
                )
                return redirect("tagging:ownership")
        return self.render_to_response(self.get_context_data())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        proposals = find_proposals(self.person, timezone.now().date())
        ticked = self.ticked
        if ticked is None:
            ticked = {rule.key: rule.team_name for rule in proposals.rules if rule.is_sure}
        month = month_text(proposals.month, "long")
        context = {
            "proposals": proposals,
            "rows": [
                {
                    "rule": rule,
                    "is_ticked": rule.key in ticked,
                    "team": ticked.get(rule.key) or rule.team_name,
                    "overlaps": rule.largest_overlaps(SHOWN_OVERLAPS),
                    "more": max(len(rule.overlaps) - SHOWN_OVERLAPS, 0),
                }
                for rule in proposals.rules
            ],
            "stats": _stats(proposals, list(ticked), month),
            "team_names": Team.objects.order_by("name").values_list("name", flat=True),
            "may_add_team": self.person.has_perm("finops_site.add_team"),
        }
        return super().get_context_data(**{**context, **kwargs})


def _stats(proposals: Proposals, ticked: list[str], month: str) -> list[dict[str, Any]]:
    left = proposals.left_after(ticked)
    return [
        stat
        for currency, unowned in sorted(proposals.unowned.items())
        for stat in (
            {"label": _("Unowned now"), "amount": unowned, "currency": currency, "note": month, "icon": "help"},
            {
                "label": _("Unowned afterwards"),
                "amount": left[currency],
                "currency": currency,
                "note": _("with the ticked rules"),
                "icon": "hierarchy-2",
            },
        )
    ]
