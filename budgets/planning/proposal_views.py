"""Proposing other amounts for a budget that is in force, and deciding about them."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.models import Budget, ProposedChange
from budgets.permissions import may_decide_change, may_propose_change
from budgets.planning import proposed_changes
from budgets.planning.budget_changes import StaleBudget
from budgets.planning.budget_forms import ProposeChangeForm
from budgets.planning.budget_preview import scope_preview
from budgets.planning.period_changes import WrongState
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import FormPage, Page


class ProposeChange(FormPage):
    """A lead asks for another amount of a budget of her teams: it has it when finance approves."""

    permission_required = "budgets.propose_budget"
    parameters = ("amount",)
    parameter_values = {"amount": ["suggested"]}
    model = Budget
    form_class = ProposeChangeForm
    template_name = "budgets/propose_change.html"
    submit_label = _lazy("Propose it")
    success_message = _lazy("It is proposed: finance approves it or rejects it. Until then the budget stays as it is.")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.person.is_authenticated and not may_propose_change(self.person, self.object):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_title(self) -> str:
        return _("Propose a change of {object}").format(object=self.object)

    def get_breadcrumbs(self) -> Any:
        return ((_("Budgets"), "budgets:budgets"), (str(self.object), self.object.get_absolute_url()))

    @cached_property
    def preview(self) -> dict[str, Any]:
        return scope_preview(self.object, timezone.now().date())

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = {**super().get_form_kwargs(), "budget": self.object, "today": timezone.now().date()}
        kwargs.pop("instance")
        is_asked = self.request.method == "GET" and self.request.GET.get("amount")
        if is_asked and self.preview["suggested_text"]:
            kwargs["initial"] = {"amount": self.preview["suggested_text"]}
        return kwargs

    def form_valid(self, form: ProposeChangeForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except (StaleBudget, WrongState) as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: ProposeChangeForm) -> ProposedChange:
        values = form.cleaned_data
        return proposed_changes.propose_change(
            self.object,
            form.new_amounts,
            version=values["version"],
            by=self.person,
            why=values["why"],
            now=timezone.now(),
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        more = {"cancel_url": self.object.get_absolute_url(), **self.preview}
        return super().get_context_data(**{**more, **kwargs})


class DecideChange(Page, View):
    """Approves or rejects what is proposed, or withdraws it: a button with a reason."""

    permission_required = "budgets.view_budget"
    words = {
        "approve": _lazy("It is approved: the budget has the proposed amounts from now on."),
        "reject": _lazy("It is rejected: the budget stays as it is."),
        "withdraw": _lazy("It is withdrawn: the budget stays as it is."),
    }

    def post(self, request: HttpRequest, pk: int, change: int, verb: str) -> HttpResponse:
        budget = get_object_or_404(Budget.objects.visible_to(self.person), pk=pk)
        row = get_object_or_404(ProposedChange, pk=change, budget=budget)
        if not may_decide_change(self.person, row, verb):
            raise PermissionDenied
        try:
            why = request.POST.get("why", "")[:500]
            proposed_changes.VERBS[verb](row, by=self.person, why=why, now=timezone.now())
            messages.success(request, self.words[verb])
        except (StaleBudget, WrongState) as error:
            messages.error(request, str(error))
        return redirect(budget)
