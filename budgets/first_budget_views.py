"""The page of first budgets: an amount for each team from its last months, ticked and made together."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from budgets.first_budgets import CannotCreate, create_proposed, propose_budgets, typed_amounts
from finops_site.lib.money import typed_text
from finops_site.lib.words import counted
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page


class BudgetProposalsPage(Page, TemplateView):
    """Budgets for whoever has cost and none yet."""

    permission_required = "budgets.add_budget"
    template_name = "budgets/first_budgets.html"
    title = _lazy("First budgets")
    subtitle = _lazy("For the company and each team that has cost and no budget yet, from its last whole months.")
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"),)
    # {key: amount}, as they were typed; None before anybody did.
    typed: dict[str, str] | None = None

    def post(self, request: HttpRequest) -> HttpResponse:
        self.typed = {key: request.POST.get(f"amount {key}", "") for key in request.POST.getlist("pick")}
        try:
            made = create_proposed(self.person, typed_amounts(self.typed), timezone.now().date())
        except CannotCreate as error:
            for problem in error.problems:
                messages.error(request, problem)
            return self.render_to_response(self.get_context_data())
        messages.success(
            request, _("{budgets} made; they are evaluated every night.").format(budgets=counted(len(made), "budget"))
        )
        return redirect("budgets:budgets")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        proposals = propose_budgets(timezone.now().date())
        typed = self.typed
        rows = [
            {
                "proposal": one,
                "is_ticked": one.is_sure if typed is None else one.key in typed,
                "amount": (typed or {}).get(one.key) or (typed_text(one.suggestion.amount) if one.suggestion else ""),
            }
            for one in proposals
        ]
        return super().get_context_data(rows=rows, **kwargs)
